use serde_json::{Value as Json, json};

use super::check::paths;
use crate::{Definitions, Flags, Reason, Value};

fn definitions(logic: &Json) -> Definitions {
    serde_json::from_value(json!({ "flags": { "flag": {
        "variants": { "a": 1, "b": 2, "true": 3, "off": 0 },
        "off": "off",
        "rules": [{ "logic": logic }],
        "otherwise": { "serve": "b" },
    } } }))
    .unwrap()
}

fn compiled(logic: &Json) -> Flags {
    Flags::compile(&definitions(logic)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn refused(logic: &Json) -> (String, &'static str) {
    let problem = Flags::compile(&definitions(logic)).unwrap_err().remove(0);
    (problem.pointer, problem.code)
}

#[test]
fn what_logic_names_is_the_variant() {
    let nested = json!({ "plan": "gold", "groups": ["x", "y"], "ages": [3, 20] });
    let table = [
        (json!("a"), "a", Reason::TargetingMatch),
        (json!({ "if": [false, "a"] }), "b", Reason::Default),
        (json!({ "==": [1, 1] }), "true", Reason::TargetingMatch),
        (json!({ "==": [1, 2] }), "off", Reason::Error),
        (json!("none"), "off", Reason::Error),
        (json!(7), "off", Reason::Error),
        (json!({ "+": ["x", 1] }), "off", Reason::Error),
        (
            json!({ "if": [{ "==": [{ "var": "user.plan" }, "gold"] }, "a"] }),
            "a",
            Reason::TargetingMatch,
        ),
        (
            json!({ "if": [{ "in": ["y", { "var": "user.groups" }] }, "a"] }),
            "a",
            Reason::TargetingMatch,
        ),
        (
            json!({ "if": [{ "some": [{ "var": "user.ages" }, { ">": [{ "var": "" }, 18] }] }, "a"] }),
            "a",
            Reason::TargetingMatch,
        ),
        (
            json!({ "if": [{ "==": [{ "var": "$flagd.flagKey" }, "flag"] }, "a"] }),
            "a",
            Reason::TargetingMatch,
        ),
        (
            json!({ "if": [{ "==": [{ "var": "$flagd.timestamp" }, 7] }, "a"] }),
            "a",
            Reason::TargetingMatch,
        ),
        (
            json!({ "if": [{ "==": [{ "var": "targetingKey" }, "u-1"] }, "a"] }),
            "a",
            Reason::TargetingMatch,
        ),
        (json!({ "fractional": [["a", 1]] }), "a", Reason::TargetingMatch),
    ];
    for (logic, variant, reason) in table {
        let flags = compiled(&logic);
        let flag = flags.get("flag").unwrap();
        let mut subject = flags.subject(7_900_000);
        for (name, path) in [
            ("user.plan", "/plan"),
            ("user.groups", "/groups"),
            ("user.ages", "/ages"),
        ] {
            flags.put(
                &mut subject,
                name,
                Value::of(nested.pointer(path).unwrap()).unwrap(),
            );
        }
        flags.put(&mut subject, "user_id", "u-1");
        let (found, steps) = flags.explain(flag, &subject);
        assert_eq!((found.variant, found.reason), (variant, reason), "{logic}");
        assert_eq!(steps[1].pointer, "/rules/0/logic");
        let holds = reason == Reason::TargetingMatch;
        assert_eq!(steps[1].holds, holds, "{logic}: {steps:?}");
    }
}

#[test]
fn what_could_take_for_ever_is_refused() {
    let item = || json!({ "var": "items" });
    let many = Json::Array(vec![json!({ "var": "x" }); 1001]);
    let long = Json::Array(vec![json!(1); 50_001]);
    let mut deep = json!("a");
    for _ in 0..70 {
        deep = json!({ "!": [deep] });
    }
    let table = [
        (json!({ "log": ["x"] }), "/log", "operator_unknown"),
        (
            json!({ "if": [{ "now": [] }, "a"] }),
            "/if/0/now",
            "operator_unknown",
        ),
        (json!({ "var": "x", "in": [] }), "", "logic_invalid"),
        (
            json!({ "var": { "cat": ["a", "b"] } }),
            "/var",
            "attribute_dynamic",
        ),
        (json!({ "var": "" }), "/var", "attribute_dynamic"),
        (
            json!({ "missing": [{ "var": "x" }] }),
            "/missing/0",
            "attribute_dynamic",
        ),
        (
            json!({ "map": [item(), { "map": [item(), 1] }] }),
            "/map/1/map",
            "loop_grows",
        ),
        (
            json!({ "reduce": [item(), { "cat": [{ "var": "accumulator" }, { "var": "accumulator" }] }, "x"] }),
            "/reduce/1/cat",
            "loop_grows",
        ),
        (
            json!({ "reduce": [item(), [{ "var": "accumulator" }, { "var": "accumulator" }], 1] }),
            "/reduce/1",
            "loop_grows",
        ),
        (
            json!({ "missing_some": [{ "reduce": [item(), { "cat": [{ "var": "accumulator" }] }, "x"] }, ["a"]] }),
            "/missing_some/0/reduce/1/cat",
            "loop_grows",
        ),
        (
            json!({ "var": ["x", 1, { "now": [] }] }),
            "/var/2/now",
            "operator_unknown",
        ),
        (json!({ "map": "x" }), "/map", "logic_invalid"),
        (json!({ "cat": many }), "/cat/999", "too_large"),
        (json!({ "in": [1, long] }), "/in/1/49997", "too_large"),
    ];
    for (logic, pointer, code) in table {
        let expected = (format!("/flags/flag/rules/0/logic{pointer}"), code);
        assert_eq!(refused(&logic), expected);
    }
    assert_eq!(refused(&deep).1, "too_deep");
    let both = json!({ "flags": { "flag": {
        "variants": { "a": 1 }, "off": "a", "otherwise": { "serve": "a" },
        "rules": [{ "logic": "a", "serve": "a" }],
    } } });
    let both: Definitions = serde_json::from_value(both).unwrap();
    let problem = Flags::compile(&both).unwrap_err().remove(0);
    assert_eq!(
        (&*problem.pointer, problem.code),
        ("/flags/flag/rules/0", "outcome_invalid")
    );
}

#[test]
fn only_what_is_read_at_the_top_is_an_attribute() {
    let logic = json!({ "if": [
        { "all": [{ "var": "items" }, { "==": [{ "var": "name" }, "x"] }] },
        { "var": ["nickname", { "var": "name" }] },
        { "missing_some": [1, ["a", "b.c"]] },
        { "fractional": [["a", 1]] },
        { "var": "$flagd.flagKey" },
    ] });
    let found: Vec<_> = paths(&logic).unwrap().into_iter().collect();
    assert_eq!(found, ["a", "b.c", "items", "name", "nickname", "targetingKey"]);
}

/// Appendix A of RFC 8949: what is encoded is hashed as these bytes.
#[test]
fn values_are_encoded_as_published() {
    use super::operators::hash_of;
    use crate::bucketing::Murmur32;
    let table = [
        (json!(0), "00"),
        (json!(23), "17"),
        (json!(24), "1818"),
        (json!(1000), "1903e8"),
        (json!(1_000_000), "1a000f4240"),
        (json!(1_000_000_000_000_i64), "1b000000e8d4a51000"),
        (json!(-1), "20"),
        (json!(-1000), "3903e7"),
        (json!(-0.0), "00"),
        (json!(1.5), "f93e00"),
        (json!(-4.1), "fbc010666666666666"),
        (json!(5.960_464_477_539_063e-8), "f90001"),
        (json!(0.000_061_035_156_25), "f90400"),
        (json!(1.1), "fb3ff199999999999a"),
        (json!(3.402_823_466_385_288_6e38), "fa7f7fffff"),
        (json!(1.0e300), "fb7e37e43c8800759c"),
        (json!(false), "f4"),
        (json!(true), "f5"),
        (json!(null), "f6"),
        (json!(""), "60"),
        (json!("\u{fc}"), "62c3bc"),
        (json!([1, [2, 3]]), "8201820203"),
        (json!({ "b": [2, 3], "a": 1 }), "a26161016162820203"),
        (json!({ "aa": 1, "b": 2 }), "a261620262616101"),
    ];
    for (value, bytes) in table {
        let bytes: Vec<u8> = (0..bytes.len() / 2)
            .map(|place| u8::from_str_radix(&bytes[2 * place..2 * place + 2], 16).unwrap())
            .collect();
        let mut hash = Murmur32::default();
        hash.update(&bytes);
        assert_eq!(hash_of(&value), hash.finish(), "{value}");
    }
}
