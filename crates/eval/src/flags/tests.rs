use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value as Json, json};

use super::{Flags, Reason};
use crate::condition::moment;
use crate::{Definitions, Problem, Value};

mod buckets;
mod rollout;

const NOW: &str = "2026-11-22T10:00:00Z";

fn definitions(flags: &Json) -> Definitions {
    serde_json::from_value(json!({ "flags": flags })).unwrap()
}

fn compiled(flags: &Json) -> Flags {
    Flags::compile(&definitions(flags)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn problems(flags: &Json) -> Vec<(String, &'static str)> {
    problems_of(&definitions(flags))
}

fn problems_of(definitions: &Definitions) -> Vec<(String, &'static str)> {
    let problems = Flags::compile(definitions).err().unwrap_or_default();
    problems
        .into_iter()
        .map(|Problem { pointer, code, .. }| (pointer, code))
        .collect()
}

/// The variant of somebody, and why.
fn asked<'s>(flags: &'s Flags, key: &str, known: &[(&str, &str)]) -> (&'s str, Reason, Option<usize>) {
    let mut subject = flags.subject(moment(NOW).unwrap());
    for (name, value) in known {
        flags.put(&mut subject, name, *value);
    }
    let found = flags.evaluate(flags.get(key).unwrap(), &subject);
    (found.variant, found.reason, found.rule)
}

fn boolean(rest: &Json) -> Json {
    let mut flag =
        json!({ "variants": { "on": true, "off": false }, "off": "off", "otherwise": { "serve": "off" } });
    for (name, value) in rest.as_object().unwrap() {
        flag[name] = value.clone();
    }
    flag
}

fn checkout() -> Json {
    boolean(&json!({
        "version": 3,
        "rules": [
            { "name": "staff", "when": { "attribute": "email", "op": "ends_with", "values": ["@acme.example"] }, "serve": "on" },
            {
                "name": "eu",
                "when": { "all": [
                    { "attribute": "country", "op": "in", "values": ["DE", "FR"] },
                    { "attribute": "app_version", "op": "semver_gte", "values": ["2.1.0"] },
                ] },
                "split": { "on": 30, "off": 70 },
                "by": "user_id",
            },
        ],
        "otherwise": { "split": { "on": 10, "off": 90 }, "by": "user_id" },
    }))
}

#[test]
fn the_first_rule_that_fits_says_what_it_is() {
    let flags = compiled(&json!({ "new-checkout": checkout() }));
    let staff = asked(&flags, "new-checkout", &[("email", "ann@acme.example")]);
    assert_eq!(staff, ("on", Reason::TargetingMatch, Some(0)));
    let german = [("country", "DE"), ("app_version", "2.10.0"), ("user_id", "123")];
    assert_eq!(asked(&flags, "new-checkout", &german).1, Reason::Split);
    assert_eq!(asked(&flags, "new-checkout", &german).2, Some(1));
    let other = asked(&flags, "new-checkout", &[("country", "US"), ("user_id", "123")]);
    assert_eq!((other.1, other.2), (Reason::Split, None));
    // Nobody is guessed.
    assert_eq!(
        asked(&flags, "new-checkout", &german[..2]),
        ("off", Reason::UnitMissing, Some(1))
    );
    assert_eq!(
        asked(&flags, "new-checkout", &[]),
        ("off", Reason::UnitMissing, None)
    );
    let mut subject = flags.subject(0);
    flags.put(&mut subject, "email", "bob@acme.example");
    let found = flags.evaluate(flags.get("new-checkout").unwrap(), &subject);
    assert_eq!(
        (found.value, found.version, found.rule_name),
        (&json!(true), 3, Some("staff"))
    );
    assert!(flags.get("old-checkout").is_none());
    let mut attributes: Vec<_> = flags.attributes().collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["app_version", "country", "email", "user_id"]);
}

