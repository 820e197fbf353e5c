use domain::Timestamp;
use domain::certificate::Facts;
use domain::routing::{CERTIFICATE_FIELDS, CertificateMatch, Match};
use serde_json::{Value, json};

use super::{Shown, part};
use crate::conditions::Conditions;
use crate::fault::Faults;

fn facts() -> Facts {
    Facts {
        subject: r"CN=billing,OU=Shop\, EU,O=Acme".to_owned(),
        common_name: Some("billing".to_owned()),
        issuer: "CN=Acme Root".to_owned(),
        serial: "0a:ff".to_owned(),
        names: [
            "dns:billing.acme.example",
            "dns:b.acme.example",
            "uri:spiffe://acme.example/ns/shop/billing",
            "email:billing@acme.example",
            "ip:10.0.0.7",
        ]
        .map(str::to_owned)
        .to_vec(),
        fingerprint_sha256: "ab".repeat(32),
        public_key_sha256: "cd".repeat(32),
        not_before: Timestamp::from_micros(0),
        not_after: Timestamp::from_micros(1),
    }
}

fn matches(conditions: &Value) -> CertificateMatch {
    serde_json::from_value(conditions.clone()).unwrap()
}

/// The pointer of the condition that a certificate does not fit, or `fits`.
fn check(conditions: &Value, shown: Option<&Facts>) -> String {
    let mut faults = Faults::default();
    let compiled = Shown::compile(&matches(conditions), &mut faults);
    assert!(faults.0.is_empty(), "{conditions}: {faults:?}");
    match compiled.check(shown) {
        Ok(()) => "fits".to_owned(),
        Err(miss) => miss.to_string(),
    }
}

fn field(name: &str, kind: &str, value: &str) -> Value {
    json!({ "fields": [{ "name": name, "kind": kind, "value": value }] })
}

#[test]
fn a_certificate_is_there_or_not() {
    let shown = facts();
    for (conditions, with, without) in [
        (json!({}), "fits", "/match/client_certificate"),
        (json!({ "kind": "present" }), "fits", "/match/client_certificate"),
        (json!({ "kind": "absent" }), "/match/client_certificate", "fits"),
    ] {
        assert_eq!(check(&conditions, Some(&shown)), with, "{conditions}");
        assert_eq!(check(&conditions, None), without, "{conditions}");
    }
}

#[test]
fn what_it_says_is_compared() {
    let shown = facts();
    let (print, colons) = ("AB".repeat(32), ["AB"; 32].join(":"));
    for (name, kind, value) in [
        ("subject", "exact", r"cn=billing, ou=Shop\2c EU, o=Acme"),
        ("subject", "prefix", "CN=billing,"),
        ("subject", "regex", ".*,O=Acme"),
        ("common_name", "exact", "billing"),
        ("issuer", "exact", "CN = Acme Root"),
        ("dns", "exact", "B.acme.example"),
        ("dns", "regex", "[a-z]+\\.acme\\.example"),
        ("email", "exact", "billing@acme.example"),
        ("uri", "prefix", "spiffe://acme.example/ns/shop/"),
        ("ip", "exact", "10.0.0.7"),
        ("serial", "exact", "0A:FF"),
        ("fingerprint_sha256", "exact", print.as_str()),
        ("fingerprint_sha256", "exact", colons.as_str()),
        ("public_key_sha256", "prefix", "cdCD"),
    ] {
        assert_eq!(
            check(&field(name, kind, value), Some(&shown)),
            "fits",
            "{name} {value}"
        );
        let not = json!({ "fields": [{ "name": name, "kind": kind, "value": value, "not": true }] });
        assert_eq!(
            check(&not, Some(&shown)),
            "/match/client_certificate/fields/0",
            "{name}"
        );
    }
    for (name, kind, value) in [
        ("subject", "exact", "CN=billing,OU=Shop,O=Acme"),
        ("common_name", "prefix", "illing"),
        ("issuer", "exact", "CN=acme root"),
        ("dns", "exact", "acme.example"),
        ("uri", "exact", "billing.acme.example"),
        ("email", "regex", "billing"),
        ("fingerprint_sha256", "exact", &"ac".repeat(32)),
    ] {
        let missed = "/match/client_certificate/fields/0";
        assert_eq!(
            check(&field(name, kind, value), Some(&shown)),
            missed,
            "{name} {value}"
        );
    }
    let nameless = Facts {
        common_name: None,
        names: Vec::new(),
        ..shown
    };
    for name in ["common_name", "dns", "email", "uri", "ip"] {
        let absent = json!({ "fields": [{ "name": name, "kind": "absent" }] });
        assert_eq!(check(&absent, Some(&nameless)), "fits", "{name}");
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    for (conditions, pointer, code) in [
        (
            json!({ "kind": "absent", "fields": [{ "name": "dns", "value": "a" }] }),
            "/match/client_certificate/fields",
            "value_unused",
        ),
        (
            field("hostname", "exact", "a"),
            "/match/client_certificate/fields/0/name",
            "name_invalid",
        ),
        (
            field("subject", "exact", "billing"),
            "/match/client_certificate/fields/0/value",
            "field_invalid",
        ),
        (
            field("fingerprint_sha256", "exact", "abcd"),
            "/match/client_certificate/fields/0/value",
            "field_invalid",
        ),
        (
            field("dns", "regex", "("),
            "/match/client_certificate/fields/0/value",
            "regex_invalid",
        ),
    ] {
        let whole = Match {
            client_certificate: Some(matches(&conditions)),
            ..Match::default()
        };
        let faults = Conditions::compile(
            &whole,
            (domain::id::OrganizationId::new(uuid::Uuid::nil()), "/shop"),
        )
        .unwrap_err();
        assert_eq!(
            (&*faults[0].pointer, faults[0].code),
            (pointer, code),
            "{conditions}"
        );
    }
}

#[test]
fn every_field_that_can_be_named_is_known() {
    for name in CERTIFICATE_FIELDS {
        assert!(part(name).is_ok(), "{name}");
    }
}

#[test]
fn conditions_that_mean_the_same_are_the_same() {
    let normal = |conditions: &Value| {
        let whole = Match {
            client_certificate: Some(matches(conditions)),
            ..Match::default()
        };
        assert!(!whole.is_empty());
        whole.normal()
    };
    let colons = ["AB"; 32].join(":");
    let one = json!({ "fields": [
        { "name": "fingerprint_sha256", "value": colons },
        { "name": "subject", "value": "cn=a, o=b" },
    ] });
    let other = json!({ "kind": "present", "fields": [
        { "name": "subject", "value": "CN=a,O=b" },
        { "name": "fingerprint_sha256", "value": "ab".repeat(32) },
    ] });
    assert_eq!(normal(&one), normal(&other));
    assert_ne!(normal(&json!({})), normal(&json!({ "kind": "absent" })));
}
