//! Flags of flagd and somebody's context: what is read compiles and ends, and what is written of it is read again.

#![no_main]

use dialects::flagd::{Answer, Document, Fractional, put, read, write};
use eval::{Definitions, Flags};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|text: &str| {
    // The first line is the context.
    let (context, document) = text.split_once('\n').unwrap_or(("{}", text));
    let mut context: Map<String, Value> = serde_json::from_str(context).unwrap_or_default();
    // Only of these it is promised that what is written says the same.
    context.retain(|_, value| match value {
        Value::Array(list) => !list.is_empty() && list.iter().all(Value::is_string),
        Value::Number(number) => number.as_i64().is_some_and(|number| number.abs() < 1 << 50),
        value => value.is_string() || value.is_boolean(),
    });
    let Ok(document) = Document::parse(document) else {
        return;
    };
    for fractional in [Fractional::V1, Fractional::V2, Fractional::V3] {
        let reading = read(&document, fractional);
        let ours = asked(&reading.definitions, &context);
        for theirs in [Fractional::V1, Fractional::V2, Fractional::V3] {
            let written = write(&reading.definitions, theirs);
            let again = Document::parse(&written.document.to_string()).expect("what is written is read");
            let again = read(&again, theirs);
            for (key, theirs) in asked(&again.definitions, &context) {
                let ours = ours.iter().find(|(known, _)| *known == key);
                assert_eq!(ours.map(|(_, value)| value), Some(&theirs), "{key} {}", written.document);
            }
        }
    }
});

/// The value of each flag.
fn asked(definitions: &Definitions, context: &Map<String, Value>) -> Vec<(String, Option<Value>)> {
    let flags = Flags::compile(definitions).expect("what is read compiles");
    let mut subject = flags.subject(1_795_341_600_000_000);
    put(&flags, &mut subject, context);
    let value = |flag| Answer::of(&flags.evaluate(flag, &subject)).value.cloned();
    flags.iter().map(|(key, flag)| (key.to_owned(), value(flag))).collect()
}
