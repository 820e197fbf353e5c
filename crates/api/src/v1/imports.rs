//! Importing a contract: at once, or as an operation that is asked about later.

use axum::response::Response;
use control::Error;
use domain::Code;
use domain::import::{ImportSpec, Imported};
use domain::work::Work;
use http::{StatusCode, header};
use serde_json::json;

use super::operations;
use crate::answer;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::parameter::{Parameter, text};

/// The most bytes of the body: a document of 10 MB with what JSON adds to it.
pub(super) const BODY_BYTES_MAX: usize = 11 * 1024 * 1024;

/// `import_api`.
pub(super) fn import() -> Endpoint {
    let example = ImportSpec {
        document: "openapi: 3.1.0\ninfo: { title: Pet Store, version: '1' }\npaths: {}\n".to_owned(),
        name: Some("pet-store".parse().expect("it is a name")),
        upstream_url: Some("http://127.0.0.1:9000/base".to_owned()),
        environment: None,
        base_path: None,
        publish: true,
        visibility: None,
        workspace_id: None,
        dry_run: false,
    };
    let prefer = "`respond-async`: answer 202 at once and import in the background (RFC 7240).";
    let mut endpoint = Endpoint::post("/api/v1/apis/import", "import_api")
        .tag("apis")
        .says(
            "Import a contract",
            "Makes or completes API, version, upstream and route of an OpenAPI document, and with `publish` the product that \
             offers it. A document that cannot be served unambiguously is refused as a whole: `errors` has a pointer, a \
             line and advice for each thing that is wrong, and nothing is kept.",
        )
        .takes(Parameter::header("Prefer", prefer, text(200)))
        .body(&example)
        .body_as(|body| body.bytes_max = BODY_BYTES_MAX)
        .answers::<Imported>(201, "What was made or changed.")
        .with_headers(&["Location"])
        .answers::<Imported>(200, "What would be made or changed: it was a dry run.")
        .refuses(&[
            Code::ContractInvalid,
            Code::ContractTooLarge,
            Code::NameTaken,
            Code::RouteTaken,
            Code::Conflict,
        ]);
    let work = endpoint.schemas.add_shown::<Work, crate::crud::Nothing>();
    endpoint
        .answers_with(202, "It is under way.", vec![("application/json", work)])
        .with_headers(&["Location", "Retry-After"])
        .to(answer_import)
}

async fn answer_import(call: Call) -> Result<Response, Error> {
    let spec: ImportSpec = call.json()?;
    if call.prefers_async() {
        return begin(call, spec).await;
    }
    let imported = call.control().import(&call.caller, spec).await?;
    let status = if imported.dry_run {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let mut response = answer::json(status, &imported)?;
    if !imported.dry_run {
        let location = format!("/api/v1/apis/{}", imported.api);
        answer::set(&mut response, header::LOCATION, &location);
    }
    Ok(response)
}

/// Imports in the background.
async fn begin(call: Call, spec: ImportSpec) -> Result<Response, Error> {
    let workspace = call.control().import_workspace(&call.caller, &spec).await?;
    let work = call
        .control()
        .start_work(&call.caller, "import_api", Some(workspace))
        .await?;
    let (control, caller, id) = (call.control().clone(), call.caller.clone(), work.id);
    let origin = call.owned_origin();
    tokio::spawn(async move {
        let imported = control.import(&caller, spec).await.and_then(|imported| {
            serde_json::to_value(imported).map_err(|error| Error::internal("writing a result", error))
        });
        let outcome = imported.map_err(|error| json!(origin.explain(&error)));
        if let Err(error) = control.finish_work(id, outcome).await {
            tracing::error!(operation = %id, error = &error as &dyn std::error::Error, "an import's end was not noted");
        }
    });
    let mut response = operations::answer_begun(&work)?;
    answer::set(
        &mut response,
        http::HeaderName::from_static("preference-applied"),
        "respond-async",
    );
    Ok(response)
}
