use serde_json::{Value, json};

use crate::kind;

fn wrong(config: &Value) -> Vec<String> {
    let faults = kind("feature_flags")
        .unwrap()
        .validate(config)
        .err()
        .unwrap_or_default();
    faults.into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let flags = |flags: Value| json!({ "flags": flags });
    let many: Vec<_> = (0..21)
        .map(|number| json!({ "key": format!("a{number}") }))
        .collect();
    let cases = [
        (flags(json!(many[..20])), ""),
        (flags(json!(many)), "/flags"),
        (flags(json!([])), "/flags"),
        (flags(json!([{ "key": "a b" }])), "/flags/0/key"),
        (
            flags(json!([{ "key": "a" }, { "key": "a", "header": "x-b" }])),
            "/flags/1/key",
        ),
        (
            flags(json!([{ "key": "a.b" }, { "key": "a_b" }])),
            "/flags/1/header",
        ),
        (flags(json!([{ "key": "A" }, { "key": "a" }])), "/flags/1/header"),
        (flags(json!([{ "key": "a", "header": "a b" }])), "/flags/0/header"),
        (
            flags(json!([{ "key": "a", "header": "X-Gateline-Plan" }])),
            "/flags/0/header",
        ),
        (
            flags(json!([{ "key": "a", "header": "Baggage" }])),
            "/flags/0/header",
        ),
        (
            json!({ "flags": [{ "key": "a" }], "attributes": [{ "name": "host", "from": "query" }] }),
            "/attributes/0/name",
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(wrong(&config).join(" "), expected, "{config}");
    }
}

#[test]
fn it_says_which_flags_it_tells_of() {
    let config = json!({ "flags": [{ "key": "b" }, { "key": "a" }] });
    let made = kind("feature_flags").unwrap().compile(&config, None).unwrap();
    assert_eq!(made.flags(), ["b", "a"]);
}
