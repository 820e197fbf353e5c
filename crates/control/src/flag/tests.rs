use std::sync::Arc;

use domain::flag::{FeatureFlag, Segment};
use domain::id::{FeatureFlagId, OrganizationId};
use domain::tracking::EventType;
use domain::{Code, Timestamp};
use serde_json::{Value, json};
use store::on_both;
use uuid::Uuid;

use flags::{Asker, Attributes, Missing, Set};

use super::{FlagSets, Organization, Saved};
use crate::fixture::{World, refusal};
use crate::{Caller, Error};
use store::flag::Revisions;

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
        flags: flags.iter().cloned().map(Arc::new).collect(),
        ..Saved::default()
    };
    Arc::new(Organization::new(
        (organization(1), None),
        (Revisions::default(), Arc::new(saved)),
        (before.map(|before| &**before), &Arc::default()),
    ))
}

fn set<'o>(all: &'o Organization, environment: &str) -> &'o Arc<Set> {
    &all.environments[environment].set
}

fn value(all: &Organization, key: &str) -> Result<Value, Missing> {
    let now = Timestamp::from_micros(0);
    let found = set(all, "sandbox").evaluate(Asker::Anybody, key, &Attributes::default(), now)?;
    Ok(found.value.clone())
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

on_both! {
    async fn all_together_have_a_bound(url: String) {
        let world = World::new(&url).await;
        let spec = json!({ "key": "a", "type": "string", "variants": { "x": "y".repeat(1000), "z": "" } });
        let made = world.make::<FeatureFlag>(&world.acme, &(), spec).await.unwrap();
        let segment = json!({ "key": "all", "when": { "all": [] } });
        let segment = world.make::<Segment>(&world.acme, &(), segment).await.unwrap();
        let kept = async || {
            let organization = made.organization_id;
            store::flag::bytes_of_all(&mut world.control.store(), organization).await.unwrap()
        };
        let own = |spec: &Value| i64::try_from(spec.to_string().len()).unwrap();
        let expected = own(&json!(made.spec)) + own(&json!(segment.spec));
        assert_eq!(kept().await, expected);

        // As if it had been made when more was taken.
        let mut tx = world.control.store().begin().await.unwrap();
        let fill = "UPDATE feature_flags SET bytes = 33554432";
        tx.execute(fill, &[]).await.unwrap();
        tx.commit().await.unwrap();
        let flag = json!({ "key": "b" });
        let code = |refused: Result<(), Error>| refused.unwrap_err().code();
        let refused = world.make::<FeatureFlag>(&world.acme, &(), flag.clone()).await.map(drop);
        assert_eq!(code(refused), Code::Conflict);
        let refused = world.make::<Segment>(&world.acme, &(), json!({ "key": "b", "when": { "all": [] } })).await.map(drop);
        assert_eq!(code(refused), Code::Conflict);
        let change = async |patch: Value| {
            let changed = world.control.update::<FeatureFlag>(&world.acme, made.id, &patch, None).await;
            changed.map(drop)
        };
        assert_eq!(code(change(json!({ "title": "More" })).await), Code::Conflict);
        // Others have room of their own, and what gets smaller is taken.
        world.make::<FeatureFlag>(&world.globex, &(), flag.clone()).await.unwrap();
        change(json!({ "variants": { "x": "" } })).await.unwrap();
        world.make::<FeatureFlag>(&world.acme, &(), flag).await.unwrap();
    }
}

on_both! {
    async fn a_sticky_rule_moves_nobody(url: String) {
        let world = World::new(&url).await;
        let rule = |parts: Value, a: u32| json!({
            "name": "exp", "sticky": true, "split": { "a": a, "b": 100 - a }, "by": "user_id",
            "gates": [{ "key": "exp", "by": "user_id", "parts": parts }],
        });
        let with = |rules: Value| json!({ "environments": { "sandbox": {
            "off": "b", "rules": rules, "otherwise": { "serve": "b" },
        } } });
        let mut spec = with(json!([rule(json!([[0, 30]]), 50)]));
        spec["key"] = json!("f");
        spec["type"] = json!("string");
        spec["variants"] = json!({ "a": "A", "b": "B" });
        let made = world.make::<FeatureFlag>(&world.acme, &(), spec).await.unwrap();
        let kept = |flag: &FeatureFlag| json!(flag.spec.environments["sandbox"].rules[0].kept);
        assert_eq!(kept(&made), json!([]));
        let change = async |patch: Value| world.control.update::<FeatureFlag>(&world.acme, made.id, &patch, None).await;
        // What a change says of it is not looked at.
        let mut more = rule(json!([[0, 60]]), 20);
        more["kept"] = json!([{ "parts": [[0, 100]], "split": { "b": 100 } }]);
        let more = change(with(json!([{ "serve": "b", "when": { "any": [] } }, more]))).await.unwrap();
        let fifty = json!([{ "parts": [[0.0, 30.0]], "split": { "a": 50.0, "b": 50.0 } }]);
        assert_eq!(json!(more.spec.environments["sandbox"].rules[1].kept), fifty);
        let reverted = world.control.revert::<FeatureFlag>(&world.acme, made.id, 1, None).await.unwrap();
        let twenty = json!([{ "parts": [[30.0, 60.0]], "split": { "a": 20.0, "b": 80.0 } }]);
        assert_eq!(kept(&reverted), twenty);
        let at = "/environments/sandbox/rules/0";
        let mut other = rule(json!([[0, 60]]), 20);
        other["gates"][0]["key"] = json!("other");
        assert_eq!(refusal(change(with(json!([other]))).await).1, [format!("{at}/gates/0")]);
        let mut nameless = rule(json!([[0, 60]]), 20);
        nameless["name"] = Value::Null;
        assert_eq!(refusal(change(with(json!([nameless]))).await).1, [format!("{at}/name")]);
        let twice = change(with(json!([rule(json!([]), 20), { "name": "exp", "serve": "a" }]))).await;
        assert_eq!(refusal(twice).1, [format!("{at}/name")]);
        let mut ungated = rule(json!([]), 20);
        ungated["gates"] = json!([]);
        assert_eq!(refusal(change(with(json!([ungated]))).await).1, [format!("{at}/sticky")]);
        let mut over = json!({ "name": "exp", "serve": "a" });
        change(with(json!([over.clone()]))).await.unwrap();
        over["sticky"] = json!(true);
        assert_eq!(refusal(change(with(json!([over]))).await).1, [format!("{at}/sticky")]);
    }
}
