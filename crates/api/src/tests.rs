//! The document is what is checked in.

#[test]
fn the_document_is_checked_in() {
    let text = serde_json::to_string_pretty(&crate::openapi()).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        known == text,
        "spec/openapi.json is not what the code says: run `make gen`"
    );
}
