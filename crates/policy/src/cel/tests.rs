use http::{HeaderMap, Method};

use super::{Error, Expression, Facts};

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-length", "131072".parse().unwrap());
    headers.insert("x-plan", "gold".parse().unwrap());
    headers.append("x-tag", "a".parse().unwrap());
    headers.append("x-tag", "b".parse().unwrap());
    headers
}

fn with<T>(text: &str, read: impl FnOnce(&Expression, &Facts<'_>) -> Result<T, Error>) -> Result<T, Error> {
    let headers = headers();
    let facts = Facts {
        method: &Method::POST,
        path: "/pets/7",
        query: "?size=9",
        headers: &headers,
    };
    read(&Expression::compile(text)?, &facts)
}

#[test]
fn numbers_and_conditions_are_read_from_requests() {
    for (text, expected) in [
        ("7", 7),
        ("1 + body_bytes / 65536", 3),
        ("method == 'POST' ? 10 : 1", 10),
        ("path.startsWith('/pets') ? size(path) : 0", 7),
        ("query == 'size=9' ? 2 : 1", 2),
        ("headers['x-plan'] == 'gold' ? 1 : 5", 1),
        ("size(headers['x-tag'])", 4),
        ("'x-none' in headers ? 2 : 3", 3),
        ("uint(4)", 4),
        ("2.9", 2),
        ("-3", -3),
    ] {
        assert_eq!(with(text, Expression::number).unwrap(), expected, "{text}");
    }
    for (text, expected) in [
        ("method == 'POST' && path.endsWith('7')", true),
        ("has(headers.host)", false),
    ] {
        assert_eq!(with(text, Expression::holds).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_used_is_told_when_it_is_compiled() {
    let deep = format!("{}1{}", "(".repeat(900), ")".repeat(900));
    for (text, expected) in [
        ("1 +", "this is no CEL expression"),
        ("body_byte > 1", "there is no `body_byte`; there are method"),
        ("headers.all(name, name != '')", "macros such as"),
        ("[1, 2].exists(x, true) ? 1 : 2", "macros such as"),
        ("{'a': [1].map(x, x)}.a[0]", "macros such as"),
        (&"1".repeat(2001), "more than 2000 bytes"),
        (&deep, "this is no CEL expression"),
    ] {
        let error = Expression::compile(text).unwrap_err().to_string();
        assert!(
            error.starts_with(expected) || error.contains(expected),
            "{text}: {error}"
        );
    }
}

#[test]
fn what_fails_for_a_request_says_so() {
    assert!(matches!(
        with("headers['x-none'] == 'a'", Expression::holds),
        Err(Error::Failed { .. })
    ));
    assert!(matches!(
        with("1 / (body_bytes - 131072)", Expression::number),
        Err(Error::Failed { .. })
    ));
    assert!(matches!(
        with("method", Expression::number),
        Err(Error::Type { .. })
    ));
    assert!(matches!(with("1", Expression::holds), Err(Error::Type { .. })));
}

/// Whatever is compiled can be evaluated on a thread's stack.
#[test]
fn long_expressions_stay_within_the_stack() {
    let many = |text: &str, count: usize| text.repeat(count);
    let within = |open: &str, close: &str, count| many(open, count) + "1" + &many(close, count);
    type Repeat<'a> = &'a dyn Fn(usize) -> String;
    let table: [(usize, usize, Repeat<'_>); 8] = [
        (20, 990, &|count| many("1+", count) + "1"),
        (20, 280, &|count| many("true?1:", count) + "1"),
        (20, 990, &|count| "headers".to_owned() + &many(".a", count)),
        (20, 390, &|count| "headers".to_owned() + &many("['a']", count)),
        (20, 490, &|count| within("(1+", ")", count)),
        (20, 990, &|count| within("[", "]", count)),
        (20, 490, &|count| within("{1:", "}", count)),
        (20, 330, &|count| {
            many("size(", count) + "path" + &many(")", count)
        }),
    ];
    for (least, most, text) in table {
        let short =
            Expression::compile(&text(least)).unwrap_or_else(|error| panic!("{}: {error}", text(least)));
        let headers = headers();
        let facts = Facts {
            method: &Method::GET,
            path: "/",
            query: "",
            headers: &headers,
        };
        // Whatever it gives, it comes back.
        drop(short.number(&facts));
        let long = Expression::compile(&text(most)).map(drop);
        assert!(
            matches!(long, Err(Error::TooDeep | Error::Syntax { .. })),
            "{}: {long:?}",
            text(1)
        );
    }
}
