//! Documents that can be said, and people.

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use serde_json::{Map, Value as Json, json};

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["a", "b", "DE", "xyz", "x.z"])
}

fn clause() -> impl Strategy<Value = Json> {
    let words = || proptest::collection::vec(word(), 0..3);
    let of_texts = (
        proptest::sample::select(vec![
            ("country", None),
            ("/company/plan", Some("user")),
            ("plan", Some("org")),
            ("tags", None),
        ]),
        proptest::sample::select(vec!["in", "startsWith", "endsWith", "contains", "matches"]),
        words(),
    )
        .prop_map(|((attribute, kind), op, values)| match kind {
            Some(kind) => json!({ "attribute": attribute, "contextKind": kind, "op": op, "values": values }),
            None => json!({ "attribute": attribute, "op": op, "values": values }),
        });
    let numbers = [
        "in",
        "lessThan",
        "lessThanOrEqual",
        "greaterThan",
        "greaterThanOrEqual",
    ];
    let of_numbers = (
        proptest::sample::select(numbers.to_vec()),
        proptest::collection::vec(-2..4_i32, 0..3),
    )
        .prop_map(|(op, values)| json!({ "attribute": "age", "op": op, "values": values }));
    let versions = ["semVerEqual", "semVerLessThan", "semVerGreaterThan"];
    let of_versions = (
        proptest::sample::select(versions.to_vec()),
        0..3_u32,
        proptest::option::of(0..3_u32),
    )
        .prop_map(|(op, one, two)| {
            let version = two.map_or(one.to_string(), |two| format!("{one}.{two}"));
            json!({ "attribute": "version", "op": op, "values": [version] })
        });
    let others = prop_oneof![
        any::<bool>().prop_map(|is| json!({ "attribute": "premium", "op": "in", "values": [is] })),
        any::<bool>().prop_map(|is| json!({ "attribute": "anonymous", "op": "in", "values": [is] })),
        Just(json!({ "attribute": "kind", "op": "in", "values": ["org", "user"] })),
        Just(json!({ "attribute": "kind", "op": "in", "values": ["org"] })),
        Just(json!({ "attribute": "at", "op": "before", "values": [1_000_000, "1970-01-01T00:00:10Z"] })),
        Just(json!({ "attribute": "", "op": "segmentMatch", "values": ["beta", "none"] })),
        Just(json!({ "attribute": "", "op": "segmentMatch", "values": ["nested"] })),
    ];
    (
        prop_oneof![of_texts, of_numbers, of_versions, others],
        any::<bool>(),
    )
        .prop_map(|(mut clause, negate)| {
            clause["negate"] = negate.into();
            clause
        })
}

fn clauses() -> impl Strategy<Value = Vec<Json>> {
    proptest::collection::vec(clause(), 0..3)
}

fn given() -> impl Strategy<Value = Json> {
    let parts = proptest::collection::vec((0..3_usize, 0..50_000_u32), 1..4);
    let by = proptest::sample::select(vec![
        (None, None),
        (None, Some("country")),
        (Some("org"), None),
        (Some("user"), Some("/company/plan")),
    ]);
    let rollout = (parts, by, proptest::option::of(1..1000_u32), any::<bool>()).prop_map(
        |(parts, (kind, by), seed, is_experiment)| {
            let parts: Vec<_> = parts
                .into_iter()
                .map(|(variation, weight)| json!({ "variation": variation, "weight": weight }))
                .collect();
            let mut rollout = json!({ "variations": parts });
            let said = [
                ("contextKind", kind.map(Json::from)),
                ("bucketBy", by.map(Json::from)),
                ("seed", seed.map(Json::from)),
            ];
            for (name, value) in said {
                if let Some(value) = value {
                    rollout[name] = value;
                }
            }
            if is_experiment {
                rollout["kind"] = "experiment".into();
            }
            json!({ "rollout": rollout })
        },
    );
    prop_oneof![
        (0..3_usize).prop_map(|variation| json!({ "variation": variation })),
        rollout
    ]
}

fn rule() -> impl Strategy<Value = Json> {
    (clauses(), given()).prop_map(|(clauses, mut rule)| {
        rule["id"] = "rule".into();
        rule["clauses"] = clauses.into();
        rule
    })
}

