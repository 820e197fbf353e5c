//! Payloads of features that can be said.

use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use serde_json::{Map, Value as Json, json};

/// Conditions that can be said.
fn condition() -> impl Strategy<Value = Json> {
    let word = || proptest::sample::select(vec!["a", "b", "DE", "xyz", "äö"]);
    let words = || proptest::collection::vec(word(), 0..3);
    let name = || proptest::sample::select(vec!["country", "company.plan"]);
    let of_text = (name(), words(), 0..11_usize).prop_map(|(name, words, op)| {
        let first = words.first().copied().unwrap_or("a");
        let ops = [
            "$eq",
            "$ne",
            "$in",
            "$nin",
            "$ini",
            "$nini",
            "$regex",
            "$regexi",
            "$notRegex",
            "$exists",
        ];
        let wanted = match op {
            0 | 1 | 6..=8 => json!({ ops[op]: first }),
            2..=5 => json!({ ops[op]: words }),
            9 => json!({ "$exists": words.is_empty() }),
            _ => json!(first),
        };
        json!({ name: wanted })
    });
    let of_number = (
        proptest::sample::select(vec!["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]),
        -3..6_i32,
    )
        .prop_map(|(op, number)| json!({ "age": { op: f64::from(number) / 2.0 } }));
    let of_version = (
        proptest::sample::select(vec!["$veq", "$vne", "$vgt", "$vgte", "$vlt", "$vlte"]),
        0..3_u32,
        0..12_u32,
    )
        .prop_map(|(op, one, two)| json!({ "version": { op: format!("{one}.{two}.1") } }));
    let of_list = (words(), 0..8_usize).prop_map(|(words, op)| {
        let first = words.first().copied().unwrap_or("a");
        let wanted = match op {
            0 => json!({ "$in": words }),
            1 => json!({ "$nin": words }),
            2 => json!({ "$all": words }),
            3 => json!({ "$alli": words }),
            4 => json!({ "$elemMatch": { "$eq": first } }),
            5 => json!({ "$not": { "$elemMatch": { "$in": words } } }),
            6 => json!({ "$elemMatch": { "$regexi": first } }),
            _ => json!({ "$inGroup": "listed" }),
        };
        json!({ "tags": wanted })
    });
    let leaf = prop_oneof![
        element(),
        sizes_and_kinds(),
        of_text,
        of_number,
        of_version,
        of_list,
        others()
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let list = || proptest::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            list().prop_map(|list| json!({ "$and": list })),
            list().prop_map(|list| json!({ "$or": list })),
            list().prop_map(|list| json!({ "$nor": list })),
            inner.clone().prop_map(|one| json!({ "$not": one })),
            inner.clone(),
        ]
    })
}

/// Conditions on how many entries a list has, and on what values are.
fn sizes_and_kinds() -> impl Strategy<Value = Json> {
    let size = || {
        (0..7_usize, -1..5_i32).prop_map(|(op, half)| {
            let size = f64::from(half) / 2.0;
            let name = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"].get(op);
            name.map_or_else(|| json!(size), |name| json!({ *name: size }))
        })
    };
    let of_size = (size(), size(), 0..4_u32).prop_map(|(one, other, form)| match form {
        0 => json!({ "tags": { "$size": one } }),
        1 => json!({ "tags": { "$not": { "$size": one } } }),
        2 => json!({ "tags": { "$size": { "$not": one } } }),
        _ => json!({ "tags": { "$size": { "$in": [1, 2.5], "$not": other } } }),
    });
    let kinds = vec!["string", "number", "boolean", "array", "null", "none"];
    let of_kind = (
        proptest::sample::select(kinds),
        any::<bool>(),
        proptest::sample::select(vec!["flat", "tags", "age"]),
    )
        .prop_map(|(kind, is, name)| match is {
            true => json!({ name: { "$type": kind } }),
            false => json!({ name: { "$not": { "$type": kind } } }),
        });
    prop_oneof![of_size, of_kind]
}

/// Conditions on one element of a list.
fn element() -> impl Strategy<Value = Json> {
    let word = || proptest::sample::select(vec!["a", "b", "DE", "xyz", "äö", ""]);
    let one = || {
        (word(), word(), 0..11_usize).prop_map(|(one, other, op)| match op {
            0 => ("$eq", json!(one)),
            1 => ("$ne", json!(one)),
            2 => ("$in", json!([one, other])),
            3 => ("$nin", json!([one, other, 1])),
            4 => ("$ini", json!([one])),
            5 => ("$nini", json!([one, other])),
            6 => ("$regex", json!(format!("^{one}"))),
            7 => ("$notRegexi", json!(format!("{one}$"))),
            8 => ("$exists", json!(one.is_empty())),
            9 => ("$type", json!("string")),
            _ => ("$not", json!({ "$eq": one, "$regexi": other })),
        })
    };
    (proptest::collection::vec(one(), 0..3), any::<bool>()).prop_map(|(operators, is)| {
        let operators: Map<_, _> = operators
            .into_iter()
            .map(|(name, wanted)| (name.to_owned(), wanted))
            .collect();
        let wanted = json!({ "$elemMatch": operators });
        json!({ "tags": if is { wanted } else { json!({ "$not": wanted }) } })
    })
}

