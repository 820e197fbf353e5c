//! What gateway nodes ask and tell.

use std::sync::Arc;

use domain::snapshot::Packed;
use http::Method;
use serde_json::json;

use crate::app::TestApp;

const NODE: &str = "node_01jd9zk5v8e7rbxq3m6t4n2w0c";

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
