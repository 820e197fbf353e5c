//! A control plane on a fresh database, and callers of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use control::Control;
use control::alert::AlertSettings;
use control::lake::{Kept, Lake};
use control::tracking::IdSettings;
use domain::Timestamp;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Two operations, with a server that nobody listens on.
pub(crate) const PETS: &str = r#"
openapi: 3.0.3
info: { title: Pet shop, version: "1.0", description: Sells pets. }
servers: [{ url: "http://127.0.0.1:9/base/" }]
paths:
  /pets:
    get: { operationId: list_pets, responses: { "200": { description: ok } } }
  /pets/{pet_id}:
    get:
      operationId: read_pet
      parameters: [{ name: pet_id, in: path, required: true, schema: { type: string } }]
      responses: { "200": { description: ok } }
"#;

/// A control plane and whom it belongs to.
pub(crate) struct TestApp {
    pub(crate) control: Control,
    pub(crate) router: Router,
    pub(crate) password: String,
    now: Arc<AtomicI64>,
    _directory: tempfile::TempDir,
}

/// Somebody who calls.
#[derive(Clone)]
pub(crate) struct Someone<'a> {
    pub(crate) app: &'a TestApp,
    headers: Vec<(String, String)>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

pub(crate) const ADMIN: &str = "admin@gateline.local";

impl TestApp {
    pub(crate) async fn new() -> Self {
        Self::with(|settings| settings).await
    }

    pub(crate) async fn with(change: impl FnOnce(api::Settings) -> api::Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("t.db").display());
        Self::on(&url, directory, change).await
    }

    /// One that keeps every single call.
    pub(crate) async fn keeping(lake: Arc<dyn Lake>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("t.db").display());
        let (days, days_of) = (None, BTreeMap::new());
        let kept = Kept { lake, days, days_of };
        Self::of(&url, directory, Some(kept), |settings| settings).await
    }

    pub(crate) async fn on(
        url: &str,
        directory: tempfile::TempDir,
        change: impl FnOnce(api::Settings) -> api::Settings,
    ) -> Self {
        Self::of(url, directory, None, change).await
    }

    async fn of(
        url: &str,
        directory: tempfile::TempDir,
        lake: Option<Kept>,
        change: impl FnOnce(api::Settings) -> api::Settings,
    ) -> Self {
        let now = Arc::new(AtomicI64::new(1_763_640_000_000_000));
        let clock = Arc::clone(&now);
        let settings = control::Settings {
            database: url.to_owned(),
            data_dir: directory.path().to_owned(),
            gateway_url: "http://gateway.test".to_owned(),
            control_url: "http://control.test".to_owned(),
            clock: Arc::new(move || Timestamp::from_micros(clock.load(Ordering::Relaxed))),
            lake,
            alerts: AlertSettings {
                allows_private: true,
                ..AlertSettings::default()
            },
            event_ids: IdSettings::default(),
        };
        let control = Control::open(settings).await.unwrap();
        let password = control.first_admin().unwrap().unwrap().password;
        let settings = change(api::Settings::new("http://control.test"));
        Self {
            router: api::router(control.clone(), settings),
            control,
            password,
            now,
            _directory: directory,
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, while_: Duration) {
        self.now
            .fetch_add(i64::try_from(while_.as_micros()).unwrap(), Ordering::Relaxed);
    }

    /// Nobody who is known.
    pub(crate) fn anybody(&self) -> Someone<'_> {
        Someone {
            app: self,
            headers: Vec::new(),
        }
    }

    /// Whoever has this access token.
    pub(crate) fn bearer(&self, token: &str) -> Someone<'_> {
        self.anybody().with("authorization", &format!("Bearer {token}"))
    }

    /// The first administrator, owner of the organization `default`.
    pub(crate) async fn owner(&self) -> Someone<'_> {
        let admin = self.control.first_admin().unwrap().unwrap();
        self.bearer(&self.control.script_token(admin.user_id).await.unwrap())
    }

    /// A new member of the organization `default`.
    pub(crate) async fn member(&self, role: &str) -> Someone<'_> {
        let email = format!("{role}-{}@example.com", uuid::Uuid::now_v7());
        self.invited(json!({ "email": email, "role": role })).await
    }

    /// Who accepts an invitation of the first administrator with a new account.
    pub(crate) async fn invited(&self, spec: Value) -> Someone<'_> {
        let made = self
            .owner()
            .await
            .post("/api/v1/invitations", spec)
            .await
            .json(201);
        let body = json!({ "token": token(&made), "name": "Lee", "password": "long enough for anybody" });
        let accepted = self.anybody().post("/api/v1/auth/invitations/accept", body).await;
        let user = accepted.json(201)["user"]["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        self.bearer(&self.control.script_token(user).await.unwrap())
    }

    /// The owner of an organization of their own.
    pub(crate) async fn stranger(&self) -> Someone<'_> {
        let email = format!("stranger-{}@example.com", uuid::Uuid::now_v7());
        let body = json!({ "email": email, "name": "Stranger", "password": "long enough for anybody" });
        let signed = self.anybody().post("/api/v1/auth/sign-up", body).await.json(201);
        let user = signed["user"]["id"].as_str().unwrap().parse().unwrap();
        self.bearer(&self.control.script_token(user).await.unwrap())
    }
}

