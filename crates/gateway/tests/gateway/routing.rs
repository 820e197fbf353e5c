//! Where requests go, over real sockets: every condition of a route.

use domain::id::{OperationId, RouteId, UpstreamId};
use domain::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::bench::{Bench, Upstream, id, reply};

/// An upstream that answers with a name.
fn named(name: &'static str) -> Upstream {
    Upstream::start(move |_, stream| reply(stream, "200 OK", "", name))
}

/// Adds a route beside that of the bench, to an upstream of its own.
fn add(snapshot: &mut Snapshot, number: u128, upstream: &Upstream, change: &Value) {
    let mut behind = snapshot.upstreams[0].clone();
    behind.id = UpstreamId::new(id(1000 + number));
    behind.spec.targets[0].url = upstream.url();
    let mut route = serde_json::to_value(&snapshot.routes[0]).unwrap();
    route["id"] = json!(RouteId::new(id(1000 + number)));
    route["upstream"] = json!(behind.id);
    for (name, value) in change.as_object().unwrap() {
        route[name] = value.clone();
    }
    let mut route: domain::snapshot::Route = serde_json::from_value(route).unwrap();
    for operation in &mut route.operations {
        operation.id = OperationId::new(id(operation.id.uuid().as_u128() % 1000 + number * 1000));
    }
    snapshot.upstreams.push(behind);
    snapshot.routes.push(route);
}

/// Who answers a request with these header lines, or the problem.
fn asked(bench: &Bench, method: &str, host: &str, target: &str, head: &str) -> String {
    let key = &bench.key;
    let mut client = bench.connect();
    let text = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\nConnection: close\r\n{head}\r\n"
    );
    client.send(text.as_bytes());
    let answer = client.answer_to(method);
    if answer.status == 200 {
        answer.text().to_owned()
    } else {
        answer.problem()
    }
}

/// Whether a request fits, its method and target, its header line, the conditions.
const CONDITIONS: &str = r#"
yes | GET /shop/pets | | { "path": { "kind": "exact", "value": "/shop/pets" } }
yes | GET /shop/%70ets | | { "path": { "kind": "exact", "value": "/shop/pets" } }
no | GET /shop/pets/1 | | { "path": { "kind": "exact", "value": "/shop/pets" } }
yes | GET /shop/pets/1 | | { "path": { "kind": "prefix", "value": "/shop/pets" } }
no | GET /shop/pets/1 | | { "path": { "kind": "prefix", "value": "/shop/pet" } }
yes | GET /shop/pets/1 | | { "path": { "kind": "template", "value": "/shop/pets/{id}" } }
no | GET /shop/pets | | { "path": { "kind": "template", "value": "/shop/pets/{id}" } }
yes | GET /shop/pets/17 | | { "path": { "kind": "regex", "value": "/shop/pets/[0-9]+" } }
no | GET /shop/pets/x | | { "path": { "kind": "regex", "value": "/shop/pets/[0-9]+" } }
yes | POST /shop/pets | Content-Length: 0 | { "methods": ["POST"] }
no | GET /shop/pets | | { "methods": ["POST"] }
yes | GET /shop/pets | x-a: 1 | { "headers": [{ "name": "X-A", "value": "1" }] }
no | GET /shop/pets | | { "headers": [{ "name": "X-A", "value": "1" }] }
yes | GET /shop/pets | | { "headers": [{ "name": "x-a", "value": "1", "not": true }] }
yes | GET /shop/pets | X-A: beta | { "headers": [{ "name": "x-a", "kind": "prefix", "value": "b" }] }
yes | GET /shop/pets | X-A: abc | { "headers": [{ "name": "x-a", "kind": "regex", "value": "[a-c]+" }] }
no | GET /shop/pets | X-A: abd | { "headers": [{ "name": "x-a", "kind": "regex", "value": "[a-c]+" }] }
yes | GET /shop/pets | X-A: | { "headers": [{ "name": "x-a", "kind": "present" }] }
no | GET /shop/pets | X-A: 1 | { "headers": [{ "name": "x-a", "kind": "absent" }] }
yes | GET /shop/pets?a&v=2 | | { "query": [{ "name": "v", "value": "2" }] }
no | GET /shop/pets?v=3 | | { "query": [{ "name": "v", "value": "2" }] }
no | GET /shop/pets | | { "query": [{ "name": "v", "value": "2" }] }
yes | GET /shop/pets | Cookie: a=1; side=b | { "cookies": [{ "name": "side", "value": "b" }] }
no | GET /shop/pets | Cookie: side=a | { "cookies": [{ "name": "side", "value": "b" }] }
yes | GET /shop/pets | | { "cookies": [{ "name": "side", "kind": "absent" }] }
no | GET /shop/pets | | { "methods": ["GET"], "query": [{ "name": "v", "kind": "present" }] }
"#;

