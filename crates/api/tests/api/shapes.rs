//! Every operation answers what the document says: its success is called and compared with the schema.

use std::sync::Arc;

use http::Method;
use serde_json::Value;

use crate::app::TestApp;
use crate::calls::Noting;
use crate::world::{Operation, World, operations};

/// These need what the other tests bring: a cookie, credentials, a stopped database.
const ELSEWHERE: [&str; 9] = [
    "create_token",
    "create_session",
    "read_session",
    "delete_session",
    "change_password",
    "cancel_operation",
    // It wants an SDK key and a log.
    "track_events",
    // Whoever is removed or disabled cannot call any more.
    "delete_organization",
    "delete_membership",
];

#[tokio::test]
async fn answers_are_what_the_document_says() {
    let app = TestApp::keeping(Arc::new(Noting::default())).await;
    let world = World::new(&app).await;
    let owner = app.owner().await.with("if-match", "*");
    let document = api::openapi();
    let mut all = operations();
    // What changes comes after what makes and reads, what removes comes last.
    // And of that what is below something comes before it.
    all.sort_by_key(|operation| match operation.method {
        Method::POST | Method::GET => (0, 0),
        Method::DELETE => (2, usize::MAX - operation.path.len()),
        _ => (1, 0),
    });
    let mut wrong = Vec::new();
    for operation in &all {
        if ELSEWHERE.contains(&operation.id.as_str()) {
            continue;
        }
        let caller = match operation.id.as_str() {
            // The example has an administrator disable themselves otherwise.
            "update_user" | "update_membership" => continue,
            _ => &owner,
        };
        let answer = world.call(caller, operation).await;
        let status = answer.status.as_u16().to_string();
        let Some(declared) = operation.declared["responses"].get(&status) else {
            wrong.push(format!(
                "{}: {status} is not declared: {}",
                operation.id,
                answer.text()
            ));
            continue;
        };
        if !answer.status.is_success() && !refusal_is_expected(operation, &answer.code()) {
            wrong.push(format!("{}: {}", operation.id, answer.text()));
        }
        let Some(content) = declared.get("content") else {
            continue;
        };
        let kind = answer
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        let Some(media) = content.get(&kind) else {
            wrong.push(format!("{}: {kind} is not declared", operation.id));
            continue;
        };
        if kind.ends_with("json") && !kind.ends_with("ndjson") {
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            let mut faults = Vec::new();
            compare(&document, &media["schema"], &body, "", &mut faults);
            wrong.extend(
                faults
                    .into_iter()
                    .map(|fault| format!("{}: {fault}", operation.id)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Refusals that follow from the examples, not from a fault.
fn refusal_is_expected(operation: &Operation, code: &str) -> bool {
    match operation.id.as_str() {
        // The application is subscribed already; the example's plan is another's.
        "create_subscription" | "import_api" => code == "conflict" || code == "name_taken",
        "rotate_key" | "update_key" | "rotate_sdk_key" | "update_sdk_key" => code == "conflict",
        // Whoever asks for a flag shows an SDK key.
        "evaluate_feature_flag"
        | "evaluate_feature_flag_for"
        | "evaluate_feature_flags"
        | "read_flag_definitions"
        | "watch_feature_flags"
        | "read_assignments"
        | "read_assignments_for"
        | "growthbook_changes"
        | "growthbook_evaluate"
        | "growthbook_features"
        | "unleash_changes"
        | "unleash_delta"
        | "unleash_features"
        | "unleash_frontend_metrics"
        | "unleash_frontend_register"
        | "unleash_metrics"
        | "unleash_register"
        | "unleash_toggles"
        | "unleash_toggles_for"
        | "ofrep_evaluate_flag"
        | "ofrep_evaluate_flags" => code == "sdk_key_invalid",
        // There is no channel of the example's name.
        "create_report_schedule" => code == "request_invalid",
        // No node remembers anything here.
        "explain_request" => code == "parameter_invalid",
        // The examples' tokens are none.
        "read_invitation_link" | "accept_invitation" | "reset_password" => code == "link_invalid",
        // It was proposed by whoever calls, so it is not approved.
        "approve_feature_flag_change_request" => code == "own_change",
        "apply_feature_flag_change_request"
        | "reject_feature_flag_change_request"
        | "withdraw_feature_flag_change_request" => code == "conflict",
        id if id.starts_with("delete_") => code == "in_use",
        _ => false,
    }
}

/// A JSON Schema validator for what our document uses, stricter than the standard: an answer has no field that
/// the document does not know.
fn compare(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = document
            .pointer(&target[1..])
            .unwrap_or_else(|| panic!("{target} is not there"));
        return compare(document, target, value, at, faults);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        faults.push(format!("{at}: {value} is none of {words:?}"));
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let fits = kinds.iter().any(|kind| match *kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{at}: unknown type {other}"),
    });
    if !fits {
        faults.push(format!("{at}: {value} is not of {kinds:?}"));
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (index, value) in values.iter().enumerate() {
            compare(document, items, value, &format!("{at}/{index}"), faults);
        }
    }
    let Some(fields) = value.as_object() else { return };
    for name in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if !fields.contains_key(name.as_str().unwrap()) {
            faults.push(format!("{at}: {name} is missing"));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let others = schema.get("additionalProperties");
    for (name, value) in fields {
        let place = format!("{at}/{name}");
        match (
            properties.and_then(|properties| properties.get(name)),
            others,
            properties,
        ) {
            (Some(schema), ..) => compare(document, schema, value, &place, faults),
            (None, Some(schema), _) if schema.is_object() => compare(document, schema, value, &place, faults),
            // An object without declared properties is free JSON.
            (None, _, None) => {}
            (None, ..) => faults.push(format!("{place} is not in the schema")),
        }
    }
}
