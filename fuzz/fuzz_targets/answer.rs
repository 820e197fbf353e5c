//! What an upstream sends: a head and a chunked body.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gateway::fuzzing::answer(bytes));
