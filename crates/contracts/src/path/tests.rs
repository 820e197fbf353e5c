use std::borrow::Cow;

use super::{Path, Target};

#[test]
fn pointers_are_escaped() {
    let (root, path) = (Path::Root, "/pets/{a~b}");
    assert_eq!(root.pointer(), "");
    assert_eq!(
        root.key("paths").key(path).index(3).pointer(),
        "/paths/~1pets~1{a~0b}/3"
    );
    assert_eq!(Path::At("/a/b").key("c").pointer(), "/a/b/c");
}

#[test]
fn references_are_taken_apart() {
    let local =
        |steps: &[&'static str]| Target::Local(steps.iter().map(|&step| Cow::Borrowed(step)).collect());
    let cases = [
        ("#", local(&[])),
        ("#/", local(&[""])),
        ("#/a/b", local(&["a", "b"])),
        (
            "#/paths/~1pets~1%7Bid%7D/get",
            local(&["paths", "/pets/{id}", "get"]),
        ),
        ("#/a~01", local(&["a~1"])),
        ("#/a%", local(&["a%"])),
        ("#/%zz", local(&["%zz"])),
        ("#/%ff", local(&["%ff"])),
        ("#/%C3%A4", local(&["ä"])),
        ("#pet", Target::Anchor("pet".into())),
        ("#p%65t", Target::Anchor("pet".into())),
        ("pet.yaml", Target::External),
        ("pet.yaml#/a", Target::External),
        ("https://example.com/pet.json", Target::External),
        ("", Target::External),
    ];
    for (reference, target) in cases {
        assert_eq!(Target::parse(reference), target, "{reference}");
    }
}
