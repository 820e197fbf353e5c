use domain::flag::{FeatureFlag, Segment};
use domain::id::FeatureFlagId;
use serde_json::{Value, json};
use store::on_both;

use super::Saved;
use crate::Error;
use crate::fixture::{World, refusal};

const AT: &str = "/environments/sandbox";

fn needing(flags: &[&str]) -> Value {
    let needed = flags.iter().map(|key| json!({ "flag": key, "variants": ["on"] }));
    json!({ "sandbox": {
        "off": "off", "prerequisites": needed.collect::<Value>(), "otherwise": { "serve": "on" },
    } })
}

fn flag(key: &str, environments: &Value) -> Value {
    let variants = json!({ "on": "yes", "off": "no" });
    json!({ "key": key, "type": "string", "variants": variants, "environments": environments })
}

async fn make(world: &World, key: &str, flags: &[&str]) -> Result<FeatureFlag, Error> {
    let spec = flag(key, &needing(flags));
    world.make::<FeatureFlag>(&world.acme, &(), spec).await
}

async fn change(world: &World, id: FeatureFlagId, patch: Value) -> Result<FeatureFlag, Error> {
    world
        .control
        .update::<FeatureFlag>(&world.acme, id, &patch, None)
        .await
}

fn told<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<(String, String)> {
    match result.unwrap_err() {
        Error::Refused { errors, .. } => {
            let each = errors.iter();
            each.map(|it| (it.pointer.clone(), it.code.clone())).collect()
        }
        other => panic!("not a refusal: {other:?}"),
    }
}

fn one(pointer: &str, code: &str) -> Vec<(String, String)> {
    vec![(pointer.to_owned(), code.to_owned())]
}

on_both! {
    async fn what_flags_need_of_each_other_stays(url: String) {
        let world = World::new(&url).await;
        let first = make(&world, "first", &[]).await.unwrap();
        let second = make(&world, "second", &["first"]).await.unwrap();
        make(&world, "third", &["second"]).await.unwrap();
        // Another organization's flags of that name are not meant.
        let theirs = world.make::<FeatureFlag>(&world.globex, &(), flag("first", &needing(&[]))).await.unwrap();
        world.control.delete::<FeatureFlag>(&world.globex, theirs.id, None).await.unwrap();

        let unknown = make(&world, "fourth", &["none"]).await;
        assert_eq!(refusal(unknown).1, [format!("{AT}/prerequisites/0/flag")]);
        let without = json!({ "variants": { "on": null, "other": "x" }, "environments": { "sandbox": { "otherwise": { "serve": "other" } } } });
        assert_eq!(told(change(&world, first.id, without).await), one(AT, "needed_by"));
        let nowhere = json!({ "environments": { "sandbox": null } });
        assert_eq!(told(change(&world, first.id, nowhere).await), one(AT, "needed_by"));
        let circle = change(&world, first.id, json!({ "environments": needing(&["third"]) })).await;
        let pointers = refusal(circle).1;
        assert!(pointers.contains(&format!("{AT}/prerequisites")), "{pointers:?}");
        let deleted = world.control.delete::<FeatureFlag>(&world.acme, second.id, None).await;
        assert_eq!(refusal(deleted).0, "in_use");
        // What others need of it has stayed.
        let more = json!({ "variants": { "more": "x" }, "environments": { "sandbox": { "enabled": false } } });
        change(&world, first.id, more).await.unwrap();
    }
}

on_both! {
    async fn what_rules_need_of_other_flags_stays(url: String) {
        let world = World::new(&url).await;
        let first = make(&world, "first", &[]).await.unwrap();
        let by_rule = |key: &str| json!({ "sandbox": {
            "off": "off", "rules": [{ "requires": [{ "flag": key, "variants": ["on"] }], "serve": "on" }],
            "otherwise": { "serve": "off" },
        } });
        let unknown = world.make::<FeatureFlag>(&world.acme, &(), flag("second", &by_rule("none"))).await;
        assert_eq!(refusal(unknown).1, [format!("{AT}/rules/0/requires/0/flag")]);
        world.make::<FeatureFlag>(&world.acme, &(), flag("second", &by_rule("first"))).await.unwrap();
        let without = json!({ "variants": { "on": null, "other": "x" }, "environments": { "sandbox": { "otherwise": { "serve": "other" } } } });
        assert_eq!(told(change(&world, first.id, without).await), one(AT, "needed_by"));
        let circle = change(&world, first.id, json!({ "environments": by_rule("second") })).await;
        let pointers = refusal(circle).1;
        assert!(pointers.contains(&format!("{AT}/rules/0/requires")), "{pointers:?}");
        let deleted = world.control.delete::<FeatureFlag>(&world.acme, first.id, None).await;
        assert_eq!(refusal(deleted).0, "in_use");
    }
}

on_both! {
    async fn no_more_is_read_than_belongs_together(url: String) {
        let world = World::new(&url).await;
        for key in ["a", "b"] {
            let when = json!({ "attribute": key, "op": "is_present" });
            world.make::<Segment>(&world.acme, &(), json!({ "key": key, "when": when })).await.unwrap();
        }
        let outer = json!({ "key": "outer", "when": { "segment": "a" } });
        world.make::<Segment>(&world.acme, &(), outer).await.unwrap();
        let first = make(&world, "first", &[]).await.unwrap();
        make(&world, "second", &["first"]).await.unwrap();
        let in_outer = json!({ "sandbox": {
            "off": "off", "rules": [{ "when": { "not": { "segment": "outer" } }, "serve": "on" }],
            "otherwise": { "serve": "off" },
        } });
        let segmented = world.make::<FeatureFlag>(&world.acme, &(), flag("segmented", &in_outer)).await.unwrap();
        let mut store = world.control.store();
        let keys = |saved: &Saved| {
            let mut flags: Vec<_> = saved.flags.iter().map(|it| it.spec.key.to_string()).collect();
            let mut segments: Vec<_> = saved.segments.iter().map(|it| it.spec.key.to_string()).collect();
            flags.sort();
            segments.sort();
            (flags.join(" "), segments.join(" "))
        };
        let around = Saved::around_flag(&mut store, &segmented, None).await.unwrap();
        assert_eq!(keys(&around), ("segmented".to_owned(), "a outer".to_owned()));
        let around = Saved::around_flag(&mut store, &first, Some(&first)).await.unwrap();
        assert_eq!(keys(&around), ("first".to_owned(), String::new()));
        let mut fewer = first.clone();
        fewer.spec.variants.remove("on");
        let around = Saved::around_flag(&mut store, &fewer, Some(&first)).await.unwrap();
        assert_eq!(keys(&around), ("first second".to_owned(), String::new()));
        let a = store::flag::segments(&mut store, first.organization_id).await.unwrap();
        let named = |key: &str| a.iter().find(|it| it.spec.key.as_str() == key).unwrap().clone();
        let around = Saved::around_segment(&mut store, &named("a")).await.unwrap();
        assert_eq!(keys(&around), ("segmented".to_owned(), "a b outer".to_owned()));
        let around = Saved::around_segment(&mut store, &named("b")).await.unwrap();
        assert_eq!(keys(&around), (String::new(), "a b outer".to_owned()));
        // A segment that others name cannot lead back to itself.
        let circle = json!({ "when": { "attribute": null, "op": null, "segment": "outer" } });
        let changed = world.control.update::<Segment>(&world.acme, named("a").id, &circle, None).await;
        assert!(refusal(changed).1.contains(&"/when".to_owned()));
    }
}
