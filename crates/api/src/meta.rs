//! About this server: health, metrics, documents for programs.

use axum::response::{IntoResponse, Response};
use control::Error;
use domain::Code;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::answer;
use crate::endpoint::{Access, Endpoint};
use crate::metrics;

/// `read_liveness`, `read_readiness`, `read_metrics`, `read_openapi`, `read_api_catalog`, `list_error_codes`.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        live(),
        ready(),
        metrics(),
        openapi(),
        api_catalog(),
        error_codes(),
    ]
}

/// Whether the process is well.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
struct Health {
    /// `ok` or `not_ready`.
    status: String,
    /// What is not ready, with the reason; empty if everything is.
    checks: Vec<ReadinessCheck>,
}

/// A part of the process.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
struct ReadinessCheck {
    /// Its name.
    name: String,
    /// Whether it is ready.
    ready: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A row of the catalogue of error codes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
struct ErrorCode {
    /// The stable name.
    code: String,
    /// HTTP status of the answer.
    status: u16,
    /// What happened, in a few words.
    title: String,
    /// What to do about it.
    suggestion: String,
}

fn open(path: &str, id: &str) -> Endpoint {
    Endpoint::get(path, id).tag("meta").access(Access::Open)
}

fn live() -> Endpoint {
    open("/health/live", "read_liveness")
        .says("Read whether the process lives", "It does if it answers.")
        .answers::<Health>(200, "It lives.")
        .to(|_| async {
            let health = Health {
                status: "ok".to_owned(),
                checks: Vec::new(),
            };
            answer::json(StatusCode::OK, &health)
        })
}

fn ready() -> Endpoint {
    open("/health/ready", "read_readiness")
        .says(
            "Read whether the process is ready",
            "Names what is not ready: the database, the gateway, the log.",
        )
        .answers::<Health>(200, "Everything is ready.")
        .answers::<Health>(503, "Something is not ready; `checks` says what and why.")
        .to(|call| async move {
            let store = call.control().store().ping().await;
            let mut checks = vec![check(
                "store",
                store.map_err(|_| "the database does not answer".to_owned()),
            )];
            for probe in &call.app.settings.probes {
                checks.push(check(probe.name, (probe.check)()));
            }
            let is_ready = checks.iter().all(|check| check.ready);
            let (status, text) = match is_ready {
                true => (StatusCode::OK, "ok"),
                false => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
            };
            let health = Health {
                status: text.to_owned(),
                checks,
            };
            answer::json(status, &health)
        })
}

fn check(name: &str, found: Result<(), String>) -> ReadinessCheck {
    ReadinessCheck {
        name: name.to_owned(),
        ready: found.is_ok(),
        reason: found.err(),
    }
}

fn metrics() -> Endpoint {
    let content = vec![("application/openmetrics-text", json!({ "type": "string" }))];
    open("/metrics", "read_metrics")
        .says("Read the metrics", "In the OpenMetrics format, for Prometheus.")
        .answers_with(200, "The metrics.", content)
        .to(|call| async move {
            let headers = [
                (
                    header::CONTENT_TYPE,
                    HeaderValue::from_static(metrics::MEDIA_TYPE),
                ),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            Ok((headers, call.app.metrics.text()).into_response())
        })
}

fn openapi() -> Endpoint {
    let content = vec![("application/json", json!({ "type": "object" }))];
    open("/api/v1/openapi.json", "read_openapi")
        .says("Read this document", "The OpenAPI 3.1 document of this API.")
        .answers_with(200, "The document.", content)
        .to(|call| async move { public_json("application/json", &call.app.document) })
}

fn api_catalog() -> Endpoint {
    let content = vec![("application/linkset+json", json!({ "type": "object" }))];
    open("/.well-known/api-catalog", "read_api_catalog")
        .says(
            "Read where the APIs of this server are",
            "A link set (RFC 9264) as RFC 9727 wants it.",
        )
        .answers_with(200, "The link set.", content)
        .to(|call| async move {
            let base = &call.app.settings.control_url;
            let links = json!({ "linkset": [{
                "anchor": format!("{base}/api/v1"),
                "service-desc": [{
                    "href": format!("{base}/api/v1/openapi.json"),
                    "type": "application/vnd.oai.openapi+json;version=3.1",
                }],
                "service-doc": [{ "href": format!("{base}/api/docs"), "type": "text/html" }],
                "status": [{ "href": format!("{base}/health/ready"), "type": "application/json" }],
            }] });
            public_json(
                "application/linkset+json; profile=\"https://www.rfc-editor.org/info/rfc9727\"",
                &links,
            )
        })
}

fn error_codes() -> Endpoint {
    let mut endpoint = open("/api/v1/errors", "list_error_codes").says(
        "List all error codes",
        "The catalogue that every problem's `code` is from; each has a page under `/docs/errors/`.",
    );
    let code = endpoint.schemas.add::<ErrorCode>();
    let all = json!({ "type": "array", "items": code });
    endpoint
        .answers_with(200, "All codes.", vec![("application/json", all)])
        .to(|_| async move {
            let codes = Code::ALL.iter().map(|code| code.entry());
            let codes = codes.map(|entry| ErrorCode {
                code: entry.code.to_owned(),
                status: entry.status,
                title: entry.title.to_owned(),
                suggestion: entry.suggestion.to_owned(),
            });
            public_json("application/json", &json!(codes.collect::<Vec<_>>()))
        })
}

/// JSON that everybody may keep for a while.
fn public_json(kind: &'static str, value: &Value) -> Result<Response, Error> {
    let mut response = answer::json(StatusCode::OK, value)?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=60"),
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(response)
}
