//! Flags and segments in files: `flags:` and `segments:` with their keys, beside resources of `kind: feature_flag` and
//! `kind: segment`.
//!
//! What a file says of variants and of an environment is all there is to be: what it leaves out goes. Environments that
//! it does not name stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::files::{Declared, Kind};
use crate::flags::replacing;
use crate::segments;

/// The flags of `flags: { key: … }` and the segments of `segments: { key: … }` as resources; `None` if this is something
/// else.
pub(super) fn resources(data: &Value) -> Option<Result<Vec<Value>, String>> {
    const PARTS: [(&str, Kind); 2] = [("segments", Kind::Segment), ("flags", Kind::FeatureFlag)];
    let fields = data.as_object().filter(|fields| !fields.contains_key("kind"))?;
    if !PARTS.iter().any(|(part, _)| fields.contains_key(*part)) {
        return None;
    }
    if let Some(other) = fields
        .keys()
        .find(|name| !PARTS.iter().any(|(part, _)| part == name))
    {
        return Some(Err(format!(
            "`{other}` is unknown; a file of flags has `flags`, `segments` and nothing else"
        )));
    }
    let there = PARTS
        .into_iter()
        .filter_map(|(part, kind)| Some((part, kind, fields.get(part)?)));
    let each = there.map(|(part, kind, entries)| entries_of(part, kind, entries));
    let all: Result<Vec<Vec<Value>>, String> = each.collect();
    Some(all.map(|all| all.concat()))
}

/// What stands below `flags` or `segments`.
fn entries_of(part: &str, kind: Kind, entries: &Value) -> Result<Vec<Value>, String> {
    let Value::Object(entries) = entries else {
        return Err(format!("`{part}` is a mapping of keys to {part}"));
    };
    let one = part.trim_end_matches('s');
    let each = entries.iter().map(|(key, entry)| {
        let Value::Object(fields) = entry else {
            return Err(format!("the {one} `{key}` is not a mapping"));
        };
        if fields.contains_key("key") {
            return Err(format!("the {one} `{key}` has a `key` already: the one above it"));
        }
        let mut spec = Map::from_iter([("key".to_owned(), json!(key))]);
        spec.extend(fields.clone());
        Ok(json!({ "kind": kind.word(), "spec": spec }))
    });
    each.collect()
}

/// The flags and segments that a flag or segment needs, in any environment.
pub(super) fn needed(kind: Kind, spec: &Map<String, Value>) -> BTreeSet<(Kind, String)> {
    let flags = match kind {
        Kind::FeatureFlag => needed_flags(spec),
        _ => BTreeSet::new(),
    };
    let flags = flags.into_iter().map(|key| (Kind::FeatureFlag, key.to_owned()));
    let segments = segments::named(&json!(spec)).into_iter();
    flags.chain(segments.map(|key| (Kind::Segment, key))).collect()
}

fn needed_flags(spec: &Map<String, Value>) -> BTreeSet<&str> {
    let environments = spec.get("environments").and_then(Value::as_object);
    let targetings = environments.into_iter().flatten().map(|(_, targeting)| targeting);
    targetings.flat_map(needed_in).collect()
}

/// The flags that a flag needs in an environment.
fn needed_in(targeting: &Value) -> impl Iterator<Item = &str> {
    let rules = targeting["rules"].as_array().into_iter().flatten();
    let of_rules = rules.map(|rule| &rule["requires"]);
    std::iter::once(&targeting["prerequisites"])
        .chain(of_rules)
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(|one| one["flag"].as_str())
}

/// A circle in which declared segments or flags need each other: one of them, and what is wrong in words.
///
/// One by one the server could only say of the first that another is not there yet.
pub(super) fn circle(declared: &[Declared]) -> Option<(&Declared, String)> {
    let of_kind = |kind: Kind| declared.iter().filter(move |one| one.kind == kind);
    let segments = of_kind(Kind::Segment);
    let named = segments.map(|one| (one.identity(), segments::named(&json!(one.spec))));
    let find = |kind: Kind, circle: Vec<String>, place: &str| {
        let first = of_kind(kind).find(|one| one.identity() == circle[0])?;
        let circle = circle.join("` → `");
        Some((
            first,
            format!("they need each other in a circle{place}: `{circle}`"),
        ))
    };
    if let Some(circle) = circle_in(named.collect()) {
        return find(Kind::Segment, circle, "");
    }
    let environments = of_kind(Kind::FeatureFlag).filter_map(|one| one.spec.get("environments")?.as_object());
    let environments: BTreeSet<&String> = environments.flat_map(Map::keys).collect();
    environments.into_iter().find_map(|environment| {
        let flags = of_kind(Kind::FeatureFlag).map(|one| {
            let targeting = one.spec.get("environments").map(|all| &all[environment]);
            let needed = targeting.into_iter().flat_map(needed_in);
            (one.identity(), needed.map(str::to_owned).collect())
        });
        let circle = circle_in(flags.collect())?;
        find(Kind::FeatureFlag, circle, &format!(" in `{environment}`"))
    })
}

