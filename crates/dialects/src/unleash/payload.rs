//! Payloads as values, and back: nothing of them is lost, so that what a client gets is what Unleash gave it.

use serde_json::{Map, Number, Value};

use super::document::Payload;

/// The field of values that stand for a variant exactly as Unleash has it.
const EXACT: &str = "unleash";

/// The value of a variant that is called `name` with Unleash and `ours` with us.
pub(super) fn value(name: &str, ours: &str, payload: Option<&Payload>) -> Value {
    let plain = plain(payload);
    if let Some(plain) = plain.filter(|_| name == ours) {
        return plain;
    }
    let mut exact = Map::new();
    exact.insert("name".to_owned(), name.into());
    if let Some(payload) = payload {
        exact.insert("payload".to_owned(), serde_json::json!(payload));
    }
    [(EXACT.to_owned(), Value::Object(exact))]
        .into_iter()
        .collect::<Map<_, _>>()
        .into()
}

/// A payload as a value, if it can be told from the value again.
fn plain(payload: Option<&Payload>) -> Option<Value> {
    let Some(Payload { kind, value }) = payload else {
        return Some(Value::Null);
    };
    match &**kind {
        "string" => Some(value.clone().into()),
        "number" => {
            let number: Number = serde_json::from_str(value).ok()?;
            (number.to_string() == *value).then_some(number.into())
        }
        "json" => {
            let value = serde_json::from_str(value).ok()?;
            (is_structured(&value) && exact(&value).is_none()).then_some(value)
        }
        _ => None,
    }
}

fn is_structured(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn exact(value: &Value) -> Option<&Map<String, Value>> {
    match value {
        Value::Object(fields) if fields.len() == 1 => fields.get(EXACT)?.as_object(),
        _ => None,
    }
}

/// What a variant of ours is with Unleash: its name and payload; `None` if it stands for on or off without a variant.
pub(super) fn variant(ours: &str, value: &Value) -> Option<(String, Option<Payload>)> {
    if let Some(exact) = exact(value)
        && let Some(name) = exact.get("name").and_then(Value::as_str)
    {
        let payload = exact.get("payload");
        let payload = payload.and_then(|payload| serde_json::from_value(payload.clone()).ok());
        return Some((name.to_owned(), payload));
    }
    let of = |kind: &str, value: String| {
        let kind = kind.to_owned();
        Some(Payload { kind, value })
    };
    let payload = match value {
        Value::Bool(_) => return None,
        Value::Null => None,
        Value::String(text) => of("string", text.clone()),
        Value::Number(number) => of("number", number.to_string()),
        value => of("json", value.to_string()),
    };
    Some((ours.to_owned(), payload))
}