/// A whole body; of a live stream, which has no end, what comes first.
async fn collected(mut body: Body) -> Vec<u8> {
    const FIRST: [&[u8]; 2] = [b"event: hello", b"event: answer"];
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        bytes.extend(frame.unwrap().into_data().unwrap_or_default());
        if FIRST.iter().any(|first| bytes.starts_with(first)) {
            break;
        }
    }
    bytes
}

/// What stands in the link that was answered.
pub(crate) fn token(made: &Value) -> &str {
    let url = made["url"].as_str().unwrap();
    url.split_once('#').unwrap().1
}

impl Someone<'_> {
    /// The same with one more header.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.retain(|(known, _)| known != name);
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty(), None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(
            Method::POST,
            path,
            body.to_string().into(),
            Some("application/json"),
        )
        .await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        let body = body.to_string().into();
        self.send(Method::PATCH, path, body, Some("application/merge-patch+json"))
            .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Body::empty(), None).await
    }

    pub(crate) async fn form(&self, path: &str, body: &str) -> Answer {
        let kind = "application/x-www-form-urlencoded";
        self.send(Method::POST, path, body.to_owned().into(), Some(kind))
            .await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Body, kind: Option<&str>) -> Answer {
        let (head, body) = self.begin(method, path, body, kind).await.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: collected(body).await,
        }
    }

    /// The headers that they send.
    pub(crate) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Sends a request; the answer's body may still go on.
    pub(crate) async fn begin(
        &self,
        method: Method,
        path: &str,
        body: Body,
        kind: Option<&str>,
    ) -> http::Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let request = request.body(body).unwrap();
        self.app.router.clone().oneshot(request).await.unwrap()
    }

    /// Imports a contract as an API of this name, published; answers what was made.
    pub(crate) async fn import(&self, name: &str) -> Value {
        let body = json!({ "document": PETS, "name": name, "publish": true });
        self.post("/api/v1/apis/import", body).await.json(201)
    }
}

impl Answer {
    /// The JSON body of an answer with this status.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header as text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, code and detail of a problem; the body is checked to be one.
    #[track_caller]
    pub(crate) fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text()
        );
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["request_id"], self.header("x-request-id"));
        let (page, code) = (body["type"].as_str().unwrap(), body["code"].as_str().unwrap());
        assert_eq!(page, format!("http://control.test/docs/errors/{code}"));
        assert_eq!(body["documentation_url"], page);
        let mut text = format!(
            "{} {code}: {}",
            self.status.as_u16(),
            body["detail"].as_str().unwrap()
        );
        for error in body["errors"].as_array().into_iter().flatten() {
            text.push_str(&format!(
                "\n{} {}: {}",
                error["pointer"], error["code"], error["detail"]
            ));
        }
        text
    }

    /// The code of a problem, or `ok`.
    pub(crate) fn code(&self) -> String {
        if self.status.is_success() {
            return "ok".to_owned();
        }
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or("?").to_owned()
    }
}
