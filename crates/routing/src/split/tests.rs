use domain::id::ApplicationId;
use domain::recent::{CallVariant, VariantReason};
use domain::release::{Split, SplitBy};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Splitting, Unit};

/// Blue and green on the same terms, but for what is said.
fn split(change: &Value) -> Split {
    let upstream = "ups_00000000000000000000000001";
    let mut split = json!({ "variants": [
        { "name": "blue", "upstream_id": upstream, "weight": 50 },
        { "name": "green", "upstream_id": upstream, "weight": 50 },
    ] });
    for (name, value) in change.as_object().unwrap() {
        split[name] = value.clone();
    }
    serde_json::from_value(split).unwrap()
}

fn compile(change: &Value) -> Splitting {
    Splitting::compile(&split(change), "rte_1").unwrap()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let pairs = lines.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    pairs.collect()
}

fn choose(splitting: &Splitting, lines: &[(&str, &str)], address: &str) -> usize {
    let headers = headers(lines);
    let unit = Unit {
        headers: &headers,
        address: address.parse().unwrap(),
        application: None,
        subscription: None,
    };
    let chosen = splitting.choose(&unit, || unreachable!("no cookie is given"));
    assert_eq!(chosen.cookie, None);
    chosen.variant
}

#[test]
fn who_calls_stays_on_a_side_by_what_is_said() {
    let by_header = compile(&json!({ "by": "header", "by_name": "x-user" }));
    let by_cookie = compile(&json!({ "by": "cookie", "by_name": "u" }));
    let mut seen = [0; 2];
    for user in 0..40 {
        let user = format!("user-{user}");
        let side = choose(&by_header, &[("x-user", &user)], "10.0.0.1");
        seen[side] += 1;
        assert_eq!(choose(&by_header, &[("x-user", &user)], "10.9.9.9"), side);
        let cookie = format!("a=1; u={user}; b=2");
        // The same text is the same unit, wherever it stands.
        assert_eq!(choose(&by_cookie, &[("cookie", &cookie)], "10.0.0.1"), side);
    }
    assert!(seen.iter().all(|count| *count > 8), "{seen:?}");
}

#[test]
fn who_lacks_it_is_told_apart_by_address() {
    let by_address = compile(&json!({ "by": "client_address" }));
    let by_header = compile(&json!({ "by": "header", "by_name": "x-user" }));
    let by_application = compile(&json!({}));
    for last in 0..20 {
        let address = format!("10.0.0.{last}");
        let side = choose(&by_address, &[], &address);
        assert_eq!(choose(&by_header, &[], &address), side);
        assert_eq!(choose(&by_application, &[], &address), side);
        let (one, other) = (format!("2001:db8:{last}::1"), format!("2001:db8:{last}:0:f::2"));
        assert_eq!(choose(&by_address, &[], &one), choose(&by_address, &[], &other));
    }
}

#[test]
fn the_key_decides_who_is_where() {
    let one = compile(&json!({ "by": "client_address", "key": "checkout" }));
    let same = Splitting::compile(
        &split(&json!({ "by": "client_address", "key": "checkout" })),
        "rte_2",
    )
    .unwrap();
    let other = Splitting::compile(&split(&json!({ "by": "client_address" })), "rte_2").unwrap();
    let sides = |splitting: &Splitting| {
        let sides = (0..64).map(|last| choose(splitting, &[], &format!("10.0.0.{last}")));
        sides.collect::<Vec<_>>()
    };
    assert_eq!(sides(&one), sides(&same));
    assert_ne!(sides(&one), sides(&other));
}

#[test]
fn a_call_may_ask_for_a_variant_where_that_is_allowed() {
    let free =
        compile(&json!({ "by": "client_address", "forced_by": { "header": "x-variant", "cookie": "side" } }));
    let shut = compile(&json!({ "by": "client_address" }));
    let hashed = choose(&shut, &[], "10.0.0.1");
    let table: [(&[(&str, &str)], usize); 6] = [
        (&[("x-variant", "green")], 1),
        (&[("x-variant", "blue")], 0),
        (&[("cookie", "side=green")], 1),
        (&[("x-variant", "blue"), ("cookie", "side=green")], 0),
        (&[("x-variant", "red"), ("cookie", "side=green")], 1),
        (&[("x-variant", "Green")], hashed),
    ];
    for (lines, expected) in table {
        assert_eq!(choose(&free, lines, "10.0.0.1"), expected, "{lines:?}");
        assert_eq!(choose(&shut, lines, "10.0.0.1"), hashed, "{lines:?}");
    }
    assert_eq!(free.choose_by_head(&headers(&[("x-variant", "green")])), Some(1));
    assert_eq!(free.choose_by_head(&headers(&[])), None);
}

