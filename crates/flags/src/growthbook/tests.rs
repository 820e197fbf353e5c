use std::sync::Arc;

use dialects::growthbook::decrypted;
use domain::id::SdkKeyId;
use domain::snapshot::FlagSet;
use domain::tracking::SdkKeyKind;
use domain::{Name, Timestamp};
use serde_json::{Value, json};

use super::{attributes, encrypted, payload_key, values};
use crate::{Asker, Counts, Set};

#[test]
fn payloads_are_encrypted_with_a_key_of_their_own() {
    let id = |number| SdkKeyId::new(uuid::Uuid::from_u128(number));
    let key = payload_key("token", id(1));
    assert_eq!(key, payload_key("token", id(1)));
    assert_ne!(key, payload_key("token", id(2)));
    assert_ne!(key, payload_key("other", id(1)));
    let plain = json!({ "features": { "secret": { "defaultValue": 1 } }, "experiments": [], "savedGroups": { "g": ["1"] } });
    let ivs = [[1; 16], [2; 16], [3; 16], [4; 16]];
    let sent = encrypted(plain.to_string().as_bytes(), &key, ivs).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(
        (&sent["features"], &sent["savedGroups"]),
        (&json!({}), &json!({}))
    );
    assert_eq!(decrypted(&sent, &key).unwrap(), plain);
    assert!(decrypted(&sent, &payload_key("token", id(2))).is_err());
}

#[test]
fn what_is_known_is_flat_and_has_a_unit() {
    let known =
        attributes(br#"{"attributes": {"id": "7", "company": {"plan": "pro"}}, "url": "https://a.example"}"#);
    let known = known.unwrap();
    assert_eq!(known.text("user_id").unwrap(), "7");
    assert_eq!(known.text("id").unwrap(), "7");
    assert_eq!(known.text("company.plan").unwrap(), "pro");
    assert_eq!(known.text("url"), None);
    assert!(attributes(br#"{"attributes": []}"#).is_err());
}

/// A set with an experiment of GrowthBook, a split of ours, and a flag that gives everybody the same.
fn set() -> Set {
    let targeting = |rule: Value| {
        json!({ "version": 1, "variants": { "0": "red", "1": "blue", "2": "green" }, "off": "2",
        "rules": [rule], "otherwise": { "serve": "2" } })
    };
    let parts = json!([{ "weight": 0, "serve": "0" }, { "weight": 10_000, "serve": "1" }]);
    let buckets = json!({ "dialect": "growthbook_v2", "key": "seed", "parts": parts });
    let experiment = targeting(json!({ "name": "colours", "buckets": buckets, "by": "id" }));
    let split = targeting(json!({ "name": "eu", "split": { "1": 100.0 }, "by": "id" }));
    let plain = targeting(json!({ "name": "all", "serve": "0" }));
    let flag = |key: &str, definition: &Value| json!({ "key": key, "type": "string", "client_side": true, "definition": definition });
    let source: FlagSet = serde_json::from_value(json!({
        "organization": "org_01jd9zk5v8e7rbxq3m6t4n2w0c", "tag": "t1",
        "flags": [flag("a", &experiment), flag("b", &split), flag("c", &plain)],
    }))
    .unwrap();
    let environment: Name = "production".parse().unwrap();
    Set::compile(&environment, &source, &Arc::new(Counts::default())).unwrap()
}

#[test]
fn pages_are_told_what_to_track_where_a_split_decided() {
    let set = set();
    let told = |body: &[u8]| -> Value {
        let known = attributes(body).unwrap();
        let asker = Asker::Key(SdkKeyKind::Client);
        let told = values(Some(&set), asker, &known, Timestamp::from_micros(0)).unwrap();
        serde_json::from_slice(&told).unwrap()
    };
    let features = told(br#"{"attributes": {"id": "7"}}"#)["features"].clone();
    let track = |flag: &str, key: &str| {
        json!({
            "experiment": { "key": key, "variations": [null, "blue", null], "hashAttribute": "id" },
            "result": {
                "key": "1", "variationId": 1, "value": "blue", "featureId": flag, "inExperiment": true, "hashUsed": true,
                "hashAttribute": "id", "hashValue": "7", "stickyBucketUsed": false,
            },
        })
    };
    for (flag, key) in [("a", "colours"), ("b", "b:eu")] {
        let rule = json!({ "force": "blue", "tracks": [track(flag, key)] });
        assert_eq!(features[flag], json!({ "defaultValue": "blue", "rules": [rule] }));
    }
    assert_eq!(features["c"], json!({ "defaultValue": "red" }));
    // Who has no unit is in no experiment.
    let features = told(br#"{"attributes": {}}"#)["features"].clone();
    assert_eq!(features["a"], json!({ "defaultValue": "green" }));
}
