use crate::testing::{Authority, Pair, Subject};
use crate::{Error, SealKey, authorities, chain, covers, facts, read};

#[test]
fn a_pair_is_read_and_says_what_it_is_for() {
    let one = Pair::of(&["api.example.com", "*.shop.example", "10.0.0.1"]);
    let pair = read(&one.chain, &one.key).unwrap();
    let facts = facts(&pair.cert[0]).unwrap();
    assert_eq!(
        facts.names,
        ["dns:api.example.com", "dns:*.shop.example", "ip:10.0.0.1"]
    );
    assert_eq!(facts.fingerprint_sha256.len(), 64);
    assert!(facts.not_before < facts.not_after);
    assert!(facts.subject.contains("rcgen"), "{}", facts.subject);
}

#[test]
fn names_of_people_cannot_pass_for_others() {
    let authority = Authority::new("clients, by example");
    let pair = authority.sign(&Subject {
        common_name: "billing",
        organization: "Acme, CN=admin",
        names: &["Billing.Acme.example"],
        uris: &["spiffe://acme.example/billing"],
        emails: &["billing@acme.example"],
    });
    let facts = facts(&pair.der()).unwrap();
    assert_eq!(facts.subject, r"CN=billing,O=Acme\, CN=admin");
    assert_eq!(facts.common_name.as_deref(), Some("billing"));
    assert_eq!(facts.issuer, r"CN=clients\, by example");
    assert_eq!(
        facts.names,
        [
            "dns:billing.acme.example",
            "uri:spiffe://acme.example/billing",
            "email:billing@acme.example"
        ]
    );
}

#[test]
fn what_cannot_be_used_is_refused() {
    let (one, other) = (Pair::of(&["a.example"]), Pair::of(&["b.example"]));
    assert!(matches!(read(&one.chain, &other.key), Err(Error::Pair(_))));
    assert!(matches!(read("", &one.key), Err(Error::NoCertificate)));
    assert!(matches!(read(&one.chain, &one.chain), Err(Error::NoKey)));
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let text = format!("{}{junk}", one.chain);
    assert!(matches!(chain(&text), Err(Error::Certificate { place: 2 })));
    assert!(matches!(chain(&one.chain.repeat(101)), Err(Error::TooMuch)));
    assert!(authorities(&one.chain).is_ok());
    assert!(authorities(junk).is_err());
}

#[test]
fn names_cover_hosts_by_label() {
    let names = [
        "dns:Api.example.com",
        "dns:*.shop.example",
        "uri:c.example",
        "ip:10.0.0.1",
    ];
    let names = names.map(str::to_owned);
    for (host, is_covered) in [
        ("api.example.com", true),
        ("a.shop.example", true),
        ("a.b.shop.example", false),
        ("shop.example", false),
        ("*.shop.example", true),
        ("*.example.com", false),
        ("c.example", false),
        ("10.0.0.1", false),
    ] {
        assert_eq!(covers(&names, host), is_covered, "{host}");
    }
}

#[test]
fn sealed_keys_open_with_the_same_token_and_context_only() {
    let key = SealKey::of("glc_token");
    let sealed = key.seal("crt_1", "secret").unwrap();
    assert_ne!(sealed, key.seal("crt_1", "secret").unwrap());
    assert_eq!(SealKey::of("glc_token").open("crt_1", &sealed).unwrap(), "secret");
    for (token, context) in [("glc_other", "crt_1"), ("glc_token", "crt_2")] {
        assert!(matches!(
            SealKey::of(token).open(context, &sealed),
            Err(Error::Sealed)
        ));
    }
    assert!(key.open("crt_1", "AAAA").is_err());
    assert!(key.open("crt_1", "§").is_err());
}
