//! gRPC-Web as text: what was written is read.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gateway::fuzzing::grpc_web(bytes));
