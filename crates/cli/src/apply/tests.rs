use std::fs;

use client::types::Stage;
use serde_json::{Value, json};

use super::change::{self, Change};
use super::files::{self, Kind};
use super::prune;
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
fn routes_of_one_place_are_told_apart_by_their_conditions() {
    let identity = |conditions: Value| {
        let spec = json!({ "environment": "sandbox", "base_path": "/shop", "match": conditions });
        files::identity(Kind::Route, spec.as_object().unwrap())
    };
    let none = "sandbox:/shop";
    assert_eq!(identity(json!({})), none);
    assert_eq!(identity(json!(null)), none);
    assert_eq!(identity(json!({ "headers": [], "path": null })), none);
    let written = json!({ "methods": ["GET"], "headers": [{ "value": "1", "name": "x" }] });
    let answered = json!({ "headers": [{ "name": "x", "kind": "exact", "value": "1", "not": false }], "methods": ["GET"] });
    assert_eq!(identity(written.clone()), identity(answered));
    assert_eq!(
        identity(written),
        format!(r#"{none} {{"headers":[{{"name":"x","value":"1"}}],"methods":["GET"]}}"#)
    );
    let path = identity(json!({ "path": { "kind": "exact", "value": "/shop/a" } }));
    assert!(path.contains(r#""kind":"exact""#), "{path}");
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
        .declared
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
    let contract = declared.declared[0].contract.as_ref().unwrap();
    assert_eq!(
        (contract.version.as_str(), contract.stage.as_str()),
        ("1.2", "stable")
    );
    assert!(!declared.declared[0].spec.contains_key("contract"));
}

#[test]
fn mistakes_in_files_are_told_with_the_file() {
    let table = [
        ("kind: plan\nspec: [\n", "/a.yaml:"),
        (
            "kind: plann\nspec: {}\n",
            "/a.yaml: `kind` is `plann`, not one of folder, certificate, upstream, api, plan, application, product, segment, feature_flag, route, policy, stream_route",
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

#[test]
fn a_policy_of_which_there_is_one_is_the_same_wherever_it_stands() {
    let identity = |kind, position, audience: Value| {
        let spec = json!({ "api": "shop", "kind": kind, "position": position, "audience": audience });
        files::identity(Kind::Policy, spec.as_object().unwrap())
    };
    let members = json!({ "flag": "beta" });
    assert_eq!(identity("cors", 1, Value::Null), identity("cors", 2, Value::Null));
    assert_ne!(
        identity("headers", 1, Value::Null),
        identity("headers", 2, Value::Null)
    );
    assert_ne!(identity("cors", 1, Value::Null), identity("cors", 1, members));
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
    let stream = json!({ "id": "str_1", "revision": 1, "name": "db", "environment": "sandbox", "port": 5432,
        "hosts": [], "upstream_id": "ups_1", "idle_ms": 3_600_000, "enabled": true });
    state.insert(Kind::StreamRoute, stream).unwrap();
    state
}

fn changes(text: &str) -> Vec<String> {
    let folder = folder(&[("a.yaml", text), ("openapi.yaml", CONTRACT)]);
    let declared = files::read(folder.path()).unwrap();
    change::all(&declared, &state())
        .unwrap()
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
- { kind: stream_route, spec: { name: db, environment: sandbox, port: 5432, upstream: shop } }
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

/// What a folder named `shop` would remove, and what stays, when the server has these besides.
fn pruned(declared: &str, there: &[(Kind, Value)]) -> Vec<String> {
    let name = "- { kind: folder, spec: { name: shop } }\n";
    let folder = folder(&[("a.yaml", &format!("{name}{declared}"))]);
    let mut state = state();
    for (kind, resource) in there {
        let mut resource = resource.clone();
        resource["revision"] = json!(1);
        state.insert(*kind, resource).unwrap();
    }
    let pruning = prune::plan(&files::read(folder.path()).unwrap(), &state).unwrap();
    let removed = pruning.removed.iter().map(ToString::to_string);
    removed
        .chain(pruning.kept.iter().map(ToString::to_string))
        .collect()
}

fn gold(owner: &str) -> (Kind, Value) {
    (
        Kind::Plan,
        json!({ "id": "pln_2", "name": "gold", "managed_by": owner }),
    )
}

fn product(owner: Option<&str>) -> (Kind, Value) {
    (
        Kind::Product,
        json!({ "id": "prd_1", "name": "trains", "plan_ids": ["pln_2"], "managed_by": owner }),
    )
}

#[test]
fn only_what_the_folder_made_is_removed() {
    assert_eq!(pruned("", &[]), Vec::<String>::new());
    assert_eq!(pruned("", &[gold("shop")]), ["- plan gold"]);
    assert_eq!(pruned("", &[gold("other")]), Vec::<String>::new());
    assert_eq!(
        pruned("- { kind: plan, spec: { name: gold } }\n", &[gold("shop")]),
        Vec::<String>::new()
    );
}

#[test]
fn what_refers_to_others_is_removed_before_them() {
    let there = [gold("shop"), product(Some("shop"))];
    assert_eq!(pruned("", &there), ["- product trains", "- plan gold"]);
}

#[test]
fn flags_are_removed_before_those_that_they_need() {
    let flag = |key: &str, needed: &str| {
        let needed = json!([{ "flag": needed, "variants": ["on"] }]);
        let environments = json!({ "sandbox": { "prerequisites": needed } });
        let flag = json!({ "id": key, "key": key, "environments": environments, "managed_by": "shop" });
        (Kind::FeatureFlag, flag)
    };
    let there = [flag("a", "c"), flag("b", ""), flag("c", "b"), gold("shop")];
    let removed = [
        "- feature_flag a",
        "- feature_flag c",
        "- feature_flag b",
        "- plan gold",
    ];
    assert_eq!(pruned("", &there), removed);
    // One that stays keeps those that it needs.
    let declared = "- { kind: feature_flag, spec: { key: c } }\n";
    let kept = [
        "- feature_flag a",
        "- plan gold",
        "! feature_flag b stays: feature_flag `c` needs it",
    ];
    assert_eq!(pruned(declared, &there), kept);
}

#[test]
fn what_others_build_on_stays() {
    let there = [gold("shop"), product(None)];
    assert_eq!(
        pruned("", &there),
        ["! plan gold stays: product `trains` needs it"]
    );
    // Declared without the plan: after this run nobody needs it.
    let declared = "- { kind: product, spec: { name: trains, plans: [free] } }\n";
    assert_eq!(pruned(declared, &there), ["- plan gold"]);
    let declared = "- { kind: product, spec: { name: trains, title: T } }\n";
    assert_eq!(
        pruned(declared, &there),
        ["! plan gold stays: product `trains` needs it"]
    );
}

#[test]
fn circles_are_told_before_anything_is_made() {
    let needs = |flag: &str| format!("{{ prerequisites: [{{ flag: {flag}, variants: [\"on\"] }}] }}");
    let flag = |key: &str, environment: &str, other: &str| {
        format!(
            "  {key}: {{ environments: {{ {environment}: {} }} }}\n",
            needs(other)
        )
    };
    let chain = format!("flags:\n{}", flag("a", "sandbox", "c1"));
    let both = |second: &str| {
        format!(
            "{chain}{}{}",
            flag("c1", "sandbox", "c2"),
            flag("c2", second, "c1")
        )
    };
    let circle = "/a.yaml: feature_flag `c1` and others: they need each other in a circle in `sandbox`: `c1` → `c2` → `c1`";
    assert_eq!(refusal(&both("sandbox")), circle);
    // In each environment by itself this is none.
    let apart = folder(&[("a.yaml", &both("production"))]);
    assert_eq!(files::read(apart.path()).unwrap().declared.len(), 3);
    let segments = "segments:\n  s: { when: { segment: t } }\n  t: { when: { not: { segment: s } } }\n";
    let circle = "/a.yaml: segment `s` and others: they need each other in a circle: `s` → `t` → `s`";
    assert_eq!(refusal(segments), circle);
}

#[test]
fn a_folder_without_a_name_owns_nothing() {
    let folder = folder(&[("a.yaml", "kind: plan\nspec: { name: gold }\n")]);
    let error = prune::plan(&files::read(folder.path()).unwrap(), &state()).unwrap_err();
    assert!(error.to_string().contains("kind: folder"), "{error}");
    let twice = "- { kind: folder, spec: { name: a } }\n- { kind: folder, spec: { name: b } }\n";
    assert_eq!(refusal(twice), "/a.yaml: the folder has the name `a` already");
    assert_eq!(
        refusal("kind: folder\nspec: { title: a }\n"),
        "/a.yaml: a folder has `spec: { name: … }` and nothing else"
    );
}

#[test]
fn two_folders_do_not_share_a_resource() {
    let mut state = state();
    let (kind, mut plan) = gold("other");
    plan["revision"] = json!(1);
    state.insert(kind, plan).unwrap();
    let all = |spec: &str| {
        let text =
            format!("- {{ kind: folder, spec: {{ name: shop }} }}\n- {{ kind: plan, spec: {spec} }}\n");
        let folder = folder(&[("a.yaml", &text)]);
        let read = files::read(folder.path()).unwrap();
        let changes = change::all(&read, &state).map_err(|error| error.to_string())?;
        Ok::<_, String>(changes.iter().map(Change::to_string).collect::<Vec<_>>())
    };
    let error = all("{ name: gold, title: G }").unwrap_err();
    assert!(error.contains("managed by the folder `other`"), "{error}");
    assert_eq!(
        all("{ name: gold, managed_by: shop }").unwrap(),
        ["~ plan gold\n    managed_by: \"other\" → \"shop\""]
    );
}
