//! What the audit chain tells of people.

use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test]
async fn entries_name_who_made_them_as_of_now() {
    let app = TestApp::new().await;
    let owner = app.owner().await.with("if-match", "*");
    let lee = app.member("publisher").await.with("if-match", "*");
    let me = lee.get("/api/v1/users/me").await.json(200)["id"].clone();
    let imported = lee.import("shop").await;
    let last = async || {
        let path = format!(
            "/api/v1/audit?filter[resource]={}",
            imported["api"].as_str().unwrap()
        );
        owner.get(&path).await.json(200)["data"][0].clone()
    };
    let entry = last().await;
    assert_eq!((&entry["actor"], &entry["actor_name"]), (&me, &json!("Lee")));
    lee.patch("/api/v1/users/me", json!({ "name": "Lea" }))
        .await
        .json(200);
    let path = last().await["links"]["self"].as_str().unwrap().to_owned();
    assert_eq!(owner.get(&path).await.json(200)["actor_name"], "Lea");
    let first = owner
        .get("/api/v1/audit?filter[action]=create_organization")
        .await
        .json(200);
    assert_eq!(first["data"][0]["actor_name"], "Gateline");
    // Who belongs to the organization no more is told by the id alone, as are people of other organizations.
    let members = format!("/api/v1/memberships?filter[user]={}", me.as_str().unwrap());
    let members = owner.get(&members).await.json(200);
    let membership = members["data"][0]["links"]["self"].as_str().unwrap();
    assert_eq!(owner.delete(membership).await.status, 204);
    let entry = last().await;
    assert_eq!((&entry["actor"], &entry["actor_name"]), (&me, &Value::Null));
    assert_eq!(owner.get("/api/v1/audit/verify").await.json(200)["valid"], true);
}