#[test]
fn every_condition_of_a_route_is_observed() {
    let (usual, special) = (named("usual"), named("special"));
    let bench = Bench::new(&usual.urls());
    for case in CONDITIONS.trim().lines() {
        let parts: Vec<&str> = case.splitn(4, '|').map(str::trim).collect();
        let [fits, line, head, conditions] = parts[..] else {
            panic!("{case}")
        };
        let conditions: Value = serde_json::from_str(conditions).unwrap();
        bench.change(|snapshot| {
            snapshot.routes.truncate(1);
            snapshot.upstreams.truncate(1);
            add(snapshot, 1, &special, &json!({ "match": conditions }));
        });
        let (method, target) = line.split_once(' ').unwrap();
        let head = if head.is_empty() {
            String::new()
        } else {
            format!("{head}\r\n")
        };
        let expected = if fits == "yes" { "special" } else { "usual" };
        assert_eq!(
            asked(&bench, method, "gateway.test", target, &head),
            expected,
            "{case}"
        );
    }
}

#[test]
fn hosts_priorities_and_shorter_base_paths_decide() {
    let [usual, wild, exact, first, second] = ["usual", "wild", "exact", "first", "second"].map(named);
    let bench = Bench::with(&usual.urls(), |_, snapshot| {
        add(snapshot, 1, &wild, &json!({ "host": "*.shop.test" }));
        add(snapshot, 2, &exact, &json!({ "host": "eu.shop.test" }));
        let header = |name: &str| json!({ "headers": [{ "name": name, "kind": "present" }] });
        add(
            snapshot,
            3,
            &first,
            &json!({ "match": header("x-1"), "priority": 1 }),
        );
        add(
            snapshot,
            4,
            &second,
            &json!({ "match": header("x-2"), "priority": 2 }),
        );
        let deep = json!({ "base_path": "/shop/deep", "match": header("x-deep") });
        add(snapshot, 5, &exact, &deep);
        let only = json!({ "base_path": "/only", "match": header("x-only") });
        add(snapshot, 6, &exact, &only);
        let posts = json!({ "base_path": "/posts", "match": { "methods": ["POST"] } });
        add(snapshot, 7, &exact, &posts);
    });
    for (host, path, head, expected) in [
        ("gateway.test", "/shop/pets", "", "usual"),
        ("EU.shop.test:80", "/shop/pets", "", "exact"),
        ("us.shop.test", "/shop/pets", "", "wild"),
        ("a.us.shop.test", "/shop/pets", "", "wild"),
        ("shop.test", "/shop/pets", "", "usual"),
        ("gateway.test", "/shop/pets", "X-1: a\r\n", "first"),
        ("gateway.test", "/shop/pets", "X-1: a\r\nX-2: a\r\n", "second"),
        ("gateway.test", "/shop/deep/pets", "X-Deep: 1\r\n", "exact"),
        // What does not fit the longest base path goes to the next shorter one, as part of its path.
        ("gateway.test", "/shop/deep/pets", "", "404 operation_not_found"),
        ("gateway.test", "/only/pets", "X-Only: 1\r\n", "exact"),
        ("gateway.test", "/only/pets", "", "404 route_not_found"),
        ("gateway.test", "/posts/pets", "", "404 route_not_found"),
    ] {
        assert_eq!(
            asked(&bench, "GET", host, path, head),
            expected,
            "{host} {path} {head}"
        );
    }
}

#[test]
fn a_preflight_goes_where_its_call_would() {
    let (usual, special) = (named("usual"), named("special"));
    let bench = Bench::with(&usual.urls(), |_, snapshot| {
        snapshot.routes.clear();
        let cors = crate::bench::policy("cors", json!({ "origins": ["https://a.example"] }));
        let (mut with, _) = crate::bench::snapshot(&usual.urls());
        with.routes[0].policies.push(cors);
        snapshot.routes.push(with.routes.remove(0));
        snapshot.routes[0].matches.methods = vec!["GET".to_owned()];
        add(
            snapshot,
            1,
            &special,
            &json!({ "match": { "methods": ["DELETE"] }, "policies": [] }),
        );
    });
    let preflight = |method: &str| {
        let head = format!("Origin: https://a.example\r\nAccess-Control-Request-Method: {method}\r\n");
        bench.call("OPTIONS", "/shop/pets/1", &head, "")
    };
    let answer = preflight("GET");
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(
        answer.field("access-control-allow-origin"),
        Some("https://a.example")
    );
    assert_eq!(preflight("DELETE").problem(), "405 method_not_allowed");
    assert_eq!(preflight("PUT").problem(), "404 route_not_found");
}
