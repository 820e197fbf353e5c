//! Tenants are apart: nothing of one is seen, changed or used by the owner of another.

use serde_json::Value;

use crate::app::TestApp;
use crate::world::{World, operations};

#[tokio::test]
async fn nothing_of_another_tenant_is_there() {
    let app = TestApp::new().await;
    let world = World::new(&app).await;
    let stranger = app.stranger().await.with("if-match", "*");
    let mut wrong = Vec::new();
    let mut all = operations();
    // Lists come first: later the stranger has things of their own that name the product they use.
    all.sort_by_key(|operation| operation.method != http::Method::GET);
    for operation in all {
        let signed_in = operation.declared.get("security").is_none();
        if !signed_in {
            continue;
        }
        let answer = world.call(&stranger, &operation).await;
        if operation.path.contains("{id}") {
            if answer.code() != "not_found" {
                wrong.push(format!("{}: {}", operation.id, answer.code()));
            }
            continue;
        }
        // Making something with what another tenant has: only public products may be used.
        let uses = answer.status.is_success() && operation.id.starts_with("create_");
        let allowed = [
            "create_alert_channel",
            "create_alert_rule",
            "create_alert_silence",
            "create_api",
            "create_application",
            "create_certificate",
            "create_client",
            "create_debug_token",
            "create_environment",
            "create_event_type",
            "create_feature_flag",
            "create_invitation",
            "create_organization",
            "create_plan",
            "create_quick_key",
            "create_report_definition",
            "create_sdk_key",
            "create_segment",
            "create_upstream",
            "create_workspace",
        ];
        if uses && !allowed.contains(&operation.id.as_str()) {
            wrong.push(format!("{}: {}", operation.id, answer.text()));
        }
        if operation.id.starts_with("list_") {
            let seen = world.ids().find(|id| answer.text().contains(id));
            wrong.extend(seen.map(|id| format!("{} shows {id}", operation.id)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_is_hidden_is_answered_like_what_is_missing() {
    let app = TestApp::new().await;
    let world = World::new(&app).await;
    let stranger = app.stranger().await.with("x-request-id", "same");
    let bare = |answer: crate::app::Answer| {
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
        body["instance"] = Value::Null;
        (answer.status, body)
    };
    let hidden = bare(stranger.get(&format!("/api/v1/apis/{}", world.id("api"))).await);
    let missing = bare(stranger.get("/api/v1/apis/api_01jd9zk5v8e7rbxq3m6t4n2w0c").await);
    assert_eq!(hidden, missing);
}