#[test]
fn a_cookie_is_given_once() {
    let splitting = compile(&json!({ "by": "cookie", "by_name": "side", "give_cookie": {} }));
    let none = headers(&[]);
    let mut unit = Unit {
        headers: &none,
        address: "10.0.0.1".parse().unwrap(),
        application: None,
        subscription: None,
    };
    let first = splitting.choose(&unit, || 255);
    let cookie = first.cookie.unwrap();
    let value = format!("{:032x}", 255);
    assert_eq!(
        cookie,
        &*format!("side={value}; Path=/; Max-Age=2592000; SameSite=Lax; Secure; HttpOnly")
    );
    let with = headers(&[("cookie", &format!("side={value}"))]);
    unit.headers = &with;
    let again = splitting.choose(&unit, || unreachable!("it has one"));
    assert_eq!((again.variant, again.cookie), (first.variant, None));

    let plain = json!({ "by": "cookie", "by_name": "side", "give_cookie": { "path": "/shop", "domain": "Example.com",
        "same_site": "strict", "secure": false, "http_only": false, "max_age_seconds": 60 } });
    unit.headers = &none;
    let cookie = compile(&plain).choose(&unit, || 0).cookie.unwrap();
    assert!(
        cookie
            .to_str()
            .unwrap()
            .ends_with("; Path=/shop; Max-Age=60; Domain=example.com; SameSite=Strict")
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_cannot_be_is_told_with_its_place() {
    let upstream = "ups_00000000000000000000000001";
    let variant =
        |name: &str, weight: u32| json!({ "name": name, "upstream_id": upstream, "weight": weight });
    let cookie = |given: Value| json!({ "by": "cookie", "by_name": "__Host-s", "give_cookie": given });
    let table = [
        (json!({ "variants": [] }), "/split/variants field_out_of_range"),
        (
            json!({ "variants": [variant("a", 1)] }),
            "/split/variants field_out_of_range",
        ),
        (
            json!({ "variants": [variant("a", 0), variant("b", 0)] }),
            "/split/variants combination_invalid",
        ),
        (
            json!({ "variants": [variant("a", 1), variant("a", 0)] }),
            "/split/variants/1/name name_taken",
        ),
        (
            json!({ "variants": [variant("a", 1), variant("b", 10_001)] }),
            "/split/variants/1/weight field_out_of_range",
        ),
        (json!({ "by": "header" }), "/split/by_name combination_invalid"),
        (
            json!({ "by": "application", "by_name": "x" }),
            "/split/by_name combination_invalid",
        ),
        (
            json!({ "by": "header", "by_name": "a b" }),
            "/split/by_name name_invalid",
        ),
        (
            json!({ "by": "header", "by_name": "Host" }),
            "/split/by_name name_invalid",
        ),
        (
            json!({ "by": "cookie", "by_name": "a;b" }),
            "/split/by_name name_invalid",
        ),
        (
            json!({ "give_cookie": {} }),
            "/split/give_cookie combination_invalid",
        ),
        (json!({ "forced_by": {} }), "/split/forced_by field_invalid"),
        (
            json!({ "forced_by": { "header": "a b" } }),
            "/split/forced_by/header name_invalid",
        ),
        (
            json!({ "forced_by": { "cookie": "a b" } }),
            "/split/forced_by/cookie name_invalid",
        ),
        (
            json!({ "answer_header": "Content-Length" }),
            "/split/answer_header name_invalid",
        ),
        (
            json!({ "answer_header": "set-cookie" }),
            "/split/answer_header name_invalid",
        ),
        (
            cookie(json!({ "secure": false })),
            "/split/give_cookie/secure combination_invalid",
        ),
        (
            cookie(json!({ "path": "/a" })),
            "/split/give_cookie/path combination_invalid",
        ),
        (
            cookie(json!({ "path": "a;b" })),
            "/split/give_cookie/path field_invalid",
        ),
        (
            cookie(json!({ "domain": "*.a" })),
            "/split/give_cookie/domain host_invalid",
        ),
        (
            cookie(json!({ "max_age_seconds": 1 })),
            "/split/give_cookie/max_age_seconds field_out_of_range",
        ),
    ];
    for (change, expected) in table {
        let faults = Splitting::compile(&split(&change), "rte_1").unwrap_err();
        let found = faults
            .iter()
            .map(|fault| format!("{} {}", fault.pointer, fault.code));
        assert!(
            found.clone().any(|found| found == expected),
            "{change}: {:?}",
            found.collect::<Vec<_>>()
        );
    }
}

/// What is told of a call with these header fields, from 10.0.0.1.
fn told(splitting: &Splitting, lines: &[(&str, &str)], application: Option<ApplicationId>) -> CallVariant {
    let headers = headers(lines);
    let unit = Unit {
        headers: &headers,
        address: "10.0.0.1".parse().unwrap(),
        application,
        subscription: None,
    };
    let chosen = splitting.choose(&unit, || 255);
    let told = splitting.tell(chosen.variant, chosen.why);
    assert_eq!(told.name.as_str(), ["blue", "green"][chosen.variant]);
    told
}

#[test]
#[expect(clippy::too_many_lines, reason = "cases are data")]
fn why_it_is_this_variant_is_told() {
    use SplitBy::{Application, ClientAddress, Cookie, Header};
    use VariantReason::{CookieGiven, ForcedByCookie, ForcedByHeader, Kept, UnitMissing};

    let forced = json!({ "header": "x-variant", "cookie": "side" });
    let by_header = compile(&json!({ "by": "header", "by_name": "x-user", "forced_by": forced }));
    let by_cookie = compile(&json!({ "by": "cookie", "by_name": "u" }));
    let given = compile(&json!({ "by": "cookie", "by_name": "u", "give_cookie": {} }));
    let by_application = compile(&json!({}));
    let by_address = compile(&json!({ "by": "client_address" }));
    type Case<'a> = (
        &'a Splitting,
        &'a [(&'a str, &'a str)],
        (VariantReason, Option<SplitBy>, Option<&'a str>),
        &'a str,
    );
    let table: [Case<'_>; 8] = [
        (
            &by_header,
            &[("x-variant", "green")],
            (ForcedByHeader, None, Some("x-variant")),
            "The header `x-variant` asked for it.",
        ),
        (
            &by_header,
            &[("cookie", "side=blue")],
            (ForcedByCookie, None, Some("side")),
            "The cookie `side` asked for it.",
        ),
        (
            &by_header,
            &[("x-user", "ada")],
            (Kept, Some(Header), Some("x-user")),
            "Callers are told apart by the header `x-user`. It falls on bucket ",
        ),
        (
            &by_header,
            &[],
            (UnitMissing, Some(Header), Some("x-user")),
            "The call lacked the header `x-user`, so its client's address stands in. It falls on bucket ",
        ),
        (
            &by_cookie,
            &[("cookie", "u=ada")],
            (Kept, Some(Cookie), Some("u")),
            "Callers are told apart by the cookie `u`. It falls on bucket ",
        ),
        (
            &given,
            &[],
            (CookieGiven, Some(Cookie), Some("u")),
            "The call lacked the cookie `u`, so it was given one. It falls on bucket ",
        ),
        (
            &by_application,
            &[],
            (UnitMissing, Some(Application), None),
            "The call lacked the application, so its client's address stands in. It falls on bucket ",
        ),
        (
            &by_address,
            &[],
            (Kept, Some(ClientAddress), None),
            "Callers are told apart by the client's address. It falls on bucket ",
        ),
    ];
    for (splitting, lines, (reason, by, by_name), why) in table {
        let told = told(splitting, lines, None);
        assert_eq!(
            (told.reason, told.by, told.by_name.as_deref()),
            (reason, by, by_name),
            "{lines:?}"
        );
        assert!(told.why.starts_with(why), "{lines:?}: {}", told.why);
        assert_eq!(told.bucket.is_some(), by.is_some(), "{lines:?}");
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
    let application = ApplicationId::new(Uuid::from_u128(1));
    let of_application = told(&by_application, &[], Some(application));
    assert_eq!(
        (of_application.reason, of_application.by),
        (Kept, Some(Application))
    );
    let of_text = told(&by_header, &[("x-user", &application.to_string())], None);
    assert_eq!(of_application.bucket, of_text.bucket);
}

#[test]
fn the_bucket_is_one_of_the_variant_s() {
    let weights = json!({ "by": "header", "by_name": "x-user", "variants": [
        { "name": "blue", "upstream_id": "ups_00000000000000000000000001", "weight": 7 },
        { "name": "green", "upstream_id": "ups_00000000000000000000000001", "weight": 3 },
    ] });
    let splitting = compile(&weights);
    let mut seen = std::collections::BTreeSet::new();
    for user in 0..200 {
        let told = told(&splitting, &[("x-user", &format!("u{user}"))], None);
        let bucket = told.bucket.unwrap();
        assert!(
            (told.buckets_from..told.buckets_until).contains(&bucket),
            "{told:?}"
        );
        let range = if told.name.as_str() == "blue" {
            (0, 7)
        } else {
            (7, 10)
        };
        assert_eq!(
            (told.buckets_from, told.buckets_until, told.buckets),
            (range.0, range.1, 10)
        );
        let (last, bucket) = (range.1 - 1, format!("bucket {bucket} of 10; "));
        assert!(told.why.contains(&bucket), "{}", told.why);
        assert!(
            told.why
                .ends_with(&format!("those from {} to {last} are the variant's.", range.0)),
            "{}",
            told.why
        );
        seen.insert(told.bucket);
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn what_names_no_variant_is_told_to_who_debugs() {
    let splitting =
        compile(&json!({ "by": "client_address", "forced_by": { "header": "x-variant", "cookie": "side" } }));
    let shares = ["`blue` has 50 of 100 buckets", "`green` has 50 of 100 buckets"];
    let header = "the header `x-variant` names no variant";
    let cookie = "the cookie `side` names no variant";
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let table: [Case<'_>; 5] = [
        (&[], &[]),
        (&[("x-variant", "green"), ("cookie", "side=blue")], &[]),
        (&[("x-variant", "Green")], &[header]),
        (&[("cookie", "side=red")], &[cookie]),
        (&[("x-variant", ""), ("cookie", "side=")], &[header, cookie]),
    ];
    for (lines, expected) in table {
        let details = splitting.details(&headers(lines));
        assert_eq!(details, [expected, &shares].concat(), "{lines:?}");
    }
}
