//! Bodies of flagd's services: each is read or refused, and the same question in Protocol Buffers and in JSON is one.

#![no_main]

use std::sync::{Arc, LazyLock};

use domain::Timestamp;
use flags::flagd::{Asked, Format, Kind, Method, all_told, told};
use flags::ofrep::Found;
use flags::{Asker, Counts, Set};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use prost_types::value::Kind as Any;
use prost_types::{ListValue, Struct, Value as Proto};
use serde_json::{Map, Value, json};

const METHODS: [Method; 10] = [
    Method::Resolve(Kind::Boolean),
    Method::Resolve(Kind::Text),
    Method::Resolve(Kind::Float),
    Method::Resolve(Kind::Int),
    Method::Resolve(Kind::Object),
    Method::ResolveAll,
    Method::Events,
    Method::Sync,
    Method::Fetch,
    Method::Metadata,
];
/// An object in an object costs three messages within each other, of which a hundred are read.
const DEPTH_MAX: usize = 30;
const NOW_MICROS: i64 = 1_795_341_600_000_000;

static SET: LazyLock<Set> = LazyLock::new(|| {
    let split = json!({ "split": { "a": 50, "b": 50 }, "by": "user_id" });
    let rule = json!({ "when": { "attribute": "plan", "op": "in", "values": ["pro"] }, "serve": "a" });
    let flag = |key: &str, kind: &str, variants: Value| {
        let definition =
            json!({ "version": 1, "variants": variants, "off": "b", "rules": [rule], "otherwise": split });
        json!({ "key": key, "type": kind, "client_side": true, "definition": definition })
    };
    let source = json!({
        "organization": "org_01jd9zk5v8e7rbxq3m6t4n2w0c",
        "tag": "t",
        "flags": [
            flag("b", "boolean", json!({ "a": true, "b": false })),
            flag("n", "number", json!({ "a": 1.5, "b": 2 })),
            flag("o", "json", json!({ "a": { "x": [1, null] }, "b": null })),
            flag("t", "string", json!({ "a": "one", "b": "two" })),
        ],
    });
    let source = serde_json::from_value(source).expect("flags");
    let environment = "sandbox".parse().expect("a name");
    Set::compile(&environment, &source, &Arc::new(Counts::default())).expect("they compile")
});

/// What all answers about one flag have.
#[derive(Clone, PartialEq, Message)]
struct Told {
    #[prost(string, tag = "2")]
    reason: String,
    #[prost(string, tag = "3")]
    variant: String,
}

#[derive(Clone, PartialEq, Message)]
struct Resolve {
    #[prost(string, tag = "1")]
    flag_key: String,
    #[prost(message, optional, tag = "2")]
    context: Option<Struct>,
}

fuzz_target!(|bytes: &[u8]| {
    let [method, body @ ..] = bytes else { return };
    let method = METHODS[usize::from(*method) % METHODS.len()];
    let bodies = [Some(body), gateway::fuzzing::grpc(body)];
    for body in bodies.into_iter().flatten() {
        for format in [Format::Binary, Format::Json] {
            if let Ok(asked) = Asked::read(method, format, body) {
                answer(method, &asked);
            }
        }
    }
    if let Ok(Value::Object(body)) = serde_json::from_slice(body) {
        in_both(&body);
    }
});

/// What is answered is the same in both formats, or is refused in both.
fn answer(method: Method, asked: &Asked<'_>) {
    let now = Timestamp::from_micros(NOW_MICROS);
    match method {
        Method::Resolve(kind) => {
            let Ok(found) = SET.evaluate(Asker::Anybody, &asked.flag, &asked.attributes, now) else {
                return;
            };
            let found = Found::from(found);
            let [binary, json] = [Format::Binary, Format::Json].map(|format| told(kind, format, &found).ok());
            let binary = binary.map(|binary| Told::decode(&*binary).expect("what was written"));
            let json = json.map(|json| serde_json::from_slice::<Value>(&json).expect("what was written"));
            let text = |json: &Value, name: &str| json[name].as_str().expect("a text").to_owned();
            let json = json.map(|json| Told {
                reason: text(&json, "reason"),
                variant: text(&json, "variant"),
            });
            assert_eq!(binary, json);
        }
        Method::ResolveAll => {
            for format in [Format::Binary, Format::Json] {
                assert!(!all_told(Some(&SET), (Asker::Anybody, format), &asked.attributes, now).is_empty());
            }
        }
        _ => {}
    }
}

/// The same flag and context in both formats is one question.
fn in_both(body: &Map<String, Value>) {
    let method = Method::Resolve(Kind::Boolean);
    let flag = body.get("flagKey").and_then(Value::as_str).unwrap_or_default();
    let Some(Value::Object(context)) = body.get("context") else {
        return;
    };
    if depth(&body["context"]) > DEPTH_MAX {
        return;
    }
    let context = sorted(context);
    let json = json!({ "flagKey": flag, "context": context }).to_string();
    let resolve = Resolve {
        flag_key: flag.to_owned(),
        context: Some(object(&context)),
    };
    let binary = resolve.encode_to_vec();
    let json = Asked::read(method, Format::Json, json.as_bytes());
    let binary = Asked::read(method, Format::Binary, &binary);
    assert_eq!(json, binary);
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(entries) => 1 + entries.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// In the order that Protocol Buffers give the fields.
fn sorted(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut all: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.clone(), sorted_value(value)))
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all.into_iter().collect()
}

fn sorted_value(value: &Value) -> Value {
    match value {
        Value::Array(entries) => entries.iter().map(sorted_value).collect(),
        Value::Object(fields) => Value::Object(sorted(fields)),
        value => value.clone(),
    }
}

fn object(fields: &Map<String, Value>) -> Struct {
    let fields = fields.iter().map(|(name, value)| (name.clone(), any(value)));
    Struct {
        fields: fields.collect(),
    }
}

fn any(value: &Value) -> Proto {
    let kind = match value {
        Value::Null => Any::NullValue(0),
        Value::Bool(is) => Any::BoolValue(*is),
        Value::Number(number) => Any::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Any::StringValue(text.clone()),
        Value::Array(entries) => Any::ListValue(ListValue {
            values: entries.iter().map(any).collect(),
        }),
        Value::Object(fields) => Any::StructValue(object(fields)),
    };
    Proto { kind: Some(kind) }
}
