use std::sync::Arc;

use domain::snapshot::FlagSet;
use domain::tracking::SdkKeyKind;
use domain::{Name, Timestamp};
use prost::Message as _;
use serde_json::{Value, json};

use super::wire;
use super::{Asked, Format, Kind, Method, OtherKind, all_told, changed, definitions, fractional, told};
use crate::ofrep::Found;
use crate::{Asker, Attributes, Counts, Set};

fn source(change: impl FnOnce(&mut Value)) -> FlagSet {
    let served = |variants: Value, serve: &str| json!({ "version": 2, "variants": variants, "off": serve, "otherwise": { "serve": serve } });
    let mut all = json!({
        "organization": "org_01jd9zk5v8e7rbxq3m6t4n2w0c",
        "tag": "t1",
        "flags": [
            { "key": "fast", "type": "boolean", "client_side": true,
              "definition": served(json!({ "on": true, "off": false }), "off") },
            { "key": "layout", "type": "json", "client_side": false,
              "definition": served(json!({ "wide": { "columns": 3 }, "list": [1] }), "wide") },
            { "key": "limit", "type": "number", "client_side": false,
              "definition": served(json!({ "small": 10, "exact": 2.5 }), "small") },
        ],
    });
    change(&mut all);
    serde_json::from_value(all).unwrap()
}

fn compiled(source: &FlagSet) -> Set {
    let environment: Name = "production".parse().unwrap();
    Set::compile(&environment, source, &Arc::new(Counts::default())).unwrap()
}

fn set() -> Set {
    compiled(&source(|_| {}))
}

const SERVER: Asker = Asker::Key(SdkKeyKind::Server);
const CLIENT: Asker = Asker::Key(SdkKeyKind::Client);

#[test]
fn paths_name_methods_of_both_versions() {
    let cases = [
        (
            "/flagd.evaluation.v1.Service/ResolveBoolean",
            Some(Method::Resolve(Kind::Boolean)),
        ),
        (
            "/flagd.evaluation.v2.Service/ResolveInt",
            Some(Method::Resolve(Kind::Int)),
        ),
        ("/flagd.evaluation.v1.Service/EventStream", Some(Method::Events)),
        ("/flagd.sync.v1.FlagSyncService/SyncFlags", Some(Method::Sync)),
        ("/flagd.sync.v1.FlagSyncService/ResolveBoolean", None),
        ("/flagd.evaluation.v3.Service/ResolveBoolean", None),
        ("/flagd.evaluation.v1.Service", None),
    ];
    for (path, method) in cases {
        assert_eq!(Method::of(path), method, "{path}");
    }
}

#[test]
fn questions_say_the_same_in_both_formats() {
    let context = json!({ "targetingKey": "u1", "age": 42, "company": { "plan": "gold" }, "groups": ["a"] });
    let binary = wire::Resolve {
        flag_key: "fast".to_owned(),
        context: wire::object(&context),
    };
    let method = Method::Resolve(Kind::Boolean);
    let binary = binary.encode_to_vec();
    let json = json!({ "flagKey": "fast", "context": context }).to_string();
    let binary = Asked::read(method, Format::Binary, &binary).unwrap();
    let json = Asked::read(method, Format::Json, json.as_bytes()).unwrap();
    for asked in [binary, json] {
        assert_eq!(asked.flag, "fast");
        let text = |name: &str| asked.attributes.text(name).map(std::borrow::Cow::into_owned);
        assert_eq!(text("user_id").as_deref(), Some("u1"));
        assert_eq!(text("company.plan").as_deref(), Some("gold"));
        assert_eq!(text("age").as_deref(), Some("42"));
    }
    assert!(Asked::read(method, Format::Binary, b"\xff").is_err());
    assert!(Asked::read(method, Format::Json, b"[]").is_err());
}

