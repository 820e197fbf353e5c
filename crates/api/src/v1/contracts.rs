//! Contract documents: looking at one, reading and replacing the one of a version.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use control::Error;
use domain::Code;
use domain::catalog::Contract;
use domain::id::VersionId;
use domain::import::{LintSpec, Linted};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::imports::BODY_BYTES_MAX;
use crate::answer;
use crate::call::Call;
use crate::crud;
use crate::endpoint::Endpoint;
use crate::page;
use crate::parameter::{Parameter, text};

/// The media type of a contract in JSON.
pub(super) const JSON: &str = "application/json";
/// The media type of a contract in YAML.
pub(super) const YAML: &str = "application/yaml";

/// `lint_contract`, `read_contract`, `replace_contract`, `list_contracts`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![lint(), read(), replace(), list()]
}

fn lint() -> Endpoint {
    let example = LintSpec {
        document: "openapi: 3.1.0\ninfo: { title: Pet Store, version: '1' }\npaths: {}\n".to_owned(),
    };
    Endpoint::post("/api/v1/contracts/lint", "lint_contract")
        .tag("apis")
        .says(
            "Look at a contract",
            "Says what is wrong or remarkable in an OpenAPI document, with places and advice. Nothing is kept.",
        )
        .not_idempotent()
        .body(&example)
        .body_as(|body| body.bytes_max = BODY_BYTES_MAX)
        .answers::<Linted>(200, "What was found.")
        .to(|call| async move {
            let body: LintSpec = call.json()?;
            answer::json(StatusCode::OK, &call.control().lint(&call.caller, &body.document).await?)
        })
}

/// The contents of an answer that is a contract.
pub(super) fn contents() -> Vec<(&'static str, Value)> {
    vec![
        (YAML, json!({ "type": "string" })),
        (JSON, json!({ "type": "object" })),
    ]
}

/// The parameter that chooses between them.
pub(super) fn accept() -> Parameter {
    let description = "`application/json` or `application/yaml`; as it came without it.";
    Parameter::header("Accept", description, text(200))
}

fn read() -> Endpoint {
    Endpoint::get("/api/v1/versions/{id}/contract", "read_contract")
        .tag("apis")
        .says(
            "Read the contract of a version",
            "The OpenAPI document as it came. With `Accept: application/json` a YAML document is answered as JSON.",
        )
        .takes_id::<VersionId>("The version's id.")
        .takes(accept())
        .takes(crud::if_none_match())
        .answers_with(200, "The document.", contents())
        .with_headers(&["ETag"])
        .answers_with(304, "It is what `If-None-Match` names.", Vec::new())
        .to(|call| async move {
            let id = call.id()?;
            let (contract, document) = call.control().contract_document(&call.caller, id).await?;
            // Every JSON document begins so, and no YAML document of a contract does.
            let kind = if document.trim_ascii_start().starts_with(b"{") { JSON } else { YAML };
            if wants_json(&call) && kind == YAML {
                let value = call.control().contract_json(&call.caller, id).await?;
                return answer_document(&call, value.to_string().into_bytes(), JSON, &contract.sha256);
            }
            answer_document(&call, document, kind, &contract.sha256)
        })
}

fn replace() -> Endpoint {
    let mut endpoint = Endpoint::put("/api/v1/versions/{id}/contract", "replace_contract")
        .tag("apis")
        .says(
            "Replace the contract of a version",
            "Send the OpenAPI document, JSON or YAML, as the body. `If-Match` is the version's `ETag`. Operations with the \
             same method and path keep their ids.",
        )
        .takes_id::<VersionId>("The version's id.")
        .body(&String::new())
        .body_as(|body| {
            body.types = &["application/yaml", "application/json", "text/yaml", "application/x-yaml"];
            body.schema = json!({});
            body.example = Value::Null;
            body.bytes_max = BODY_BYTES_MAX;
        })
        .answers::<Contract>(200, "The contract that is in force now.")
        .refuses(&[Code::ContractInvalid, Code::ContractTooLarge, Code::Conflict]);
    endpoint.schemas.forget("String");
    endpoint.to(|call| async move {
        let document = std::str::from_utf8(&call.body)
            .map_err(|_| Error::refused(Code::ContractInvalid, "The document is not UTF-8."))?;
        let (id, if_match) = (call.id()?, call.if_match()?);
        let control = call.control();
        let contract = control
            .replace_contract(&call.caller, id, document, if_match)
            .await?;
        answer::json(StatusCode::OK, &contract)
    })
}

fn list() -> Endpoint {
    Endpoint::get("/api/v1/versions/{id}/contracts", "list_contracts")
        .tag("apis")
        .says(
            "List the contracts of a version",
            "All that it ever had, the newest first, without their documents.",
        )
        .takes_id::<VersionId>("The version's id.")
        .takes_all(Parameter::page(&[]))
        .answers_page_of::<Contract>("A page.")
        .to(|call| async move {
            let all = call.control().contracts(&call.caller, call.id()?).await?;
            page::answer_all(&call, &all, |contract: &Contract| contract.id.to_string())
        })
}

/// Whether the client wants JSON rather than YAML.
pub(super) fn wants_json(call: &Call) -> bool {
    let accept = call.header(header::ACCEPT).unwrap_or_default();
    accept.contains("json") && !accept.contains("yaml")
}

/// Answers a document; `sha256` is that of the document as it came.
pub(super) fn answer_document(
    call: &Call,
    document: impl Into<Body>,
    kind: &'static str,
    sha256: &str,
) -> Result<Response, Error> {
    let form = kind.rsplit('/').next().unwrap_or_default();
    let tag = HeaderValue::try_from(format!("\"{sha256:.32}-{form}\""))
        .map_err(|error| Error::internal("writing an entity tag", error))?;
    if crate::etag::is_known(call, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache"),
        ),
        (header::VARY, HeaderValue::from_static("accept")),
        (header::ETAG, tag),
    ];
    Ok((headers, document.into()).into_response())
}
