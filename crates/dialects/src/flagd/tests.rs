use eval::Flags;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Map, Value, json};

use super::read::rule_of_logic;
use super::{Answer, Document, Fractional, put, read};
use crate::{Error, Reading};

fn reading(flags: &Value, evaluators: &Value) -> Reading {
    let document = json!({ "flags": flags, "$evaluators": evaluators });
    read(&Document::parse(&document.to_string()).unwrap(), Fractional::V2)
}

fn flag(targeting: &Value) -> Value {
    json!({
        "state": "ENABLED",
        "variants": { "red": "r", "blue": "b", "green": "g", "true": "t" },
        "defaultVariant": "green",
        "targeting": targeting,
    })
}

/// What flagd says of a flag for a context.
fn variant(flags: &Flags, context: &Value) -> (Option<String>, &'static str) {
    let empty = Map::new();
    let mut subject = flags.subject(0);
    put(flags, &mut subject, context.as_object().unwrap_or(&empty));
    let found = flags.evaluate(flags.get("f").unwrap(), &subject);
    let answer = Answer::of(&found);
    (answer.variant.map(str::to_owned), answer.reason)
}

#[test]
fn what_cannot_be_said_is_refused_with_its_place() {
    let table = [
        (
            json!({ "f": { "state": "ON", "variants": {} } }),
            "/flags/f",
            "shape",
        ),
        (
            json!({ "f": { "state": "ENABLED", "variants": { "a": 1 }, "defaultVariant": "b" } }),
            "/flags/f/defaultVariant",
            "variant_unknown",
        ),
        (
            json!({ "f": flag(&json!({ "$ref": "none" })) }),
            "/flags/f/targeting/$ref",
            "evaluator_unknown",
        ),
        (
            json!({ "f": flag(&json!({ "$ref": "circle" })) }),
            "/flags/f/targeting/0/",
            "too_deep",
        ),
        (
            json!({ "f": flag(&json!({ "$ref": "0" })) }),
            "/flags/f/targeting",
            "too_large",
        ),
        (
            json!({ "f": flag(&json!({ "if": [{ "between": [1, 2] }, "red"] })) }),
            "/flags/f/targeting/if/0/between",
            "operator_unknown",
        ),
    ];
    let mut evaluators = json!({ "circle": [{ "$ref": "circle" }], "5": 1 });
    for place in 0..5 {
        let next = json!({ "$ref": (place + 1).to_string() });
        evaluators[place.to_string()] = json!(vec![next; 20]);
    }
    for (flags, pointer, code) in table {
        let found = reading(&flags, &evaluators);
        assert_eq!(found.definitions.flags.len(), 0, "{flags}");
        let found = &found.refused[0];
        assert_eq!(found.code, code, "{found:?}");
        let is_there = match code {
            // How far it was followed is no matter.
            "too_deep" | "too_large" => found.pointer.starts_with(pointer),
            _ => found.pointer == pointer,
        };
        assert!(is_there, "{found:?}");
    }
    assert!(matches!(
        Document::parse("{\"flags\": 7}"),
        Err(Error::Shape { .. })
    ));
}

#[test]
fn what_our_rules_say_becomes_rules() {
    let sayable = [
        json!({ "if": [{ "ends_with": [{ "var": "email" }, "@x.org"] }, "red", "blue"] }),
        json!({ "if": [{ "$ref": "staff" }, "red", { "in": [{ "var": "country" }, ["DE", "FR"]] }, "blue"] }),
        json!({ "if": [{ "and": [{ "!": [{ "$ref": "staff" }] }, { "!=": [{ "var": "a.b" }, "x"] }] }, "red", null] }),
        json!({ "if": [{ "in": ["beta", { "var": "groups" }] }, { "fractional": [["red", 10], ["blue"]] }] }),
        json!({ "fractional": [["red", 25], ["blue", 75]] }),
        json!("blue"),
        json!(true),
    ];
    let unsayable = [
        json!({ "if": [{ ">": [{ "var": "age" }, 18] }, "red"] }),
        json!({ "if": [{ "==": [{ "var": "age" }, "18"] }, "red"] }),
        json!({ "if": [{ "==": [{ "var": "email" }, ""] }, "red"] }),
        json!({ "if": [{ "sem_ver": [{ "var": "v" }, ">", "1"] }, "red"] }),
        json!({ "if": [{ "==": [{ "var": "email" }, "x"] }, null, "red"] }),
        json!({ "if": [{ "==": [{ "var": "targetingKey" }, "x"] }, "red"] }),
        json!({ "fractional": [{ "var": "email" }, ["red", 25], ["blue", 75]] }),
        json!({ "fractional": [["red", 0]] }),
        json!("violet"),
    ];
    let evaluators = json!({ "staff": { "===": ["staff", { "var": ["role"] }] } });
    let is_logic = |targeting: &Value| {
        let found = reading(&json!({ "f": flag(targeting) }), &evaluators);
        assert_eq!(found.refused, []);
        found.definitions.flags["f"].targeting.rules[0].logic.is_some()
    };
    for targeting in sayable {
        assert!(!is_logic(&targeting), "{targeting}");
    }
    for targeting in unsayable {
        assert!(is_logic(&targeting), "{targeting}");
    }
}

