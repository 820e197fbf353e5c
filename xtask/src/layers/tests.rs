use super::{LAYERS, Layer, complaints, judge};

#[test]
fn crates_depend_on_each_other_only_in_the_allowed_direction() {
    let complaints = complaints().unwrap();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_table_itself_has_no_cycle() {
    // A row may only name rows above it, so following the table downwards always ends.
    let order: Vec<&str> = LAYERS.iter().map(|layer| layer.0).collect();
    for (place, Layer(name, allowed, _)) in LAYERS.iter().enumerate() {
        for wanted in *allowed {
            let other = order.iter().position(|other| other == wanted);
            let leaf = LAYERS
                .iter()
                .any(|layer| layer.0 == *wanted && layer.1.is_empty());
            assert!(
                leaf || other.is_some_and(|other| other < place),
                "{name} → {wanted}"
            );
        }
    }
}

#[test]
fn a_forbidden_edge_is_named_with_its_reason() {
    let metadata = serde_json::from_str(
        r#"{"packages": [
            {"name": "gateway", "dependencies": [
                {"name": "store", "kind": null, "path": "crates/store"},
                {"name": "store", "kind": "dev", "path": "crates/store"},
                {"name": "sqlx", "kind": null}]},
            {"name": "domain", "dependencies": [{"name": "tokio", "kind": null}]},
            {"name": "novel", "dependencies": []}]}"#,
    )
    .unwrap();
    assert_eq!(
        judge(&metadata),
        [
            "gateway may not depend on store (gateway: the data plane never touches a database; files of targets are read by the reader of contracts)",
            "gateway may not use sqlx, only store may (SQL lives in one place)",
            "domain is pure and may not use tokio",
            "novel: a new crate needs a row in xtask/src/layers.rs and ARCHITECTURE.md",
        ]
    );
}
