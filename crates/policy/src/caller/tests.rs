use super::{Counted, Per, Several, decoded, network, only, parameters, segment};

#[test]
fn an_ipv6_network_is_one_caller() {
    let network = |text: &str, bits| network(text.parse().unwrap(), bits);
    assert_eq!(network("2001:db8::1", 64), network("2001:db8::ffff:1", 64));
    assert_ne!(network("2001:db8::1", 64), network("2001:db8:0:1::1", 64));
    assert_eq!(network("2001:db8::1", 48), network("2001:db8:0:1::1", 48));
    assert_ne!(network("2001:db8::1", 128), network("2001:db8::2", 128));
    assert_eq!(network("::ffff:10.0.0.1", 64), network("10.0.0.1", 64));
    assert_ne!(network("10.0.0.1", 1), network("10.0.0.2", 1));
}

#[test]
fn attributes_are_found_however_they_are_written() {
    let text = |found: Option<&[u8]>| found.map(|found| String::from_utf8(decoded(found).collect()).unwrap());
    for (query, expected) in [
        ("?user=a%20b&x=1", Some("a b")),
        ("x=1&user=a+b", Some("a b")),
        ("?user=%6Aoe", Some("joe")),
        ("?user=100%", Some("100%")),
        ("?user=%zz", Some("%zz")),
        ("?user", Some("")),
        ("?%75ser=joe", Some("joe")),
        ("?us%65r", Some("")),
        ("?users=1", None),
        ("?%2575ser=1", None),
        ("", None),
    ] {
        let mut found = parameters(query, "user");
        assert_eq!(text(found.next()).as_deref(), expected, "{query}");
        assert_eq!(found.next(), None, "{query}");
    }
    let all = parameters("?user=a&x=1&%75ser=b", "user");
    assert_eq!(all.collect::<Vec<_>>(), [b"a", b"b"]);
    for (path, expected) in [
        ("/accounts/j%6Fe/keys", Some("joe")),
        ("/accounts/joe", Some("joe")),
        ("/accounts", None),
    ] {
        assert_eq!(
            text(segment("/accounts/{account}/keys", path, "account")).as_deref(),
            expected,
            "{path}"
        );
    }
    assert_eq!(segment("/a/{b}", "/a/b", "c"), None);
}

#[test]
fn several_values_are_one_if_they_are_the_same() {
    for (hashes, expected) in [
        (vec![], Ok(None)),
        (vec![1], Ok(Some(1))),
        (vec![1, 1, 1], Ok(Some(1))),
        (vec![1, 1, 2], Err(Several)),
        (vec![2, 1, 1], Err(Several)),
    ] {
        assert_eq!(only(hashes.iter().copied()), expected, "{hashes:?}");
    }
}

#[test]
fn what_cannot_be_counted_by_is_a_fault() {
    for (per, attribute, prefix, place) in [
        (Per::Header, None, 64, "/attribute"),
        (Per::Header, Some("a b"), 64, "/attribute"),
        (Per::Query, Some(""), 64, "/attribute"),
        (Per::Route, Some("x"), 64, "/attribute"),
        (Per::Address, None, 0, "/ipv6_prefix"),
        (Per::Address, None, 129, "/ipv6_prefix"),
        (Per::Path, Some("x"), 128, ""),
    ] {
        let mut faults = Vec::new();
        let _ = Counted::new(per, attribute, prefix, &mut faults);
        let places: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(places.join(" "), place, "{per:?} {attribute:?}");
    }
}