#[test]
fn flags_that_are_off_and_those_for_everybody_say_so() {
    let flags = compiled(&json!({
        "off": boolean(&json!({ "enabled": false, "otherwise": { "serve": "on" } })),
        "static": boolean(&json!({ "otherwise": { "serve": "on" } })),
        "default": boolean(&json!({ "rules": [{ "when": { "any": [] }, "serve": "on" }] })),
    }));
    assert_eq!(asked(&flags, "off", &[]), ("off", Reason::Disabled, None));
    assert_eq!(asked(&flags, "static", &[]), ("on", Reason::Static, None));
    assert_eq!(asked(&flags, "default", &[]), ("off", Reason::Default, None));
}

#[test]
fn overrides_come_before_rules_and_prerequisites_before_both() {
    let flags = compiled(&json!({
        "base": boolean(&json!({ "rules": [{ "when": { "attribute": "plan", "op": "in", "values": ["gold"] }, "serve": "on" }] })),
        "middle": boolean(&json!({ "prerequisites": [{ "flag": "base", "variants": ["on"] }], "otherwise": { "serve": "on" } })),
        "top": boolean(&json!({
            "prerequisites": [{ "flag": "middle", "variants": ["on"] }],
            "overrides": [{ "by": "user_id", "values": ["tester"], "serve": "on" }],
            "rules": [{ "serve": "off" }],
        })),
    }));
    let gold = [("plan", "gold"), ("user_id", "tester")];
    assert_eq!(asked(&flags, "top", &gold), ("on", Reason::TargetingMatch, None));
    assert_eq!(
        asked(&flags, "top", &gold[..1]),
        ("off", Reason::TargetingMatch, Some(0))
    );
    assert_eq!(
        asked(&flags, "top", &gold[1..]),
        ("off", Reason::PrerequisiteFailed, None)
    );
}

#[test]
fn rules_hold_in_their_window() {
    let with = |from: &str, until: &str| {
        let flags = compiled(
            &json!({ "flag": boolean(&json!({ "rules": [{ "from": from, "until": until, "serve": "on" }] })) }),
        );
        asked(&flags, "flag", &[]).0.to_owned()
    };
    assert_eq!(with(NOW, "2027-01-01T00:00:00Z"), "on");
    assert_eq!(with("2026-01-01T00:00:00Z", NOW), "off");
    assert_eq!(with("2026-11-22T10:00:00.000001Z", "2027-01-01T00:00:00Z"), "off");
}

