//! Targets from a file on the node.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bench::{Bench, Upstream, eventually, reply};

fn named(name: &'static str) -> Upstream {
    Upstream::start(move |_, stream| reply(stream, "200 OK", "", name))
}

/// Written beside and moved there, as whoever writes such files does.
fn write(directory: &Path, text: &str) {
    let beside = directory.join("next");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, directory.join("shop.yaml")).unwrap();
}

fn bench(directory: &Path, file: &str) -> Bench {
    Bench::with(&[], |settings, snapshot| {
        settings.targets_directory = Some(directory.to_owned());
        snapshot.upstreams[0].spec.targets_file = Some(file.to_owned());
    })
}

fn ready(bench: &Bench) -> (u16, Value) {
    let answer = bench.get("/health/ready");
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

#[test]
fn targets_follow_a_file_and_a_broken_one_leaves_them() {
    let (one, other) = (named("one"), named("other"));
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &format!("- url: {}\n", one.url()));
    let bench = bench(directory.path(), "shop.yaml");
    assert_eq!(bench.get("/shop/pets").text(), "one");
    let revision = bench.revision();

    write(
        directory.path(),
        &format!("- {{ url: '{}', weight: 2 }}\n", other.url()),
    );
    eventually(|| bench.get("/shop/pets").text() == "other");
    assert_eq!(bench.figure("target_files_broken"), 0);

    write(directory.path(), "- { url: 'http://a:1', weight: 0 }\n");
    eventually(|| bench.figure("target_files_broken") == 1);
    assert_eq!(bench.get("/shop/pets").text(), "other");
    let (status, page) = ready(&bench);
    let warning = page["warnings"][0].as_str().unwrap();
    assert!(
        status == 200 && warning.contains("`shop`") && warning.contains("shop.yaml"),
        "{page}"
    );
    // Another snapshot comes, and the file is still broken.
    bench.change(|snapshot| snapshot.routes[0].body_bytes_max = 7);
    assert_eq!(bench.get("/shop/pets").text(), "other");
    assert_eq!(bench.figure("target_files_broken"), 1);

    fs::remove_file(directory.path().join("shop.yaml")).unwrap();
    assert_eq!(bench.get("/shop/pets").text(), "other");
    write(directory.path(), &format!("[{{\"url\":\"{}\"}}]", one.url()));
    eventually(|| bench.get("/shop/pets").text() == "one");
    assert_eq!(ready(&bench).1["warnings"], Value::Array(Vec::new()));
    assert_eq!(bench.revision(), revision + 1);
}

#[test]
fn a_file_that_is_not_there_or_elsewhere_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "- url: http://127.0.0.1:1\n");
    for (file, said) in [
        ("nothing.yaml", "No such file"),
        ("../shop.yaml", "no path below"),
        ("/etc/passwd", "no path below"),
    ] {
        let bench = bench(directory.path(), file);
        let (status, page) = ready(&bench);
        assert!(
            status == 503 && page["missing"].to_string().contains(said),
            "{file}: {page}"
        );
    }
    let bench = Bench::with(&[], |_, snapshot| {
        snapshot.upstreams[0].spec.targets_file = Some("shop.yaml".to_owned());
    });
    let (_, page) = ready(&bench);
    assert!(
        page["missing"].to_string().contains("targets_directory"),
        "{page}"
    );
}
