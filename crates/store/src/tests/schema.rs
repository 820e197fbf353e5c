use domain::identity::Organization;

use super::organization;
use crate::entity::{self, Condition};
use crate::{Arg, Error, Store, migrate, on_both, testing};

on_both! {
    async fn steps_go_up_down_and_up_again(url: String) {
        let store = Store::open(&url).await.unwrap();
        assert_eq!(store.schema_version().await.unwrap(), migrate::known());
        for version in (0..migrate::known()).rev() {
            store.migrate_down(version).await.unwrap();
            assert_eq!(store.schema_version().await.unwrap(), version);
        }
        store.migrate_up().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.insert(&organization("default"), &[]).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
    }

    async fn opening_again_changes_nothing(url: String) {
        Store::open(&url).await.unwrap().close().await;
        let store = Store::open(&url).await.unwrap();
        assert_eq!(store.schema_version().await.unwrap(), migrate::known());
        store.ping().await.unwrap();
    }

    async fn a_newer_schema_is_refused_and_left_alone(url: String) {
        let store = Store::open(&url).await.unwrap();
        let newer = migrate::known() + 1;
        let mut tx = store.begin().await.unwrap();
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                   VALUES ($1, 'newer', TRUE, $2, 0)";
        tx.execute(sql, &[Arg::int(newer), Arg::Bytes(vec![1])]).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        match Store::open(&url).await {
            Err(Error::Newer { found, known }) => assert_eq!((found, known), (newer, migrate::known())),
            other => panic!("{other:?}"),
        }
    }

    async fn what_is_not_committed_is_gone(url: String) {
        let store = Store::open(&url).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.insert(&organization("gone"), &[]).await.unwrap();
        drop(tx);
        let named = [Condition::Is("name", Arg::text("gone"))];
        assert_eq!(entity::count::<Organization>(&mut &store, &named).await.unwrap(), 0);
        // The writer is free again.
        let mut tx = store.begin().await.unwrap();
        tx.lock("a").await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn every_column_type_comes_back(url: String) {
        let store = Store::open(&url).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let sql = "INSERT INTO idempotency (organization_id, operation, key, fingerprint, answer, created_at)
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let bytes = vec![0, 1, 255];
        let args = [
            Arg::text("o"), Arg::text("p"), Arg::text("ключ"), Arg::text(""),
            Arg::Bytes(bytes.clone()), Arg::int(i64::MIN),
        ];
        assert_eq!(tx.execute(sql, &args).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let sql = "SELECT *, CAST(NULL AS TEXT) AS no_text, CAST(NULL AS BIGINT) AS no_number FROM idempotency";
        let row = store.fetch_optional(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.text("key").unwrap(), "ключ");
        assert_eq!(row.bytes("answer").unwrap(), bytes);
        assert_eq!(row.int("created_at").unwrap(), i64::MIN);
        assert_eq!(row.text_or_null("no_text").unwrap(), None);
        assert_eq!(row.int_or_null("no_number").unwrap(), None);
        assert!(row.int("key").is_err());
        assert!(row.text("absent").is_err());
    }
}

#[tokio::test]
async fn a_locked_file_is_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    let url = testing::fresh_sqlite(directory.path());
    let holder = Store::open(&url).await.unwrap();
    let other = Store::open(&url).await.unwrap();
    let mut tx = holder.begin().await.unwrap();
    tx.insert(&organization("held"), &[]).await.unwrap();
    assert!(matches!(other.begin().await, Err(Error::Unavailable(_))));
    tx.commit().await.unwrap();
    other.begin().await.unwrap();
}

#[tokio::test]
async fn a_locked_file_is_unavailable_at_the_first_start_too() {
    let directory = tempfile::tempdir().unwrap();
    let url = testing::fresh_sqlite(directory.path());
    let holder = Store::connect(&url).await.unwrap();
    let tx = holder.begin().await.unwrap();
    let opened = Store::open(&url).await;
    assert!(matches!(opened, Err(Error::Unavailable(_))), "{opened:?}");
    drop(tx);
    holder.close().await;
    Store::open(&url).await.unwrap();
}

#[tokio::test]
async fn what_is_no_address_is_told_without_its_password() {
    let refused = Store::open("mysql://root:hunter2@db/x").await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("mysql://") && !text.contains("hunter2"), "{text}");
    let directory = tempfile::tempdir().unwrap();
    let missing = format!("sqlite:{}", directory.path().join("no/such/t.db").display());
    assert!(matches!(Store::open(&missing).await, Err(Error::Unavailable(_))));
    let away = format!("postgres:///x?host={}", directory.path().display());
    assert!(matches!(Store::open(&away).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    std::fs::write(
        &path,
        "this is not a database, but a long enough text to be looked at".repeat(20),
    )
    .unwrap();
    assert!(Store::open(&format!("sqlite:{}", path.display())).await.is_err());
}
