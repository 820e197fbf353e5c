use std::path::Path as FilePath;

use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use super::Synced;

fn location(directory: &FilePath, name: &str) -> Path {
    Path::from_absolute_path(directory.join(name)).unwrap()
}

async fn put(store: &Synced, location: &Path, text: &'static str, mode: PutMode) -> Result<(), Error> {
    let options = PutOptions::from(mode);
    store.put_opts(location, text.into(), options).await.map(drop)
}

async fn text(store: &Synced, location: &Path) -> String {
    let bytes = store.get(location).await.unwrap().bytes().await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn what_is_created_is_created_once() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let store = Synced::new(root.clone());
    let place = location(&root, "log/1.json");
    put(&store, &place, "one", PutMode::Create).await.unwrap();
    let second = put(&store, &place, "two", PutMode::Create).await;
    assert!(matches!(second, Err(Error::AlreadyExists { .. })), "{second:?}");
    assert_eq!(text(&store, &place).await, "one");

    put(&store, &place, "three", PutMode::Overwrite).await.unwrap();
    assert_eq!(text(&store, &place).await, "three");
    let files = std::fs::read_dir(root.join("log")).unwrap().count();
    assert_eq!(files, 1, "nothing else is left");
}

#[tokio::test]
async fn of_many_who_create_one_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let store = Synced::new(root.clone());
    let place = location(&root, "log/1.json");
    let tries = (0..16).map(|_| put(&store, &place, "mine", PutMode::Create));
    let results = futures_util::future::join_all(tries).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn parts_become_one_file_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let store = Synced::new(root.clone());
    let place = location(&root, "day/a.parquet");
    let mut upload = store.put_multipart(&place).await.unwrap();
    upload.put_part("one ".into()).await.unwrap();
    upload.put_part("two".into()).await.unwrap();
    let prefix = Path::from_absolute_path(&root).unwrap();
    let listed: Vec<_> = store.list(Some(&prefix)).try_collect().await.unwrap();
    assert!(listed.is_empty(), "{listed:?}");
    upload.complete().await.unwrap();
    assert_eq!(text(&store, &place).await, "one two");
}
