//! Payloads of GrowthBook and somebody's attributes: they can be evaluated and reduced; of whom nothing is known gets the same
//! of what is read, and of what is written of that.

#![no_main]

use dialects::growthbook::{Evaluator, Payload, User, Wanted, prune, read, reduce, sticky, write};
use eval::{Definitions, Flags};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|text: &str| {
    // The first line has the attributes.
    let (attributes, document) = text.split_once('\n').unwrap_or(("{}", text));
    let attributes: Map<String, Value> = serde_json::from_str(attributes).unwrap_or_default();
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return;
    };
    let payload = Payload::of(&document);
    let mut user = User::new(attributes.clone());
    user.url = Some("https://a.example/shop?e=1".to_owned());
    let mut evaluator = Evaluator::sticky(&payload, &user, sticky::Kept::new());
    for key in payload.features.keys() {
        evaluator.feature(key);
    }
    evaluator.redirect();
    reduce(&document, &attributes, &Wanted::default());
    prune(&document, &attributes, &payload.saved_groups);
    let Ok(reading) = read(&document) else { return };
    same(&reading.definitions, &payload);
    let written = write(&reading.definitions);
    let mut definitions = reading.definitions;
    for finding in &written.refused {
        definitions.flags.remove(&finding.flag);
    }
    same(&definitions, &Payload::of(&written.document));
});

/// Whoever is not known gets the same of flags as of features.
fn same(definitions: &Definitions, payload: &Payload) {
    let flags = Flags::compile(definitions).expect("what is read compiles");
    let nobody = User::new(Map::new());
    let mut evaluator = Evaluator::sticky(payload, &nobody, sticky::Kept::new());
    let subject = flags.subject(0);
    for (key, flag) in flags.iter() {
        assert_eq!(*flags.evaluate(flag, &subject).value, evaluator.feature(key).value, "{key}");
    }
}
