//! An organization with one of everything, and how each operation of the document is called on it.

use std::time::Duration;

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, PETS, Someone, TestApp};

/// One operation of the document.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) declared: Value,
}

/// Ids of one of everything in the organization `default`.
pub(crate) struct World {
    ids: Vec<(&'static str, String)>,
}

/// Every operation of the document.
pub(crate) fn operations() -> Vec<Operation> {
    let document = api::openapi();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, declared) in item.as_object().unwrap() {
            all.push(Operation {
                id: declared["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                declared: declared.clone(),
            });
        }
    }
    all
}

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{pointer}: {value}")).to_owned()
}

impl World {
    pub(crate) async fn new(app: &TestApp) -> Self {
        // The newest user and member, on whom an admin may act.
        app.member("viewer").await;
        Self::of(&app.owner().await, "shop", None).await
    }

    /// One of everything under an API of this name, in a workspace of an owner's organization.
    pub(crate) async fn of(owner: &Someone<'_>, name: &str, workspace: Option<&str>) -> Self {
        let spec = |name: &str| {
            let mut spec = json!({ "document": PETS, "name": name, "publish": true });
            if let Some(workspace) = workspace {
                spec["workspace_id"] = json!(workspace);
            }
            spec
        };
        let imported = owner.post("/api/v1/apis/import", spec(name)).await.json(201);
        let key = owner
            .post("/api/v1/keys/quick", json!({ "api": name, "plan": "free" }))
            .await
            .json(201);
        let api = text(&imported, "/api");
        let policy =
            json!({ "api_id": api, "kind": "rate_limit", "config": { "requests": 9, "window_seconds": 1 } });
        let policy = owner.post("/api/v1/policies", policy).await.json(201);
        let client = json!({ "title": "Pipeline", "role": "viewer" });
        let client = owner.post("/api/v1/clients", client).await.json(201);
        let invitation = json!({ "email": "waits@example.com", "role": "viewer" });
        let invitation = owner.post("/api/v1/invitations", invitation).await.json(201);
        let certificate = ordered(owner, name, workspace).await;
        let stream_route = passed_on(owner, name, workspace).await;
        let work = owner.with("prefer", "respond-async");
        let work = work
            .post("/api/v1/apis/import", spec(&format!("{name}-later")))
            .await
            .json(202);
        let mut ids = vec![
            ("version", text(&imported, "/version")),
            ("product", text(&imported, "/product")),
            ("key", text(&key, "/id")),
            ("application", text(&key, "/application_id")),
            ("policy", text(&policy, "/id")),
            ("certificate", text(&certificate, "/id")),
            ("stream_route", text(&stream_route, "/id")),
            ("stream_upstream", text(&stream_route, "/upstream_id")),
            ("invitation", text(&invitation, "/id")),
            ("client", text(&client, "/id")),
            ("operation", text(&work, "/id")),
            ("api", api.clone()),
        ];
        ids.extend(tracked(owner, name).await);
        ids.extend(alerted(owner, name).await);
        let ended = owner.with("prefer", "wait=30");
        ended
            .get(&format!("/api/v1/operations/{}", text(&work, "/id")))
            .await
            .json(200);
        for (kind, path) in [
            ("organization", "organizations"),
            ("environment", "environments"),
            ("membership", "memberships"),
            ("user", "users"),
            ("plan", "plans"),
            ("subscription", "subscriptions"),
            ("audit_entry", "audit"),
        ] {
            let page = owner.get(&format!("/api/v1/{path}")).await.json(200);
            ids.push((kind, text(&page, "/data/0/id")));
        }
        let api = owner.get(&format!("/api/v1/apis/{api}")).await.json(200);
        ids.push(("workspace", text(&api, "/workspace_id")));
        ids.extend(routed(owner, &text(&api, "/id")).await);
        Self { ids }
    }

    pub(crate) fn id(&self, kind: &str) -> &str {
        let found = self.ids.iter().find(|(known, _)| *known == kind);
        found.map_or_else(|| panic!("no {kind}"), |(_, id)| id)
    }