/// One circle of what needs each other, with its beginning again at its end.
fn circle_in(mut ways: BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    loop {
        let left: BTreeSet<String> = ways.keys().cloned().collect();
        ways.retain(|_, needed| !needed.is_disjoint(&left));
        if ways.len() == left.len() {
            break;
        }
    }
    // Each that is left needs another that is left.
    let mut path = vec![ways.keys().next()?.clone()];
    loop {
        let needed = ways.get(path.last()?)?;
        let next = needed.iter().find(|key| ways.contains_key(*key))?.clone();
        let start = path.iter().position(|key| *key == next);
        path.push(next);
        if let Some(start) = start {
            return Some(path.split_off(start));
        }
    }
}

/// Flags and segments in an order in which they can be made: those that others need come first. Circles are told by [`circle`].
pub(super) fn in_order(mut waiting: Vec<Declared>) -> Vec<Declared> {
    let mut order = Vec::with_capacity(waiting.len());
    loop {
        let keys: BTreeSet<_> = waiting.iter().map(|one| (one.kind, one.identity())).collect();
        let is_ready = |one: &Declared| needed(one.kind, &one.spec).is_disjoint(&keys);
        let (ready, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_ready);
        waiting = others;
        if ready.is_empty() {
            order.extend(waiting);
            return order;
        }
        order.extend(ready);
    }
}

/// Whether a field of a flag or segment already is as declared.
pub(super) fn holds(field: &str, before: &Value, declared: &Value) -> bool {
    match field {
        "environments" => each(declared, |name, declared| {
            same(
                &trimmed(before.get(name).unwrap_or(&Value::Null)),
                &trimmed(declared),
            )
        }),
        "tags" => texts(before) == texts(declared),
        "when" => same(&trimmed(before), &trimmed(declared)),
        _ => same(before, declared),
    }
}

/// The texts of a list, in whatever order it has them.
fn texts(list: &Value) -> BTreeSet<&str> {
    let entries = list.as_array().into_iter().flatten();
    entries.filter_map(Value::as_str).collect()
}

/// The part of a merge patch that makes a field as declared.
pub(super) fn patch(field: &str, before: &Value, declared: &Value) -> Value {
    match (field, declared) {
        ("environments", Value::Object(declared)) => declared
            .iter()
            .map(|(name, declared)| {
                let before = before.get(name).unwrap_or(&Value::Null);
                (name.clone(), replacing(before, declared))
            })
            .collect(),
        _ => replacing(before, declared),
    }
}

fn each(fields: &Value, is_so: impl Fn(&str, &Value) -> bool) -> bool {
    let fields = fields.as_object().into_iter().flatten();
    fields.into_iter().all(|(name, value)| is_so(name, value))
}

/// Without what is so anyway.
fn trimmed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            // What a sticky rule keeps is the server's to say.
            let is_sticky = fields.get("sticky") == Some(&json!(true));
            let is_usual = |name: &str, value: &Value| match name {
                "enabled" => *value == json!(true),
                "ignore_case" | "text_only" | "short" | "sticky" | "smooth" => *value == json!(false),
                "prerequisites" | "overrides" | "rules" | "gates" | "requires" | "values" | "or_by" => {
                    *value == json!([])
                }
                "kept" => is_sticky || *value == json!([]),
                "start" => value.as_f64() == Some(0.0),
                _ => value.is_null(),
            };
            let fields = fields
                .iter()
                .filter(|(name, value)| !is_usual(name, value))
                .map(|(name, value)| (name.clone(), trimmed(value)));
            Value::Object(fields.collect())
        }
        Value::Array(entries) => entries.iter().map(trimmed).collect(),
        other => other.clone(),
    }
}

