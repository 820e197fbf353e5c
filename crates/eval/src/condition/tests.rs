use serde_json::{Value as Json, json};

use crate::definition::{Condition, Definitions, Flag, Outcome, Rule, Targeting};
use crate::semver::Semver;
use crate::{Flags, Value};

const NOW: &str = "2026-11-22T10:00:00Z";

/// Definitions with a flag that is `yes` for whom a condition fits.
fn definitions(when: Json) -> Definitions {
    let when: Condition = serde_json::from_value(when).unwrap();
    let serve = |name: &str| Some(name.to_owned());
    let rule = Rule {
        when: Some(when),
        serve: serve("yes"),
        ..Rule::default()
    };
    let flag = Flag {
        version: 1,
        variants: [("yes".to_owned(), json!(true)), ("no".to_owned(), json!(false))].into(),
        targeting: Targeting {
            enabled: true,
            off: "no".to_owned(),
            prerequisites: Vec::new(),
            overrides: Vec::new(),
            rules: vec![rule],
            otherwise: Outcome {
                serve: serve("no"),
                ..Outcome::default()
            },
        },
    };
    Definitions {
        flags: [("flag".to_owned(), flag)].into(),
        ..Definitions::default()
    }
}

fn fits(when: &Json, value: Option<Value<'_>>) -> bool {
    let flags =
        Flags::compile(&definitions(when.clone())).unwrap_or_else(|problems| panic!("{when}: {problems:?}"));
    let mut subject = flags.subject(super::moment(NOW).unwrap());
    if let Some(value) = value {
        flags.put(&mut subject, "a", value);
    }
    flags.evaluate(flags.get("flag").unwrap(), &subject).variant == "yes"
}

/// A value of the vectors; lists are of texts.
fn with_value<T>(value: &Json, then: impl FnOnce(Value<'_>) -> T) -> T {
    match value {
        Json::Bool(value) => then(Value::Bool(*value)),
        Json::Number(number) => then(Value::Number(number.as_f64().unwrap())),
        Json::String(text) => then(Value::Text(text)),
        Json::Array(texts) => {
            let texts: Vec<&str> = texts.iter().map(|text| text.as_str().unwrap()).collect();
            then(Value::List(&texts))
        }
        other => panic!("{other} is no value"),
    }
}

#[test]
fn each_comparison_fits_what_it_says() {
    let vectors: Json = serde_json::from_str(include_str!("../../../../spec/eval/conditions.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 140);
    let mut wrong = Vec::new();
    for case in cases {
        let mut when = json!({ "attribute": "a", "op": case["op"], "values": case["values"] });
        for name in ["ignore_case", "text_only", "short"] {
            if let Some(said) = case.get(name) {
                when[name] = said.clone();
            }
        }
        for (name, expected) in [("fits", true), ("fits_not", false)] {
            for value in case[name].as_array().unwrap() {
                let found = with_value(value, |value| fits(&when, Some(value)));
                if found != expected {
                    wrong.push(format!("{when} {value}: {found}"));
                }
                assert_eq!(fits(&when, Value::of(value)), expected, "{when} {value} as JSON");
            }
        }
        let without = ["not_in", "is_absent"].contains(&case["op"].as_str().unwrap());
        assert_eq!(fits(&when, None), without, "{when} without a value");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_no_number_is_in_no_order() {
    for op in ["eq", "gt", "gte", "lt", "lte", "before", "after"] {
        let value = if op.len() > 3 { NOW } else { "5" };
        let when = json!({ "attribute": "a", "op": op, "values": [value] });
        assert!(!fits(&when, Some(Value::Number(f64::NAN))), "{when}");
    }
}

#[test]
fn conditions_are_combined() {
    let is = |value: &str| json!({ "attribute": "a", "op": "in", "values": [value] });
    let table = [
        (json!({ "all": [is("x"), { "not": is("y") }] }), "x", true),
        (json!({ "all": [] }), "x", true),
        (json!({ "any": [] }), "x", false),
        (json!({ "any": [is("y"), { "all": [is("x")] }] }), "x", true),
        (json!({ "not": { "any": [is("x"), is("y")] } }), "z", true),
    ];
    for (when, value, expected) in table {
        assert_eq!(fits(&when, Some(Value::Text(value))), expected, "{when}");
    }
}

/// The order of the specification, section 11.
#[test]
fn versions_are_in_their_order() {
    let order = [
        "0.9.9",
        "1.0.0-1",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2.0",
        "1.11.0",
        "18446744073709551615.0.0",
    ];
    for (place, one) in order.iter().enumerate() {
        for (other_place, other) in order.iter().enumerate() {
            let (left, right) = (Semver::read(one).unwrap(), Semver::read(other).unwrap());
            assert_eq!(left.compare(&right), place.cmp(&other_place), "{one} {other}");
        }
    }
    for wrong in [
        "",
        "1.2.3.4",
        "1.",
        "01.2.3",
        "1.2.3-",
        "1.2.3-01",
        "1.2.3-a..b",
        "1.2.3+",
        "1.2.x",
        "-1.2.3",
        "1.2.3-ä",
    ] {
        assert!(Semver::read(wrong).is_none(), "{wrong}");
    }
    for (text, is_short) in [("1", true), ("1.2-rc.1", true), ("1.2.3", false)] {
        assert_eq!(Semver::read(text).unwrap().is_short, is_short, "{text}");
    }
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let mut deep = json!({ "all": [] });
    for _ in 0..17 {
        deep = json!({ "not": deep });
    }
    let problems = Flags::compile(&definitions(deep)).unwrap_err();
    assert_eq!(problems[0].code, "too_deep");
}

#[test]
fn what_is_no_condition_is_refused() {
    for wrong in [
        json!({}),
        json!({ "all": [], "any": [] }),
        json!({ "attribute": "a" }),
        json!({ "attribute": "a", "op": "like", "values": [] }),
        json!({ "attribute": "a", "op": "in", "value": "x" }),
        json!({ "segment": "s", "op": "in" }),
    ] {
        assert!(
            serde_json::from_value::<Condition>(wrong.clone()).is_err(),
            "{wrong}"
        );
    }
}

/// What is alike is compiled once; what is wrong with it is wrong wherever it stands.
#[test]
fn each_place_of_what_is_wrong_is_told() {
    let wrong = json!({ "attribute": "a", "op": "matches", "values": ["("] });
    let mut definitions = definitions(json!({ "all": [wrong, wrong] }));
    let flag = definitions.flags["flag"].clone();
    definitions.flags.insert("other".to_owned(), flag);
    let problems = Flags::compile(&definitions).unwrap_err();
    let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    let rule = |flag: &str, place| format!("/flags/{flag}/rules/0/when/all/{place}/values/0");
    let all = [("flag", 0), ("flag", 1), ("other", 0), ("other", 1)];
    assert_eq!(pointers, all.map(|(flag, place)| rule(flag, place)));
}

#[test]
fn what_is_alike_is_there_once() {
    let test = |ignore_case: bool| json!({ "attribute": "a", "op": "in", "values": ["x"], "ignore_case": ignore_case });
    let flags = |when: Json| Flags::compile(&definitions(when)).unwrap();
    let alike = flags(json!({ "any": [{ "all": [test(false), test(false)] }, { "not": test(false) }] }));
    assert_eq!(alike.tests.len(), 1);
    let others = flags(json!({ "any": [test(false), test(true)] }));
    assert_eq!(others.tests.len(), 2);
}
