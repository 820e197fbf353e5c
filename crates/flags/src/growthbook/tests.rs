use dialects::growthbook::decrypted;
use domain::id::SdkKeyId;
use serde_json::{Value, json};

use super::{attributes, encrypted, payload_key};

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
