//! What holds with and without built pages.

use crate::file::accepts;
use crate::{CONTENT_SECURITY_POLICY, Encoding, file};

#[test]
fn pages_answer_for_everything_below_them() {
    for path in [
        "console",
        "console/",
        "console/apis/api_1",
        "portal/",
        "portal/a/b.c",
        "api/docs",
    ] {
        let page = file(path, "").unwrap_or_else(|| panic!("{path}"));
        assert_eq!(page.content_type, "text/html; charset=utf-8", "{path}");
        assert!(!page.immutable && page.encoding.is_none(), "{path}");
        assert!(page.bytes.starts_with(b"<!doctype html>"), "{path}");
        assert!(
            page.etag.starts_with("W/\"") && page.etag.ends_with('"'),
            "{path}"
        );
    }
}

#[test]
fn other_paths_are_not_found() {
    for path in [
        "",
        "assets",
        "assets/none.js",
        "api",
        "api/docs/x",
        "../Cargo.toml",
        "consoles",
        "reference/index.html",
    ] {
        assert_eq!(file(path, "br"), None, "{path}");
    }
}

#[test]
fn encodings_are_taken_from_the_header() {
    let table = [
        ("gzip, deflate, br", Encoding::Brotli, true),
        ("GZIP;q=0.5, br;q=0", Encoding::Gzip, true),
        ("GZIP;q=0.5, br;q=0", Encoding::Brotli, false),
        ("br; q=0.0", Encoding::Brotli, false),
        ("browser", Encoding::Brotli, false),
        ("", Encoding::Gzip, false),
    ];
    for (header, encoding, expected) in table {
        assert_eq!(accepts(header, encoding), expected, "{header} {encoding:?}");
    }
}

#[test]
fn pages_keep_to_the_policy() {
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe-eval"));
    let page = file("console", "").expect("there is always a page");
    let text = String::from_utf8(page.bytes.into_owned()).expect("pages are UTF-8");
    assert!(!text.contains("<script>"), "no script stands in the page");
    assert!(
        !text.contains("//cdn") && !text.contains("fonts.googleapis"),
        "nothing comes from elsewhere"
    );
}