/// Conditions with `null`, booleans and saved groups.
fn others() -> impl Strategy<Value = Json> {
    prop_oneof![
        any::<bool>().prop_map(|is| json!({ "premium": is })),
        any::<bool>().prop_map(|is| json!({ "premium": { "$ne": is } })),
        Just(json!({ "age": null })),
        Just(json!({ "age": { "$in": [1, null, 2] } })),
        Just(json!({ "age": { "$notInGroup": "numbers" } })),
        Just(json!({ "country": {} })),
        Just(json!({ "country": { "$notInGroup": "listed" } })),
        Just(json!({ "country": { "$notInGroup": "unknown" } })),
        Just(json!({ "country": { "$notInGroup": "conditional" } })),
        Just(json!({ "$savedGroup": { "id": "listed", "attributeKey": "country" } })),
        Just(json!({ "$savedGroup": { "id": "listed" } })),
        Just(json!({ "$savedGroup": { "id": "conditional" } })),
        Just(json!({ "$savedGroup": { "id": "unknown" } })),
    ]
}

fn share() -> impl Strategy<Value = f64> {
    prop_oneof![
        (0..=10_u32).prop_map(|share| f64::from(share) / 10.0),
        0.0..1.0_f64
    ]
}

/// What rules have in common.
fn targeting() -> impl Strategy<Value = Map<String, Json>> {
    let range = (share(), share()).prop_map(|(one, other)| json!([one.min(other), one.max(other)]));
    let filter = (proptest::collection::vec(range, 1..3), 1..3_u32, any::<bool>()).prop_map(
        |(ranges, version, by_device)| {
            let attribute = if by_device { "device" } else { "id" };
            json!([{ "seed": "layer", "attribute": attribute, "ranges": ranges, "hashVersion": version }])
        },
    );
    let maybe = |strategy: BoxedStrategy<Json>| proptest::option::weighted(0.4, strategy);
    (
        maybe(condition().boxed()),
        maybe(filter.boxed()),
        maybe(share().prop_map(Json::from).boxed()),
        maybe((0..4_u32).prop_map(Json::from).boxed()),
        maybe(
            proptest::sample::select(vec!["", "s", "seed"])
                .prop_map(Json::from)
                .boxed(),
        ),
        maybe(
            proptest::sample::select(vec!["id", "device"])
                .prop_map(Json::from)
                .boxed(),
        ),
        maybe(Just(json!("device")).boxed()),
        maybe(
            (share(), share())
                .prop_map(|(from, to)| json!(["space", from, to]))
                .boxed(),
        ),
    )
        .prop_map(
            |(condition, filters, coverage, version, seed, attribute, fallback, namespace)| {
                let names = [
                    "condition",
                    "filters",
                    "coverage",
                    "hashVersion",
                    "seed",
                    "hashAttribute",
                    "fallbackAttribute",
                    "namespace",
                ];
                let values = [
                    condition, filters, coverage, version, seed, attribute, fallback, namespace,
                ];
                let said = names.into_iter().zip(values);
                said.filter_map(|(name, value)| Some((name.to_owned(), value?)))
                    .collect()
            },
        )
}

fn rule() -> impl Strategy<Value = Json> {
    let value = || {
        prop_oneof![
            Just(json!("red")),
            Just(json!(7)),
            Just(json!(false)),
            Just(json!({ "a": [1] }))
        ]
    };
    let weights = proptest::collection::vec(share(), 1..4);
    let with = proptest::collection::vec((value(), any::<bool>()), 1..4);
    prop_oneof![
        (targeting(), value()).prop_map(|(mut rule, value)| {
            rule.insert("force".to_owned(), value);
            rule.into()
        }),
        (targeting(), with, proptest::option::of(weights), any::<bool>()).prop_map(
            |(mut rule, variations, weights, passes)| {
                let meta: Vec<_> = variations
                    .iter()
                    .map(|(_, is)| json!({ "passthrough": *is && passes }))
                    .collect();
                let values: Vec<_> = variations.into_iter().map(|(value, _)| value).collect();
                rule.insert("variations".to_owned(), values.into());
                rule.insert("meta".to_owned(), meta.into());
                rule.extend(weights.map(|weights| ("weights".to_owned(), json!(weights))));
                rule.into()
            }
        ),
    ]
}

/// What the parent must have, for a rule or for all that follow.
fn parents() -> impl Strategy<Value = Json> {
    let condition = proptest::sample::select(vec![
        json!({ "value": true }),
        json!({ "value": { "$in": ["red", false] } }),
        json!({ "value": { "$ne": 7 } }),
    ]);
    let one = (condition, any::<bool>())
        .prop_map(|(condition, gate)| json!({ "id": "parent", "condition": condition, "gate": gate }));
    proptest::collection::vec(one, 0..3).prop_map(Json::from)
}

pub(super) fn payload() -> impl Strategy<Value = Json> {
    let gate = proptest::option::of(prop_oneof![
        Just(json!({ "value": true })),
        Just(json!({ "value": { "$in": ["red", 7] } })),
        Just(json!({ "value": { "$ne": null } })),
    ]);
    let rules = || proptest::collection::vec(rule(), 0..4);
    let needed = proptest::collection::vec(parents(), 4);
    (rules(), rules(), gate, needed).prop_map(|(parent, mut child, gate, needed)| {
        for (rule, needed) in child.iter_mut().zip(needed) {
            rule["parentConditions"] = needed;
        }
        let gate = gate.map(|condition| json!({ "parentConditions": [{ "id": "parent", "condition": condition, "gate": true }] }));
        let child: Vec<_> = gate.into_iter().chain(child).collect();
        json!({
            "features": {
                "parent": { "defaultValue": true, "rules": parent },
                "child": { "defaultValue": "red", "rules": child },
            },
            "savedGroups": {
                "listed": { "type": "list", "attributeKey": "tags", "values": ["a", "DE"] },
                "numbers": [1, 2],
                "conditional": { "type": "condition", "condition": { "$or": [{ "country": "DE" }, { "$savedGroup": { "id": "listed" } }] } },
            },
        })
    })
}
