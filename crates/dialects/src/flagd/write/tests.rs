use eval::{Definitions, Flags};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_assume, prop_oneof, proptest};
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::super::{Answer, Document, Fractional, put, read};
use super::write;

fn definitions(flags: &Value) -> Definitions {
    serde_json::from_value(json!({ "flags": flags })).unwrap()
}

fn flag(rest: &Value) -> Value {
    let mut flag = json!({
        "variants": { "off": 0, "on": 1, "blue": 2 },
        "off": "off",
        "otherwise": { "serve": "off" },
    });
    for (name, value) in rest.as_object().unwrap() {
        flag[name] = value.clone();
    }
    flag
}

#[test]
fn providers_with_another_hash_get_no_splits_of_ours() {
    let document = json!({ "flags": {
        "theirs": { "state": "ENABLED", "variants": { "a": 1, "b": 2 }, "defaultVariant": "a",
            "targeting": { "fractional": [["a", 50], ["b", 50]] } },
    } });
    let document: Document = serde_json::from_value(document).unwrap();
    let mut flags = read(&document, Fractional::V3).definitions;
    let split = json!({ "otherwise": { "split": { "off": 50, "on": 50 }, "by": "user_id" } });
    let gate =
        json!({ "rules": [{ "gates": [{ "key": "k", "by": "a", "parts": [[0, 50]] }], "serve": "on" }] });
    let ours =
        definitions(&json!({ "gated": flag(&gate), "plain": flag(&json!({})), "split": flag(&split) }));
    flags.flags.extend(ours.flags);
    let told = |fractional| {
        let written = write(&flags, fractional);
        let keys: Vec<_> = written.document["flags"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        (keys, written)
    };
    let (keys, written) = told(Fractional::V3);
    assert_eq!(keys, ["plain", "theirs"]);
    let targeting = &written.document["flags"]["theirs"]["targeting"];
    assert!(targeting.to_string().contains("\"fractional\""), "{targeting}");
    assert!(
        written
            .refused
            .iter()
            .all(|fault| fault.code == "dialect_unsayable")
    );
    assert_eq!(told(Fractional::V2).0, ["gated", "plain", "split"]);
}

#[test]
fn what_flagd_would_do_otherwise_is_refused() {
    let when = |op: &str, value: &str, ignore_case: bool| {
        let test = json!({ "attribute": "a", "op": op, "values": [value], "ignore_case": ignore_case });
        json!({ "rules": [{ "when": test, "serve": "on" }] })
    };
    let parts = |dialect: &str, serve: Value| {
        let parts = json!([{ "weight": 1, "serve": serve }]);
        json!({ "rules": [{ "buckets": { "dialect": dialect, "key": "k", "parts": parts }, "by": "a" }] })
    };
    let rollout = |at: &str, is_smooth: bool| {
        let steps = json!([{ "at": at, "percent": 10 }]);
        let rollout = json!({ "serve": "on", "others": "off", "steps": steps, "smooth": is_smooth });
        json!({ "otherwise": { "rollout": rollout, "by": "user_id" } })
    };
    let table = [
        (when("matches", "a", false), "/rules/0/when", "operator_unsayable"),
        (when("gt", "1", false), "/rules/0/when", "operator_unsayable"),
        (
            when("semver_gt", "1.0.0", false),
            "/rules/0/when",
            "operator_unsayable",
        ),
        (when("in", "a", true), "/rules/0/when", "operator_unsayable"),
        (when("contains", "", false), "/rules/0/when", "value_unsayable"),
        (
            parts("unleash", json!("on")),
            "/rules/0/buckets/dialect",
            "dialect_unsayable",
        ),
        (
            parts("native", Value::Null),
            "/rules/0/buckets/parts/0",
            "part_unsayable",
        ),
        (
            json!({ "rules": [{ "from": "2026-01-01T00:00:00.5Z", "serve": "on" }] }),
            "/rules/0",
            "moment_unsayable",
        ),
        (
            rollout("1970-01-01T00:00:05.25Z", false),
            "/otherwise/rollout/steps/0/at",
            "moment_unsayable",
        ),
        (
            rollout("1970-01-01T00:00:05Z", true),
            "/otherwise/rollout/smooth",
            "rollout_unsayable",
        ),
        (
            json!({ "rules": [{ "logic": { "fractional_v3": [["on", 1]] } }] }),
            "/rules/0/logic",
            "dialect_unsayable",
        ),
        (
            json!({ "variants": { "off": null, "on": 1 }, "rules": [{ "serve": "off" }], "otherwise": { "serve": "on" } }),
            "/otherwise",
            "default_unsayable",
        ),
    ];
    for (rest, pointer, code) in table {
        let written = write(&definitions(&json!({ "f": flag(&rest) })), Fractional::V2);
        let found: Vec<_> = written
            .refused
            .iter()
            .map(|one| (&*one.pointer, one.code))
            .collect();
        assert_eq!(found, [(&*format!("/flags/f{pointer}"), code)], "{rest}");
        assert_eq!(written.document["flags"], json!({}));
    }
}

#[test]
fn what_lists_and_values_are_is_refused() {
    let test = |op: &str, value: &str| json!({ "attribute": "a", "op": op, "values": [value] });
    let element = json!({ "element": "a", "fits": test("in", "x") });
    for when in [test("size_gt", "1"), test("is_kind", "list"), element] {
        let rest = json!({ "rules": [{ "when": when, "serve": "on" }] });
        let refused = write(&definitions(&json!({ "f": flag(&rest) })), Fractional::V2).refused;
        let found: Vec<_> = refused.iter().map(|one| (&*one.pointer, one.code)).collect();
        assert_eq!(found, [("/flags/f/rules/0/when", "operator_unsayable")]);
    }
}

#[test]
fn what_was_read_is_written_as_it_was() {
    let source = json!({
        "static": { "state": "ENABLED", "variants": { "a": 1 }, "defaultVariant": "a" },
        "asked": { "state": "DISABLED", "variants": { "a": 1 } },
        "logic": {
            "state": "ENABLED", "variants": { "a": 1, "b": 2 }, "defaultVariant": "b",
            "targeting": { "if": [{ ">": [{ "var": "age" }, 18] }, "a"] },
        },
    });
    let document = Document::parse(&json!({ "flags": source }).to_string()).unwrap();
    let written = write(&read(&document, Fractional::V2).definitions, Fractional::V2);
    assert_eq!(written.refused, []);
    assert_eq!(written.document["flags"], source);
}

fn condition() -> impl Strategy<Value = Value> {
    let attribute = || select(vec!["user_id", "plan", "groups", "a.b"]);
    let text = || select(vec!["1", "gold", "go", "true", "x,y", "", "1.5"]);
    let texts = (
        attribute(),
        select(vec!["in", "not_in"]),
        vec(text(), 0..3),
        any::<bool>(),
    );
    let texts = texts.prop_map(|(attribute, op, values, text_only)| {
        json!({ "attribute": attribute, "op": op, "values": values, "text_only": text_only })
    });
    let some_text = select(vec!["1", "g", "o", "true", ","]);
    let affixes = (
        attribute(),
        select(vec!["starts_with", "ends_with", "contains"]),
        vec(some_text, 1..3),
        any::<bool>(),
    );
    let affixes = affixes.prop_map(|(attribute, op, values, text_only)| {
        json!({ "attribute": attribute, "op": op, "values": values, "text_only": text_only })
    });
    let present = (
        attribute(),
        select(vec!["is_present", "is_absent"]),
        any::<bool>(),
    );
    let present = present.prop_map(
        |(attribute, op, text_only)| json!({ "attribute": attribute, "op": op, "text_only": text_only }),
    );
    let all = (attribute(), vec(text(), 1..3))
        .prop_map(|(attribute, values)| json!({ "attribute": attribute, "op": "has_all", "values": values }));
    let during =
        Just(json!({ "during": { "from": "1970-01-01T00:00:05Z", "until": "1970-01-01T00:00:09Z" } }));
    let share = (0..=100_u32, units()).prop_map(|(percent, mut share)| {
        share["key"] = "share".into();
        share["parts"] = json!([[0, percent]]);
        json!({ "share": share })
    });
    let one = prop_oneof![4 => texts, 3 => affixes, 1 => present, 1 => all, 1 => during, 1 => share];
    one.prop_recursive(2, 5, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|all| json!({ "all": all })),
            vec(inner.clone(), 0..3).prop_map(|any| json!({ "any": any })),
            inner.prop_map(|not| json!({ "not": not })),
        ]
    })
}

