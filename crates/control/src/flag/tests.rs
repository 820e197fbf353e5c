use std::sync::Arc;

use domain::Timestamp;
use domain::flag::{FeatureFlag, Segment};
use domain::id::{FeatureFlagId, OrganizationId};
use domain::tracking::{EventType, SdkKeyKind};
use serde_json::{Value, json};
use store::on_both;
use uuid::Uuid;

use super::{Attributes, FlagSet, FlagSets, Organization, Saved};
use crate::fixture::{World, refusal};
use crate::{Caller, Error};

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

fn compiled(flags: &[FeatureFlag], before: Option<&Arc<Organization>>) -> Arc<Organization> {
    let saved = Saved {
        flags: flags.to_vec(),
        ..Saved::default()
    };
    Arc::new(Organization::new(organization(1), &saved, before))
}

fn set<'o>(all: &'o Organization, environment: &str) -> &'o Arc<FlagSet> {
    &all.environments[environment]
}

fn value(all: &Organization, key: &str) -> Result<Value, Error> {
    let now = Timestamp::from_micros(0);
    let found = set(all, "sandbox").evaluate(key, SdkKeyKind::Server, &Attributes::default(), now)?;
    Ok(found.value)
}

#[test]
fn what_cannot_be_compiled_any_more_stays_as_it_was() {
    let first = compiled(&[flag(1, "a", 1, &serves("on"))], None);
    assert_eq!(value(&first, "a").unwrap(), json!(true));
    let second = compiled(&[flag(1, "a", 2, &serves("none"))], Some(&first));
    assert_eq!(value(&second, "a").unwrap(), json!(true));
    let third = compiled(&[flag(1, "b", 1, &serves("on"))], Some(&second));
    assert!(value(&third, "a").is_err());
    assert_eq!(value(&third, "b").unwrap(), json!(true));
}

on_both! {
    async fn only_what_has_changed_is_compiled_again(url: String) {
        let world = World::new(&url).await;
        let spec = json!({ "key": "a", "environments": { "sandbox": serves("on") } });
        let (ours, theirs) = (&world.acme, &world.globex);
        let made = world.make::<FeatureFlag>(ours, &(), spec.clone()).await.unwrap();
        world.make::<FeatureFlag>(theirs, &(), spec).await.unwrap();
        let sandbox = "sandbox".parse().unwrap();
        let get = |sets: &FlagSets, caller: &Caller| sets.get(caller.organization.unwrap(), &sandbox).cloned();
        let first = world.control.flag_sets().await.unwrap();
        let off = json!({ "environments": { "sandbox": { "enabled": false } } });
        let changed = world.control.update::<FeatureFlag>(ours, made.id, &off, None).await;
        changed.unwrap();
        let second = world.control.flag_sets().await.unwrap();
        let is_same = |caller| Arc::ptr_eq(&get(&first, caller).unwrap(), &get(&second, caller).unwrap());
        assert_eq!((is_same(ours), is_same(theirs)), (false, true));
        let segment = json!({ "key": "all", "when": { "all": [] } });
        let segment = world.make::<Segment>(theirs, &(), segment).await.unwrap();
        let with = world.control.flag_sets().await.unwrap();
        let is_same = |caller| Arc::ptr_eq(&get(&second, caller).unwrap(), &get(&with, caller).unwrap());
        assert_eq!((is_same(ours), is_same(theirs)), (true, false));
        world.control.delete::<Segment>(theirs, segment.id, None).await.unwrap();
        world.control.delete::<FeatureFlag>(ours, made.id, None).await.unwrap();
        let third = world.control.flag_sets().await.unwrap();
        assert!(get(&third, ours).is_none() && get(&third, theirs).is_some());
    }
}

on_both! {
    async fn what_one_database_cannot_keep_is_refused_by_both(url: String) {
        let world = World::new(&url).await;
        let flag = |value: &str| json!({ "key": "a", "type": "json", "variants": { "x": { "y/z": ["", value] } } });
        let made = world.make::<FeatureFlag>(&world.acme, &(), flag("a\0")).await;
        let found = refusal(made);
        assert_eq!(found.1, ["/variants/x/y~1z/1"]);
        // What only looks like it is kept.
        world.make::<FeatureFlag>(&world.acme, &(), flag("\\u0000")).await.unwrap();
        let schema = json!({ "name": "a", "title": "A", "schema": { "const": "a\0" } });
        let made = world.make::<EventType>(&world.acme, &(), schema).await;
        assert_eq!(refusal(made).1, ["/schema/const"]);
    }
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
