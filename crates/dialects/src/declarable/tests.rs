use serde_json::json;

use super::{is_key, key_of};
use crate::{Reading, growthbook, unleash};

fn features(document: &serde_json::Value) -> Reading {
    let document = unleash::Document::parse(&document.to_string()).unwrap();
    unleash::read(&document).declarable()
}

#[test]
fn keys_are_made_of_names() {
    let taken = ["taken", "taken-2"];
    let cases = [
        ("Beta testers (EU)", "Beta-testers-EU"),
        ("  a / b  ", "a-b"),
        ("-x.y~z_", "x.y~z_"),
        ("ä", "segment"),
        ("", "segment"),
        ("taken!", "taken-3"),
    ];
    for (name, key) in cases {
        assert_eq!(key_of(name, |key| taken.contains(&key)), key, "{name}");
    }
    let long = key_of(&"x y".repeat(100), |_| false);
    assert!(is_key(&long), "{long}");
    for name in ["", "a b", "-a", "a:b", "ä", &"x".repeat(101)] {
        assert!(!is_key(name), "{name}");
    }
}

#[test]
fn segments_get_keys_and_keep_their_names_as_titles() {
    let reading = features(&json!({
        "version": 2,
        "features": [{ "name": "f", "enabled": true, "strategies": [{ "name": "default", "segments": [1, 2] }] }],
        "segments": [
            { "id": 1, "name": "Beta testers (EU)", "constraints": [] },
            { "id": 2, "name": "Beta-testers-EU", "constraints": [] },
        ],
    }));
    assert_eq!(reading.refused, []);
    let keys: Vec<_> = reading.definitions.segments.keys().collect();
    assert_eq!(keys, ["Beta-testers-EU", "Beta-testers-EU-2"]);
    let rule = json!(reading.definitions.flags["f"].targeting.rules[0].when);
    let when = json!({ "all": [{ "segment": "Beta-testers-EU-2" }, { "segment": "Beta-testers-EU" }] });
    assert_eq!(rule, when);
    assert_eq!(reading.segments["Beta-testers-EU-2"].title, "Beta testers (EU)");
    let note = &reading.notes[0];
    let note = (note.flag.as_str(), note.pointer.as_str(), note.code);
    assert_eq!(note, ("Beta testers (EU)", "/segments/0", "key_made"));
}

#[test]
fn flags_that_cannot_be_called_so_are_left_out_with_those_that_need_them() {
    let reading = features(&json!({ "version": 2, "segments": [], "features": [
        { "name": "new checkout", "enabled": true, "strategies": [] },
        { "name": "child", "enabled": true, "strategies": [], "dependencies": [{ "feature": "new checkout" }] },
        { "name": "blank", "enabled": true, "strategies": [], "variants": [{ "name": " a", "weight": 1000 }] },
        { "name": "good", "enabled": true, "strategies": [], "description": "What it is for." },
    ] }));
    assert_eq!(reading.definitions.flags.keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(reading.flags["good"].description, "What it is for.");
    let refused = reading.refused.iter();
    let refused: Vec<_> = refused
        .map(|one| (one.flag.as_str(), one.pointer.as_str()))
        .collect();
    let expected = [
        ("blank", "/features/2"),
        ("new checkout", "/features/0"),
        ("child", "/features/1"),
    ];
    assert_eq!(refused, expected);
    assert_eq!(reading.refused[1].code, "key_invalid");
    assert!(reading.refused[1].detail.starts_with("The key of a flag has"));

    let payload = json!({ "features": {
        "a:b": { "defaultValue": true },
        "c": { "defaultValue": 1, "description": "One.", "tags": ["a"], "metadata": { "tags": ["b"] } },
    } });
    let reading = growthbook::read(&payload).unwrap().declarable();
    assert_eq!(reading.flags["c"].description, "One.");
    assert_eq!(reading.flags["c"].tags, ["a".to_owned(), "b".to_owned()].into());
    assert_eq!(reading.definitions.flags.keys().collect::<Vec<_>>(), ["c"]);
    assert_eq!(reading.refused[0].pointer, "/features/a:b");
}
