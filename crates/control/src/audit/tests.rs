use domain::Code;
use domain::session::BrokenHow;
use serde_json::json;
use store::on_both;

use super::{Filter, canonical, without_secrets};
use crate::fixture::World;

/// Changes the database behind the control plane's back, then says what `verify` finds.
async fn after(world: &World, tampering: &[&str]) -> Option<(i64, BrokenHow)> {
    let mut tx = world.control.store().begin().await.unwrap();
    let acme = world.acme.organization().unwrap();
    for sql in tampering {
        let sql = sql.replace("$acme", &format!("'{acme}'"));
        assert!(tx.execute(&sql, &[]).await.unwrap() > 0, "{sql}");
    }
    tx.commit().await.unwrap();
    let report = world.control.verify_audit(&world.acme).await.unwrap();
    assert_eq!(report.valid, report.first_broken.is_none());
    report.first_broken.map(|broken| (broken.sequence, broken.what))
}

async fn length(world: &World) -> i64 {
    let report = world.control.verify_audit(&world.acme).await.unwrap();
    assert!(report.valid, "{:?}", report.first_broken);
    report.entries
}

const THIRD: &str = "organization_id = $acme AND sequence = 3";

on_both! {
    async fn an_untouched_chain_is_valid(url: String) {
        let world = World::new(&url).await;
        world.shop().await;
        let entries = length(&world).await;
        assert!(entries > 5);
        let filter = Filter { limit: 1000, ..Filter::default() };
        let listed = world.control.list_audit(&world.acme, &filter).await.unwrap();
        assert_eq!(i64::try_from(listed.data.len()).unwrap(), entries);
        let newest = &listed.data[0];
        assert_eq!(newest.sequence, entries);
        let read = world.control.read_audit_entry(&world.acme, newest.id).await.unwrap();
        assert_eq!(&read, newest);
        let theirs = world.control.read_audit_entry(&world.globex, newest.id).await.unwrap_err();
        assert_eq!(theirs.code(), Code::NotFound);
    }

    async fn a_changed_body_is_found(url: String) {
        let world = World::new(&url).await;
        world.shop().await;
        let set = if world.control.store().is_postgres() {
            "body = jsonb_set(body, '{request_id}', '\"forged\"')"
        } else {
            "body = json_set(body, '$.request_id', 'forged')"
        };
        let sql = format!("UPDATE audit SET {set} WHERE {THIRD}");
        assert_eq!(after(&world, &[&sql]).await, Some((3, BrokenHow::Changed)));
    }

    async fn a_changed_column_is_found(url: String) {
        let world = World::new(&url).await;
        world.shop().await;
        let sql = format!("UPDATE audit SET actor = 'somebody' WHERE {THIRD}");
        assert_eq!(after(&world, &[&sql]).await, Some((3, BrokenHow::Changed)));
    }

    async fn a_removed_entry_is_found(url: String) {
        let world = World::new(&url).await;
        world.shop().await;
        let sql = format!("DELETE FROM audit WHERE {THIRD}");
        assert_eq!(after(&world, &[&sql]).await, Some((3, BrokenHow::Missing)));
    }

    async fn a_removed_entry_is_found_though_the_rest_moved_up(url: String) {
        let world = World::new(&url).await;
        world.shop().await;
        let delete = format!("DELETE FROM audit WHERE {THIRD}");
        let close = "UPDATE audit SET sequence = sequence - 1 WHERE organization_id = $acme AND sequence = 4";
        assert_eq!(after(&world, &[&delete, close]).await, Some((3, BrokenHow::Moved)));
    }

    async fn exchanged_entries_are_found(url: String) {
        let world = World::new(&url).await;
        world.shop().await;
        let steps = [
            "UPDATE audit SET sequence = -1 WHERE organization_id = $acme AND sequence = 3",
            "UPDATE audit SET sequence = 3 WHERE organization_id = $acme AND sequence = 4",
            "UPDATE audit SET sequence = 4 WHERE organization_id = $acme AND sequence = -1",
        ];
        assert_eq!(after(&world, &steps).await, Some((3, BrokenHow::Moved)));
    }

    async fn a_cut_tail_is_found(url: String) {
        let world = World::new(&url).await;
        world.shop().await;
        let last = length(&world).await;
        let sql = format!("DELETE FROM audit WHERE organization_id = $acme AND sequence = {last}");
        assert_eq!(after(&world, &[&sql]).await, Some((last, BrokenHow::CutOff)));
        // Who also moves the record of the end back cannot write its MAC.
        let record = format!(
            "UPDATE audit_heads SET sequence = {}, hash = (SELECT hash FROM audit
             WHERE organization_id = $acme AND sequence = {}) WHERE organization_id = $acme",
            last - 1, last - 1
        );
        assert_eq!(after(&world, &[&record]).await, Some((last - 1, BrokenHow::CutOff)));
        let gone = "DELETE FROM audit_heads WHERE organization_id = $acme";
        assert_eq!(after(&world, &[gone]).await, Some((last, BrokenHow::CutOff)));
        let all = "DELETE FROM audit WHERE organization_id = $acme";
        assert_eq!(after(&world, &[all]).await, Some((1, BrokenHow::CutOff)));
    }

    async fn one_broken_chain_leaves_others_whole(url: String) {
        let world = World::new(&url).await;
        let sql = "DELETE FROM audit WHERE organization_id = $acme AND sequence = 1";
        assert_eq!(after(&world, &[sql]).await, Some((1, BrokenHow::Missing)));
        assert!(world.control.verify_audit(&world.globex).await.unwrap().valid);
    }
}

#[test]
fn what_could_be_secret_is_hidden() {
    let value = json!({ "name": "x", "Password": "p", "nested": [{ "client_secret": { "a": 1 } }] });
    let hidden = json!({ "name": "x", "Password": "[hidden]", "nested": [{ "client_secret": "[hidden]" }] });
    assert_eq!(without_secrets(value), hidden);
}

#[test]
fn canonical_text_does_not_depend_on_order() {
    let mut texts = [String::new(), String::new()];
    canonical(
        &json!({ "b": [1, -0.0, "ü\"\n"], "a": { "z": null, "y": true } }),
        &mut texts[0],
    );
    canonical(
        &json!({ "a": { "y": true, "z": null }, "b": [1, 0.0, "ü\"\n"] }),
        &mut texts[1],
    );
    assert_eq!(texts[0], r#"{"a":{"y":true,"z":null},"b":[1,0,"ü\"\n"]}"#);
    assert_eq!(texts[0], texts[1]);
}
