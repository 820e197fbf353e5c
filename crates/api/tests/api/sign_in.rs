//! Tokens, cookies, CSRF, sign-up.

use axum::body::Body;
use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::app::{ADMIN, Answer, Someone, TestApp};

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn password_grant(app: &TestApp, password: &str) -> Answer {
    let body = format!(
        "grant_type=password&username={}&password={}",
        encode(ADMIN),
        encode(password)
    );
    app.anybody().form("/api/v1/auth/token", &body).await
}

/// Signs in on the web; answers the browser's cookie and the session.
async fn browser<'a>(app: &'a TestApp) -> (Someone<'a>, Value) {
    let body = json!({ "email": ADMIN, "password": app.password });
    let answer = app.anybody().post("/api/v1/auth/sessions", body).await;
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax; Max-Age="), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    (
        app.anybody().with("cookie", &format!("theme=dark; {pair}")),
        answer.json(201),
    )
}

#[tokio::test]
async fn tokens_are_given_for_passwords_and_renewed() {
    let app = TestApp::new().await;
    let tokens = password_grant(&app, &app.password).await.json(200);
    assert_eq!(tokens["token_type"], "Bearer");
    let access = tokens["access_token"].as_str().unwrap();
    let who = app.bearer(access).get("/api/v1/auth/whoami").await.json(200);
    assert_eq!(who["user"]["email"], ADMIN);
    assert_eq!(who["organizations"][0]["role"], "owner");

    let refresh = tokens["refresh_token"].as_str().unwrap();
    let renew = format!("grant_type=refresh_token&refresh_token={}", encode(refresh));
    let renewed = app.anybody().form("/api/v1/auth/token", &renew).await.json(200);
    let next = renewed["refresh_token"].as_str().unwrap();
    let end = format!("token={}", encode(next));
    assert_eq!(app.anybody().form("/api/v1/auth/revoke", &end).await.status, 200);
    let ended = app
        .bearer(renewed["access_token"].as_str().unwrap())
        .get("/api/v1/auth/whoami")
        .await;
    assert_eq!(ended.code(), "token_invalid");

    app.pass(std::time::Duration::from_secs(16 * 60));
    assert_eq!(
        app.bearer(access).get("/api/v1/auth/whoami").await.code(),
        "token_expired"
    );
}

