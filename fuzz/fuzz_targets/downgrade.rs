//! Requests of HTTP/2 that are forwarded over HTTP/1.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gateway::fuzzing::downgrade(bytes));
