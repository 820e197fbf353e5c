//! Links that people hand over: invitations, new passwords.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::app::{Answer, Someone, TestApp, token};

const READ: &str = "/api/v1/auth/invitations/read";
const ACCEPT: &str = "/api/v1/auth/invitations/accept";
const PASSWORD: &str = "long enough for anybody";

async fn invite(app: &TestApp, email: &str) -> Value {
    let body = json!({ "email": email, "role": "publisher" });
    app.owner()
        .await
        .post("/api/v1/invitations", body)
        .await
        .json(201)
}

/// Somebody with an account of their own, in a browser.
async fn browser<'a>(app: &'a TestApp, email: &str) -> Someone<'a> {
    let body = json!({ "email": email, "name": "Ann", "password": PASSWORD });
    let answer = app.anybody().post("/api/v1/auth/sign-up", body).await;
    signed_in(app, &answer)
}

fn signed_in<'a>(app: &'a TestApp, answer: &Answer) -> Someone<'a> {
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let csrf = answer.json(201)["csrf_token"].as_str().unwrap().to_owned();
    app.anybody().with("cookie", &cookie).with("x-csrf-token", &csrf)
}

#[tokio::test]
async fn somebody_new_is_invited_and_signed_in() {
    let app = TestApp::new().await;
    let made = invite(&app, "lee@example.com").await;
    assert!(
        made["url"]
            .as_str()
            .unwrap()
            .starts_with("http://control.test/console/invitation#gli_")
    );
    let path = made["links"]["self"].as_str().unwrap();
    let read = app.owner().await.get(path).await.json(200);
    assert_eq!((&read["url"], &read["email"]), (&Value::Null, &made["email"]));
    let body = json!({ "token": token(&made) });
    let told = app.anybody().post(READ, body.clone()).await.json(200);
    assert_eq!(
        (&told["organization"], &told["has_account"]),
        (&json!("Default"), &json!(false))
    );
    let missing = app.anybody().post(ACCEPT, body).await;
    assert_snapshot!(missing.problem(), @r#"
    400 request_invalid: A new account needs it.
    "/name" "field_missing": "A new account needs it."
    "#);
    let body = json!({ "token": token(&made), "name": "Lee", "password": PASSWORD });
    let elsewhere = app.anybody().with("origin", "https://evil.example");
    assert_eq!(elsewhere.post(ACCEPT, body.clone()).await.code(), "csrf_rejected");
    let answer = app.anybody().post(ACCEPT, body.clone()).await;
    let lee = signed_in(&app, &answer);
    assert_eq!(answer.json(201)["organizations"][0]["role"], "publisher");
    lee.get("/api/v1/apis").await.json(200);
    let again = app.anybody().post(ACCEPT, body).await;
    assert_snapshot!(again.problem(), @"410 link_invalid: The link cannot be used, or not any more.");
}

#[tokio::test]
async fn somebody_known_signs_in_and_joins() {
    let app = TestApp::new().await;
    let ann = browser(&app, "ann@example.com").await;
    let made = invite(&app, "ann@example.com").await;
    let body = json!({ "token": token(&made), "name": "Eve", "password": "a password of somebody else" });
    let nobody = app.anybody().post(ACCEPT, body.clone()).await;
    assert_snapshot!(nobody.problem(), @"401 invitation_needs_sign_in: There is an account with the invited address, and nobody is signed in.");
    let other = browser(&app, "bob@example.com").await;
    assert_snapshot!(other.post(ACCEPT, body.clone()).await.problem(), @"403 invitation_of_another: The account that is signed in does not have the invited address.");
    let forged = ann.with("x-csrf-token", "wrong");
    assert_eq!(forged.post(ACCEPT, body.clone()).await.code(), "csrf_rejected");
    let joined = ann.post(ACCEPT, body.clone()).await.json(200);
    assert_eq!(
        (&joined["email"], &joined["role"]),
        (&json!("ann@example.com"), &json!("publisher"))
    );
    let session = ann.get("/api/v1/auth/sessions/current").await.json(200);
    assert_eq!(session["organizations"][1]["title"], "Default");
    // Her password is still hers.
    let body = json!({ "email": "ann@example.com", "password": PASSWORD });
    app.anybody().post("/api/v1/auth/sessions", body).await.json(201);
}

#[tokio::test]
async fn withdrawn_means_withdrawn() {
    let app = TestApp::new().await;
    let made = invite(&app, "lee@example.com").await;
    let path = made["links"]["self"].as_str().unwrap();
    let owner = app.owner().await;
    assert_eq!(
        app.member("publisher")
            .await
            .with("if-match", "*")
            .delete(path)
            .await
            .code(),
        "not_found"
    );
    assert_eq!(owner.with("if-match", "\"1\"").delete(path).await.status, 204);
    let read = app.anybody().post(READ, json!({ "token": token(&made) })).await;
    assert_eq!(read.code(), "link_invalid");
    let waiting = owner
        .get("/api/v1/invitations?filter[accepted]=false")
        .await
        .json(200);
    assert_eq!(waiting["data"], json!([]));
    let gone = owner.post("/api/v1/memberships", json!({})).await;
    assert_eq!(gone.code(), "method_not_allowed");
}

#[tokio::test]
async fn an_admin_does_not_learn_who_has_an_account() {
    let app = TestApp::new().await;
    browser(&app, "ann@example.com").await;
    let shape = |mut made: Value| {
        for field in ["id", "url", "links", "email"] {
            made[field] = Value::Null;
        }
        made
    };
    let known = shape(invite(&app, "ann@example.com").await);
    let unknown = shape(invite(&app, "nobody@example.com").await);
    assert_eq!(known, unknown);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_link() {
    let app = TestApp::new().await;
    let lee = app.member("viewer").await;
    let me = lee.get("/api/v1/users/me").await.json(200);
    let path = format!("/api/v1/users/{}/password-reset", me["id"].as_str().unwrap());
    let made = app.owner().await.post(&path, Value::Null).await.json(201);
    assert!(
        made["url"]
            .as_str()
            .unwrap()
            .starts_with("http://control.test/console/reset#glp_")
    );
    let body = json!({ "token": token(&made), "password": "another one that is long" });
    let set = app
        .anybody()
        .post("/api/v1/auth/password-reset", body.clone())
        .await;
    assert_eq!(set.status, 204, "{}", set.text());
    assert_eq!(lee.get("/api/v1/users/me").await.code(), "token_invalid");
    let used = app.anybody().post("/api/v1/auth/password-reset", body).await;
    assert_eq!(used.code(), "link_invalid");
    let body = json!({ "email": me["email"], "password": "another one that is long" });
    app.anybody().post("/api/v1/auth/sessions", body).await.json(201);
}
