//! Snapshots: whatever the text, one is compiled or refused, and what was compiled goes on after it.

#![no_main]

use std::sync::LazyLock;

use domain::Snapshot;
use gateway::Compiled;
use libfuzzer_sys::fuzz_target;

/// What is served when the snapshot comes.
static BEFORE: LazyLock<Option<Compiled>> = LazyLock::new(|| {
    let snapshot: Snapshot = serde_json::from_str(include_str!("../seeds/snapshot/0")).ok()?;
    gateway::compile(&snapshot, &snapshot.environment, None).ok()
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(snapshot) = serde_json::from_slice::<Snapshot>(bytes) else {
        return;
    };
    let text = serde_json::to_vec(&snapshot).expect("plain data");
    let again: Snapshot = serde_json::from_slice(&text).expect("what was written");
    assert_eq!(again, snapshot);
    let alone = gateway::compile(&snapshot, &snapshot.environment, None);
    let after = gateway::compile(&snapshot, &snapshot.environment, BEFORE.as_ref());
    assert_eq!(alone.is_ok(), after.is_ok(), "what was served before decides whether it is valid");
});
