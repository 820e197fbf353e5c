use proptest::prelude::{Just, Strategy, any, prop};
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value as Json, json};

use super::parse;
use crate::report::{Report, Stop};
use crate::{Finding, Limits};

fn read(text: &str) -> Result<(Json, Vec<Finding>), Finding> {
    let mut report = Report::new(100);
    match parse(text, &Limits::default(), &mut report) {
        Ok(node) => Ok((node.into_json(), report.into_findings())),
        Err(Stop::Broken(finding) | Stop::Over { finding, .. }) => Err(finding),
    }
}

#[test]
fn values_are_those_of_the_standard() {
    let cases = [
        ("null", json!(null)),
        (" [true , false,null ] ", json!([true, false, null])),
        (r#"{"a":{},"b":[],"":1}"#, json!({ "a": {}, "b": [], "": 1 })),
        (
            r#""\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00""#,
            json!("\"\\/\u{8}\u{c}\n\r\tä😀"),
        ),
        (
            "[0,-0.5,1e3,12345678901234567890,-7]",
            json!([0, -0.5, 1000.0, 12_345_678_901_234_567_890_u64, -7]),
        ),
        (
            "123456789012345678901234567890",
            json!(1.234_567_890_123_456_8e29),
        ),
    ];
    for (text, value) in cases {
        assert_eq!(read(text).unwrap(), (value, vec![]), "{text}");
    }
}

#[test]
fn what_is_wrong_has_its_place() {
    let cases = [
        ("", "", 1, 1, "Expected a value, found the end of the document."),
        (
            "{\"a\": 1,\n  \"b\": }",
            "/b",
            2,
            8,
            "Expected a value, found `}`.",
        ),
        ("{\"ä\": tru}", "/ä", 1, 7, "Expected a value, found `t`."),
        ("[1 2]", "", 1, 4, "Expected `,` or `]`, found `2`."),
        ("[1,]", "/1", 1, 4, "Expected a value, found `]`."),
        ("{\"a\" 1}", "/a", 1, 6, "Expected `:`, found `1`."),
        ("{\"a\":1,}", "", 1, 8, "Expected a key in quotes, found `}`."),
        ("[01]", "/0", 1, 3, "Expected the end of the number, found `1`."),
        ("[1.]", "/0", 1, 4, "Expected a digit, found `]`."),
        ("[1e]", "/0", 1, 4, "Expected a digit, found `]`."),
        ("[-]", "/0", 1, 3, "Expected a digit, found `]`."),
        ("[1x]", "/0", 1, 3, "Expected the end of the number, found `x`."),
        (
            "[\"a\n\"]",
            "/0",
            1,
            4,
            "Expected an escape for the control character, found `\\n`.",
        ),
        ("[\"\\x\"]", "/0", 1, 3, "This escape does not exist in JSON."),
        ("[\"\\u12\"]", "/0", 1, 3, "`\\u` needs four hexadecimal digits."),
        (
            "[\"abc",
            "/0",
            1,
            2,
            "The text that begins here has no closing quote.",
        ),
        ("{} x", "", 1, 4, "Expected the end of the document, found `x`."),
        (
            "{\"a\":1,\n\"b\":2,\n\"a\":3}",
            "/a",
            3,
            1,
            "The key `a` was already given in line 1.",
        ),
    ];
    for (text, pointer, line, column, detail) in cases {
        let finding = read(text).unwrap_err();
        assert_eq!(
            (
                finding.pointer.as_str(),
                finding.line,
                finding.column,
                finding.detail.as_str()
            ),
            (pointer, line, column, detail),
            "{text}"
        );
    }
}

#[test]
fn a_duplicate_is_found_among_many() {
    let mut keys: Vec<String> = (0..1000)
        .map(|number| format!("\"k{number}\": {number}"))
        .collect();
    keys.insert(700, "\"k3\": 0".to_owned());
    let finding = read(&format!("{{\n{}\n}}", keys.join(",\n"))).unwrap_err();
    assert_eq!(
        (finding.code.as_str(), finding.pointer.as_str(), finding.line),
        ("key_duplicate", "/k3", 702)
    );
}

#[test]
fn what_a_double_or_unicode_cannot_hold_is_remarked() {
    let (value, findings) = read(r#"[1e999, "\ud800", "\udc00x"]"#).unwrap();
    assert_eq!(value, json!([f64::MAX, "\u{fffd}", "\u{fffd}x"]));
    let places: Vec<_> = findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.column))
        .collect();
    assert_eq!(
        places,
        [
            ("number_unrepresentable", 2),
            ("text_unpaired_surrogate", 10),
            ("text_unpaired_surrogate", 20)
        ]
    );
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        (-1e9..1e9).prop_map(|number: f64| json!(number)),
        any::<String>().prop_map(Json::String),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Json::Array),
            prop::collection::vec((any::<String>(), inner), 0..20)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        prop_assert_eq!(read(&text.unwrap()).unwrap(), (value, vec![]));
    }

    #[test]
    fn broken_text_is_refused_when_the_standard_refuses_it(text in r#"[\[\]{}",:0-9eE.+\-truefalsn\\ \n]{0,24}"#) {
        let theirs = serde_json::from_str::<Json>(&text);
        match read(&text) {
            Ok((ours, findings)) if findings.is_empty() => prop_assert_eq!(ours, theirs.unwrap()),
            Ok(_) => {}
            // The other reader keeps the last of two equal keys.
            Err(finding) => prop_assert!(theirs.is_err() || finding.code == "key_duplicate"),
        }
    }
}
