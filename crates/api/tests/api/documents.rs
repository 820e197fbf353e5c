//! The OpenAPI document: what generators and readers rely on.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::app::TestApp;
use crate::world::operations;

#[tokio::test]
async fn the_served_document_is_the_one_in_spec() {
    let app = TestApp::new().await;
    let served = app.anybody().get("/api/v1/openapi.json").await;
    assert_eq!(served.json(200), api::openapi());
    assert_eq!(served.header("access-control-allow-origin"), "*");
}

#[test]
fn every_operation_is_described() {
    let mut ids = BTreeSet::new();
    for operation in operations() {
        let declared = &operation.declared;
        let id = &operation.id;
        assert!(ids.insert(id.clone()), "{id} stands there twice");
        let text = |name: &str| declared[name].as_str().unwrap_or_default();
        assert!(
            !text("summary").is_empty() && !text("summary").ends_with('.'),
            "{id}"
        );
        assert!(
            text("description").ends_with('.'),
            "{id}: {}",
            text("description")
        );
        assert!(!declared["tags"][0].as_str().unwrap().is_empty(), "{id}");
        for parameter in declared["parameters"].as_array().into_iter().flatten() {
            let described = parameter.get("$ref").is_some() || parameter["description"].is_string();
            assert!(described, "{id}: {parameter}");
        }
        let responses = declared["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{id}");
        assert!(responses.contains_key("500"), "{id}");
        if let Some(content) = declared["requestBody"]["content"].as_object() {
            let json = content.iter().filter(|(kind, _)| kind.ends_with("json"));
            for (kind, media) in json.filter(|_| id != "replace_contract") {
                assert!(
                    media["schema"]["$ref"].is_string(),
                    "{id}: {kind} has no named schema"
                );
                assert!(media["example"].is_object(), "{id}: {kind} has no example");
            }
        }
    }
    assert!(ids.len() > 100);
}

#[test]
fn every_reference_leads_somewhere() {
    let document = api::openapi();
    let mut found = 0;
    walk(&document, &mut |value| {
        let Some(target) = value.get("$ref").and_then(Value::as_str) else {
            return;
        };
        found += 1;
        assert!(document.pointer(&target[1..]).is_some(), "{target}");
    });
    assert!(found > 500);
}

#[test]
fn our_own_reader_has_nothing_to_say() {
    let text = api::openapi().to_string();
    let read = contracts::read(&text, &contracts::Limits::default());
    let contract = read.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(contract.findings, []);
    assert_eq!(contract.operations.len(), operations().len());
}

fn walk(value: &Value, look: &mut impl FnMut(&Value)) {
    look(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, look)),
        Value::Object(fields) => fields.values().for_each(|item| walk(item, look)),
        _ => {}
    }
}
