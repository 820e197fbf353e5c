//! Features of Unleash, or deltas of them: what is read compiles, and what is written of it is read again.

#![no_main]

use dialects::unleash::{Answer, Document, RANDOM, read, write};
use eval::Flags;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // The first line is a document, the rest a delta.
    let (document, delta) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(mut document) = Document::parse(document) else {
        return;
    };
    let before = document.clone();
    if document.apply(delta).is_err() {
        assert_eq!(document, before);
    }
    let reading = read(&document);
    let flags = Flags::compile(&reading.definitions).expect("what is read compiles");
    let written = write(&reading.definitions);
    let again = Document::parse(&written.document.to_string()).expect("what is written is read");
    let again = read(&again);
    assert!(again.refused.is_empty(), "{:?} {}", again.refused, written.document);
    let theirs = Flags::compile(&again.definitions).expect("what is read compiles");
    for (key, flag) in theirs.iter() {
        let ours = flags.get(key).expect("it was written");
        let answers = [(&flags, ours, &reading), (&theirs, flag, &again)].map(|(flags, flag, reading)| {
            let mut subject = flags.subject(1_795_341_600_000_000);
            for name in ["user_id", "session_id", "environment", RANDOM] {
                flags.put(&mut subject, name, "1");
            }
            Answer::of(&reading.definitions.flags[key].targeting.off, &flags.evaluate(flag, &subject))
        });
        assert_eq!(answers[0], answers[1], "{key}");
    }
});
