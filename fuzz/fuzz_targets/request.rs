//! What a client sends: whatever is cut where, the same bytes pass.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gateway::fuzzing::request(bytes));
