//! Where requests go, over real sockets: every condition of a route.

use domain::id::{OperationId, RouteId, UpstreamId};
use domain::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::bench::{Bench, Upstream, eventually, id, policy, reply};

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
fn a_base_path_is_guarded_however_it_is_written() {
    let (guarded, open) = (named("guarded"), named("open"));
    let bench = Bench::with(&guarded.urls(), |_, snapshot| {
        add(snapshot, 1, &open, &json!({ "base_path": "/" }));
        let route = snapshot.routes.last_mut().unwrap();
        route.policies = vec![policy("key_auth", json!({ "required": false }))];
        for operation in &mut route.operations {
            operation.path.insert_str(0, "/{part}");
        }
    });
    let without_key = |path: &str| {
        let mut client = bench.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: gateway.test\r\n\r\n").as_bytes());
        client.answer()
    };
    for path in [
        "/shop/pets",
        "/%73hop/pets",
        "/s%68o%70/pets/%61",
        "/%73%68%6F%70/p%65ts",
    ] {
        assert_eq!(without_key(path).problem(), "401 key_missing", "{path}");
    }
    assert!(open.received().is_empty());
    assert_eq!(without_key("/other/pets").text(), "open");
    // What was written is what is removed.
    assert_eq!(
        asked(&bench, "GET", "gateway.test", "/%73hop/pets/%61", ""),
        "guarded"
    );
    assert_eq!(guarded.last().line, "GET /base/pets/%61 HTTP/1.1");
}

#[test]
fn a_preflight_goes_where_its_call_would() {
    let (usual, special) = (named("usual"), named("special"));
    let bench = Bench::with(&usual.urls(), |_, snapshot| {
        snapshot.routes.clear();
        let cors = policy("cors", json!({ "origins": ["https://a.example"] }));
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

#[test]
fn a_rewrite_changes_path_and_host() {
    let upstream = named("usual");
    let bench = Bench::new(&upstream.urls());
    let table = [
        (
            json!({ "prefix": "/v2" }),
            "/shop/pets?a=1",
            "GET /base/v2/pets?a=1 HTTP/1.1",
        ),
        (
            json!({ "prefix": "/shop" }),
            "/shop/pets",
            "GET /base/shop/pets HTTP/1.1",
        ),
        (json!({ "prefix": "/" }), "/shop/pets", "GET /base/pets HTTP/1.1"),
        (
            json!({ "regex": { "pattern": "^/pets/([0-9]+)$", "replacement": "/items/$1/x" } }),
            "/shop/pets/7?b",
            "GET /base/items/7/x?b HTTP/1.1",
        ),
        (
            json!({ "regex": { "pattern": "^/none", "replacement": "/x" } }),
            "/shop/pets/7",
            "GET /base/pets/7 HTTP/1.1",
        ),
    ];
    for (rewrite, target, expected) in table {
        bench
            .change(|snapshot| snapshot.routes[0].rewrite = serde_json::from_value(rewrite.clone()).unwrap());
        assert_eq!(bench.get(target).status, 200, "{rewrite}");
        assert_eq!(upstream.last().line, expected, "{rewrite}");
    }
    bench.change(|snapshot| {
        let route = &mut snapshot.routes[0];
        route
            .operations
            .retain(|operation| operation.path.contains("{id}"));
        route.rewrite =
            serde_json::from_value(json!({ "path": "/v2/{id}/pet", "host": "inner.test:81" })).unwrap();
    });
    assert_eq!(bench.get("/shop/pets/a%20b?c").status, 200);
    let received = upstream.last();
    assert_eq!(received.line, "GET /base/v2/a%20b/pet?c HTTP/1.1");
    assert_eq!(received.fields.get("host"), Some("inner.test:81"));
    assert_eq!(received.fields.get("x-forwarded-host"), Some("gateway.test"));
}

#[test]
fn a_rewrite_makes_no_dot_segments() {
    let upstream = named("usual");
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let rewrite = json!({ "regex": { "pattern": "x", "replacement": "" } });
        snapshot.routes[0].rewrite = serde_json::from_value(rewrite).unwrap();
    });
    assert_eq!(bench.get("/shop/pets/.x.").problem(), "400 message_malformed");
    assert!(upstream.received().is_empty());
}

#[test]
fn a_route_may_redirect_or_answer_itself() {
    let upstream = named("usual");
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let forwarded = json!({ "upstream": null, "policies": [{ "kind": "headers", "config": {
            "response": { "set": { "X-Policy": "1" } } } }] });
        let mut add_at = |number, base_path: &str, action: &Value| {
            let mut change = forwarded.clone();
            change["base_path"] = json!(base_path);
            for (name, value) in action.as_object().unwrap() {
                change[name] = value.clone();
            }
            add(snapshot, number, &upstream, &change);
        };
        add_at(
            1,
            "/old",
            &json!({ "redirect": { "status": 308, "prefix": "/shop" } }),
        );
        add_at(
            2,
            "/secure",
            &json!({ "redirect": { "scheme": "https", "host": "www.shop.test", "keep_query": false } }),
        );
        add_at(
            3,
            "/down",
            &json!({ "answer": { "status": 503, "headers": { "Retry-After": "60" },
            "content_type": "application/json", "body": "{\"down\":true}" } }),
        );
        add_at(4, "/nothing", &json!({ "answer": { "status": 204 } }));
    });
    // Without a key, and for paths and methods that the contract does not have.
    let open = |method: &str, target: &str| {
        let mut client = bench.connect();
        let text =
            format!("{method} {target} HTTP/1.1\r\nHost: gateway.test:81\r\nConnection: close\r\n\r\n");
        client.send(text.as_bytes());
        client.answer_to(method)
    };
    let moved = open("GET", "/old/any/thing?x=1");
    assert_eq!(
        (moved.status, moved.field("location")),
        (308, Some("/shop/any/thing?x=1"))
    );
    assert!(moved.field("x-request-id").is_some());
    assert_eq!(moved.field("x-policy"), None);
    let record = bench.record();
    assert_eq!(
        (record.status, record.refusal, record.counted),
        (308, None, false)
    );
    assert!(record.callee.is_some_and(|callee| callee.operation.is_none()));
    let moved = open("DELETE", "/secure/x?y");
    assert_eq!(
        (moved.status, moved.field("location")),
        (302, Some("https://www.shop.test/secure/x"))
    );
    let down = open("GET", "/down");
    assert_eq!((down.status, down.text()), (503, "{\"down\":true}"));
    assert_eq!(down.field("content-type"), Some("application/json"));
    assert_eq!(down.field("retry-after"), Some("60"));
    let head = open("HEAD", "/down");
    assert_eq!(
        (head.status, head.field("content-length"), head.body.len()),
        (503, Some("13"), 0)
    );
    assert_eq!(open("GET", "/nothing").status, 204);
    assert!(upstream.received().is_empty());
}

