//! Whatever the body of a batch, with a right checksum: it is read or refused, and what was read can be written.

#![no_main]

use events::Batch;
use libfuzzer_sys::fuzz_target;

const SEQUENCE: u64 = 1;

fuzz_target!(|rest: &[u8]| {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&SEQUENCE.to_le_bytes());
    checksum.update(rest);
    let frame = [&checksum.finalize().to_le_bytes(), rest].concat();
    if let Ok(events) = Batch::from_frame(SEQUENCE, frame.into()).and_then(|batch| batch.events()) {
        assert_eq!(Batch::of(SEQUENCE, &events).events(), Ok(events));
    }
});
