//! Definitions that SDKs of GrowthBook can evaluate.

use eval::Definitions;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use serde_json::{Value as Json, json};

fn words() -> impl Strategy<Value = Vec<&'static str>> {
    let word = proptest::sample::select(vec!["a", "b", "DE", "xyz", "äö", "x.z", "1", "true"]);
    proptest::collection::vec(word, 1..3)
}

/// Conditions about one attribute.
fn test() -> impl Strategy<Value = Json> {
    let of_texts = (
        proptest::sample::select(vec!["country", "company.plan", "tags"]),
        proptest::sample::select(vec!["in", "not_in", "starts_with", "ends_with", "contains", "matches"]),
        words(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(name, op, words, ignore_case, text_only)| {
            json!({ "attribute": name, "op": op, "values": words, "ignore_case": ignore_case, "text_only": text_only })
        });
    let of_number = (proptest::sample::select(vec!["eq", "gt", "gte", "lt", "lte"]), -3..6_i32).prop_map(|(op, number)| {
        json!({ "attribute": "age", "op": op, "values": [(f64::from(number) / 2.0).to_string()] })
    });
    let semver = ["semver_eq", "semver_gt", "semver_gte", "semver_lt", "semver_lte"];
    let of_version = (proptest::sample::select(semver.to_vec()), 0..3_u32, 0..12_u32).prop_map(
        |(op, one, two)| json!({ "attribute": "version", "op": op, "values": [format!("{one}.{two}.1")] }),
    );
    let list = (words(), any::<bool>()).prop_map(
        |(words, is)| json!({ "attribute": "tags", "op": "has_all", "values": words, "ignore_case": is }),
    );
    let others = prop_oneof![
        any::<bool>()
            .prop_map(|is| json!({ "attribute": "premium", "op": "in", "values": [is.to_string()] })),
        Just(json!({ "attribute": "age", "op": "in", "values": ["1", "0.5"] })),
        Just(json!({ "attribute": "country", "op": "is_present" })),
        Just(json!({ "attribute": "tags", "op": "is_absent" })),
        Just(json!({ "attribute": "country", "op": "in", "values": [] })),
        Just(json!({ "segment": "listed" })),
        Just(json!({ "segment": "nested" })),
        Just(json!({ "segment": "texts" })),
    ];
    let of_size = (
        proptest::sample::select(vec!["size_eq", "size_gt", "size_lt"]),
        0..3_u32,
    )
        .prop_map(|(op, size)| json!({ "attribute": "tags", "op": op, "values": [size.to_string()] }));
    let kinds = vec!["text", "number", "boolean", "list"];
    let of_kind = (
        proptest::sample::select(vec!["country", "age", "premium", "tags"]),
        proptest::sample::subsequence(kinds, 1..3),
        any::<bool>(),
    )
        .prop_map(|(name, kinds, is)| json!({ "attribute": name, "op": "is_kind", "values": kinds, "text_only": is }));
    prop_oneof![
        element(),
        of_size,
        of_kind,
        of_texts,
        of_number,
        of_version,
        list,
        others
    ]
}

/// Conditions on one element of a list, which do not compare it twice by the same operator.
fn element() -> impl Strategy<Value = Json> {
    let test = |ops: Vec<&'static str>| {
        (proptest::sample::select(ops), words(), any::<bool>()).prop_map(
            |(op, words, is)| json!({ "attribute": "tags", "op": op, "values": words, "ignore_case": is }),
        )
    };
    let is = test(vec!["in"]);
    let is_not = test(vec!["not_in"]);
    let fits = test(vec!["starts_with", "ends_with", "contains", "matches"]);
    (is, is_not, fits, 0..6_u32).prop_map(|(one, two, three, form)| {
        let fits = match form {
            0 => json!({ "all": [] }),
            1 => json!({ "all": [one, two, three] }),
            2 => json!({ "any": [one, { "not": three }] }),
            3 => json!({ "not": { "all": [one, { "not": two }] } }),
            4 => json!({ "all": [{ "not": three }, two, { "not": one }] }),
            _ => three,
        };
        json!({ "element": "tags", "fits": fits })
    })
}

fn condition() -> impl Strategy<Value = Json> {
    test().prop_recursive(2, 8, 3, |inner| {
        let list = || proptest::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            list().prop_map(|list| json!({ "all": list })),
            list().prop_map(|list| json!({ "any": list })),
            inner.clone().prop_map(|one| json!({ "not": one })),
        ]
    })
}

