//! Definitions of flags and somebody's attributes: what is compiled can be asked and explained, and both say the same.

#![no_main]

use std::collections::BTreeMap;

use eval::{Definitions, Flags, Value};
use libfuzzer_sys::fuzz_target;

/// Moments before, at and after those that definitions are likely to name.
const MOMENTS: [i64; 4] = [i64::MIN, 0, 1_795_341_600_000_000, i64::MAX];

fuzz_target!(|text: &str| {
    // The first line has the attributes, all of them texts, numbers or booleans.
    let (attributes, definitions) = text.split_once('\n').unwrap_or(("{}", text));
    let attributes: BTreeMap<String, serde_json::Value> = serde_json::from_str(attributes).unwrap_or_default();
    let Ok(definitions) = serde_json::from_str::<Definitions>(definitions) else {
        return;
    };
    let written = serde_json::to_string(&definitions).expect("definitions are plain data");
    // Not the same: numbers of more digits than a float has are rounded once more.
    assert!(serde_json::from_str::<Definitions>(&written).is_ok(), "{written}");
    for flag in definitions.flags.values() {
        for rules in flag.targeting.rules.windows(2) {
            // Whatever one becomes of the other, it is done or refused.
            let _ = eval::sticky::carry(&rules[0], &mut rules[1].clone());
        }
    }
    let Ok(flags) = Flags::compile(&definitions) else {
        return;
    };
    for now in MOMENTS {
        let mut subject = flags.subject(now);
        for (name, value) in &attributes {
            match value {
                serde_json::Value::Bool(is) => flags.put(&mut subject, name, *is),
                serde_json::Value::Number(number) => {
                    flags.put(&mut subject, name, number.as_f64().unwrap_or(f64::MAX));
                }
                serde_json::Value::String(text) => flags.put(&mut subject, name, text.as_str()),
                _ => flags.put(&mut subject, name, Value::List(&["a", "b"])),
            }
        }
        for (key, flag) in flags.iter() {
            let found = flags.evaluate(flag, &subject);
            let (explained, steps) = flags.explain(flag, &subject);
            assert_eq!(found, explained, "{key}");
            assert!(!steps.is_empty(), "{key}");
            assert_eq!(definitions.flags[key].variants.get(found.variant), Some(found.value), "{key}");
        }
    }
});
