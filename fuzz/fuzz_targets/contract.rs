//! Whatever the text, a contract is read or refused for a reason; what is published can be read again.

#![no_main]

use contracts::{Effective, Limits, Severity};
use libfuzzer_sys::fuzz_target;

const HOW: Effective<'_> =
    Effective { server_url: "http://127.0.0.1:8080/shop", key_header: Some("X-API-Key"), errors_url: None };

fuzz_target!(|text: &str| {
    match contracts::read(text, &Limits::default()) {
        Err(refusal) => assert!(refusal.findings.iter().any(|finding| finding.severity == Severity::Error)),
        Ok(contract) => {
            let published = contracts::read(&contract.effective(&HOW).to_string(), &Limits::default());
            if let Ok(published) = published {
                assert_eq!(published.operations.len(), contract.operations.len());
            }
        }
    }
});