/// The same, whoever writes 2 as 2.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{holds, in_order, patch, resources};
    use crate::apply::files::{Declared, Kind};

    #[test]
    fn a_file_of_flags_is_a_list_of_resources() {
        let read = |data| resources(&data);
        assert_eq!(read(json!({ "kind": "plan", "spec": {} })), None);
        assert_eq!(read(json!([])), None);
        assert_eq!(
            read(json!({ "flags": { "a": { "type": "boolean" } } })),
            Some(Ok(vec![
                json!({ "kind": "feature_flag", "spec": { "key": "a", "type": "boolean" } })
            ]))
        );
        assert_eq!(
            read(json!({ "flags": { "a": {} }, "segments": { "b": { "when": { "all": [] } } } })),
            Some(Ok(vec![
                json!({ "kind": "segment", "spec": { "key": "b", "when": { "all": [] } } }),
                json!({ "kind": "feature_flag", "spec": { "key": "a" } }),
            ]))
        );
        for wrong in [
            json!({ "flags": [] }),
            json!({ "flags": {}, "more": 1 }),
            json!({ "flags": { "a": true } }),
            json!({ "flags": { "a": { "key": "b" } } }),
            json!({ "segments": { "a": 1 }, "flags": {} }),
        ] {
            assert!(matches!(read(wrong.clone()), Some(Err(_))), "{wrong}");
        }
    }

    #[test]
    fn what_a_file_leaves_out_goes_but_for_other_environments() {
        let before = json!({
            "production": { "enabled": true, "off": "off", "rules": [{ "name": "a", "serve": "on" }], "otherwise": { "serve": "off" } },
            "sandbox": { "enabled": true, "off": "off", "otherwise": { "serve": "on" } },
        });
        let same = json!({ "production": { "off": "off", "rules": [{ "serve": "on", "name": "a" }], "otherwise": { "serve": "off" } } });
        assert!(holds("environments", &before, &same));
        let nameless = json!({ "production": { "off": "off", "rules": [{ "serve": "on" }], "otherwise": { "serve": "off" } } });
        assert!(!holds("environments", &before, &nameless));
        let split = json!({ "production": { "off": "off", "otherwise": { "split": { "on": 10, "off": 90 }, "by": "u" } } });
        assert!(!holds("environments", &before, &split));
        assert_eq!(
            patch("environments", &before, &split),
            json!({ "production": {
                "enabled": null, "rules": null,
                "otherwise": { "serve": null, "split": { "on": 10, "off": 90 }, "by": "u" },
            } })
        );
        let rule =
            json!({ "name": "exp", "sticky": true, "split": { "a": 50, "b": 50 }, "by": "u", "gates": [] });
        let mut kept = rule.clone();
        kept["kept"] = json!([{ "parts": [[0, 30]], "split": { "a": 100 } }]);
        let with = |rule: &Value| json!({ "production": { "off": "off", "rules": [rule], "otherwise": { "serve": "off" } } });
        assert!(holds("environments", &with(&kept), &with(&rule)));
        let mut loose = rule.clone();
        loose["sticky"] = json!(false);
        assert!(!holds("environments", &with(&kept), &with(&loose)));
        assert!(holds("tags", &json!(["a", "b"]), &json!(["b", "a"])));
        assert!(!holds("tags", &json!(["a", "b"]), &json!(["b"])));
        let condition = json!({ "attribute": "a", "op": "in", "values": ["x"] });
        let mut same = condition.clone();
        same["ignore_case"] = json!(false);
        assert!(holds("when", &condition, &same));
        assert!(!holds("when", &condition, &json!({ "all": [same] })));
        assert!(holds("variants", &json!({ "a": 2.0 }), &json!({ "a": 2 })));
        assert!(!holds("variants", &json!({ "a": 1, "b": 2 }), &json!({ "a": 1 })));
    }

    #[test]
    fn flags_come_after_those_that_they_need() {
        let flag = |key: &str, needed: &[&str]| {
            let needed: Vec<_> = needed
                .iter()
                .map(|key| json!({ "flag": key, "variants": ["on"] }))
                .collect();
            let spec = json!({ "key": key, "environments": { "sandbox": { "prerequisites": needed } } });
            Declared {
                file: "flags.yaml".into(),
                kind: Kind::FeatureFlag,
                spec: spec.as_object().unwrap().clone(),
                contract: None,
                private_key: None,
            }
        };
        let order = |flags: Vec<Declared>| {
            let keys: Vec<_> = in_order(flags).iter().map(Declared::identity).collect();
            keys.join(" ")
        };
        let chain = vec![
            flag("a", &["b", "elsewhere"]),
            flag("b", &["c"]),
            flag("c", &[]),
            flag("d", &[]),
        ];
        assert_eq!(order(chain), "c d b a");
        let mut by_rule = flag("a", &[]);
        let rule = json!({ "requires": [{ "flag": "b", "variants": ["on"] }], "serve": "on" });
        by_rule.spec["environments"] = json!({ "sandbox": { "rules": [rule] } });
        assert_eq!(order(vec![by_rule, flag("b", &[])]), "b a");
        let segment = |key: &str, named: &str| Declared {
            kind: Kind::Segment,
            spec: json!({ "key": key, "when": { "any": [{ "segment": named }] } })
                .as_object()
                .unwrap()
                .clone(),
            ..flag(key, &[])
        };
        let segments = vec![segment("a", "b"), segment("b", "c"), segment("c", "elsewhere")];
        assert_eq!(order(segments), "c b a");
        let circle = vec![flag("a", &["b"]), flag("b", &["a"]), flag("c", &[])];
        assert_eq!(order(circle), "c a b");
    }
}
