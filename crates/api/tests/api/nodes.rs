//! What gateway nodes ask and tell.

use std::sync::Arc;
use std::time::Duration;

use domain::snapshot::Packed;
use http::Method;
use serde_json::{Value, json};

use crate::app::{Someone, TestApp};

const NODE: &str = "node_01jd9zk5v8e7rbxq3m6t4n2w0c";
const OTHER_NODE: &str = "node_01jd9zk5v8e7rbxq3m6t4n2w0d";
const FOREIGN_NODE: &str = "node_01jd9zk5v8e7rbxq3m6t4n2w0e";

#[tokio::test]
async fn snapshots_are_packed_and_signed() {
    let app = TestApp::new().await;
    app.owner().await.import("shop").await;
    let token = app.control.secrets().cluster_token().to_owned();
    let node = app.bearer(&token);
    let answer = node.get("/internal/v1/snapshots?environment=sandbox").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let packed = Packed {
        mac: answer.header("gateline-mac").parse().unwrap(),
        bytes: answer.body.to_vec(),
    };
    let snapshot = packed.open(token.as_bytes()).unwrap();
    assert_eq!(answer.header("gateline-revision"), snapshot.revision.to_string());
    assert_eq!(snapshot.routes[0].base_path, "/shop");

    // Waiting ends with the next change.
    let path = format!(
        "/internal/v1/snapshots?environment=sandbox&after={}",
        snapshot.revision
    );
    let owner = app.owner().await;
    let (newer, ()) = tokio::join!(node.get(&path), async {
        owner.import("other").await;
    });
    assert_eq!(newer.status, 200, "{}", newer.text());
    assert_eq!(
        node.get("/internal/v1/snapshots").await.code(),
        "parameter_invalid"
    );
}

#[tokio::test]
async fn only_the_cluster_token_opens() {
    let app = TestApp::new().await;
    for someone in [app.anybody(), app.bearer("wrong"), app.owner().await] {
        let answer = someone.get("/internal/v1/snapshots?environment=sandbox").await;
        assert_eq!(answer.code(), "token_invalid");
        let path = format!("/internal/v1/nodes/{NODE}/status");
        assert_eq!(someone.post(&path, json!({})).await.code(), "token_invalid");
        let path = format!("/internal/v1/nodes/{NODE}/events");
        assert_eq!(someone.post(&path, json!({})).await.code(), "token_invalid");
        let path = format!("/internal/v1/nodes/{NODE}/answers");
        assert_eq!(someone.post(&path, json!({})).await.code(), "token_invalid");
        let path = format!("/internal/v1/nodes/{NODE}/questions");
        assert_eq!(someone.get(&path).await.code(), "token_invalid");
    }
}

#[tokio::test]
async fn nodes_tell_what_they_run_on() {
    let app = TestApp::new().await;
    let node = app.bearer(app.control.secrets().cluster_token());
    let path = format!("/internal/v1/nodes/{NODE}/status");
    let status = json!({ "environment": "sandbox", "revision": 7, "state": "rejected", "reason": "why" });
    assert_eq!(node.post(&path, status).await.status, 204);
    let nodes = app.owner().await.get("/api/v1/gateways").await.json(200);
    assert_eq!(nodes["data"][0]["id"], NODE);
    assert_eq!(nodes["data"][0]["reason"], "why");
    assert_eq!(
        node.post(&path, json!({ "revision": "x" })).await.code(),
        "request_invalid"
    );
}

/// What a node remembers of a call: of whose API, of whose application.
fn remembered(provider: &str, consumer: &str) -> Value {
    json!({
        "provider": provider,
        "call": {
            "request_id": "abc", "id": "req_01jd9zk5v8e7rbxq3m6t4n2w0c", "environment": "sandbox", "noted": "summary",
            "started_at": "2026-11-21T12:00:00Z", "method": "GET", "status": 200,
            "routing": { "tried": [], "missed": 0 },
            "caller": {
                "organization_id": consumer, "application_id": "app_01jd9zk5v8e7rbxq3m6t4n2w0c",
                "key_id": "key_01jd9zk5v8e7rbxq3m6t4n2w0c",
            },
            "steps": [], "limits": [], "cost": 1, "delay_us": 0, "bytes_in": 0, "bytes_out": 2,
            "upstream": {
                "upstream_id": "ups_01jd9zk5v8e7rbxq3m6t4n2w0c", "algorithm": "only", "candidates": [],
                "tries": [],
            },
            "timing": { "ended_us": 9 },
        },
    })
}