#[test]
fn values_are_told_in_the_kind_that_is_asked_for() {
    let set = set();
    let nobody = Attributes::default();
    let found = |key: &str| {
        Found::from(
            set.evaluate(SERVER, key, &nobody, Timestamp::from_micros(0))
                .unwrap(),
        )
    };
    // A value that is `false` is there all the same, which the second version tells apart.
    let said = told(Kind::Boolean, Format::Binary, &found("fast")).unwrap();
    let said = wire::Boolean::decode(&*said).unwrap();
    assert_eq!(
        (said.value, &*said.reason, said.variant.as_deref()),
        (Some(false), "STATIC", Some("off"))
    );
    let said = told(Kind::Int, Format::Json, &found("limit")).unwrap();
    let said: Value = serde_json::from_slice(&said).unwrap();
    assert_eq!(said["value"], json!("10"));
    assert_eq!(said["metadata"]["flagVersion"], json!(2));
    let said = told(Kind::Object, Format::Binary, &found("layout")).unwrap();
    let said = wire::Object::decode(&*said).unwrap();
    assert_eq!(said.value, wire::object(&json!({ "columns": 3 })));
    assert_eq!(told(Kind::Text, Format::Binary, &found("limit")), Err(OtherKind));
    assert_eq!(
        told(Kind::Boolean, Format::Json, &found("layout")),
        Err(OtherKind)
    );
}

#[test]
fn all_flags_are_those_of_the_key() {
    let set = set();
    let nobody = Attributes::default();
    let all = |asker| {
        let all = all_told(
            Some(&set),
            (asker, Format::Binary),
            &nobody,
            Timestamp::from_micros(0),
        );
        wire::All::decode(&*all)
            .unwrap()
            .flags
            .into_keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(all(SERVER), ["fast", "layout", "limit"]);
    assert_eq!(all(CLIENT), ["fast"]);
    let json = all_told(
        Some(&set),
        (SERVER, Format::Json),
        &nobody,
        Timestamp::from_micros(0),
    );
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["flags"]["limit"]["doubleValue"], json!(10));
}

#[test]
fn definitions_are_a_document_of_flagd() {
    let said = definitions(Some(&set()), fractional("grpc-node-js/1.14"), Format::Binary);
    let said = wire::Configuration::decode(&*said).unwrap().flag_configuration;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["flags"]["fast"]["defaultVariant"], json!("off"));
    let nothing = wire::Configuration::decode(&*definitions(
        None,
        fractional("grpc-python/1.85"),
        Format::Binary,
    ))
    .unwrap();
    assert_eq!(nothing.flag_configuration, r#"{"flags":{}}"#);
}

#[test]
fn a_change_names_what_has_changed_and_may_be_seen() {
    let before = source(|_| {});
    let after = source(|all| {
        all["flags"][0]["definition"]["enabled"] = json!(false);
        all["flags"][2]["key"] = json!("limits");
    });
    let told = |both, asker| {
        let (before, after): (&FlagSet, &FlagSet) = both;
        let (before, after) = (compiled(before), compiled(after));
        let both = (Some(&**before.seen()), Some(&**after.seen()));
        let said: Value = serde_json::from_slice(&changed(both, asker, Format::Json)).unwrap();
        assert_eq!(said["type"], "configuration_change");
        said["data"]["flags"].clone()
    };
    let both = (&before, &after);
    let expected =
        json!({ "fast": { "type": "update" }, "limit": { "type": "delete" }, "limits": { "type": "write" } });
    assert_eq!(told(both, SERVER), expected);
    assert_eq!(told(both, CLIENT), json!({ "fast": { "type": "update" } }));
    assert_eq!(told((&before, &before), SERVER), json!({}));
    let segmented = source(|all| {
        let when = json!({ "attribute": "a", "op": "is_present" });
        all["segments"] = json!({ "staff": { "when": when } });
    });
    assert_eq!(
        told((&before, &segmented), CLIENT),
        json!({ "fast": { "type": "update" } })
    );
}
