use domain::Timestamp;
use domain::flag::FeatureFlag;
use domain::id::{FeatureFlagId, OrganizationId};
use domain::tracking::SdkKeyKind;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Attributes, FlagSets};
use crate::Error;

fn organization(number: u128) -> OrganizationId {
    OrganizationId::new(Uuid::from_u128(number))
}

fn flag(owner: u128, key: &str, revision: i64, targeting: &Value) -> FeatureFlag {
    FeatureFlag {
        id: FeatureFlagId::new(Uuid::from_u128(owner << 8 | u128::from(key.as_bytes()[0]))),
        organization_id: organization(owner),
        spec: serde_json::from_value(json!({ "key": key, "environments": { "sandbox": targeting } }))
            .unwrap(),
        created_at: Timestamp::from_micros(0),
        updated_at: Timestamp::from_micros(0),
        revision,
    }
}

fn serves(variant: &str) -> Value {
    json!({ "off": "off", "otherwise": { "serve": variant } })
}

fn value(sets: &FlagSets, owner: u128, key: &str) -> Result<Value, Error> {
    let set = sets
        .get(organization(owner), &"sandbox".parse().unwrap())
        .unwrap();
    let now = Timestamp::from_micros(0);
    let found = set.evaluate(key, SdkKeyKind::Server, &Attributes::default(), now)?;
    Ok(found.value)
}

#[test]
fn only_what_has_changed_is_compiled_again() {
    let environment = "sandbox".parse().unwrap();
    let first = FlagSets::new(
        vec![flag(1, "a", 1, &serves("on")), flag(2, "a", 1, &serves("off"))],
        None,
    );
    assert_eq!(value(&first, 1, "a").unwrap(), json!(true));
    assert_eq!(value(&first, 2, "a").unwrap(), json!(false));
    let second = FlagSets::new(
        vec![flag(1, "a", 1, &serves("on")), flag(2, "a", 2, &serves("on"))],
        Some(&first),
    );
    let set = |sets: &FlagSets, owner| sets.get(organization(owner), &environment).unwrap().clone();
    assert!(std::sync::Arc::ptr_eq(&set(&first, 1), &set(&second, 1)));
    assert!(!std::sync::Arc::ptr_eq(&set(&first, 2), &set(&second, 2)));
    assert_eq!(value(&second, 2, "a").unwrap(), json!(true));
    // One that is gone is gone, though no revision has grown.
    let third = FlagSets::new(vec![flag(1, "b", 1, &serves("on"))], Some(&second));
    assert!(value(&third, 1, "a").is_err());
    assert!(third.get(organization(2), &environment).is_none());
}

#[test]
fn what_cannot_be_compiled_any_more_stays_as_it_was() {
    let first = FlagSets::new(vec![flag(1, "a", 1, &serves("on"))], None);
    let second = FlagSets::new(vec![flag(1, "a", 2, &serves("none"))], Some(&first));
    assert_eq!(value(&second, 1, "a").unwrap(), json!(true));
}

#[test]
fn attributes_have_a_bound() {
    let many = |count: usize| {
        (0..count)
            .map(|number| (number.to_string(), "x".to_owned()))
            .collect::<Vec<_>>()
    };
    assert!(Attributes::from_texts(&many(200)).is_ok());
    assert!(Attributes::from_texts(&many(201)).is_err());
    let json = |count| {
        many(count)
            .into_iter()
            .map(|(name, value)| (name, json!(value)))
            .collect()
    };
    assert!(Attributes::from_json(&json(200)).is_ok());
    assert!(Attributes::from_json(&json(201)).is_err());
}