#[tokio::test]
async fn token_errors_have_the_form_of_oauth() {
    let app = TestApp::new().await;
    let show = |answer: Answer| {
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let challenge = answer.header("www-authenticate");
        format!(
            "{} {} {} {challenge}",
            answer.status.as_u16(),
            text("error"),
            text("code")
        )
    };
    let form = async |body: &str| show(app.anybody().form("/api/v1/auth/token", body).await);
    assert_snapshot!(show(password_grant(&app, "wrong").await), @"400 invalid_grant credentials_invalid");
    assert_snapshot!(form("grant_type=refresh_token&refresh_token=glr_x").await, @"400 invalid_grant credentials_invalid");
    assert_snapshot!(form("grant_type=client_credentials&client_id=cli_1&client_secret=x").await, @r#"401 invalid_client credentials_invalid Bearer realm="gateline""#);
    assert_snapshot!(form("grant_type=implicit").await, @"400 unsupported_grant_type request_invalid");
    assert_snapshot!(form("grant_type=password&username=a").await, @"400 invalid_request request_invalid");
    assert_snapshot!(form("grant_type=password&colour=red").await, @"400 invalid_request request_invalid");
}

#[tokio::test]
async fn wrong_passwords_are_slowed_down_and_counted() {
    let app = TestApp::new().await;
    let mut last = password_grant(&app, "wrong").await;
    for _ in 0..30 {
        if last.status == 429 {
            break;
        }
        last = password_grant(&app, "wrong").await;
    }
    assert_eq!(
        (last.status.as_u16(), last.code().as_str()),
        (429, "sign_in_delayed")
    );
    let wait = last.header("retry-after");
    assert!(wait.parse::<u64>().unwrap() > 0);
    assert_eq!(last.header("ratelimit"), format!("\"sign-in\";r=0;t={wait}"));
    let metrics = app.anybody().get("/metrics").await.text();
    assert!(metrics.contains("gateline_sign_ins_delayed_total 1"), "{metrics}");
}

#[tokio::test]
async fn machines_sign_in() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let body = json!({ "title": "Pipeline", "role": "publisher" });
    let made = owner.post("/api/v1/clients", body).await.json(201);
    let (id, secret) = (
        made["id"].as_str().unwrap(),
        made["client_secret"].as_str().unwrap(),
    );
    let listed = owner.get("/api/v1/clients").await.json(200);
    assert!(listed["data"][0].get("client_secret").is_none());
    let form = format!(
        "grant_type=client_credentials&client_id={id}&client_secret={}",
        encode(secret)
    );
    let tokens = app.anybody().form("/api/v1/auth/token", &form).await.json(200);
    assert!(tokens.get("refresh_token").is_none());
    use base64::Engine as _;
    let basic = base64::prelude::BASE64_STANDARD.encode(format!("{id}:{secret}"));
    let basic = app.anybody().with("authorization", &format!("Basic {basic}"));
    let tokens = basic
        .form("/api/v1/auth/token", "grant_type=client_credentials")
        .await
        .json(200);
    let machine = app.bearer(tokens["access_token"].as_str().unwrap());
    assert_eq!(
        machine.get("/api/v1/auth/whoami").await.json(200)["client_id"],
        id
    );
    machine
        .post("/api/v1/plans", json!({ "name": "one", "title": "One" }))
        .await
        .json(201);
    let rotated = owner
        .post(&format!("/api/v1/clients/{id}/rotate"), json!({}))
        .await
        .json(201);
    assert_ne!(rotated["client_secret"], secret);
}

#[tokio::test]
async fn a_cookie_counts_only_from_our_pages() {
    let app = TestApp::new().await;
    let (browser, session) = browser(&app).await;
    let csrf = session["csrf_token"].as_str().unwrap();
    let body = json!({ "name": "one", "title": "One" });
    assert_eq!(
        browser.get("/api/v1/auth/sessions/current").await.json(200)["csrf_token"],
        csrf
    );
    assert_eq!(browser.get("/api/v1/plans").await.status, 200);
    assert_snapshot!(browser.post("/api/v1/plans", body.clone()).await.problem(), @"403 csrf_rejected: `X-CSRF-Token` is missing or does not belong to this session.");
    let page = browser.with("x-csrf-token", csrf);
    let elsewhere = page.with("origin", "https://evil.example");
    assert_snapshot!(elsewhere.post("/api/v1/plans", body.clone()).await.problem(), @"403 csrf_rejected: The page at `https://evil.example` is not one of ours.");
    page.with("origin", "http://control.test")
        .post("/api/v1/plans", body)
        .await
        .json(201);

    let out = page.delete("/api/v1/auth/sessions/current").await;
    assert_eq!(out.status, 204);
    assert!(out.header("set-cookie").starts_with("gateline_session=; "));
    assert_snapshot!(browser.get("/api/v1/auth/sessions/current").await.code(), @"authentication_required");
    // Somebody whose session has ended sees the catalogue like everybody.
    assert_eq!(browser.get("/api/v1/catalogue/products").await.status, 200);
}