fn flag() -> impl Strategy<Value = Json> {
    let targets = proptest::collection::vec((0..3_usize, word()), 0..2);
    let contexts = proptest::collection::vec((0..3_usize, proptest::option::of(word())), 0..3);
    let rules = proptest::collection::vec(rule(), 0..4);
    (proptest::bool::weighted(0.9), targets, contexts, rules, given(), 0..3_usize).prop_map(
        |(on, targets, contexts, rules, fallthrough, off)| {
            let targets: Vec<_> = targets.into_iter().map(|(variation, key)| json!({ "variation": variation, "values": [key] })).collect();
            let contexts: Vec<_> = contexts
                .into_iter()
                .map(|(variation, key)| match key {
                    Some(key) => json!({ "contextKind": "org", "variation": variation, "values": [key] }),
                    None => json!({ "contextKind": "user", "variation": variation, "values": [] }),
                })
                .collect();
            json!({
                "on": on, "version": 1, "salt": "salt", "variations": ["red", 7, { "a": [1] }], "offVariation": off,
                "targets": targets, "contextTargets": contexts, "rules": rules, "fallthrough": fallthrough, "prerequisites": [],
            })
        },
    )
}

/// A flag and one that needs it, and segments.
pub(super) fn document() -> impl Strategy<Value = Json> {
    (flag(), flag(), proptest::option::of(0..3_usize), clauses()).prop_map(|(mut parent, mut child, needed, clauses)| {
        if let Some(variation) = needed {
            child["prerequisites"] = json!([{ "key": "parent", "variation": variation }]);
        }
        parent["key"] = "parent".into();
        child["key"] = "child".into();
        // Those of the segment name no segment, so that there is no circle.
        let clauses: Vec<_> = clauses.into_iter().filter(|clause| clause["op"] != "segmentMatch").collect();
        let nested = json!({ "attribute": "", "op": "segmentMatch", "values": ["beta"] });
        json!({
            "flags": { "parent": parent, "child": child },
            "segments": {
                "none": { "key": "none", "version": 1 },
                "beta": { "key": "beta", "version": 1, "included": ["a"], "excluded": ["b"], "rules": [{ "clauses": clauses }] },
                "nested": {
                    "key": "nested", "version": 1, "includedContexts": [{ "contextKind": "org", "values": ["xyz"] }],
                    "excludedContexts": [{ "contextKind": "org", "values": ["a"] }], "rules": [{ "clauses": [nested] }],
                },
            },
        })
    })
}

/// What is known of somebody, by our names.
pub(super) fn person() -> impl Strategy<Value = Map<String, Json>> {
    let text = || proptest::option::weighted(0.7, word()).prop_map(|word| word.map(Json::from));
    let version = proptest::option::of((0..3_u32, 0..3_u32, 0..2_u32))
        .prop_map(|found| found.map(|(one, two, three)| json!(format!("{one}.{two}.{three}"))));
    let others = (
        proptest::option::of((-2..4_i32).prop_map(Json::from)),
        version,
        proptest::option::of(any::<bool>().prop_map(Json::from)),
        proptest::option::of(any::<bool>().prop_map(Json::from)),
        proptest::option::of(prop_oneof![
            Just(json!(500_000)),
            Just(json!("1970-01-01T00:00:20Z")),
            Just(json!(15_000))
        ]),
        proptest::option::of(proptest::collection::vec(word(), 0..3).prop_map(Json::from)),
    );
    (word(), text(), text(), text(), text(), others).prop_map(
        |(user, org, country, plan, org_plan, others)| {
            let (age, version, premium, anonymous, at, tags) = others;
            let org_plan = org_plan.filter(|_| org.is_some());
            let names = [
                "user_id",
                "org.key",
                "country",
                "company.plan",
                "org.plan",
                "age",
                "version",
                "premium",
                "anonymous",
                "at",
                "tags",
            ];
            let values = [
                Some(user.into()),
                org,
                country,
                plan,
                org_plan,
                age,
                version,
                premium,
                anonymous,
                at,
                tags,
            ];
            let said = names.into_iter().zip(values);
            said.filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect()
        },
    )
}
