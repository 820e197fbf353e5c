//! Whether tests know every field of a configuration: for tests only.
//!
//! The fields are those of the published schemas (`spec/`), so one that is new and that no test knows fails a test. What a
//! test elsewhere shows is named by that test, and [`complete`] looks whether it is there. Whether a field has an effect is
//! seen by those tests, not here.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// Tests, as `tests/e2e/src/upgrade.rs::the_next_process_takes_over_and_nobody_notices`, each with the fields that it shows.
pub type Elsewhere<'a> = &'a [(&'a str, &'a [&'a str])];

/// The attributes that make a function a test.
const ATTRIBUTES: [&str; 2] = ["#[test]", "#[tokio::test"];
/// The macros that write such an attribute themselves.
const MACROS: [&str; 2] = ["on_both! {", "proptest! {"];

fn read(path: &str) -> Result<String, String> {
    let place = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path);
    fs::read_to_string(&place).map_err(|error| format!("{path}: {error}"))
}

fn document(path: &str) -> Value {
    let text = read(path).unwrap_or_else(|error| panic!("{error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The schemas of the API by their names.
///
/// # Panics
/// If `spec/openapi.json` is not there.
#[must_use]
pub fn published() -> Value {
    document("spec/openapi.json")["components"]["schemas"].take()
}

/// The schema of the settings of the programs.
///
/// # Panics
/// If `spec/config.schema.json` is not there.
#[must_use]
pub fn settings() -> Value {
    document("spec/config.schema.json")
}

/// The places of all fields of a schema as JSON Pointers, with `*` for a place in a list; `named` are the schemas that it
/// refers to.
///
/// # Panics
/// If one of those is missing.
#[must_use]
pub fn of(schema: &Value, named: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(schema, named, "", &mut found);
    // An object without any is no field itself.
    found.remove("");
    found
}

fn collect(schema: &Value, named: &Value, place: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        assert!(named[name].is_object(), "{place}: there is no schema `{name}`");
        return collect(&named[name], named, place, found);
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        if let Some(all) = schema[word].as_array() {
            let objects = all.iter().filter(|one| one["type"] != "null");
            return objects.for_each(|one| collect(one, named, place, found));
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            collect(property, named, &format!("{place}/{name}"), found);
        }
        return;
    }
    let mut below = BTreeSet::new();
    if schema["items"].is_object() {
        collect(&schema["items"], named, &format!("{place}/*"), &mut below);
    }
    // A list of plain values is one field.
    below.remove(&format!("{place}/*"));
    if below.is_empty() {
        found.insert(place.to_owned());
    }
    found.append(&mut below);
}

/// Fails unless the fields that are shown here or elsewhere are all that there are, and the tests elsewhere exist.
///
/// # Panics
/// If a field is forgotten or unknown, or if a test is not there.
pub fn complete<'a>(
    part: &str,
    known: &BTreeSet<String>,
    here: impl IntoIterator<Item = &'a str>,
    elsewhere: Elsewhere<'_>,
) {
    let mut shown: BTreeSet<_> = here.into_iter().map(str::to_owned).collect();
    for (test, fields) in elsewhere {
        shown.extend(fields.iter().map(|field| (*field).to_owned()));
        if let Err(fault) = check(test, fields) {
            panic!("{part}: {fault}");
        }
    }
    let forgotten: Vec<_> = known.difference(&shown).collect();
    let unknown: Vec<_> = shown.difference(known).collect();
    assert!(!known.is_empty(), "{part}: the schema has fields");
    assert!(
        forgotten.is_empty() && unknown.is_empty(),
        "{part}: no test knows {forgotten:?}, and there are no {unknown:?}"
    );
}

/// Whether a test is there, and its file says the names of the fields that it shows.
fn check(test: &str, fields: &[&str]) -> Result<(), String> {
    let (path, name) = test
        .split_once("::")
        .ok_or_else(|| format!("`{test}` names no test"))?;
    let source = read(path)?;
    if !has_test(&source, name) {
        return Err(format!("{path} has no test `{name}`"));
    }
    let last = |field: &&&str| field.rsplit('/').next().is_some_and(|name| source.contains(name));
    match fields.iter().find(|field| !last(field)) {
        Some(field) => Err(format!("{path} does not say the name of {field}")),
        None => Ok(()),
    }
}

fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().collect();
    let head = format!("fn {name}(");
    let Some(place) = lines.iter().position(|line| line.contains(&head)) else {
        return false;
    };
    let is_over = |line: &&&str| line.trim().is_empty() || line.trim() == "}";
    let mut above = lines[..place].iter().rev().take_while(|line| !is_over(line));
    let is_marked = above.any(|line| ATTRIBUTES.iter().any(|it| line.trim_start().starts_with(it)));
    // What is within a macro is indented.
    let mut outside = lines[..place].iter().rev();
    let opened = outside.find(|line| line.starts_with(|first: char| !first.is_whitespace()));
    let is_within = lines[place].starts_with(' ') && opened.is_some_and(|line| MACROS.contains(line));
    is_marked || is_within
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Elsewhere, complete, has_test, of};

    const SOURCE: &str = "
#[test]
#[expect(clippy::unwrap_used, reason = \"a test\")]
fn plain() {
}

#[tokio::test(flavor = \"multi_thread\")]
async fn waiting() {
}

fn helper() {
}

on_both! {
    async fn twice(url: String) {
    }
}

mod inner {
    fn detail() {}
}
";

    #[test]
    fn tests_are_told_from_other_functions() {
        for name in ["plain", "waiting", "twice"] {
            assert!(has_test(SOURCE, name), "{name}");
        }
        for name in ["helper", "detail", "twic", "gone"] {
            assert!(!has_test(SOURCE, name), "{name}");
        }
    }

    #[test]
    fn fields_are_found_below_references_and_lists() {
        let named = json!({ "Target": { "properties": { "url": {}, "zone": { "type": "string" } } } });
        let schema = json!({ "properties": {
            "name": { "type": "string" },
            "hosts": { "items": { "type": "string" } },
            "targets": { "items": { "$ref": "#/components/schemas/Target" } },
            "best": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Target" }] },
        } });
        let found: Vec<_> = of(&schema, &named).into_iter().collect();
        let expected = [
            "/best/url",
            "/best/zone",
            "/hosts",
            "/name",
            "/targets/*/url",
            "/targets/*/zone",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_not_so_is_said() {
        let known = ["/name", "/title"].map(str::to_owned).into();
        let here = "tests/fields/src/lib.rs::what_is_not_so_is_said";
        complete("all", &known, ["/name"], &[(here, &["/title"])]);
        let gone = "tests/fields/src/lib.rs::no_test_of_that_name";
        let table: [(&str, Elsewhere<'_>, &str); 4] = [
            ("/name", &[], "no test knows [\"/title\"]"),
            ("/colour", &[(here, &["/title"])], "there are no [\"/colour\"]"),
            ("/name", &[(gone, &["/title"])], "has no test"),
            (
                "/name",
                &[("tests/fields/src/gone.rs::a", &["/title"])],
                "gone.rs",
            ),
        ];
        for (shown, elsewhere, expected) in table {
            let said = std::panic::catch_unwind(|| complete("all", &known, [shown], elsewhere));
            let said = *said.unwrap_err().downcast::<String>().unwrap();
            assert!(said.contains(expected), "{said}");
        }
    }
}