#[test]
fn what_is_left_to_the_asker_is_null() {
    let flags = json!([
        { "key": "f", "state": "DISABLED", "variants": { "none": 1 }, "defaultVariant": "none" },
        { "key": "g", "state": "ENABLED", "variants": { "a": 1 } },
    ]);
    let found = reading(&flags, &json!({}));
    assert_eq!(found.definitions.flags["f"].targeting.off, "none-");
    assert_eq!(
        found.definitions.flags["g"].targeting.otherwise.serve.as_deref(),
        Some("none")
    );
    let flags = Flags::compile(&found.definitions).unwrap();
    assert_eq!(variant(&flags, &json!({})), (None, "DISABLED"));
    let answer = Answer::of(&flags.evaluate(flags.get("g").unwrap(), &flags.subject(0)));
    assert_eq!((answer.value, answer.reason), (None, "DEFAULT"));
}

/// Logic of all shapes that could become rules, and some that cannot.
fn targeting() -> impl Strategy<Value = Value> {
    let attribute = prop_oneof![Just("a"), Just("b.c"), Just("list"), Just("targetingKey")];
    let attribute = attribute.prop_map(|name| json!({ "var": [name] }));
    let text = prop_oneof![
        Just("x"),
        Just("xy"),
        Just("y"),
        Just(""),
        Just("1"),
        Just("true"),
        Just("x,y"),
        Just("null"),
        Just("Infinity"),
    ];
    let test = (0..9_usize, attribute, vec(text, 1..3)).prop_map(|(op, attribute, texts)| {
        let text = texts[0];
        match op {
            0 => json!({ "==": [attribute, text] }),
            1 => json!({ "!=": [text, attribute] }),
            2 => json!({ "===": [attribute, text] }),
            3 => json!({ "!==": [attribute, text] }),
            4 => json!({ "starts_with": [attribute, text] }),
            5 => json!({ "ends_with": [attribute, text] }),
            6 => json!({ "in": [attribute, texts] }),
            7 => json!({ "in": [text, attribute] }),
            _ => json!({ ">": [attribute, 1] }),
        }
    });
    let condition = test.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..3).prop_map(|all| json!({ "and": all })),
            vec(inner.clone(), 1..3).prop_map(|any| json!({ "or": any })),
            inner.clone().prop_map(|one| json!({ "!": [one] })),
            inner.prop_map(|one| json!({ "!!": one })),
        ]
    });
    let leaf = prop_oneof![
        Just(json!("red")),
        Just(json!("blue")),
        Just(json!(true)),
        Just(json!({ "fractional": [["red", 1], ["blue", 3], ["true"]] })),
    ];
    let last = prop_oneof![leaf.clone(), Just(json!(null))];
    (vec((condition, leaf), 1..4), proptest::option::of(last)).prop_map(|(pairs, last)| {
        let mut parts: Vec<Value> = pairs.into_iter().flat_map(|(when, then)| [when, then]).collect();
        parts.extend(last);
        json!({ "if": parts })
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop_oneof![
            Just("x"),
            Just("xy"),
            Just(""),
            Just("1"),
            Just("true"),
            Just("y")
        ]
        .prop_map(Value::from),
        (-1..3_i32).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        vec(prop_oneof![Just("x"), Just("xy"), Just("1")], 0..3).prop_map(|list| json!(list)),
        Just(json!({ "c": "x" })),
        Just(Value::Null),
    ]
}

proptest! {
    /// Rules give everybody what logic would, if it does not go wrong.
    #[test]
    fn rules_say_what_logic_says(
        targeting in targeting(),
        (a, c, list) in (value(), value(), value()),
        user in proptest::option::of("[a-z]{1,6}"),
    ) {
        let found = reading(&json!({ "f": flag(&targeting) }), &json!({}));
        prop_assert_eq!(&found.refused, &vec![]);
        let mut plain = found.definitions.clone();
        plain.flags.get_mut("f").unwrap().targeting.rules = vec![rule_of_logic(targeting)];
        let (ours, theirs) = (Flags::compile(&found.definitions).unwrap(), Flags::compile(&plain).unwrap());
        let mut context = json!({ "a": a, "b": { "c": c }, "list": list });
        if let Some(user) = user {
            context["targetingKey"] = user.into();
        }
        let expected = variant(&theirs, &context);
        let given = variant(&ours, &context);
        // Where nothing is left to say, one of them took a rule to say it.
        prop_assert!(given.0 == expected.0, "{:?} {:?}", given, expected);
    }

    /// Whatever comes, what is read compiles.
    #[test]
    fn nothing_makes_it_panic(text in any::<String>(), name in any::<String>()) {
        if let Ok(document) = Document::parse(&text) {
            prop_assert!(Flags::compile(&read(&document, Fractional::V3).definitions).is_ok());
        }
        let found = reading(&json!({ "f": flag(&json!({ name.clone(): [name.clone(), { "var": name }] })) }), &json!({}));
        prop_assert!(Flags::compile(&found.definitions).is_ok());
    }

    /// Whom a part has reached stays reached when it grows.
    #[test]
    fn parts_only_grow(user in "[a-z0-9]{1,8}", from in 0..=100_u32, more in 0..=100_u32) {
        let to = (from + more).min(100);
        let at = |percent: u32| {
            let parts = json!({ "fractional": [["red", percent], ["blue", 100 - percent]] });
            let found = reading(&json!({ "f": flag(&parts) }), &json!({}));
            let flags = Flags::compile(&found.definitions).unwrap();
            variant(&flags, &json!({ "targetingKey": user })).0.as_deref() == Some("red")
        };
        prop_assert!(at(to) || !at(from));
    }
}