fn variant() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["off", "on", "list", "text"])
}

/// Parts of all, each with a variant or without; or each with one.
fn buckets(is_last: bool) -> impl Strategy<Value = Json> {
    let serve = (variant(), proptest::bool::weighted(0.7));
    let serve = serve.prop_map(move |(name, is_there)| (is_last || is_there).then_some(name));
    let part = (0..400_u32, serve);
    (any::<bool>(), proptest::collection::vec(part, 0..4), variant()).prop_map(
        move |(is_first, parts, last)| {
            let (dialect, factor, places) = if is_first {
                ("growthbook_v1", 1, 1000)
            } else {
                ("growthbook_v2", 10, 10_000)
            };
            let mut left = places;
            let mut all = Vec::new();
            for (weight, serve) in parts {
                let weight = (weight * factor).min(left);
                left -= weight;
                all.push(json!({ "weight": weight, "serve": serve }));
            }
            all.push(json!({ "weight": left, "serve": last }));
            json!({ "buckets": { "dialect": dialect, "key": "k", "parts": all }, "by": "id" })
        },
    )
}

fn gates() -> impl Strategy<Value = Json> {
    let gate = (any::<bool>(), 0..=1000_u32, 0..=1000_u32, any::<bool>()).prop_map(
        |(is_first, one, other, by_device)| {
            let percent = |thousandths: u32| f64::from(thousandths) / 10.0;
            json!({
                "key": "layer",
                "by": if by_device { "device" } else { "id" },
                "dialect": if is_first { "growthbook_v1" } else { "growthbook_v2" },
                "parts": [[percent(one.min(other)), percent(one.max(other))]],
            })
        },
    );
    proptest::collection::vec(gate, 0..2).prop_map(Json::from)
}

fn rule() -> impl Strategy<Value = Json> {
    let outcome = prop_oneof![
        variant().prop_map(|name| json!({ "serve": name })),
        buckets(false)
    ];
    (outcome, proptest::option::of(condition()), gates()).prop_map(|(mut rule, when, gates)| {
        rule["gates"] = gates;
        if let Some(when) = when {
            rule["when"] = when;
        }
        rule
    })
}

fn flag() -> impl Strategy<Value = Json> {
    let otherwise = prop_oneof![variant().prop_map(|name| json!({ "serve": name })), buckets(true)];
    let rules = proptest::collection::vec(rule(), 0..4);
    let overridden = proptest::option::weighted(0.3, variant());
    (proptest::bool::weighted(0.9), variant(), overridden, rules, otherwise).prop_map(
        |(enabled, off, overridden, rules, otherwise)| {
            let overrides: Vec<_> = overridden
                .iter()
                .map(|serve| json!({ "by": "country", "values": ["DE", "a"], "serve": serve }))
                .collect();
            json!({
                "variants": { "off": false, "on": true, "text": "x", "list": { "a": [1, 2] } },
                "enabled": enabled, "off": off, "overrides": overrides, "rules": rules, "otherwise": otherwise,
            })
        },
    )
}

/// A flag and one that needs it, and segments.
pub(super) fn definitions() -> impl Strategy<Value = Definitions> {
    let needed = || proptest::option::of(proptest::collection::vec(variant(), 0..3));
    let of_rules = proptest::collection::vec(needed(), 4);
    (flag(), flag(), needed(), of_rules).prop_map(|(parent, mut child, needed, of_rules)| {
        let rules = child["rules"].as_array_mut().into_iter().flatten();
        for (rule, needed) in rules.zip(of_rules) {
            let needed = needed.iter().map(|variants| json!({ "flag": "parent", "variants": variants }));
            rule["requires"] = needed.collect();
        }
        if let Some(variants) = needed {
            child["prerequisites"] = json!([{ "flag": "parent", "variants": variants }]);
        }
        let definitions = json!({
            "flags": { "parent": parent, "child": child },
            "segments": {
                "listed": { "when": { "attribute": "country", "op": "in", "values": ["DE", "a"] } },
                "texts": { "when": { "attribute": "tags", "op": "in", "values": ["a", "b"], "text_only": true } },
                "nested": { "when": { "any": [{ "segment": "listed" }, { "attribute": "age", "op": "gt", "values": ["1"] }] } },
            },
        });
        serde_json::from_value(definitions).unwrap()
    })
}
