//! Whatever the bytes, a message of batches is read or refused; what was read is written as it was.

#![no_main]

use events::wire::{decode_batches, encode_batches};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let body = bytes::Bytes::copy_from_slice(body);
    if let Ok(batches) = decode_batches(&body) {
        assert_eq!(decode_batches(&encode_batches(&batches)).as_ref(), Ok(&batches));
        for batch in &batches {
            let _ = batch.events();
            let _ = batch.tracked();
        }
    }
});
