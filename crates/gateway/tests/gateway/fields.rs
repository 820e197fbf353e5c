//! Nothing that is configured is silently ignored: every field of a route, of an upstream and of the node's settings
//! changes what clients or services see.
//!
//! The fields are those of the published schemas, so a new one without a case fails here. A case is a row: the
//! field, what else is configured, what is changed, and how to look. It is played twice as it was, which has to
//! give the same, and once changed, which has to give something else.

mod bounds;
mod route;
mod settings;
mod traces;
mod upstream;
mod world;

use std::sync::Mutex;
use std::thread;

use ::fields::Elsewhere;
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

/// How often a case is played alone that failed among others.
const TRIES_ALONE: usize = 3;

/// Plays all cases; `elsewhere` are fields that take effect where no gateway is, or that need more than a case.
fn check(part: &str, (schema, named): (&Value, &Value), elsewhere: Elsewhere<'_>, cases: &[Case]) {
    let here = cases.iter().map(|case| case.field);
    ::fields::complete(part, &::fields::of(schema, named), here, elsewhere);
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

#[test]
fn every_field_of_a_route_has_an_effect() {
    let schemas = ::fields::published();
    check(
        "route",
        (&schemas["RouteSpec"], &schemas),
        route::ELSEWHERE,
        &route::cases(),
    );
}

#[test]
fn every_field_of_an_upstream_has_an_effect() {
    let schemas = ::fields::published();
    check(
        "upstream",
        (&schemas["UpstreamSpec"], &schemas),
        upstream::ELSEWHERE,
        &upstream::cases(),
    );
}

#[test]
fn every_setting_has_an_effect() {
    let schema = ::fields::settings();
    check(
        "settings",
        (&schema["properties"]["gateway"], &schema),
        settings::ELSEWHERE,
        &settings::cases(),
    );
}
