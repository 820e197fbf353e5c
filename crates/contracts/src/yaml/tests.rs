use serde_json::{Value as Json, json};

use super::parse;
use crate::report::{Report, Stop};
use crate::{Finding, Limits};

fn read_within(text: &str, limits: &Limits) -> Result<(Json, Vec<Finding>), Finding> {
    let mut report = Report::new(100);
    match parse(text, limits, &mut report) {
        Ok(node) => Ok((node.into_json(), report.into_findings())),
        Err(Stop::Broken(finding) | Stop::Over { finding, .. }) => Err(finding),
    }
}

fn read(text: &str) -> Result<(Json, Vec<Finding>), Finding> {
    read_within(text, &Limits::default())
}

fn value(text: &str) -> Json {
    match read(text) {
        Ok((value, _)) => value,
        Err(finding) => panic!("{text:?}: {finding:?}"),
    }
}

#[test]
fn scalars_follow_the_core_schema() {
    let cases = [
        (
            "[yes, no, on, off, y, n, Yes, NO]",
            json!(["yes", "no", "on", "off", "y", "n", "Yes", "NO"]),
        ),
        (
            "[true, True, FALSE, null, ~, Null]",
            json!([true, true, false, null, null, null]),
        ),
        ("a:", json!({ "a": null })),
        (
            "[1, -7, +7, 007, 0x1F, 0o17, 1_000]",
            json!([1, -7, 7, 7, 31, 15, "1_000"]),
        ),
        (
            "[1.5, .5, 1., -1.5e3, 1e3, 1.2.3]",
            json!([1.5, 0.5, 1, -1500.0, 1000.0, "1.2.3"]),
        ),
        (
            "[2024-01-31, 12:30:45, 1.10-beta, .]",
            json!(["2024-01-31", "12:30:45", "1.10-beta", "."]),
        ),
        ("['1', \"true\", '']", json!(["1", "true", ""])),
        (
            "[!!str 1, !!int '7', !!bool 'true', ! 3]",
            json!(["1", 7, true, "3"]),
        ),
        (
            "200: a\n4.5: b\ntrue: c\nnull: d\n~: e",
            json!({ "200": "a", "4.5": "b", "true": "c", "null": "d", "~": "e" }),
        ),
        (
            "a: |\n  x\n  y\nb: >-\n  x\n  y\n",
            json!({ "a": "x\ny\n", "b": "x y" }),
        ),
        ("a: \"\\u00e4\\x41\\n\"", json!({ "a": "äA\n" })),
        (
            "{a: 1, \"b\":2, c: [d, e: f]}",
            json!({ "a": 1, "b": 2, "c": ["d", { "e": "f" }] }),
        ),
        ("%YAML 1.2\n---\na: 1\n...\n", json!({ "a": 1 })),
        ("# nothing\na: b # c", json!({ "a": "b" })),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn anchors_and_merge_keys_are_written_out() {
    let cases = [
        ("a: &x {b: 1}\nc: *x", json!({ "a": { "b": 1 }, "c": { "b": 1 } })),
        (
            "a: &x text\nb: [*x, *x]",
            json!({ "a": "text", "b": ["text", "text"] }),
        ),
        ("a: &x 1\nb: &x 2\nc: *x", json!({ "a": 1, "b": 2, "c": 2 })),
        ("&k key: 1\nb: *k\n", json!({ "key": 1, "b": "key" })),
        ("a: &x k\n*x : 1\n", json!({ "a": "k", "k": 1 })),
        (
            "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3",
            json!({ "a": { "b": 1, "c": 2 }, "d": { "c": 3, "b": 1 } }),
        ),
        (
            "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}",
            json!({
                "a": { "b": 1 }, "c": { "b": 2, "d": 3 }, "e": { "b": 1, "d": 3 },
            }),
        ),
        ("'<<': 1", json!({ "<<": 1 })),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_has_its_place() {
    let cases = [
        ("a: 1\nb:\n  c: 2\n  c: 3\n", "key_duplicate", "/b/c", 4, 3),
        ("a: 1\n---\nb: 2\n", "documents_several", "", 2, 1),
        ("a:\n\tb: 1\n", "yaml_tab", "/a", 2, 2),
        ("a: [1, 2\nb: 3\n", "yaml_broken", "/a/1", 2, 2),
        ("a: *x\n", "yaml_broken", "/a", 1, 4),
        ("a: \"b\n", "yaml_broken", "/a", 1, 4),
        ("? [a]\n: 1\n", "key_not_scalar", "", 1, 3),
        ("a: &x [1]\n*x : 2\n", "key_not_scalar", "", 2, 1),
        ("a:\n  b: &x [1, *x]\n", "alias_recursive", "/a/b/1", 2, 13),
        ("a:\n  <<: 1\n", "merge_invalid", "/a", 2, 7),
        ("# nothing\n", "document_empty", "", 1, 1),
    ];
    for (text, code, pointer, line, column) in cases {
        let finding = read(text).unwrap_err();
        assert_eq!(
            (
                finding.code.as_str(),
                finding.pointer.as_str(),
                finding.line,
                finding.column
            ),
            (code, pointer, line, column),
            "{text:?}: {}",
            finding.detail
        );
    }
}

#[test]
fn foreign_tags_and_infinity_are_remarked() {
    let (value, findings) = read("a: !secret x\nb: .inf\nc: !!set {d}\n").unwrap();
    assert_eq!(value, json!({ "a": "x", "b": ".inf", "c": { "d": null } }));
    let remarks: Vec<_> = findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.pointer.as_str(), finding.line))
        .collect();
    assert_eq!(
        remarks,
        [
            ("tag_ignored", "/a", 1),
            ("number_unrepresentable", "/b", 2),
            ("tag_ignored", "/c", 3)
        ]
    );
}

/// Every level holds ten aliases of the one before.
fn bomb(levels: usize, leaf: &str) -> String {
    let mut text = format!("a0: &a0 {leaf}\n");
    for level in 1..=levels {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    text
}

#[test]
fn alias_bombs_are_refused_before_they_go_off() {
    let finding = read(&bomb(12, "x")).unwrap_err();
    assert_eq!(
        finding.detail,
        "The limit is 500000 values, repeated ones included (nodes_max)."
    );
    assert_eq!(finding.code, "limit_exceeded");

    let finding = read(&bomb(4, &format!("\"{}\"", "x".repeat(100_000)))).unwrap_err();
    assert_eq!(
        finding.detail,
        "The limit is 10000000 bytes repeated by YAML aliases (repeated_bytes_max)."
    );

    let mut deep = "a0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        deep.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    let finding = read(&deep).unwrap_err();
    assert_eq!(finding.detail, "The limit is 100 levels of nesting (depth_max).");
    assert_eq!(finding.line, 100);
}
