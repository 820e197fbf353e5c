//! Flags of LaunchDarkly, as SDKs are sent them and as they are exported: what is read compiles, and can be asked.

#![no_main]

use dialects::Reading;
use dialects::launchdarkly::{read, read_export};
use eval::{Flags, Value};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value as Json};

fuzz_target!(|text: &str| {
    // The first line is what is known of somebody.
    let (known, document) = text.split_once('\n').unwrap_or(("{}", text));
    let known: Map<String, Json> = serde_json::from_str(known).unwrap_or_default();
    let Ok(document) = serde_json::from_str::<Json>(document) else {
        return;
    };
    let sent = read(&document).into_iter();
    let exported = read_export(&document, Some(&document), "test").into_iter();
    for reading in sent.chain(exported) {
        ask(&reading, &known);
    }
});

fn ask(reading: &Reading, known: &Map<String, Json>) {
    let flags = Flags::compile(&reading.definitions).expect("what is read compiles");
    let mut subject = flags.subject(0);
    for (name, value) in known {
        if let Some(value) = Value::of(value) {
            flags.put(&mut subject, name, value);
        }
    }
    for (key, flag) in flags.iter() {
        let found = flags.evaluate(flag, &subject);
        assert!(reading.definitions.flags[key].variants.contains_key(found.variant), "{key}");
    }
    for finding in &reading.refused {
        assert!(!reading.definitions.flags.contains_key(&finding.flag), "{}", finding.flag);
    }
}
