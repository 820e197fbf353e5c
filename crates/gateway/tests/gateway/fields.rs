//! Nothing that is configured is silently ignored: every field of a route, of an upstream and of the node's settings
//! changes what clients or services see.
//!
//! The fields are those of the published schemas, so a new one without a case fails here. A case is a row: the
//! field, what else is configured, what is changed, and how to look. It is played twice as it was, which has to
//! give the same, and once changed, which has to give something else.

mod route;
mod settings;
mod upstream;
mod world;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use self::world::World;

/// Cases that are played at a time: most of them wait.
const AT_A_TIME: usize = 6;

/// A field, and how its effect is seen.
struct Case {
    /// JSON Pointer from the type; `*` stands for a place in a list.
    field: &'static str,
    /// What is configured before: `route`, `upstream`, `settings`, and further routes in `routes`.
    base: Value,
    /// What is changed of the type that is looked at.
    set: Value,
    /// What is seen.
    play: fn(&World) -> String,
}

fn case(field: &'static str, base: Value, set: Value, play: fn(&World) -> String) -> Case {
    Case {
        field,
        base,
        set,
        play,
    }
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().shift_remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

/// The places of all fields of a schema; `named` are the schemas that it refers to.
fn fields(schema: &Value, named: &Value, place: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return fields(&named[name], named, place, found);
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        if let Some(all) = schema[word].as_array() {
            let objects = all.iter().filter(|one| one["type"] != "null");
            return objects.for_each(|one| fields(one, named, place, found));
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            fields(property, named, &format!("{place}/{name}"), found);
        }
        return;
    }
    let mut below = BTreeSet::new();
    if schema["items"].is_object() {
        fields(&schema["items"], named, &format!("{place}/*"), &mut below);
    }
    // A list of plain values is one field.
    below.remove(&format!("{place}/*"));
    if below.is_empty() {
        found.insert(place.to_owned());
    }
    found.append(&mut below);
}

/// How often a case is played alone that failed among others.
const TRIES_ALONE: usize = 3;

/// Plays all cases; `elsewhere` are fields that take effect where no gateway is, with the tests that show it.
fn check(part: &str, schema: (&Value, &Value), elsewhere: &[(&str, &str)], cases: &[Case]) {
    let mut known = BTreeSet::new();
    fields(schema.0, schema.1, "", &mut known);
    assert!(known.len() > 10, "{part}: the schema has fields");
    let shown = cases.iter().map(|case| case.field);
    let shown: BTreeSet<_> = shown
        .chain(elsewhere.iter().map(|(field, _)| *field))
        .map(str::to_owned)
        .collect();
    assert_eq!(shown, known, "{part}: every field has its case");
    let (queue, failures) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = { queue.lock().unwrap().next() } {
                    if play(part, case).is_some() {
                        failures.lock().unwrap().push(case);
                    }
                }
            });
        }
    });
    // What is about waiting may look different where too much goes on: such a case is played again by itself.
    let again = |case| (0..TRIES_ALONE).try_fold(String::new(), |_, _| play(part, case));
    let failures: Vec<_> = failures
        .into_inner()
        .unwrap()
        .into_iter()
        .filter_map(again)
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What is wrong with a case.
fn play(part: &str, case: &Case) -> Option<String> {
    let mut changed = case.base.clone();
    merge(&mut changed[part], &case.set);
    let seen = |config: &Value| {
        let played = std::panic::catch_unwind(|| match World::new(config) {
            Some(world) => (case.play)(&world),
            None => "it does not start".to_owned(),
        });
        played.unwrap_or_else(|_| "panicked".to_owned())
    };
    let (before, again, after) = (seen(&case.base), seen(&case.base), seen(&changed));
    if [&before, &after].contains(&&"panicked".to_owned()) {
        return Some(format!("{}: it panicked", case.field));
    }
    if before != again {
        return Some(format!("{}: once {before:?}, once {again:?}", case.field));
    }
    (before == after).then(|| format!("{}: {} changes nothing of {before:?}", case.field, case.set))
}

/// The schemas of the API.
fn published() -> Value {
    let document: Value = serde_json::from_str(include_str!("../../../../spec/openapi.json")).unwrap();
    document["components"]["schemas"].clone()
}

#[test]
fn every_field_of_a_route_has_an_effect() {
    let schemas = published();
    check(
        "route",
        (&schemas["RouteSpec"], &schemas),
        route::ELSEWHERE,
        &route::cases(),
    );
}

#[test]
fn every_field_of_an_upstream_has_an_effect() {
    let schemas = published();
    check(
        "upstream",
        (&schemas["UpstreamSpec"], &schemas),
        upstream::ELSEWHERE,
        &upstream::cases(),
    );
}

#[test]
fn every_setting_has_an_effect() {
    let schema: Value = serde_json::from_str(include_str!("../../../../spec/config.schema.json")).unwrap();
    check(
        "settings",
        (&schema["properties"]["gateway"], &schema),
        settings::ELSEWHERE,
        &settings::cases(),
    );
}
