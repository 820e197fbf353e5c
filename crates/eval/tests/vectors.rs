//! The vectors that every implementation of the engine is held to: `spec/eval`, which says what they mean.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use eval::bucketing::{Bucketing, Shares};
use eval::{Definitions, Evaluation, Flags, Subject, Value};
use serde_json::{Value as Json, json};

const NOW: &str = "2026-11-22T10:00:00Z";
/// What this implementation has of that which a suite may need.
const HAS: [&str; 0] = [];

fn cases<'j>(document: &'j Json, name: &str) -> &'j Vec<Json> {
    document[name].as_array().unwrap()
}

fn text<'j>(case: &'j Json, name: &str) -> &'j str {
    case[name].as_str().unwrap()
}

fn number(case: &Json, name: &str) -> u32 {
    u32::try_from(case[name].as_u64().unwrap()).unwrap()
}

#[test]
fn units_and_shares_are_where_the_vectors_say() {
    let document: Json = serde_json::from_str(include_str!("../../../spec/eval/buckets.json")).unwrap();
    let hashes = cases(&document, "hashes");
    assert!(hashes.len() > 50);
    for case in hashes {
        let found = Bucketing::new(text(case, "key")).of(text(case, "unit").as_bytes());
        assert_eq!(found, number(case, "hash"), "{case}");
    }
    let places = cases(&document, "places");
    assert!(places.len() > 50);
    for case in places {
        let weights: Vec<u32> = serde_json::from_value(case["weights"].clone()).unwrap();
        let found = Shares::new(&weights).unwrap().place(number(case, "hash"));
        assert_eq!(json!(found), case["place"], "{case}");
    }
}

#[test]
fn evaluations_are_what_the_vectors_say() {
    let document: Json = serde_json::from_str(include_str!("../../../spec/eval/evaluations.json")).unwrap();
    let asked = ask(&document);
    assert!(asked > 300, "{asked}");
}

/// Asks what the suites ask; how much that is.
fn ask(document: &Json) -> usize {
    let (mut asked, mut wrong) = (0, Vec::new());
    for suite in cases(document, "suites") {
        let needs: Vec<String> = suite
            .get("needs")
            .map_or_else(Vec::new, |needs| serde_json::from_value(needs.clone()).unwrap());
        if needs.iter().any(|need| !HAS.contains(&need.as_str())) {
            continue;
        }
        let definitions: Definitions = serde_json::from_value(suite["definitions"].clone()).unwrap();
        let flags =
            Flags::compile(&definitions).unwrap_or_else(|problems| panic!("{}: {problems:?}", suite["name"]));
        for case in cases(suite, "cases") {
            let told = told(&flags, case);
            if told != *case {
                wrong.push(format!("{told} in place of {case}"));
            }
            asked += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    asked
}

#[cfg(feature = "logic")]
#[test]
fn logic_gives_what_the_vectors_say() {
    let document: Json = serde_json::from_str(include_str!("../../../spec/eval/logic.json")).unwrap();
    let alone = cases(&document, "cases");
    assert!(alone.len() > 900);
    let wrong: Vec<_> = alone.iter().filter_map(wrong_alone).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let asked = ask(&document);
    assert!(asked > 150, "{asked}");
    let refused = cases(&document, "refused");
    assert!(refused.len() > 50);
    for case in refused {
        let definitions = json!({ "flags": case["flags"] });
        let definitions: Definitions = serde_json::from_value(definitions).unwrap();
        let found: Vec<_> = (Flags::compile(&definitions).unwrap_err().into_iter())
            .map(|problem| (problem.pointer, problem.code))
            .collect();
        let expected = (text(case, "pointer").to_owned(), text(case, "code"));
        assert_eq!(found, [expected], "{case}");
    }
}

/// What is wrong with the result of logic by itself.
#[cfg(feature = "logic")]
fn wrong_alone(case: &Json) -> Option<String> {
    let found = eval::logic::apply(&case["logic"], &case["data"]);
    let holds = match &found {
        Ok(found) => case
            .get("result")
            .is_some_and(|expected| are_equal(found, expected)),
        Err(_) => case["error"] == true,
    };
    (!holds).then(|| format!("{found:?}: {case}"))
}

/// Whether values are the same; 1 and 1.0 are.
#[cfg(feature = "logic")]
fn are_equal(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| are_equal(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, one)| other.get(name).is_some_and(|other| are_equal(one, other)))
        }
        _ => one == other,
    }
}

/// The case as this implementation says it.
fn told(flags: &Flags, case: &Json) -> Json {
    let at = case.get("now").map_or(NOW, |now| now.as_str().unwrap());
    let at: jiff::Timestamp = at.parse().unwrap();
    let attributes = case["attributes"].as_object().unwrap();
    let lists: Vec<Vec<&str>> = attributes.values().map(texts).collect();
    let mut subject = flags.subject(at.as_microsecond());
    for ((name, value), list) in attributes.iter().zip(&lists) {
        put(flags, &mut subject, name, (value, list));
    }
    let found = flags.evaluate(flags.get(text(case, "flag")).unwrap(), &subject);
    let mut told = json!({
        "flag": case["flag"],
        "attributes": case["attributes"],
        "variant": found.variant,
        "value": found.value,
        "reason": found.reason.as_str(),
        "rule": rule(&found),
    });
    for (name, value) in [
        ("now", case.get("now").cloned()),
        ("by", found.by.map(Json::from)),
    ] {
        if let Some(value) = value {
            told[name] = value;
        }
    }
    told
}

/// The name of the rule, or its place from 1.
fn rule(found: &Evaluation<'_>) -> Option<String> {
    let place = found.rule?;
    Some(
        found
            .rule_name
            .map_or_else(|| format!("#{}", place + 1), str::to_owned),
    )
}

fn texts(value: &Json) -> Vec<&str> {
    let all = value.as_array().into_iter().flatten();
    all.map(|text| text.as_str().unwrap()).collect()
}

fn put<'a>(flags: &Flags, subject: &mut Subject<'a>, name: &str, (value, list): (&'a Json, &'a [&'a str])) {
    let value = match value {
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Number(number.as_f64().unwrap()),
        Json::String(text) => Value::Text(text),
        Json::Array(_) => Value::List(list),
        other => panic!("{other} is no value"),
    };
    flags.put(subject, name, value);
}
