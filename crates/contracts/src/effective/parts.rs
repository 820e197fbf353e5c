//! What the published document gains under `components`.

use serde_json::{Map, Value, json};

use super::Effective;

/// Under which names the parts are found; never ones that the provider took.
pub(super) struct Names {
    pub(super) scheme: Option<String>,
    /// Status and name of the shared response.
    pub(super) responses: Vec<(&'static str, String)>,
    pub(super) content: Map<String, Value>,
    pub(super) success_headers: Map<String, Value>,
    pub(super) limit_headers: Map<String, Value>,
}

/// Adds the parts to the document.
pub(super) fn install(root: &mut Map<String, Value>, how: &Effective<'_>) -> Names {
    let components = root.entry("components").or_insert_with(|| json!({}));
    if !components.is_object() {
        *components = json!({});
    }
    let Value::Object(components) = components else {
        unreachable!("it was made an object just above");
    };
    components.shift_remove("securitySchemes");
    let scheme = how.key_header.map(|header| {
        let scheme = json!({
            "type": "apiKey", "in": "header", "name": header,
            "description": "The key of your application.",
        });
        add(components, "securitySchemes", "ApiKey", scheme)
    });
    let schema = add(
        components,
        "schemas",
        "GatewayProblem",
        problem_schema(how.errors_url),
    );
    let reference = format!("#/components/schemas/{schema}");
    let mut content = Map::new();
    content.insert(
        "application/problem+json".to_owned(),
        json!({ "schema": { "$ref": reference } }),
    );
    let (success_headers, limit_headers) = headers(components);
    let mut responses = Vec::new();
    let mut answer =
        |status, name, value| responses.push((status, add(components, "responses", name, value)));
    if how.key_header.is_some() {
        let refused = "The key is missing, unknown, revoked or expired.";
        answer(
            "401",
            "GatewayKeyRefused",
            json!({ "description": refused, "content": content }),
        );
        let foreign = "The application is not subscribed to this API.";
        answer(
            "403",
            "GatewayNotSubscribed",
            json!({ "description": foreign, "content": content }),
        );
    }
    let limited = "Too many calls: over a limit or the quota of the plan.";
    let limited = json!({ "description": limited, "headers": limit_headers, "content": content });
    answer("429", "GatewayLimited", limited);
    Names {
        scheme,
        responses,
        content,
        success_headers,
        limit_headers,
    }
}

/// Adds the headers; hands back those of successful answers and those of an answer over the limit.
fn headers(components: &mut Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let mut reference = |name, description, schema| {
        let header = json!({ "description": description, "schema": schema });
        json!({ "$ref": format!("#/components/headers/{}", add(components, "headers", name, header)) })
    };
    let left = "What is left of each limit and for how many seconds, as `\"default\";r=42;t=17`.";
    let left = reference("GatewayRateLimit", left, json!({ "type": "string" }));
    let policy = "The limits that hold, as `\"default\";q=100;w=60`: calls in a window of seconds.";
    let policy = reference("GatewayRateLimitPolicy", policy, json!({ "type": "string" }));
    let wait = "Seconds to wait before the next call.";
    let wait = reference(
        "GatewayRetryAfter",
        wait,
        json!({ "type": "integer", "minimum": 0 }),
    );
    let mut success = Map::new();
    success.insert("RateLimit-Policy".to_owned(), policy);
    success.insert("RateLimit".to_owned(), left);
    let mut limit = success.clone();
    limit.insert("Retry-After".to_owned(), wait);
    (success, limit)
}

fn problem_schema(errors_url: Option<&str>) -> Value {
    let mut schema = json!({
        "type": "object",
        "title": "Problem",
        "description": "An answer of the gateway itself (RFC 9457).",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "description": "The page of the code." },
            "title": { "type": "string", "description": "What happened, in a few words." },
            "status": { "type": "integer", "description": "The HTTP status." },
            "detail": { "type": "string", "description": "What happened this time." },
            "instance": { "type": "string", "description": "The path that was called." },
            "code": { "type": "string", "description": "Stable name, as `rate_limited`." },
            "request_id": { "type": "string", "description": "To quote when asking for help." },
            "documentation_url": { "type": "string", "description": "The page of the code." },
            "suggestion": { "type": "string", "description": "What to do." },
        },
    });
    if let (Some(url), Some(schema)) = (errors_url, schema.as_object_mut()) {
        schema.insert(
            "externalDocs".to_owned(),
            json!({ "description": "All codes", "url": url }),
        );
    }
    schema
}

/// Adds a component under a name that is free, and hands that back.
fn add(components: &mut Map<String, Value>, kind: &str, wanted: &str, value: Value) -> String {
    let held = components.entry(kind).or_insert_with(|| json!({}));
    if !held.is_object() {
        *held = json!({});
    }
    let mut name = wanted.to_owned();
    let mut number = 2;
    while held.get(&name).is_some() {
        name = format!("{wanted}{number}");
        number += 1;
    }
    held[&name] = value;
    name
}