    /// All ids.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(|(_, id)| id.as_str())
    }

    /// The path of an operation, about what is here.
    pub(crate) fn path(&self, operation: &Operation) -> String {
        let kind = match operation.path.strip_prefix("/api/v1/").unwrap_or_default() {
            path if path.starts_with("apis/") => "api",
            path if path.starts_with("versions/") || path.starts_with("catalogue/versions/") => "version",
            path if path.starts_with("catalogue/products/") => "product",
            path if path.starts_with("policies/") => "policy",
            path if path.starts_with("audit/") => "audit_entry",
            path if path.starts_with("stream-routes/") => "stream_route",
            path => path.split("s/").next().unwrap(),
        };
        match operation.path.contains("{id}") {
            true => operation
                .path
                .replace("{id}", self.id(kind))
                .replace("{revision}", "1")
                .replace("{comment}", self.id("comment"))
                .replace("{change_request}", self.id("change_request")),
            false => operation.path.replace("{name}", "traffic"),
        }
    }

    /// The body of an operation: its example, with ids of what is here.
    pub(crate) fn body(&self, operation: &Operation) -> Option<(String, Body)> {
        let content = operation.declared["requestBody"]["content"].as_object()?;
        let (kind, media) = content.iter().next().unwrap();
        let mut example = media["example"].clone();
        match operation.id.as_str() {
            "replace_contract" => return Some((kind.clone(), PETS.into())),
            "create_quick_key" => example["api"] = json!("shop"),
            "replace_flag_code_references" => example["references"] = json!([]),
            "import_api" => {
                example["document"] = json!(PETS);
                example["name"] = json!("imported");
            }
            _ => {}
        }
        if operation.id == "create_quick_key" {
            example["plan"] = json!("free");
        }
        let fields = example.as_object_mut()?;
        for (name, value) in fields.iter_mut() {
            let Some(kind) = name.strip_suffix("_id").or(name.strip_suffix("_ids")) else {
                continue;
            };
            // What a stream route leads to is no service of HTTP.
            let kind = match (operation.id.as_str(), kind) {
                ("create_stream_route", "upstream") => "stream_upstream",
                _ => kind,
            };
            let id = json!(self.id(kind));
            *value = if value.is_array() { json!([id]) } else { id };
        }
        let body = if kind.ends_with("json") {
            example.to_string()
        } else {
            let pairs = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
            url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish()
        };
        Some((kind.clone(), body.into()))
    }

    /// Calls an operation on what is here.
    pub(crate) async fn call(&self, someone: &Someone<'_>, operation: &Operation) -> Answer {
        let (kind, body) = self.body(operation).unzip();
        let body = body.unwrap_or_else(Body::empty);
        someone
            .send(
                operation.method.clone(),
                &self.path(operation),
                body,
                kind.as_deref(),
            )
            .await
    }
}

/// The route of an API and its upstream, to which it mirrors as well.
async fn routed(owner: &Someone<'_>, api: &str) -> [(&'static str, String); 2] {
    let routes = format!("/api/v1/routes?filter[api]={api}");
    let routes = owner.get(&routes).await.json(200);
    let (route, upstream) = (text(&routes, "/data/0/id"), text(&routes, "/data/0/upstream_id"));
    mirrored(owner, &route, &upstream).await;
    [("route", route), ("upstream", upstream)]
}

/// The ids of an event type, of an SDK key, of a segment, and of a feature flag with what people say of it.
async fn tracked(owner: &Someone<'_>, name: &str) -> [(&'static str, String); 6] {
    let event_type = json!({ "name": format!("{name}.visited"), "title": "Visit" });
    let event_type = owner.post("/api/v1/event-types", event_type).await.json(201);
    let sdk_key = json!({ "kind": "client", "environment": "sandbox" });
    let sdk_key = owner.post("/api/v1/sdk-keys", sdk_key).await.json(201);
    let targeting = json!({ "off": "off", "otherwise": { "serve": "off" } });
    let flag = json!({ "key": format!("{name}-new"), "environments": { "production": targeting } });
    let flag = owner.post("/api/v1/feature-flags", flag).await.json(201);
    let of_flag = |part: &str| format!("/api/v1/feature-flags/{}/{part}", text(&flag, "/id"));
    let comment = json!({ "text": "Only a try." });
    let comment = owner.post(&of_flag("comments"), comment).await.json(201);
    let patch = json!({ "environments": { "production": { "otherwise": { "serve": "on" } } } });
    let change = owner
        .post(&of_flag("change-requests"), json!({ "patch": patch }))
        .await
        .json(201);
    let segment = json!({ "key": format!("{name}-all"), "when": { "any": [] } });
    let segment = owner.post("/api/v1/segments", segment).await.json(201);
    [
        ("comment", text(&comment, "/id")),
        ("change_request", text(&change, "/id")),
        ("segment", text(&segment, "/id")),
        ("event-type", text(&event_type, "/id")),
        ("sdk-key", text(&sdk_key, "/id")),
        ("feature-flag", text(&flag, "/id")),
    ]
}

