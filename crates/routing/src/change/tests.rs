use domain::routing::Substitution;

use super::{Change, encode, groups};
use crate::fault::Faults;

fn substitution(pattern: &str, replacement: &str) -> Substitution {
    Substitution {
        pattern: pattern.to_owned(),
        replacement: replacement.to_owned(),
    }
}

fn template(path: &str, compared: Option<&str>) -> Change {
    let mut faults = Faults::default();
    let change = Change::compile("", (None, Some(path), None), compared, &mut faults);
    change.unwrap_or_else(|| panic!("{path}: {faults:?}"))
}

#[test]
fn prefixes_take_the_place_of_the_base_path() {
    for (prefix, path, base, expected) in [
        ("/", "/shop/a", 5, "/a"),
        ("/", "/shop", 5, "/"),
        ("/v2", "/shop", 5, "/v2"),
        ("/v2/", "/shop/a%2Fb/", 5, "/v2/a%2Fb/"),
        ("/x", "/a", 0, "/x/a"),
    ] {
        let mut faults = Faults::default();
        let change = Change::compile("", (Some(prefix), None, None), None, &mut faults).unwrap();
        assert_eq!(change.apply(path, base, None), expected, "{prefix} {path}");
    }
}

#[test]
fn templates_are_filled() {
    let table = [
        // The new path, the compared one, the operation's, the request's, what it becomes.
        (
            "/v2/items/{id}",
            None,
            "/pets/{id}",
            "/shop/pets/7",
            "/v2/items/7",
        ),
        (
            "/v2/{id}/{id}",
            None,
            "/pets/{id}",
            "/shop/pets/a%20b",
            "/v2/a%20b/a%20b",
        ),
        ("/v2/{id}", None, "/pets/{id}", "/shop/pets/a%2Fb", "/v2/a%2Fb"),
        (
            "/v2/{id}",
            None,
            "/pets/{id}",
            "/shop/pets/a%252Fb",
            "/v2/a%252Fb",
        ),
        (
            "/v2/{id}",
            None,
            "/pets/{id}",
            "/shop/pets/caf%C3%A9",
            "/v2/caf%C3%A9",
        ),
        (
            "/{format}/{name}",
            None,
            "/{name}.{format}",
            "/shop/a.b.json",
            "/b.json/a",
        ),
        ("/{b}", None, "/{a}.json", "/shop/x.json", "/"),
        ("/{a}", None, "/{a}.json", "/shop/x.json.json", "/x.json"),
        (
            "/{shop}/{id}",
            Some("/{shop}/pets/{x}"),
            "/pets/{id}",
            "/shop/pets/7",
            "/shop/7",
        ),
        ("/{id}", Some("/shop/{id}/x"), "/{id}/x", "/shop/7/x", "/7"),
        ("/fixed", None, "/pets", "/shop/pets", "/fixed"),
    ];
    for (new, compared, operation, path, expected) in table {
        let change = template(new, compared);
        assert_eq!(
            change.apply(path, 5, Some(operation)),
            expected,
            "{new} {operation} {path}"
        );
    }
    let Change::Template(unknown) = template("/{a}/{b}", Some("/{a}")) else {
        unreachable!("a template")
    };
    assert_eq!(unknown.unknown(Some("/x/{c}")), Some("b"));
    assert_eq!(unknown.unknown(Some("/x/{b}")), None);
}

#[test]
fn expressions_are_replaced_once() {
    for (pattern, replacement, path, expected) in [
        ("^/old/(.*)$", "/new/$1", "/old/x", "/new/x"),
        ("^/old/(.*)$", "/new/$1", "/%6Fld/x%2Fy", "/new/x%2Fy"),
        ("^/old/(.*)$", "/new/$1", "/other/%78", "/other/%78"),
        ("/(?P<id>[0-9]+)", "/n-${id}", "/a/17/18", "/a/n-17/18"),
        ("^/", "", "/a", "/a"),
        ("a", "é $$", "/a", "/%C3%A9%20$"),
    ] {
        let mut faults = Faults::default();
        let regex = substitution(pattern, replacement);
        let change = Change::compile("", (None, None, Some(&regex)), None, &mut faults);
        let change = change.unwrap_or_else(|| panic!("{pattern}: {faults:?}"));
        let path = format!("/shop{path}");
        assert_eq!(change.apply(&path, 5, None), expected, "{pattern} {path}");
    }
}

#[test]
fn what_is_no_change_is_told() {
    let faults = |prefix: Option<&str>, path: Option<&str>, regex: Option<&Substitution>| {
        let mut faults = Faults::default();
        let change = Change::compile("/x", (prefix, path, regex), None, &mut faults);
        assert!(change.is_none());
        let found = faults
            .0
            .iter()
            .map(|fault| format!("{} {}", fault.pointer, fault.code));
        found.collect::<Vec<_>>().join(", ")
    };
    let regex = substitution("a", "b");
    assert_eq!(faults(Some("/a"), Some("/b"), None), "/x change_twice");
    assert_eq!(faults(None, Some("/a"), Some(&regex)), "/x change_twice");
    for prefix in ["a", "/a/../b", "/a//b", "/{a}"] {
        assert_eq!(
            faults(Some(prefix), None, None),
            "/x/prefix path_invalid",
            "{prefix}"
        );
    }
    let long = format!("/{}", "a".repeat(1001));
    for path in ["a", "//a", "/a?b", "/a#b", "/a/./b", "/a b", "/\\a", &long] {
        assert_eq!(faults(None, Some(path), None), "/x/path path_invalid", "{path}");
    }
    for (pattern, replacement, expected) in [
        ("(", "b", "/x/regex/pattern regex_invalid"),
        ("(a)", "$2", "/x/regex/replacement group_unknown"),
        ("(a)", "$1b", "/x/regex/replacement group_unknown"),
        ("a", "?b", "/x/regex/replacement path_invalid"),
    ] {
        let regex = substitution(pattern, replacement);
        assert_eq!(faults(None, None, Some(&regex)), expected, "{regex:?}");
    }
}

#[test]
fn groups_are_read_as_the_library_reads_them() {
    for (text, expected) in [
        ("a$1b", vec!["1b"]),
        ("a${1}b$$2$x", vec!["1", "x"]),
        ("$", vec![]),
        ("$$$", vec![]),
        ("${a", vec![]),
    ] {
        assert_eq!(groups(text).collect::<Vec<_>>(), expected, "{text}");
    }
}

#[test]
fn what_cannot_stand_in_a_path_is_encoded() {
    assert_eq!(
        encode("/a b/%2F%zz/é\\\"<>"),
        "/a%20b/%2F%25zz/%C3%A9%5C%22%3C%3E"
    );
}