#[test]
fn a_snapshot_whose_route_cannot_do_what_it_says_is_refused() {
    let upstream = named("usual");
    let table = [
        (json!({ "upstream": null }), "/upstream_id"),
        (json!({ "redirect": { "path": "/x" } }), "/redirect"),
        (json!({ "rewrite": { "path": "/{nothing}" } }), "nothing"),
        (
            json!({ "match": { "path": { "kind": "regex", "value": "(" } } }),
            "/match/path/value",
        ),
    ];
    let bench = Bench::new(&upstream.urls());
    for (change, expected) in table {
        bench.send(|snapshot| {
            snapshot.routes.truncate(1);
            snapshot.upstreams.truncate(1);
            add(snapshot, 1, &upstream, &json!({ "base_path": "/other" }));
            let mut route = serde_json::to_value(snapshot.routes.pop().unwrap()).unwrap();
            for (name, value) in change.as_object().unwrap() {
                route[name] = value.clone();
            }
            snapshot.routes.push(serde_json::from_value(route).unwrap());
        });
        let wanted = bench.snapshots.borrow().revision;
        let rejected = || bench.gateway.as_ref().unwrap().status().rejected;
        eventually(|| rejected().is_some_and(|rejected| rejected.revision == wanted));
        let reason = rejected().unwrap().reason;
        assert!(reason.contains(expected), "{change}: {reason}");
        // The one before goes on.
        assert_eq!(bench.get("/shop/pets").text(), "usual");
    }
}

#[test]
fn an_expression_decides_last_and_one_that_fails_does_not_fit() {
    let (usual, special) = (named("usual"), named("special"));
    let bench = Bench::with(&usual.urls(), |_, snapshot| {
        let when = "path.startsWith('/shop/pets') && headers['x-a'] in ['1', '2']";
        add(snapshot, 1, &special, &json!({ "match": { "when": when } }));
    });
    let ask = |head: &str| asked(&bench, "GET", "gateway.test", "/shop/pets", head);
    assert_eq!(ask("X-A: 2\r\n"), "special");
    assert_eq!(ask("X-A: 3\r\n"), "usual");
    assert_eq!(bench.figure("route_expression_errors_total"), 0);
    assert_eq!(ask(""), "usual");
    assert_eq!(bench.figure("route_expression_errors_total"), 1);
}