#[test]
fn segments_are_conditions_with_a_name() {
    let source = json!({
        "flags": { "flag": boolean(&json!({ "rules": [{ "when": { "segment": "europe" }, "serve": "on" }] })) },
        "segments": {
            "europe": { "when": { "any": [{ "segment": "dach" }, { "attribute": "country", "op": "in", "values": ["FR"] }] } },
            "dach": { "when": { "attribute": "country", "op": "in", "values": ["DE", "AT", "CH"] } },
        },
    });
    let mut definitions: Definitions = serde_json::from_value(source).unwrap();
    let flags = Flags::compile(&definitions).unwrap();
    assert_eq!(asked(&flags, "flag", &[("country", "AT")]).0, "on");
    assert_eq!(asked(&flags, "flag", &[("country", "US")]).0, "off");
    definitions.segments.get_mut("dach").unwrap().when =
        serde_json::from_value(json!({ "not": { "segment": "europe" } })).unwrap();
    let found: Vec<_> = Flags::compile(&definitions)
        .unwrap_err()
        .into_iter()
        .map(|problem| (problem.pointer, problem.code))
        .collect();
    assert_eq!(found.len(), 2);
    assert!(
        found.contains(&("/segments/dach/when".to_owned(), "circular")),
        "{found:?}"
    );
    definitions.segments.get_mut("dach").unwrap().when =
        serde_json::from_value(json!({ "segment": "atlantis" })).unwrap();
    let found: Vec<_> = Flags::compile(&definitions)
        .unwrap_err()
        .into_iter()
        .map(|problem| (problem.pointer, problem.code))
        .collect();
    assert_eq!(
        found,
        [("/segments/dach/when/segment".to_owned(), "segment_unknown")]
    );
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let vectors: Json = serde_json::from_str(include_str!("../../../../spec/eval/refused.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 100);
    let mut wrong = Vec::new();
    for case in cases {
        let mut source = definitions(&case["flags"]);
        if let Some(segments) = case.get("segments") {
            source.segments = serde_json::from_value(segments.clone()).unwrap();
        }
        let found = problems_of(&source);
        let found: Vec<_> = found
            .iter()
            .map(|(pointer, code)| (pointer.as_str(), *code))
            .collect();
        let expected = (case["pointer"].as_str().unwrap(), case["code"].as_str().unwrap());
        if found != [expected] {
            wrong.push(format!("{case}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let none = problems(&json!({ "x": { "variants": {}, "off": "off", "otherwise": { "serve": "off" } } }));
    assert_eq!(none[0].1, "variants_missing");
    let circle = |other: &str| boolean(&json!({ "prerequisites": [{ "flag": other, "variants": ["on"] }] }));
    let found = problems(&json!({ "a": circle("b"), "b": circle("c"), "c": circle("a"), "d": circle("a") }));
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn a_rule_whose_prerequisites_are_not_met_is_passed_over() {
    let gold = json!({ "attribute": "plan", "op": "in", "values": ["gold"] });
    let requires = |variant: &str| json!([{ "flag": "base", "variants": [variant] }]);
    let flags = compiled(&json!({
        "base": boolean(&json!({ "rules": [{ "when": gold, "serve": "on" }] })),
        "f": boolean(&json!({ "rules": [
            { "requires": requires("on"), "serve": "on" },
            { "requires": requires("off"), "serve": "off" },
        ] })),
    }));
    assert_eq!(
        asked(&flags, "f", &[("plan", "gold")]),
        ("on", Reason::TargetingMatch, Some(0))
    );
    assert_eq!(asked(&flags, "f", &[]), ("off", Reason::TargetingMatch, Some(1)));
    let subject = flags.subject(moment(NOW).unwrap());
    let (_, steps) = flags.explain(flags.get("f").unwrap(), &subject);
    let steps: Vec<_> = steps
        .iter()
        .map(|step| (&*step.pointer, step.holds, &*step.detail))
        .collect();
    assert_eq!(
        steps,
        [
            ("/enabled", true, "The flag is on."),
            ("/rules/0/requires/0", false, "The flag `base` gives `off`."),
            ("/rules/1/requires/0", true, "The flag `base` gives `off`."),
            ("/rules/1", true, "Everybody here gets `off`."),
        ]
    );
}

/// Flags of which each one asks the one before as often as is said.
fn chain(length: usize, times: usize) -> Json {
    let mut flags = serde_json::Map::new();
    for place in 0..length {
        let before = format!("flag-{:05}", place.saturating_sub(1));
        let needed = vec![json!({ "flag": before, "variants": ["off"] }); if place > 0 { times } else { 0 }];
        flags.insert(
            format!("flag-{place:05}"),
            boolean(&json!({ "prerequisites": needed })),
        );
    }
    Json::Object(flags)
}

#[test]
fn prerequisites_are_asked_in_bounded_time_and_depth() {
    let flags = compiled(&chain(257, 1));
    assert_eq!(asked(&flags, "flag-00256", &[]), ("off", Reason::Static, None));
    for (length, times) in [(258, 1), (10_000, 1), (40, 2), (2, 257)] {
        let found = problems(&chain(length, times));
        assert!(found.iter().all(|(_, code)| *code == "too_deep"), "{found:?}");
        let last = format!("/flags/flag-{:05}/prerequisites", length - 1);
        assert!(found.iter().any(|(pointer, _)| *pointer == last), "{found:?}");
    }
}

#[test]
fn segments_are_asked_in_bounded_time_and_depth() {
    let mut segments = serde_json::Map::new();
    segments.insert("0".to_owned(), json!({ "when": { "all": [] } }));
    for place in 1..40 {
        let before = json!({ "segment": (place - 1).to_string() });
        segments.insert(place.to_string(), json!({ "when": { "all": [before, before] } }));
    }
    let source: Definitions = serde_json::from_value(json!({ "segments": segments })).unwrap();
    let found = Flags::compile(&source).unwrap_err();
    assert!(
        found.iter().all(|problem| problem.code == "too_deep"),
        "{found:?}"
    );
    assert!(found.iter().any(|problem| problem.pointer == "/segments/39/when"));
}

/// How many of 20,000 users get `on`, and whether each one does.
fn users(flags: &Flags, key: &str) -> Vec<bool> {
    let flag = flags.get(key).unwrap();
    let ids: Vec<String> = (0..20_000).map(|number| format!("user-{number}")).collect();
    let each = ids.iter().map(|id| {
        let mut subject = flags.subject(0);
        flags.put(&mut subject, "user_id", id.as_str());
        flags.evaluate(flag, &subject).variant == "on"
    });
    each.collect()
}

#[test]
fn parts_of_a_layer_exclude_each_other_and_cover_what_they_say() {
    let part = |from: u32, to: u32| {
        let gate = json!({ "key": "layer", "by": "user_id", "parts": [[from, to]] });
        boolean(&json!({ "rules": [{ "gates": [gate], "serve": "on" }] }))
    };
    let flags =
        compiled(&json!({ "a": part(0, 30), "b": part(30, 100), "none": part(50, 50), "all": part(0, 100) }));
    let (a, b) = (users(&flags, "a"), users(&flags, "b"));
    assert!(a.iter().zip(&b).all(|(a, b)| a != b), "each is in one of them");
    let share = a.iter().filter(|is_in| **is_in).count() as f64 / a.len() as f64;
    assert!((share - 0.3).abs() < 0.015, "{share}");
    assert!(users(&flags, "none").iter().all(|is_in| !is_in));
    assert!(users(&flags, "all").iter().all(|is_in| *is_in));
    // Who is not known passes no gate.
    assert_eq!(asked(&flags, "all", &[]), ("off", Reason::Default, None));
}

/// Pearson's statistic of a table of two by two; above 10.83 once in a thousand times by chance.
fn chi_square(one: &[bool], other: &[bool]) -> f64 {
    let total = one.len() as f64;
    let mut cells = [[0.0; 2]; 2];
    for (one, other) in one.iter().zip(other) {
        cells[usize::from(*one)][usize::from(*other)] += 1.0;
    }
    let row = |row: usize| cells[row][0] + cells[row][1];
    let column = |column: usize| cells[0][column] + cells[1][column];
    let places = [(0, 0), (0, 1), (1, 0), (1, 1)];
    let each = places.map(|(r, c)| {
        let expected = row(r) * column(c) / total;
        (cells[r][c] - expected).powi(2) / expected
    });
    each.iter().sum()
}

#[test]
fn splits_of_two_flags_have_nothing_to_do_with_each_other() {
    let half = boolean(&json!({ "otherwise": { "split": { "on": 50, "off": 50 }, "by": "user_id" } }));
    let keys = ["a", "b", "c", "new-checkout", "new-checkout2"];
    let each = keys.iter().map(|key| ((*key).to_owned(), half.clone()));
    let flags = compiled(&Json::Object(each.collect()));
    let all: Vec<_> = keys.iter().map(|key| users(&flags, key)).collect();
    for (place, one) in all.iter().enumerate() {
        let share = one.iter().filter(|is_on| **is_on).count() as f64 / one.len() as f64;
        assert!((share - 0.5).abs() < 0.015, "{}: {share}", keys[place]);
        for other in &all[..place] {
            assert!(chi_square(one, other) < 15.0);
        }
    }
}

#[test]
fn numbers_and_texts_are_the_same_unit() {
    let flags = compiled(&json!({ "flag": checkout() }));
    let flag = flags.get("flag").unwrap();
    for number in 0..500 {
        let text = number.to_string();
        let variant = |value: Value<'_>| {
            let mut subject = flags.subject(0);
            flags.put(&mut subject, "user_id", value);
            flags.evaluate(flag, &subject).variant.to_owned()
        };
        assert_eq!(
            variant(Value::Number(f64::from(number))),
            variant(Value::Text(&text))
        );
    }
}

#[test]
fn evaluating_takes_no_memory() {
    let mut source = checkout();
    let several = json!({ "any": [
        { "attribute": "country", "op": "contains", "values": ["ß"], "ignore_case": true },
        { "attribute": "country", "op": "in_network", "values": ["10.0.0.0/8"] },
        { "attribute": "age", "op": "after", "values": [NOW] },
        { "attribute": "age", "op": "in", "values": ["17"] },
    ] });
    source["rules"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({ "when": several, "serve": "on" }));
    source["prerequisites"] = json!([{ "flag": "base", "variants": ["on"] }]);
    let flags =
        compiled(&json!({ "flag": source, "base": boolean(&json!({ "otherwise": { "serve": "on" } })) }));
    let flag = flags.get("flag").unwrap();
    let mut subject = flags.subject(0);
    for (name, value) in [
        ("user_id", "123"),
        ("country", "DE"),
        ("app_version", "2.10.0"),
        ("email", "a@b.c"),
    ] {
        flags.put(&mut subject, name, value);
    }
    flags.put(&mut subject, "age", 34.5);
    let taken = allocation_counter::measure(|| {
        assert_eq!(flags.evaluate(flag, &subject).reason, Reason::Split);
    });
    assert_eq!(taken.count_total, 0);
}

proptest! {
    #[test]
    fn what_is_remembered_of_a_subject_is_true(asked in proptest::collection::vec((0..100_usize, 0..100_u32, any::<bool>()), 1..200)) {
        // More tests than are remembered, so that they drive each other out.
        let over = |least: usize| boolean(&json!({
            "rules": [{ "when": { "attribute": "n", "op": "gte", "values": [least.to_string()] }, "serve": "on" }],
        }));
        let flags = compiled(&(0..100).map(|least| (format!("over-{least:02}"), over(least))).collect());
        let handles: Vec<_> = flags.iter().map(|(_, handle)| handle).collect();
        let mut subject = flags.subject(0);
        let mut known = None;
        for (least, number, is_news) in asked {
            if is_news {
                flags.put(&mut subject, "n", f64::from(number));
                known = Some(number as usize);
            }
            let expected = if known >= Some(least) { "on" } else { "off" };
            prop_assert_eq!(flags.evaluate(handles[least], &subject).variant, expected);
        }
    }

    #[test]
    fn who_has_a_variant_keeps_it_when_its_share_grows(unit in ".{0,20}", few in 0..=100_u32, more in 0..=100_u32) {
        let (few, more) = (few.min(more), few.max(more));
        let with = |on: u32| {
            let split = json!({ "on": on, "off": 100 - on });
            let flags = compiled(&json!({ "flag": boolean(&json!({ "otherwise": { "split": split, "by": "user_id" } })) }));
            asked(&flags, "flag", &[("user_id", &unit)]).0 == "on"
        };
        prop_assert!(!with(few) || with(more));
    }

    #[test]
    fn nobody_makes_an_evaluation_fail(values in proptest::collection::vec((0..5_usize, ".*", any::<f64>(), any::<bool>()), 0..8), now in any::<i64>()) {
        let flags = compiled(&json!({ "flag": checkout() }));
        let mut subject = flags.subject(now);
        let names = ["email", "country", "app_version", "user_id", "unknown"];
        for (name, text, number, is_text) in &values {
            let value = if *is_text { Value::Text(text) } else { Value::Number(*number) };
            flags.put(&mut subject, names[*name], value);
        }
        let found = flags.evaluate(flags.get("flag").unwrap(), &subject);
        prop_assert!(["on", "off"].contains(&found.variant));
    }

    #[test]
    fn definitions_are_read_as_they_were_written(percent in 0..=100_000_u32) {
        let on = f64::from(percent) / 1000.0;
        let split = json!({ "on": on, "off": (f64::from(100_000 - percent)) / 1000.0 });
        let source = definitions(&json!({ "flag": boolean(&json!({ "otherwise": { "split": split, "by": "user_id" } })) }));
        let again: Definitions = serde_json::from_str(&serde_json::to_string(&source).unwrap()).unwrap();
        prop_assert_eq!(&again, &source);
        prop_assert!(Flags::compile(&again).is_ok());
    }
}

/// The steps of an explanation, as `pointer holds`.
fn steps(flags: &Flags, key: &str, known: &[(&str, &str)]) -> Vec<String> {
    let mut subject = flags.subject(moment(NOW).unwrap());
    for (name, value) in known {
        flags.put(&mut subject, name, *value);
    }
    let flag = flags.get(key).unwrap();
    let (found, steps) = flags.explain(flag, &subject);
    assert_eq!(found, flags.evaluate(flag, &subject));
    let last = steps.last().unwrap();
    match (found.reason, found.rule) {
        (Reason::Disabled, _) => assert_eq!(last.pointer, "/enabled"),
        (Reason::PrerequisiteFailed, _) => assert!(last.pointer.starts_with("/prerequisites/")),
        (_, Some(rule)) => assert_eq!(last.pointer, format!("/rules/{rule}")),
        (Reason::TargetingMatch, None) => assert!(last.pointer.starts_with("/overrides/")),
        (_, None) => assert_eq!(last.pointer, "/otherwise"),
    }
    steps
        .iter()
        .map(|step| format!("{} {}", step.pointer, step.holds))
        .collect()
}

#[test]
fn an_explanation_tells_what_was_looked_at() {
    let test = |name: &str| json!({ "attribute": name, "op": "in", "values": ["yes"] });
    let flags = compiled(&json!({
        "off": boolean(&json!({ "enabled": false })),
        "base": boolean(&json!({ "rules": [{ "when": test("base"), "serve": "on" }] })),
        "all": boolean(&json!({
            "prerequisites": [{ "flag": "base", "variants": ["on"] }],
            "overrides": [{ "by": "user_id", "values": ["tester"], "serve": "on" }],
            "rules": [
                { "until": NOW, "serve": "on" },
                { "when": { "any": [test("a"), { "all": [test("b"), { "not": test("c") }] }] }, "serve": "on" },
                { "when": test("a"), "serve": "off" },
                { "gates": [{ "key": "layer", "by": "user_id", "parts": [[0, 0]] }], "serve": "on" },
            ],
            "otherwise": { "split": { "on": 50, "off": 50 }, "by": "user_id" },
        })),
    }));
    assert_eq!(steps(&flags, "off", &[]), ["/enabled false"]);
    assert_eq!(
        steps(&flags, "all", &[]),
        ["/enabled true", "/prerequisites/0 false"]
    );
    let base = ("base", "yes");
    assert_eq!(
        steps(&flags, "all", &[base, ("user_id", "tester")])[2..],
        ["/overrides/0 true"]
    );
    assert_eq!(
        steps(&flags, "all", &[base, ("b", "yes")])[2..],
        [
            "/overrides/0 false",
            "/rules/0/until false",
            "/rules/1/when/any/0 false",
            "/rules/1/when/any/1/all/0 true",
            "/rules/1/when/any/1/all/1/not false",
            "/rules/1 true",
        ]
    );
    assert_eq!(
        steps(&flags, "all", &[base, ("c", "yes"), ("user_id", "7")])[4..],
        [
            "/rules/1/when/any/0 false",
            "/rules/1/when/any/1/all/0 false",
            "/rules/2/when false",
            "/rules/3/gates/0 false",
            "/otherwise true",
        ]
    );
    assert_eq!(steps(&flags, "all", &[base]).last().unwrap(), "/otherwise false");
}
