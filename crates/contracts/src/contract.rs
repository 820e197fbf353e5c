//! What a contract says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Finding;

/// Which format a contract has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Format {
    /// OpenAPI 3.0.
    #[serde(rename = "openapi-3.0")]
    OpenApi30,
    /// OpenAPI 3.1.
    #[serde(rename = "openapi-3.1")]
    OpenApi31,
    /// OpenAPI 3.2.
    #[serde(rename = "openapi-3.2")]
    OpenApi32,
}

impl Format {
    /// The stable name, as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenApi30 => "openapi-3.0",
            Self::OpenApi31 => "openapi-3.1",
            Self::OpenApi32 => "openapi-3.2",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A contract that can be served.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// Which format it has.
    pub format: Format,
    /// `info.title`; empty if missing.
    pub title: String,
    /// `info.version` as written; empty if missing.
    pub version: String,
    /// `info.description` (CommonMark); empty if missing.
    pub description: String,
    /// The URLs of the document's `servers`, variables replaced by their defaults; may be relative.
    pub servers: Vec<String>,
    /// What can be called, in the order of the document; method and path shape are unique, as are names.
    pub operations: Vec<Operation>,
    /// What was remarked without refusing it: warnings, then hints.
    pub findings: Vec<Finding>,
    /// The whole document; YAML aliases and merge keys are written out, keys are text.
    pub document: serde_json::Value,
}

impl Contract {
    /// The document as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        self.document.clone()
    }
}

/// One method and path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ContractOperation)]
pub struct Operation {
    /// The `operationId`, or one made of method and path; unique in the contract.
    pub name: String,
    /// HTTP method in upper case.
    pub method: String,
    /// Path template without query and fragment, as `/pets/{pet_id}`.
    pub path: String,
    /// JSON Pointer to the operation in the document.
    pub pointer: String,
    /// One line about it; empty if missing.
    pub summary: String,
    /// CommonMark; empty if missing.
    pub description: String,
    /// Words to group it by.
    pub tags: Vec<String>,
    /// Marked as deprecated.
    pub deprecated: bool,
    /// Those of the path and of the operation; path parameters that were not declared are added.
    pub parameters: Vec<Parameter>,
    /// The names of the security schemes: one of the lists has to be met, all of its schemes together. Empty
    /// if none is asked for.
    pub security: Vec<Vec<String>>,
}

/// A parameter of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ContractParameter)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it stands.
    #[serde(rename = "in")]
    pub place: ParameterPlace,
    /// Whether a call needs it.
    pub required: bool,
    /// CommonMark; empty if missing.
    pub description: String,
    /// Whether the document declares it; a path parameter can be known from the path alone.
    pub declared: bool,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ContractParameterPlace)]
pub enum ParameterPlace {
    /// In the path template.
    Path,
    /// After `?`, by name.
    Query,
    /// After `?`, the whole of it (OpenAPI 3.2).
    QueryString,
    /// A request header.
    Header,
    /// A cookie.
    Cookie,
}

impl ParameterPlace {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "path" => Self::Path,
            "query" => Self::Query,
            "querystring" => Self::QueryString,
            "header" => Self::Header,
            "cookie" => Self::Cookie,
            _ => return None,
        })
    }
}
