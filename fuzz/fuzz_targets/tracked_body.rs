//! Whatever the body of a batch of tracked events, with a right checksum: it is read or refused.

#![no_main]

use events::Batch;
use libfuzzer_sys::fuzz_target;

const SEQUENCE: u64 = 1;
/// The form of tracked events.
const FORM: u8 = 3;

fuzz_target!(|rest: &[u8]| {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&SEQUENCE.to_le_bytes());
    checksum.update(&[FORM]);
    checksum.update(rest);
    let frame = [&checksum.finalize().to_le_bytes(), &[FORM][..], rest].concat();
    let Ok(batch) = Batch::from_frame(SEQUENCE, frame.into()) else { return };
    assert_eq!(batch.events(), Ok(Vec::new()));
    if let Ok(events) = batch.tracked() {
        for event in events {
            assert!(event.bytes() <= rest.len() as u64 * 36);
        }
    }
});
