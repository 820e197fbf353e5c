//! The OpenAPI 3.1 document, made of the endpoints' declarations.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::endpoint::{Access, Answer, Endpoint};
use crate::links::Links;
use crate::parameter::{Parameter, Place};
use crate::problem::Problem;
use crate::schema::Schemas;

/// The business domains in the order a reader wants them, with a line about each.
const TAGS: &[(&str, &str)] = &[
    (
        "auth",
        "Sign in as a person or a machine, and find out who is signed in.",
    ),
    (
        "apis",
        "What a producer publishes: APIs, their versions, contracts and operations.",
    ),
    (
        "traffic",
        "How requests find a version and what happens to them: upstreams, routes, stream routes, policies, certificates.",
    ),
    ("products", "What is offered to consumers: products and plans."),
    (
        "consumers",
        "Who calls: applications, subscriptions and API keys.",
    ),
    (
        "catalogue",
        "What everybody may see without signing in: the portal's catalogue and try-it.",
    ),
    (
        "tracking",
        "What users do: events, their types, and the SDK keys that record them.",
    ),
    (
        "feature-flags",
        "Switches whose state differs from one user to the next, and the segments that they name.",
    ),
    ("usage", "What was called, by whom and how often."),
    ("alerts", "What must not be, what was found, and who is told."),
    ("audit", "Who changed what."),
    (
        "organizations",
        "Tenants and what they are made of: workspaces, environments, users, roles, clients.",
    ),
    ("operations", "Long work: how far it is, and stopping it."),
    ("meta", "About this server: health, metrics, documents."),
];

/// The document of these endpoints.
pub(crate) fn document(endpoints: &[Endpoint]) -> Value {
    let mut schemas = Schemas::default();
    schemas.add::<Problem>();
    schemas.add::<Links>();
    for endpoint in endpoints {
        schemas.extend(&endpoint.schemas);
    }
    let mut paths = Map::new();
    for endpoint in endpoints {
        let item = paths.entry(endpoint.path.clone()).or_insert_with(|| json!({}));
        item[endpoint.method.as_str().to_ascii_lowercase()] = operation(endpoint);
    }
    let tags = TAGS
        .iter()
        .map(|(name, text)| json!({ "name": name, "description": text }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gateline control API",
            "version": "1",
            "summary": "Publish services as API products, and see who calls them.",
            "description": include_str!("openapi/description.md"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The control plane that serves this document." }],
        "tags": tags.collect::<Vec<_>>(),
        "security": [{ "bearer": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas.finish(),
            "parameters": shared_parameters(),
            "headers": headers(),
            "responses": { "Problem": {
                "description": "Why the request was refused or failed.",
                "headers": { "X-Request-ID": header("X-Request-ID") },
                "content": { "application/problem+json": { "schema": crate::schema::reference("Problem") } },
            } },
            "securitySchemes": security_schemes(),
        },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut operation = json!({
        "operationId": endpoint.id,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "description": endpoint.description,
    });
    match endpoint.access {
        Access::SignedIn => {}
        Access::Optional => operation["security"] = json!([{}, { "bearer": [] }, { "session": [] }]),
        Access::Open => operation["security"] = json!([]),
    }
    let parameters = parameters(endpoint);
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = &endpoint.body {
        let mut content = Map::new();
        for kind in body.types {
            let mut media = json!({ "schema": body.schema });
            if !body.example.is_null() {
                media["example"] = body.example.clone();
            }
            content.insert((*kind).to_owned(), media);
        }
        operation["requestBody"] = json!({ "required": body.required, "content": content });
    }
    let mut responses = Map::new();
    for answer in &endpoint.answers {
        responses.insert(answer.status.to_string(), success(answer));
    }
    for (status, description) in problems(endpoint) {
        let problem = json!({ "$ref": "#/components/responses/Problem", "description": description });
        responses.entry(status.to_string()).or_insert(problem);
    }
    operation["responses"] = Value::Object(responses);
    operation
}

fn success(answer: &Answer) -> Value {
    let mut headers = Map::from_iter([("X-Request-ID".to_owned(), header("X-Request-ID"))]);
    for name in answer.headers {
        headers.insert((*name).to_owned(), header(name));
    }
    let mut response = json!({ "description": answer.description, "headers": headers });
    if !answer.content.is_empty() {
        let content = answer.content.iter();
        let content = content.map(|(kind, schema)| ((*kind).to_owned(), json!({ "schema": schema })));
        response["content"] = Value::Object(content.collect());
    }
    response
}

/// The statuses of the refusals with their codes.
fn problems(endpoint: &Endpoint) -> BTreeMap<u16, String> {
    let mut problems: BTreeMap<u16, String> = BTreeMap::new();
    for code in endpoint.refusals() {
        let text = problems.entry(code.status()).or_default();
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&format!("`{}`: {}", code.as_str(), code.title()));
    }
    problems
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let mut all: Vec<Value> = endpoint.parameters.iter().map(parameter).collect();
    if endpoint.access == Access::SignedIn {
        all.push(shared("Organization"));
    }
    if endpoint.precondition {
        all.push(shared("IfMatch"));
    }
    if endpoint.idempotent && endpoint.access == Access::SignedIn {
        all.push(shared("IdempotencyKey"));
    }
    all
}

fn shared(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn parameter(parameter: &Parameter) -> Value {
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    let mut value = json!({
        "name": parameter.name,
        "in": place,
        "description": parameter.description,
        "schema": parameter.schema,
    });
    if parameter.required {
        value["required"] = json!(true);
    }
    value
}

fn shared_parameters() -> Value {
    json!({
        "Organization": {
            "name": "X-Gateline-Organization",
            "in": "header",
            "description": "The organization that the call is about: its id or name. Without it, the only or oldest one \
                            that the caller belongs to.",
            "schema": { "type": "string", "maxLength": 63 },
            "example": "default",
        },
        "IfMatch": {
            "name": "If-Match",
            "in": "header",
            "required": true,
            "description": "The `ETag` of what was read, so that nobody's change is overwritten unseen; `*` for \
                            whatever is there now.",
            "schema": { "type": "string", "maxLength": 200 },
            "example": "\"3\"",
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Any text that is new for every different request. A repetition within 24 hours gets the \
                            first answer with `Idempotency-Replayed: true`.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        },
    })
}

fn headers() -> Value {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "X-Request-ID": text("The request's id, as sent or newly made; it stands in logs, problems and audit entries."),
        "ETag": text("The revision; send it in `If-Match` to change this, in `If-None-Match` to ask whether it changed."),
        "Location": text("Where what was made can be read."),
        "Link": text("`rel=\"next\"`: the next page (RFC 8288)."),
        "Retry-After": text("Seconds to wait."),
        "Set-Cookie": text("The session's cookie; scripts cannot read it."),
        "Deprecation": text("When the version was deprecated (RFC 9745)."),
    })
}

fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token of `POST /api/v1/auth/token`.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": crate::auth::COOKIE,
            "description": "The cookie of `POST /api/v1/auth/sessions`, for web pages. Requests that change something \
                            also need `X-CSRF-Token`.",
        },
    })
}
