//! Taking a contract in: what is asked for and what came out.

use crate::Name;
use crate::catalog::Stage;
use crate::finding::Finding;
use crate::id::{ApiId, ProductId, VersionId, WorkspaceId};
use crate::offer::Visibility;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to import, and what to make of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportSpec {
    /// The OpenAPI document: JSON or YAML, up to 10 MB.
    pub document: String,
    /// The API's name; made of the document's title if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The service behind, as `http://127.0.0.1:9000/base`; if absent and published, the first absolute address of
    /// the document's `servers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub upstream_url: Option<String>,
    /// Where it is reachable: the environment's name; `sandbox` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Name>,
    /// What stands before the document's paths; `/<name>` if absent, or `/<name>/<version>` if another version
    /// of the API is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub base_path: Option<String>,
    /// Makes the version reachable and offers it as a product; otherwise it is a draft.
    #[serde(default)]
    pub publish: bool,
    /// Who finds the product that is made; `public` if absent. A product that is there keeps what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// The team that a new API belongs to; the organization's first workspace if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<WorkspaceId>,
    /// Does everything but keep it; ids in the answer are then of things that are not there.
    #[serde(default)]
    pub dry_run: bool,
}

/// What an import made or changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    /// The API.
    pub api: ApiId,
    /// The API's name.
    pub api_name: Name,
    /// The version.
    pub version: VersionId,
    /// The version's name, as in the document's `info.version`.
    pub version_name: String,
    /// How far the version is in its life now.
    pub stage: Stage,
    /// What stands before the document's paths, the gateway's address included; absent without a service behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// How many operations the document has.
    pub operations: i64,
    /// What was remarked without refusing it.
    pub findings: Vec<Finding>,
    /// The product that offers it, if it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
    /// Nothing of it was kept.
    pub dry_run: bool,
}

/// A document to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LintSpec {
    /// The OpenAPI document: JSON or YAML, up to 10 MB.
    pub document: String,
}

/// What a look at a document found; nothing is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Linted {
    /// Whether it could be imported.
    pub valid: bool,
    /// `info.title`; empty if it could not be read.
    pub title: String,
    /// `info.version`; empty if it could not be read.
    pub version: String,
    /// `openapi-3.0`, `openapi-3.1`, …; empty if it could not be read.
    pub format: String,
    /// How many operations it has; 0 if it could not be read.
    pub operations: i64,
    /// The addresses in its `servers`.
    pub servers: Vec<String>,
    /// What is wrong or remarkable, the gravest first.
    pub findings: Vec<Finding>,
}
