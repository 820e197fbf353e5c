use std::fs;

use client::types::Stage;
use serde_json::json;

use super::change::{self, Change};
use super::files::{self, Kind};
use super::state::{State, Version};

const CONTRACT: &str = "openapi: 3.1.0\ninfo: { title: Shop, version: '1.2' }\npaths: { /pets: { get: { responses: { '200': { description: ok } } } } }\n";

fn folder(content: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in content {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn refusal(text: &str) -> String {
    let folder = folder(&[("a.yaml", text)]);
    let error = files::read(folder.path()).unwrap_err().to_string();
    error.replace(&folder.path().display().to_string(), "")
}

#[test]
fn a_folder_becomes_declarations_in_working_order() {
    let folder = folder(&[
        (
            "a/route.yaml",
            "kind: route\nspec: { api: shop, upstream: shop, environment: sandbox, base_path: /shop }\n",
        ),
        (
            "plans.yml",
            "- { kind: plan, spec: { name: gold } }\n- { kind: plan, spec: { name: free } }\n",
        ),
        (
            "shop.yaml",
            "kind: api\nspec: { name: shop, contract: openapi.yaml }\n",
        ),
        ("openapi.yaml", CONTRACT),
        ("notes.md", "not read"),
    ]);
    let declared = files::read(folder.path()).unwrap();
    let seen: Vec<(&str, String)> = declared
        .iter()
        .map(|one| (one.kind.word(), one.identity()))
        .collect();
    assert_eq!(
        seen,
        [
            ("api", "shop".to_owned()),
            ("plan", "gold".to_owned()),
            ("plan", "free".to_owned()),
            ("route", "sandbox:/shop".to_owned())
        ]
    );
    let contract = declared[0].contract.as_ref().unwrap();
    assert_eq!(
        (contract.version.as_str(), contract.stage.as_str()),
        ("1.2", "stable")
    );
    assert!(!declared[0].spec.contains_key("contract"));
}

#[test]
fn mistakes_in_files_are_told_with_the_file() {
    let table = [
        ("kind: plan\nspec: [\n", "/a.yaml:"),
        (
            "kind: plann\nspec: {}\n",
            "/a.yaml: `kind` is `plann`, not one of upstream, api, plan, application, product, route, policy",
        ),
        ("kind: plan\n", "/a.yaml: the plan has no `spec`"),
        (
            "kind: plan\nspec: { title: x }\n",
            "/a.yaml: the plan has no `name`",
        ),
        (
            "kind: plan\nspec: { name: x }\nname: y\n",
            "/a.yaml: `name` is unknown; a resource has `kind` and `spec`",
        ),
        (
            "kind: api\nspec: { name: x, stage: beta }\n",
            "/a.yaml: `stage` is the contract's; name a `contract`",
        ),
        (
            "- { kind: plan, spec: { name: x } }\n- { kind: plan, spec: { name: x } }\n",
            "/a.yaml: plan `x` is declared in /a.yaml too",
        ),
    ];
    for (text, expected) in table {
        let error = refusal(text);
        assert!(error.starts_with(expected), "{error}\n{expected}");
    }
}

/// A server that has a plan, an API with one version, and its route.
fn state() -> State {
    let mut state = State::default();
    let upstream = json!({ "id": "ups_1", "revision": 1, "name": "shop", "targets": [{ "url": "http://a", "weight": 1 }] });
    state.insert(Kind::Upstream, upstream).unwrap();
    state
        .insert(
            Kind::Api,
            json!({ "id": "api_1", "revision": 1, "name": "shop", "title": "Shop" }),
        )
        .unwrap();
    state.versions.push(Version {
        id: "ver_1".to_owned(),
        api: "shop".to_owned(),
        name: "1.2".to_owned(),
        stage: Stage::Stable,
        revision: 1,
        sha256: "other".to_owned(),
    });
    let plan = json!({ "id": "pln_1", "revision": 4, "name": "free", "title": "Free", "keys_max": 10,
        "rate_limit": { "requests": 10, "window_seconds": 60 } });
    state.insert(Kind::Plan, plan).unwrap();
    let route = json!({ "id": "rte_1", "revision": 1, "api_id": "api_1", "version_id": "ver_1", "upstream_id": "ups_1",
        "environment": "sandbox", "base_path": "/shop", "enabled": true });
    state.insert(Kind::Route, route).unwrap();
    state
}

fn changes(text: &str) -> Vec<String> {
    let folder = folder(&[("a.yaml", text), ("openapi.yaml", CONTRACT)]);
    let declared = files::read(folder.path()).unwrap();
    change::all(&declared, &state())
        .iter()
        .map(Change::to_string)
        .collect()
}

#[test]
fn every_kind_is_a_collection_of_the_api() {
    for kind in Kind::ALL {
        let collection = kind.collection();
        assert!(
            collection.creates && collection.changes && collection.removes,
            "{collection:?}"
        );
    }
}

#[test]
fn what_is_declared_and_there_is_no_change() {
    let text = "
- { kind: plan, spec: { name: free, rate_limit: { requests: 10 } } }
- { kind: upstream, spec: { name: shop, targets: [{ url: 'http://a' }] } }
- { kind: route, spec: { environment: sandbox, base_path: /shop, api: shop, version: '1.2', upstream: shop } }
";
    assert_eq!(changes(text), Vec::<String>::new());
}

#[test]
fn differences_are_shown_field_by_field() {
    assert_eq!(
        changes("kind: plan\nspec: { name: free, title: Free, keys_max: 20 }\n"),
        ["~ plan free\n    keys_max: 10 → 20"]
    );
    assert_eq!(changes("kind: plan\nspec: { name: gold }\n"), ["+ plan gold"]);
    assert_eq!(
        changes("kind: api\nspec: { name: shop, contract: openapi.yaml, stage: beta }\n"),
        ["~ api shop\n    contract: version 1.2 as beta"]
    );
}
