//! What a proxy says in front of a connection: cut anywhere, it is not taken for something else.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gateway::fuzzing::proxy(bytes));
