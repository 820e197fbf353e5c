use serde_json::{Value, json};

use super::Audience;

/// Where an audience is wrong, with the code.
fn wrong(audience: &Value) -> Vec<String> {
    let source: domain::flag::Audience = serde_json::from_value(audience.clone()).unwrap();
    let faults = Audience::compile(&source).err().unwrap_or_default();
    let told = faults.iter().map(|fault| {
        assert!(
            fault.detail.ends_with('.') && fault.suggestion.ends_with('.'),
            "{fault:?}"
        );
        format!("{} {}", fault.pointer, fault.code)
    });
    told.collect()
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let flag = json!({ "key": "a" });
    let source = |name: &str, from: &str, field: &str| json!({ "name": name, "from": from, "field": field });
    let with = |sources: Vec<Value>| json!({ "flags": [flag], "attributes": sources });
    let many = |one: &Value, count: usize| Value::Array(vec![one.clone(); count]);
    let numbered = |number: usize| source(&format!("a{number}"), "query", "a");
    let variants = many(&json!("on"), 101);
    let cases = [
        (json!({ "flags": [flag] }), ""),
        (json!({ "segments": [{ "key": "a", "not": true }] }), ""),
        (json!({}), " field_required"),
        (with(vec![]), ""),
        (json!({ "flags": many(&flag, 17) }), "/flags field_out_of_range"),
        (
            json!({ "segments": many(&flag, 17) }),
            "/segments field_out_of_range",
        ),
        (
            json!({ "flags": [{ "key": "a", "variants": variants }] }),
            "/flags/0/variants field_out_of_range",
        ),
        (with((0..20).map(numbered).collect()), ""),
        (
            with((0..21).map(numbered).collect()),
            "/attributes field_out_of_range",
        ),
        (
            with(vec![source("a", "header", "A"), source("a", "query", "b")]),
            "/attributes/1/name name_taken",
        ),
        (
            with(vec![source("plan", "header", "A")]),
            "/attributes/0/name name_reserved",
        ),
        (
            with(vec![source("", "header", "A")]),
            "/attributes/0/name name_invalid",
        ),
        (
            with(vec![source("a", "header", "a b")]),
            "/attributes/0/field name_invalid",
        ),
        (
            with(vec![source("a", "query", "")]),
            "/attributes/0/field name_invalid",
        ),
        (with(vec![source("a", "query", "a b")]), ""),
        (
            with(vec![source("a", "cookie", "a=b")]),
            "/attributes/0/field name_invalid",
        ),
        // Without a field it is the attribute's name.
        (
            with(vec![json!({ "name": "a b", "from": "header" })]),
            "/attributes/0/field name_invalid",
        ),
    ];
    for (audience, expected) in cases {
        assert_eq!(wrong(&audience).join(", "), expected, "{audience}");
    }
}

#[test]
fn a_mark_is_the_same_for_the_same_sources_only() {
    let mark = |sources: Value| {
        let source = json!({ "flags": [{ "key": "a" }], "attributes": sources });
        let source: domain::flag::Audience = serde_json::from_value(source).unwrap();
        Audience::compile(&source).unwrap().sources.mark
    };
    let [a, b] = ["a", "b"].map(|name| json!({ "name": name, "from": "header", "field": "X-A" }));
    assert_eq!(mark(json!([a, b])), mark(json!([b, a])));
    let lower = json!({ "name": "a", "from": "header", "field": "x-a" });
    assert_eq!(mark(json!([a])), mark(json!([lower])));
    let others = [
        json!([]),
        json!([a]),
        json!([b]),
        json!([{ "name": "a", "from": "query", "field": "x-a" }]),
        json!([{ "name": "a", "from": "cookie", "field": "x-a" }]),
        json!([{ "name": "a", "from": "header", "field": "x-b" }]),
    ];
    let marks: std::collections::HashSet<_> = others.iter().map(|each| mark(each.clone())).collect();
    assert_eq!(marks.len(), others.len());
}
