use domain::routing::{PathKind, PathMatch};

use super::{PathTest, certificate_serves, normal, normal_base_path, normal_host};
use crate::fault::Faults;

#[test]
fn base_paths_have_one_form() {
    let table = [
        ("/shop", true, Ok("/shop")),
        ("/shop/", true, Ok("/shop")),
        ("/shop/v1.0", true, Ok("/shop/v1.0")),
        ("/", true, Ok("/")),
        ("//", true, Ok("/")),
        ("/a~b_c-d!$&'()+,;=:@", true, Ok("/a~b_c-d!$&'()+,;=:@")),
        ("/health", false, Ok("/health")),
        ("/healthy", true, Ok("/healthy")),
        ("/health", true, Err(())),
        ("/metrics/x", true, Err(())),
        ("/.well-known", true, Err(())),
        ("", true, Err(())),
        ("shop", true, Err(())),
        ("/shop/../x", true, Err(())),
        ("/./x", true, Err(())),
        ("/a//b", true, Err(())),
        ("/a%2fb", true, Err(())),
        ("/a%62", true, Err(())),
        ("/a\\b", true, Err(())),
        ("/{x}", true, Err(())),
        ("/*", true, Err(())),
        ("/a?b", true, Err(())),
        ("/a#b", true, Err(())),
        ("/a b", true, Err(())),
        ("/ä", true, Err(())),
        ("/a\r\nb", true, Err(())),
    ];
    for (text, is_any_host, expected) in table {
        let found = normal_base_path(text, is_any_host);
        assert_eq!(found.as_deref().map_err(|_| ()), expected, "{text}");
    }
    assert!(normal_base_path(&format!("/{}", "a".repeat(500)), true).is_err());
}

#[test]
fn hosts_are_dns_names() {
    for (text, normal) in [
        ("api.example.com", "api.example.com"),
        ("API.Example", "api.example"),
        ("x", "x"),
        ("*.Example.com", "*.example.com"),
    ] {
        assert_eq!(normal_host(text).as_deref(), Ok(normal));
    }
    let long = "a".repeat(64);
    for text in [
        "", "a:80", "a..b", ".a", "a.", "-a", "a-", "a_b", "ä.de", "*.*.a", "a.*", "*", "*.", "*a.b", "a/b",
        &long,
    ] {
        assert!(normal_host(text).is_err(), "{text}");
    }
}

#[test]
fn certificates_serve_one_label_below_a_wildcard_and_routes_take_all() {
    let table = [
        ("api.a.test", "api.a.test", true),
        ("api.a.test", "other.a.test", false),
        ("api.a.test", "a.test", false),
        ("a.test", "api.a.test", false),
        ("*.a.test", "api.a.test", true),
        ("*.a.test", "x.api.a.test", false),
        ("*.a.test", "a.test", false),
        ("*.a.test", "ba.test", false),
        ("api.a.test", "*.a.test", true),
        ("x.api.a.test", "*.a.test", true),
        ("a.test", "*.a.test", false),
        ("ba.test", "*.a.test", false),
        ("*.a.test", "*.a.test", true),
        ("*.a.test", "*.test", true),
        ("*.a.test", "*.api.a.test", false),
        ("*.ba.test", "*.a.test", false),
    ];
    for (certificate, route, expected) in table {
        assert_eq!(
            certificate_serves(certificate, route),
            expected,
            "{certificate} {route}"
        );
    }
}

#[test]
fn paths_are_compared_decoded() {
    for (path, expected) in [
        ("/a/b", "/a/b"),
        ("/%61/%62", "/a/b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%252Fb", "/a%252Fb"),
        ("/caf%C3%A9", "/café"),
        // What is no UTF-8 stays encoded, and hides nothing beside it.
        ("/%ff%61", "/%FFa"),
        ("/%61/%C3/é", "/a/%C3/é"),
        ("/%+1", "/%+1"),
        ("/100%", "/100%"),
        ("/%4", "/%4"),
    ] {
        assert_eq!(normal(path), expected, "{path}");
    }
}

#[test]
fn paths_fit_as_their_kind_says() {
    use PathKind::{Exact, Prefix, Regex, Template};
    let table = [
        (Exact, "/shop/a", "/shop/a", true),
        (Exact, "/shop/a", "/shop/%61", true),
        (Exact, "/shop/%61", "/shop/a", true),
        (Exact, "/shop/a", "/shop/a/", false),
        (Exact, "/shop/a", "/shop/ab", false),
        (Prefix, "/shop/a", "/shop/a", true),
        (Prefix, "/shop/a/", "/shop/a/b", true),
        (Prefix, "/shop/a", "/shop/ab", false),
        (Prefix, "/shop/a", "/shop/a%2Fb", false),
        (Prefix, "/shop/a", "/shop/%61/%FF", true),
        (Prefix, "/shop/a", "/%73hop/a", true),
        (Template, "/shop/{id}/x", "/shop/7/x", true),
        (Template, "/shop/{id}/x", "/shop/a%2Fb/x", true),
        (Template, "/shop/{id}/x", "/shop//x", false),
        (Template, "/shop/{id}/x", "/shop/7/y", false),
        (Template, "/shop/{id}", "/shop/7/x", false),
        (Template, "/shop/{id}/x", "/shop/7", false),
        (Template, "/shop/{name}.json", "/shop/a.json", true),
        (Template, "/shop/{name}.json", "/shop/.json", false),
        (Regex, "/shop/[0-9]+", "/shop/17", true),
        (Regex, "/shop/[0-9]+", "/shop/%317", true),
        (Regex, "/shop/[0-9]+", "/shop/17/x", false),
        (Regex, "/shop/[0-9]+", "/x/shop/17", false),
        (Regex, "/shop/a|/shop/ab", "/shop/ab", true),
        (Regex, "(?i)/SHOP/.*", "/shop/x", true),
    ];
    for (kind, value, path, expected) in table {
        let mut faults = Faults::default();
        let wanted = PathMatch {
            kind,
            value: value.to_owned(),
        };
        let test = PathTest::compile(&wanted, "/shop", &mut faults);
        let test = test.unwrap_or_else(|| panic!("{value}: {faults:?}"));
        assert_eq!(test.holds(path), expected, "{kind:?} {value} {path}");
    }
}