fn units() -> impl Strategy<Value = Value> {
    select(vec![
        json!({ "by": "user_id" }),
        json!({ "by": "targetingKey", "or_by": ["user_id"] }),
        json!({ "by": "plan", "or_by": ["a.b", "user_id"] }),
    ])
}

fn outcome() -> impl Strategy<Value = Value> {
    let serve = select(vec!["off", "on", "blue"]).prop_map(|name| json!({ "serve": name }));
    let split = (0..=100_u32, units()).prop_map(|(percent, mut units)| {
        units["split"] = json!({ "on": percent, "blue": 100 - percent });
        units
    });
    let parts = (vec(0..4_u32, 3), select(vec!["f", "k"]), units()).prop_map(|(weights, key, mut units)| {
        let parts = weights.iter().zip(["on", "off", "blue"]);
        let parts = parts.map(|(weight, serve)| json!({ "weight": weight + 1, "serve": serve }));
        units["buckets"] = json!({ "key": key, "parts": parts.collect::<Vec<_>>() });
        units
    });
    let names = select(vec![("on", "off"), ("blue", "on"), ("off", "blue")]);
    let rollout = (vec(0..=100_u32, 3), names, units());
    let rollout = rollout.prop_map(|(percents, (serve, others), mut units)| {
        let steps = json!([
            { "at": "1970-01-01T00:00:03Z", "percent": percents[0] },
            { "at": "1970-01-01T01:00:07+01:00", "percent": percents[1] },
        ]);
        units["rollout"] = json!({ "serve": serve, "others": others, "start": percents[2], "steps": steps });
        units
    });
    prop_oneof![3 => serve, 2 => split, 2 => parts, 2 => rollout]
}