#[tokio::test]
async fn nodes_are_asked_about_a_call_and_only_those_it_concerns_are_told() {
    let app = TestApp::new().await;
    let (owner, stranger) = (app.owner().await, app.stranger().await);
    let organization = async |someone: &Someone<'_>| {
        let page = someone.get("/api/v1/organizations").await.json(200);
        page["data"][0]["id"].as_str().unwrap().to_owned()
    };
    let (provider, consumer) = (organization(&owner).await, organization(&stranger).await);
    let node = app.bearer(app.control.secrets().cluster_token());
    let status = json!({ "environment": "sandbox", "revision": 7, "state": "applied" });
    let path = format!("/internal/v1/nodes/{NODE}");
    assert_eq!(node.post(&format!("{path}/status"), status).await.status, 204);
    let answer = async |calls: Value| {
        let asked = node.get(&format!("{path}/questions")).await.json(200);
        assert_eq!(asked[0]["request_id"], "abc");
        let body = json!({ "question": asked[0]["id"], "calls": calls });
        assert_eq!(node.post(&format!("{path}/answers"), body).await.status, 204);
    };
    let ask = async |someone: &Someone<'_>, calls: Value| {
        tokio::join!(someone.get("/api/v1/explain?request_id=abc"), answer(calls)).0
    };
    let told = ask(&owner, json!([remembered(&provider, &consumer)]))
        .await
        .json(200);
    assert_eq!(
        (&told["nodes_asked"], &told["nodes_answered"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(told["calls"][0]["node_id"], NODE);
    assert!(told["calls"][0]["upstream"].is_object());
    let told = ask(&stranger, json!([remembered(&provider, &consumer)]))
        .await
        .json(200);
    assert_eq!(told["calls"][0]["noted"], "consumer");
    assert!(told["calls"][0].get("upstream").is_none() && told["calls"][0].get("node_id").is_none());
    for calls in [json!([]), json!([remembered(&consumer, &consumer)])] {
        assert_eq!(ask(&owner, calls).await.code(), "not_found");
    }
    assert_eq!(owner.get("/api/v1/explain").await.code(), "parameter_invalid");
    let twice = owner.get("/api/v1/explain?request_id=a&what=b").await;
    assert_eq!(twice.code(), "parameter_unknown");
}

#[tokio::test]
async fn a_debug_token_is_made_for_own_routes_only() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    owner.import("shop").await;
    let routes = owner.get("/api/v1/routes").await.json(200);
    let route = routes["data"][0]["id"].clone();
    let made = owner
        .post("/api/v1/debug-tokens", json!({ "route_id": route }))
        .await
        .json(201);
    assert!(made["token"].as_str().unwrap().starts_with("gld_"));
    assert_eq!(made["header"], "Gateline-Debug");
    let refused = app
        .stranger()
        .await
        .post("/api/v1/debug-tokens", json!({ "route_id": route }))
        .await;
    assert_eq!(refused.json(400)["errors"][0]["pointer"], "/route_id");
    let chain = owner
        .get("/api/v1/audit?filter[action]=create_debug_token")
        .await
        .json(200);
    assert_eq!(chain["data"][0]["resource"], made["id"]);
    assert!(!chain.to_string().contains("gld_"));
}

#[tokio::test]
async fn the_health_of_targets_is_told_to_their_organization() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    owner.import("shop").await;
    let upstreams = owner.get("/api/v1/upstreams").await.json(200);
    let upstream = upstreams["data"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/upstreams/{upstream}/health");
    assert_eq!(owner.get(&path).await.json(200)["nodes"], json!([]));
    let node = app.bearer(app.control.secrets().cluster_token());
    let target = json!({
        "target": "http://10.0.0.7:9000", "state": "ejected", "reason": "Its calls failed.",
        "since": "2026-11-21T12:00:00Z",
    });
    let status = json!({
        "environment": "sandbox", "revision": 7, "state": "applied",
        "health": { "upstreams": [{ "upstream_id": upstream, "circuit": "open", "targets": [target] }], "left_out": 0 },
    });
    let told = format!("/internal/v1/nodes/{NODE}/status");
    assert_eq!(node.post(&told, status).await.status, 204);
    let report = owner.get(&path).await.json(200);
    assert_eq!(report["nodes"][0]["node_id"], NODE);
    assert_eq!(report["nodes"][0]["is_current"], true);
    assert_eq!(
        (&report["nodes"][0]["circuit"], &report["nodes"][0]["targets"][0]),
        (&json!("open"), &target)
    );
    // What is not told again stays.
    let status = json!({ "environment": "sandbox", "revision": 8, "state": "applied" });
    assert_eq!(node.post(&told, status).await.status, 204);
    assert_eq!(owner.get(&path).await.json(200)["nodes"][0]["targets"][0], target);
    assert_eq!(app.stranger().await.get(&path).await.code(), "not_found");
}

/// What a node counted of one mirror: so many copies, each compared.
fn figures(sent: u64) -> Value {
    json!({
        "sent": sent, "failed": 0, "no_room": 0, "too_large": 0, "sent_us": 30,
        "compared": sent, "different": 1, "different_status": 0, "different_headers": 0, "different_body": 1,
        "different_latency": 0, "compared_own_us": 10, "compared_mirror_us": 30,
    })
}

/// Tells what a node of an environment counted of mirrors; the status of the answer.
async fn tell(node: &Someone<'_>, (id, environment): (&str, &str), routes: Value) -> u16 {
    let mirrors = json!({ "since": "2026-11-21T12:00:00Z", "routes": routes });
    let status = json!({ "environment": environment, "revision": 7, "state": "applied", "mirrors": mirrors });
    let path = format!("/internal/v1/nodes/{id}/status");
    node.post(&path, status).await.status.as_u16()
}

store::on_both! {
    async fn what_mirrors_find_is_told_to_the_organization_of_the_route(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await;
        owner.import("shop").await;
        let route = owner.get("/api/v1/routes").await.json(200)["data"][0].clone();
        let (id, upstream) = (route["id"].as_str().unwrap(), &route["upstream_id"]);
        let path = format!("/api/v1/routes/{id}/mirror");
        assert_eq!(owner.get(&path).await.code(), "not_found", "it has no mirror");
        let mirror = json!({ "mirror": { "upstream_id": upstream, "compare": {} } });
        let change = owner.with("if-match", "*");
        let changed = change.patch(&format!("/api/v1/routes/{id}"), mirror).await.json(200);
        assert_eq!(changed["links"]["mirror"], json!(path));
        let report = owner.get(&path).await.json(200);
        assert_eq!((&report["upstream_id"], &report["nodes"]), (upstream, &json!([])));
        assert_eq!(report["total"]["sent"], 0);

        let node = app.bearer(app.control.secrets().cluster_token());
        let here = |sent: u64| json!([{ "route_id": id, "figures": figures(sent) }]);
        assert_eq!(tell(&node, (NODE, "sandbox"), here(5)).await, 204);
        assert_eq!(tell(&node, (OTHER_NODE, "sandbox"), here(7)).await, 204);
        // Whoever serves another environment cannot serve the route.
        assert_eq!(tell(&node, (FOREIGN_NODE, "production"), here(100)).await, 204);
        let report = owner.get(&path).await.json(200);
        let nodes = report["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 2);
        let total = &report["total"];
        assert_eq!((&total["sent"], &total["different"]), (&json!(12), &json!(2)));
        assert_eq!((&total["compared_own_us"], &total["compared_mirror_us"]), (&json!(20), &json!(60)));
        let one = nodes.iter().find(|node| node["node_id"] == NODE).unwrap();
        assert_eq!((&one["is_current"], &one["figures"]["sent"]), (&json!(true), &json!(5)));
        assert_eq!(one["since"], "2026-11-21T12:00:00Z");
        assert_eq!(one["reported_at"], one["seen_at"]);

        // What is not told again stays; of a node that was not heard of for a while nothing is in the sum.
        app.pass(Duration::from_secs(121));
        let status = json!({ "environment": "sandbox", "revision": 8, "state": "applied" });
        let own = format!("/internal/v1/nodes/{NODE}/status");
        assert_eq!(node.post(&own, status).await.status, 204);
        let report = owner.get(&path).await.json(200);
        assert_eq!((&report["total"]["sent"], report["nodes"].as_array().unwrap().len()), (&json!(5), 2));
        let one = &report["nodes"][0];
        assert!(one["node_id"] == NODE && one["reported_at"] != one["seen_at"], "{report}");
        assert_eq!(report["nodes"][1]["is_current"], false);
        // What a node does not serve any more is gone.
        assert_eq!(tell(&node, (NODE, "sandbox"), json!([])).await, 204);
        assert_eq!(owner.get(&path).await.json(200)["total"]["sent"], 0);

        assert_eq!(app.stranger().await.get(&path).await.code(), "not_found");
        let mut wrong = here(1);
        wrong[0]["figures"]["sended"] = json!(1);
        assert_eq!(tell(&node, (NODE, "sandbox"), wrong).await, 400);
    }
}

#[tokio::test]
async fn events_are_counted_once() {
    let app = TestApp::new().await;
    let node = Arc::new(app.bearer(app.control.secrets().cluster_token()));
    let path = format!("/internal/v1/nodes/{NODE}/events");
    let batch = |sequence| events::wire::encode_batches(&[events::Batch::of(sequence, &[])]);
    let send = async |body: bytes::Bytes| node.send(Method::POST, &path, body.into(), None).await;
    assert_eq!(send(batch(1)).await.json(200)["committed"], 1);
    assert_eq!(send(batch(1)).await.json(200)["committed"], 1);
    assert_eq!(send(batch(3)).await.code(), "conflict");
    assert_eq!(send(batch(2)).await.json(200)["committed"], 2);
    assert_eq!(send("nonsense".into()).await.code(), "request_invalid");
}
