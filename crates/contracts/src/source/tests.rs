use proptest::prelude::{ProptestConfig, any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::json;

use super::parse;
use crate::report::{Report, Stop};
use crate::{Limits, read};

fn code(text: &str) -> String {
    match parse(text, &Limits::default(), &mut Report::new(10)) {
        Ok(node) => node.into_json().to_string(),
        Err(Stop::Broken(finding) | Stop::Over { finding, .. }) => finding.code,
    }
}

#[test]
fn the_format_is_found_out() {
    let cases = [
        ("", "document_empty"),
        (" \r\n\t", "document_empty"),
        ("\u{feff}{\"a\": 1}", r#"{"a":1}"#),
        ("\u{feff}a: 1", r#"{"a":1}"#),
        ("\n  [1]", "[1]"),
        // Neither: the complaint is about JSON.
        ("{\"a\": [}", "json_broken"),
        // JSON for people, read as YAML.
        ("{\"a\": 1,}", r#"{"a":1}"#),
        ("{a: 1 # one\n}", r#"{"a":1}"#),
    ];
    for (text, expected) in cases {
        assert_eq!(code(text), expected, "{text:?}");
    }
}

#[test]
fn loose_json_is_remarked_once() {
    let mut report = Report::new(10);
    let root = parse("{\n\"a\": 1e999,\n}", &Limits::default(), &mut report).unwrap();
    assert_eq!(root.into_json(), json!({ "a": "1e999" }));
    let findings = report.into_findings();
    let codes: Vec<_> = findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.line))
        .collect();
    assert_eq!(codes, [("number_unrepresentable", 2), ("json_loose", 3)]);
}

/// Pieces that YAML and OpenAPI give a meaning.
const PIECES: &[&str] = &[
    "openapi: 3.1.0\n",
    "info:\n",
    "paths:\n",
    "  /a/{b}:\n",
    "    get:\n",
    "      $ref: '#/paths'\n",
    "  title: t\n",
    "- ",
    "? ",
    ": ",
    "a: ",
    "\n",
    " ",
    "  ",
    "\t",
    "&a ",
    "*a ",
    "*a",
    "<<: ",
    "!!str ",
    "!t ",
    "!<x> ",
    "'",
    "\"",
    "\\",
    "|\n",
    ">-\n",
    "|2\n",
    "#",
    "# c\n",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "%TAG ! x\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "null",
    "~",
    "1",
    "-",
    ".",
    "\u{feff}",
    "ä",
    "\u{85}",
    "\u{2028}",
    "\r",
    "\r\n",
    "\0",
    "@",
    "`",
    "%",
    "$ref",
    "parameters",
    "x-",
    "1e999",
    "0x",
    "\"\\ud800\"",
    "/",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_panics_and_every_refusal_has_a_reason(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40),
    ) {
        if let Err(refusal) = read(&pieces.concat(), &Limits::default()) {
            prop_assert!(!refusal.findings.is_empty());
            prop_assert_eq!(refusal.findings[0].severity, crate::Severity::Error);
        }
    }

    #[test]
    fn nor_does_any_text(text in any::<String>()) {
        prop_assert!(read(&text, &Limits::default()).is_err());
    }
}