/// The ids of an alert, of its rule, of who is told and of a time in which nobody is.
async fn alerted(owner: &Someone<'_>, name: &str) -> [(&'static str, String); 6] {
    let control = &owner.app.control;
    let target = json!({ "kind": "webhook", "url": "http://127.0.0.1:9/alerts" });
    let channel = json!({ "name": name, "title": "Nobody listens there", "target": target });
    let channel = owner.post("/api/v1/alert-channels", channel).await.json(201);
    // There are fewer calls than that, so it fires at once.
    let condition = json!({ "kind": "threshold", "measure": "calls", "window_minutes": 5, "under": 1e9 });
    let rule = json!({ "name": name, "title": "Calls", "condition": condition });
    let rule = owner.post("/api/v1/alert-rules", rule).await.json(201);
    let part = json!({ "name": "calls", "title": "Calls", "measures": ["calls"] });
    let definition = json!({ "name": name, "title": "Ours", "parts": [part] });
    let definition = owner
        .post("/api/v1/report-definitions", definition)
        .await
        .json(201);
    let schedule = json!({
        "name": name, "title": "Traffic", "report": "traffic", "interval": "week", "channels": [name],
    });
    let schedule = owner.post("/api/v1/report-schedules", schedule).await.json(201);
    let silence = json!({
        "title": "Night", "starts_at": control.now(), "ends_at": control.now().after(Duration::from_secs(60)),
    });
    let silence = owner.post("/api/v1/alert-silences", silence).await.json(201);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let judging = tokio::spawn(control::alert::run(control.clone(), stopped));
    let alert = loop {
        let alerts = owner.get("/api/v1/alerts").await.json(200);
        if let Some(alert) = alerts["data"].get(0) {
            break text(alert, "/id");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    stop.send_replace(true);
    judging.await.unwrap();
    [
        ("alert", alert),
        ("alert-rule", text(&rule, "/id")),
        ("alert-channel", text(&channel, "/id")),
        ("alert-silence", text(&silence, "/id")),
        ("report-definition", text(&definition, "/id")),
        ("report-schedule", text(&schedule, "/id")),
    ]
}

/// A certificate that was ordered from a server that is not there.
async fn ordered(owner: &Someone<'_>, name: &str, workspace: Option<&str>) -> Value {
    let spec = json!({
        "name": format!("{name}-hosts"),
        "environment": "sandbox",
        "hosts": [format!("{name}.example.com")],
        "acme": { "directory_url": "https://acme.invalid/directory", "terms_agreed": true },
    });
    let path = match workspace {
        Some(workspace) => format!("/api/v1/certificates?workspace_id={workspace}"),
        None => "/api/v1/certificates".to_owned(),
    };
    owner.post(&path, spec).await.json(201)
}

/// Gives a route a mirror.
async fn mirrored(owner: &Someone<'_>, route: &str, upstream: &str) {
    let mirror = json!({ "mirror": { "upstream_id": upstream } });
    let change = owner.with("if-match", "*");
    let changed = change.patch(&format!("/api/v1/routes/{route}"), mirror).await;
    changed.json(200);
}

/// A stream route, and the upstream that it leads to.
async fn passed_on(owner: &Someone<'_>, name: &str, workspace: Option<&str>) -> Value {
    let at = |collection: &str| match workspace {
        Some(workspace) => format!("/api/v1/{collection}?workspace_id={workspace}"),
        None => format!("/api/v1/{collection}"),
    };
    let upstream = json!({ "name": format!("{name}-db"), "targets": [{ "url": "tcp://127.0.0.1:5432" }] });
    let upstream = owner.post(&at("upstreams"), upstream).await.json(201);
    let spec = json!({
        "name": format!("{name}-streams"),
        "environment": "sandbox",
        "hosts": [format!("{name}.db.example.com")],
        "upstream_id": upstream["id"],
    });
    owner.post(&at("stream-routes"), spec).await.json(201)
}