/// Earlier splits, the second one over the first.
fn kept() -> impl Strategy<Value = Value> {
    (0..=100_u32, 0..=100_u32).prop_map(|(one, other)| {
        json!([
            { "parts": [[0, one]], "split": { "on": 100 - other, "off": other } },
            { "parts": [[one.min(other), one.max(other)]], "split": { "blue": 100 } },
        ])
    })
}

fn rule() -> impl Strategy<Value = Value> {
    let gate = (0..=100_u32, 0..=100_u32, units()).prop_map(|(one, other, mut gate)| {
        gate["key"] = "layer".into();
        gate["parts"] = json!([[one.min(other), one.max(other)], [90, 95]]);
        json!([gate])
    });
    let requires = vec(select(vec!["off", "on", "blue"]), 0..3);
    let requires = requires.prop_map(|variants| json!([{ "flag": "least", "variants": variants }]));
    let requires = option::weighted(0.3, requires);
    let parts = (
        option::of(condition()),
        option::of(gate),
        outcome(),
        kept(),
        requires,
    );
    parts.prop_map(|(when, gates, outcome, kept, requires)| {
        let mut rule = outcome;
        if gates.is_some() && rule.get("split").is_some() {
            rule["kept"] = kept;
        }
        for (name, said) in [("when", when), ("gates", gates), ("requires", requires)] {
            if let Some(said) = said {
                rule[name] = said;
            }
        }
        rule
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => select(vec!["1", "gold", "go", "true", "x,y", "", "1.5"]).prop_map(Value::from),
        1 => select(vec![json!(1), json!(1.5), json!(-3), json!(100)]),
        1 => any::<bool>().prop_map(Value::from),
        2 => vec(select(vec!["1", "gold", "x,y", "x", "y", ""]), 1..3).prop_map(|list| json!(list)),
        1 => Just(Value::Null),
    ]
}

proptest! {
    /// What is written and read again gives everybody the same.
    #[test]
    fn what_is_written_says_the_same(
        (rules, otherwise, base) in (vec(rule(), 0..4), outcome(), rule()),
        subjects in vec((value(), value(), value(), value(), option::of("[a-z]{0,3}")), 1..5),
        (now, needs, has_override) in (0..12_i64, any::<bool>(), any::<bool>()),
    ) {
        let mut source = flag(&json!({ "rules": rules, "otherwise": otherwise }));
        if has_override {
            source["overrides"] = json!([{ "by": "plan", "values": ["gold", "", "1"], "serve": "blue" }]);
        }
        if needs {
            source["prerequisites"] = json!([{ "flag": "base", "variants": ["on", "blue"] }]);
        }
        let base = flag(&json!({ "rules": [base] }));
        let least = flag(&json!({ "rules": [{ "when": { "attribute": "plan", "op": "in", "values": ["gold", "go"] }, "serve": "blue" }] }));
        let before = definitions(&json!({ "f": source, "base": base, "least": least }));
        let written = write(&before, Fractional::V2);
        prop_assert_eq!(&written.refused, &vec![]);
        let document = Document::parse(&written.document.to_string()).unwrap();
        let reading = read(&document, Fractional::V2);
        // We read less than we write: an imported rule has at most 1,000 operators.
        prop_assume!(reading.refused.iter().all(|one| one.code != "too_large"));
        prop_assert_eq!(&reading.refused, &vec![], "{}", written.document);
        let sets = [&before, &reading.definitions].map(|set| Flags::compile(set).unwrap());
        for (user, plan, groups, inner, key) in subjects {
            let mut context = Map::new();
            context.insert("user_id".to_owned(), user);
            context.insert("plan".to_owned(), plan);
            context.insert("groups".to_owned(), groups);
            context.insert("a".to_owned(), json!({ "b": inner }));
            if let Some(key) = key {
                // Whoever asks says who it is in both words.
                if context["user_id"].is_null() {
                    context.insert("user_id".to_owned(), key.clone().into());
                }
                context.insert("targetingKey".to_owned(), key.into());
            }
            let [ours, theirs] = sets.each_ref().map(|flags| {
                let mut subject = flags.subject(now * 1_000_000);
                put(flags, &mut subject, &context);
                Answer::of(&flags.evaluate(flags.get("f").unwrap(), &subject)).value.cloned()
            });
            prop_assert_eq!(ours, theirs, "{:?} {}", context, written.document);
        }
    }
}
