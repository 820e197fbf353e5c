use http::{HeaderMap, HeaderValue, Method};

use super::{Failed, When};
use crate::Request;
use crate::fault::Faults;

fn holds(text: &str) -> Result<bool, Failed> {
    let mut faults = Faults::default();
    let when = When::compile(text, "/match/when", &mut faults);
    let when = when.unwrap_or_else(|| panic!("{text}: {faults:?}"));
    let mut headers = HeaderMap::new();
    headers.insert("x-a", HeaderValue::from_static("beta"));
    headers.append("x-many", HeaderValue::from_static("1"));
    headers.append("x-many", HeaderValue::from_static("2"));
    headers.insert("cookie", HeaderValue::from_static("side=b; other=1"));
    when.holds(&Request {
        method: &Method::POST,
        host: "eu.shop.test",
        authority: b"eu.shop.test",
        path: "/shop/pets/17",
        query: "page=2&tag=a%20b",
        headers: &headers,
    })
}

#[test]
fn expressions_hold_or_do_not() {
    for (text, expected) in [
        ("method == 'POST' && host.endsWith('.shop.test')", Ok(true)),
        ("path.startsWith('/shop/') && !path.contains('//')", Ok(true)),
        ("path.matches('/[0-9]+$')", Ok(true)),
        ("matches(path, '^[a-z]+$')", Ok(false)),
        ("int(query['page']) > 1", Ok(true)),
        ("query['tag'] == 'a b'", Ok(true)),
        (
            "'x-a' in headers && headers['x-a'] in ['alpha', 'beta']",
            Ok(true),
        ),
        ("headers['x-many'] == '1, 2'", Ok(true)),
        ("has(headers.cookie) && cookies['side'] == 'b'", Ok(true)),
        ("headers.exists(name, name.startsWith('x-'))", Ok(true)),
        ("headers.all(name, size(name) < 4)", Ok(false)),
        ("method == 'GET' ? false : true", Ok(true)),
        // What is not there makes it fail.
        ("headers['x-none'] == '1'", Err(Failed)),
        ("!('x-none' in headers) || headers['x-none'] == '1'", Ok(true)),
        ("int(headers['x-a']) == 1", Err(Failed)),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_condition_is_told() {
    let long = format!("'{}' == path", "a".repeat(1000));
    for text in [
        "",
        "method ==",
        "method",
        "1 + 1",
        "methods == 'GET'",
        "method == 1 + 'a'",
        "nothing(path)",
        "path.matches(host)",
        "path.matches('(')",
        "headers.all(a, headers.all(b, a != b))",
        "Thing{a: 1} == path",
        "'a' in headers && when",
        &"(".repeat(500),
        &long,
    ] {
        let mut faults = Faults::default();
        assert!(
            When::compile(text, "/match/when", &mut faults).is_none(),
            "{text}"
        );
        assert_eq!(faults.0.len(), 1, "{text}");
        assert_eq!(faults.0[0].pointer, "/match/when");
    }
}

#[test]
fn no_text_ends_the_process() {
    for part in [
        "!",
        "-",
        "(",
        "[",
        "{",
        "a.",
        "a+",
        "a?a:",
        "a in ",
        "a[",
        "f(",
        "a&&",
        "!(",
        "-(",
        "'a'.size()+",
    ] {
        for count in [10, 12, 50, 66, 100, 200, 500] {
            for end in ["", "a", "true", "1"] {
                let mut faults = Faults::default();
                let text = format!("{}{end}", part.repeat(count));
                assert!(
                    When::compile(&text, "", &mut faults).is_none() != faults.0.is_empty(),
                    "{text}"
                );
            }
        }
    }
}
