use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{NOW, boolean, compiled, problems};
use crate::condition::moment;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    #[serde(rename = "about")]
    _about: String,
    cases: Vec<Case>,
    /// Definitions with the place and the code of what is wrong.
    refused: Vec<Json>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    flag: Json,
    known: BTreeMap<String, String>,
    at: Option<String>,
    variant: String,
    reason: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../../../spec/eval/dialects.json")).unwrap()
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let refused = vectors().refused;
    assert!(refused.len() > 8);
    for case in refused {
        let found = problems(&case["flags"]);
        let expected = (case["pointer"].as_str().unwrap(), case["code"].as_str().unwrap());
        let found: Vec<_> = found
            .iter()
            .map(|(pointer, code)| (pointer.as_str(), *code))
            .collect();
        assert_eq!(found, [expected], "{case}");
    }
}

#[test]
fn each_flag_gives_what_is_written_down() {
    let cases = vectors().cases;
    assert!(cases.len() > 40);
    for case in cases {
        let flags = compiled(&json!({ "flag": case.flag }));
        let flag = flags.get("flag").unwrap();
        let mut subject = flags.subject(moment(case.at.as_deref().unwrap_or(NOW)).unwrap());
        for (name, value) in &case.known {
            flags.put(&mut subject, name, value.as_str());
        }
        let found = flags.evaluate(flag, &subject);
        assert_eq!(
            (found.variant, found.reason.as_str()),
            (&*case.variant, &*case.reason),
            "{case:?}"
        );
        let (explained, steps) = flags.explain(flag, &subject);
        assert_eq!(explained, found);
        assert!(steps.len() > 1, "{case:?}");
    }
}

#[test]
fn the_attribute_that_decided_is_told() {
    let flags = compiled(&json!({ "flag": boolean(&json!({
        "otherwise": {
            "buckets": { "dialect": "unleash", "key": "k", "parts": [{ "weight": 1, "serve": "on" }] },
            "by": "user_id",
            "or_by": ["session_id", "random"],
        },
    })) }));
    let flag = flags.get("flag").unwrap();
    for (known, by) in [
        (vec![("user_id", "1"), ("random", "2")], Some("user_id")),
        (vec![("user_id", ""), ("random", "2")], Some("random")),
        (vec![], None),
    ] {
        let mut subject = flags.subject(0);
        for (name, value) in known {
            flags.put(&mut subject, name, value);
        }
        assert_eq!(flags.evaluate(flag, &subject).by, by);
        let (_, steps) = flags.explain(flag, &subject);
        let last = steps.last().unwrap();
        assert_eq!(last.pointer, "/otherwise");
        let said = match by {
            Some(by) => format!("By `{by}` they are number 0 of 1, counted from 0: `on`."),
            None => "None of `user_id`, `session_id`, `random` is known: `off`.".to_owned(),
        };
        assert_eq!((&last.detail, last.holds), (&said, by.is_some()));
    }
}

#[test]
fn a_rule_that_is_not_for_them_is_told_and_left() {
    let flags = compiled(&json!({ "flag": boolean(&json!({
        "rules": [{
            "buckets": { "dialect": "growthbook_v1", "key": "k", "parts": [{ "weight": 1000 }] },
            "by": "user_id",
        }],
    })) }));
    let mut subject = flags.subject(0);
    flags.put(&mut subject, "user_id", "1");
    let (found, steps) = flags.explain(flags.get("flag").unwrap(), &subject);
    assert_eq!(found.variant, "off");
    let pointers: Vec<_> = steps.iter().map(|step| (&*step.pointer, step.holds)).collect();
    assert_eq!(
        pointers,
        [("/enabled", true), ("/rules/0", false), ("/otherwise", true)]
    );
}

#[test]
fn asking_takes_no_memory_in_any_dialect() {
    for (dialect, weight) in [
        ("native", 7),
        ("unleash", 7),
        ("growthbook_v1", 1000),
        ("growthbook_v2", 10_000),
        ("launchdarkly", 100_000),
    ] {
        let flags = compiled(&json!({ "flag": boolean(&json!({
            "rules": [{
                "gates": [{ "dialect": dialect, "key": "k", "by": "user_id", "parts": [[0, 100]] }],
                "buckets": { "dialect": dialect, "key": "k", "parts": [{ "weight": weight, "serve": "on" }] },
                "by": "user_id",
            }],
        })) }));
        let flag = flags.get("flag").unwrap();
        let mut subject = flags.subject(0);
        flags.put(&mut subject, "user_id", "somebody");
        let mut variant = "";
        let taken = allocation_counter::measure(|| variant = flags.evaluate(flag, &subject).variant);
        assert_eq!((variant, taken.count_total), ("on", 0), "{dialect}");
    }
}