#[tokio::test]
async fn cookies_are_secure_on_tls() {
    let app = TestApp::with(|settings| api::Settings {
        control_url: "https://control.test".to_owned(),
        ..settings
    })
    .await;
    let body = json!({ "email": ADMIN, "password": app.password });
    let answer = app.anybody().post("/api/v1/auth/sessions", body).await;
    assert!(answer.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn people_sign_up_and_are_apart() {
    let app = TestApp::new().await;
    let body = json!({
        "email": "dana@example.com", "name": "Dana", "password": "long enough for anybody",
        "organization_title": "Dana's apps",
    });
    let answer = app.anybody().post("/api/v1/auth/sign-up", body.clone()).await;
    assert!(answer.header("set-cookie").starts_with("gateline_session="));
    let session = answer.json(201);
    assert_eq!(session["organizations"][0]["title"], "Dana's apps");
    assert_eq!(session["organizations"][0]["role"], "owner");
    let again = app.anybody().post("/api/v1/auth/sign-up", body).await;
    assert_snapshot!(again.problem(), @"409 name_taken: There is an account with this e-mail address already.");
    let weak = json!({ "email": "e@example.com", "name": "E", "password": "short" });
    let weak = app.anybody().post("/api/v1/auth/sign-up", weak).await.json(400);
    assert_eq!(weak["errors"][0]["pointer"], "/password");
    let elsewhere = app.anybody().with("origin", "https://evil.example");
    assert_eq!(
        elsewhere.post("/api/v1/auth/sign-up", json!({})).await.code(),
        "csrf_rejected"
    );
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let app = TestApp::new().await;
    let ask = async |value: &str| {
        let answer = app
            .anybody()
            .with("authorization", value)
            .get("/api/v1/apis")
            .await;
        format!("{} {}", answer.problem(), answer.header("www-authenticate"))
    };
    assert_snapshot!(ask("Bearer abc").await, @r#"401 token_invalid: The access token is not one of ours, was changed, or was revoked. Bearer realm="gateline", error="invalid_token""#);
    assert_snapshot!(ask("Basic YTpi").await, @r#"401 token_invalid: `Authorization` is not of the form `Bearer <token>`. Bearer realm="gateline", error="invalid_token""#);
    let none = app.anybody().get("/api/v1/apis").await;
    assert_snapshot!(none.problem(), @"401 authentication_required: The request came without an access token.");
    let keys = app.anybody().get("/.well-known/jwks.json").await.json(200);
    assert_eq!(keys["keys"][0]["kty"], "OKP");
}

#[tokio::test]
async fn one_changes_ones_own_account() {
    let app = TestApp::new().await;
    let member = app.member("viewer").await;
    let me = member.get("/api/v1/users/me").await;
    assert_eq!(me.header("etag"), "\"1\"");
    let renamed = member
        .with("if-match", "\"1\"")
        .patch("/api/v1/users/me", json!({ "name": "New" }))
        .await;
    assert_eq!(renamed.json(200)["name"], "New");
    let body = json!({ "current": "long enough for anybody", "new": "another one that is long" });
    assert_eq!(member.post("/api/v1/users/me/password", body).await.status, 204);
    let owner = app.owner().await;
    let path = format!("/api/v1/users/{}", renamed.json(200)["id"].as_str().unwrap());
    let disabled = owner
        .with("if-match", "*")
        .patch(&path, json!({ "disabled": true }))
        .await
        .json(200);
    assert_eq!(disabled["disabled"], true);
    assert_eq!(
        owner.get("/api/v1/users").await.json(200)["data"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn the_organization_is_chosen_by_id_or_name() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let made = owner
        .post(
            "/api/v1/organizations",
            json!({ "name": "second", "title": "Second" }),
        )
        .await
        .json(201);
    let second = owner.with("x-gateline-organization", "second");
    second
        .post(
            "/api/v1/plans",
            json!({ "name": "only-here", "title": "Only here" }),
        )
        .await
        .json(201);
    let names = async |someone: &Someone<'_>| {
        let page = someone.get("/api/v1/plans?sort=name&fields=name").await.json(200);
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&second).await, ["free", "only-here"]);
    assert_eq!(names(&owner).await, ["free"]);
    let by_id = owner.with("x-gateline-organization", made["id"].as_str().unwrap());
    assert_eq!(names(&by_id).await, ["free", "only-here"]);
    let none = owner
        .with("x-gateline-organization", "third")
        .get("/api/v1/plans")
        .await;
    assert_eq!(none.code(), "not_found");
    let path = format!("/api/v1/organizations/{}", made["id"].as_str().unwrap());
    assert_eq!(by_id.get(&path).await.status, 200);
    let head = owner
        .send(Method::HEAD, "/api/v1/organizations", Body::empty(), None)
        .await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}
