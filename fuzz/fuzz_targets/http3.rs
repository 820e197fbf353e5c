//! What a client sends over HTTP/3: frames, field sections, and Huffman's code in them.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gateway::fuzzing::http3(bytes));
