use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, Method};

use super::{ENTRIES_MAX, Error, Expression, Facts, Failed};

fn head() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-a", HeaderValue::from_static("beta"));
    headers.append("x-many", HeaderValue::from_static("1"));
    headers.append("x-many", HeaderValue::from_static("2"));
    headers.insert("cookie", HeaderValue::from_static("side=b; other=1; side=c"));
    headers.insert("content-length", HeaderValue::from_static("131072"));
    headers
}

fn facts<'a>(headers: &'a HeaderMap, query: &'a str) -> Facts<'a> {
    Facts {
        method: &Method::POST,
        host: "eu.shop.test",
        path: "/shop/pets/17",
        query,
        headers,
    }
}

fn holds(text: &str) -> Result<bool, Failed> {
    let expression = Expression::condition(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression.holds(&facts(&head(), "page=2&tag=a%20b&page=9"))
}

fn number(text: &str) -> Result<i64, Failed> {
    let expression = Expression::number(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression.value(&facts(&head(), "?page=2&tag=a%20b"))
}

#[test]
fn conditions_hold_or_do_not() {
    for (text, expected) in [
        ("method == 'POST' && host.endsWith('.shop.test')", Ok(true)),
        ("path.startsWith('/shop/') && !path.contains('//')", Ok(true)),
        ("path.matches('/[0-9]+$')", Ok(true)),
        ("matches(path, '^[a-z]+$')", Ok(false)),
        ("path.matches('^/') && host.matches('shop')", Ok(true)),
        ("int(query['page']) == 2", Ok(true)),
        ("query['tag'] == 'a b'", Ok(true)),
        (
            "'x-a' in headers && headers['x-a'] in ['alpha', 'beta']",
            Ok(true),
        ),
        ("headers['x-many'] == '1, 2'", Ok(true)),
        ("has(headers.cookie) && cookies['side'] == 'b'", Ok(true)),
        ("headers.exists(name, name.startsWith('x-'))", Ok(true)),
        ("headers.exists_one(name, name == 'x-a')", Ok(true)),
        ("headers.all(name, size(name) < 4)", Ok(false)),
        ("method == 'GET' ? false : true", Ok(true)),
        ("body_bytes > 65536", Ok(true)),
        // What is not there makes it fail.
        ("headers['x-none'] == '1'", Err(Failed)),
        ("!('x-none' in headers) || headers['x-none'] == '1'", Ok(true)),
        ("int(headers['x-a']) == 1", Err(Failed)),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn numbers_are_computed() {
    for (text, expected) in [
        ("7", Ok(7)),
        ("1 + body_bytes / 65536", Ok(3)),
        (
            "'content-length' in headers || method == 'GET' ? 1 + body_bytes / 65536 : 17",
            Ok(3),
        ),
        ("method == 'POST' ? 10 : 1", Ok(10)),
        ("path.startsWith('/shop') ? size(path) : 0", Ok(13)),
        ("'page' in query ? int(query['page']) : 1", Ok(2)),
        ("size(headers['x-many'])", Ok(4)),
        ("uint(4)", Ok(4)),
        ("2.9", Ok(2)),
        ("-3", Ok(-3)),
        ("1 / (body_bytes - 131072)", Err(Failed)),
        ("int(headers['x-a'])", Err(Failed)),
    ] {
        assert_eq!(number(text), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_used_is_told_with_its_place() {
    let long = format!("'{}' == path", "a".repeat(1000));
    let deep = "(".repeat(500);
    let many = format!("path.exists(c, {})", ["c == 'a'"; 12].join(" || "));
    for (text, expected) in [
        ("", "it cannot be read from character 1 on: "),
        ("method ==", "it cannot be read from character 10 on: "),
        (
            "true &&\n method = 'GET'",
            "it cannot be read from character 17 on: ",
        ),
        ("method", "it is string, not true or false"),
        ("1 + 1", "it is int, not true or false"),
        (
            "true || methods == 'GET'",
            "it names `methods` at character 9; there are method",
        ),
        ("'ä' == nothing", "it names `nothing` at character 8; "),
        ("method == 1 + 'a'", "it fails: "),
        ("true || nothing(path)", "it calls `nothing` at character "),
        (
            "path.matches(host)",
            "at character 14 it has a pattern that is not written out",
        ),
        (
            "path.matches('(')",
            "the pattern at character 14 cannot be used: it is not a regular expression: ",
        ),
        (
            "headers.all(a, headers.all(b, a != b))",
            "it looks at everything within looking at everything",
        ),
        ("size(headers.map(a, a)) > 2", "it makes a list of all entries"),
        (
            "size(headers.filter(a, a == 'b')) > 2",
            "it makes a list of all entries",
        ),
        ("headers.exists(a, path + path == a)", "it adds for every entry"),
        (&many, "it does too much for every entry"),
        ("Thing{a: 1} == path", "at character 6 it makes an object"),
        (
            &deep,
            "it has more than 200 words and signs, or goes more than 12 brackets deep",
        ),
        (&long, "it has more than 1000 characters"),
    ] {
        let error = Expression::condition(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let error = Expression::number("path").unwrap_err();
    assert!(
        matches!(
            error,
            Error::Type {
                wanted: "a number",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_request_cannot_make_it_dear() {
    let many = |count| {
        let mut query = String::new();
        for number in 0..count {
            let _ = write!(query, "{number}=&");
        }
        query
    };
    let expression = Expression::condition("query.exists(name, name == 'a')").unwrap();
    let headers = HeaderMap::new();
    assert_eq!(expression.holds(&facts(&headers, &many(ENTRIES_MAX))), Ok(false));
    assert_eq!(
        expression.holds(&facts(&headers, &many(ENTRIES_MAX + 1))),
        Err(Failed)
    );
    let mut headers = HeaderMap::new();
    let cookies = many(ENTRIES_MAX + 1).replace('&', ";");
    headers.insert("cookie", cookies.parse().unwrap());
    let expression = Expression::condition("'a' in cookies").unwrap();
    assert_eq!(expression.holds(&facts(&headers, "")), Err(Failed));
}

/// Whatever is compiled can be evaluated on a thread's stack, and nothing ends the process.
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
        "1+",
        "true?1:",
        "a?a:",
        "a in ",
        "a[",
        "f(",
        "size(",
        "a&&",
        "!(",
        "-(",
        "{1:",
        "(1+",
        "'a'.size()+",
        "headers.a.",
        "headers['a'].",
    ] {
        for count in [10, 12, 33, 50, 66, 100, 200, 500] {
            for end in ["", "a", "true", "1", "path"] {
                let text = format!("{}{end}", part.repeat(count));
                let close = part.chars().rev().filter_map(|open| match open {
                    '(' => Some(')'),
                    '[' => Some(']'),
                    '{' => Some('}'),
                    _ => None,
                });
                let close: String = close.collect();
                for text in [text.clone(), format!("{text}{}", close.repeat(count))] {
                    let headers = head();
                    if let Ok(expression) = Expression::condition(&text) {
                        let _ = expression.holds(&facts(&headers, ""));
                    }
                    if let Ok(expression) = Expression::number(&text) {
                        let _ = expression.value(&facts(&headers, ""));
                    }
                }
            }
        }
    }
}
