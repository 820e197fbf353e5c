//! Roles in one workspace: what is under an API belongs to the workspace of that API.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, PETS, Someone, TestApp, token};
use crate::world::{Operation, World, operations};

/// Operations about what belongs to a workspace, under an API or beside it, that a publisher may do.
const CHANGES: [&str; 27] = [
    "cancel_operation",
    "create_api",
    "create_certificate",
    "create_policy",
    "create_product",
    "create_route",
    "create_stream_route",
    "create_upstream",
    "create_version",
    "delete_api",
    "delete_certificate",
    "delete_policy",
    "delete_product",
    "delete_route",
    "delete_stream_route",
    "delete_upstream",
    "delete_version",
    "import_api",
    "replace_contract",
    "update_api",
    "update_certificate",
    "update_policy",
    "update_product",
    "update_route",
    "update_stream_route",
    "update_upstream",
    "update_version",
];
/// Operations that read one of them.
const READS: [&str; 13] = [
    "list_contracts",
    "list_version_operations",
    "list_versions",
    "read_api",
    "read_certificate",
    "read_contract",
    "read_operation",
    "read_policy",
    "read_product",
    "read_route",
    "read_stream_route",
    "read_upstream",
    "read_version",
];
/// Publishers of one workspace may not: plans, alerts and what is sent belong to the whole organization.
const OF_ALL: [&str; 25] = [
    "approve_feature_flag_change_request",
    "create_alert_channel",
    "create_alert_rule",
    "create_alert_silence",
    "create_debug_token",
    "create_plan",
    "create_report_definition",
    "create_report_schedule",
    "delete_alert_channel",
    "delete_alert_rule",
    "delete_alert_silence",
    "delete_plan",
    "delete_report_definition",
    "delete_report_schedule",
    "read_alert_channel_secret",
    "reject_feature_flag_change_request",
    "rotate_alert_channel_secret",
    "send_report",
    "test_alert_channel",
    "update_alert_channel",
    "update_alert_rule",
    "update_alert_silence",
    "update_plan",
    "update_report_definition",
    "update_report_schedule",
];

/// The organization `default` with the workspaces `team` and `other`, an organization beside it, and a publisher of
/// `team`.
struct Place<'a> {
    team: World,
    other: World,
    foreign: World,
    owner: Someone<'a>,
    publisher: Someone<'a>,
}

impl<'a> Place<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let owner = app.owner().await;
        let mut workspaces = Vec::new();
        for name in ["team", "other"] {
            let made = owner
                .post("/api/v1/workspaces", json!({ "name": name, "title": name }))
                .await;
            workspaces.push(made.json(201)["id"].as_str().unwrap().to_owned());
        }
        let spec = json!({ "email": "p@example.com", "role": "publisher", "workspace_id": workspaces[0] });
        Self {
            team: World::of(&owner, "shop", Some(&workspaces[0])).await,
            other: World::of(&owner, "bank", Some(&workspaces[1])).await,
            foreign: World::of(&app.stranger().await, "abroad", None).await,
            publisher: app.invited(spec).await,
            owner,
        }
    }

    async fn call(&self, world: &World, operation: &Operation) -> Answer {
        // A revision that nothing has: who may is told so, and nothing is lost.
        let caller = self.publisher.with("if-match", "\"999\"");
        let (kind, body) = world.body(operation).unzip();
        let mut path = world.path(operation);
        let mut body = body.unwrap_or_else(Body::empty);
        if [
            "create_api",
            "create_certificate",
            "create_product",
            "create_stream_route",
            "create_upstream",
        ]
        .contains(&operation.id.as_str())
        {
            path.push_str(&format!("?workspace_id={}", world.id("workspace")));
        }
        if operation.id == "import_api" {
            let spec = json!({ "document": PETS, "name": "made", "workspace_id": world.id("workspace") });
            body = spec.to_string().into();
        }
        caller
            .send(operation.method.clone(), &path, body, kind.as_deref())
            .await
    }
}

fn named(ids: &[&str]) -> Vec<Operation> {
    let all = operations();
    let find = |id: &&str| all.iter().find(|operation| operation.id == *id).unwrap().clone();
    ids.iter().map(find).collect()
}

#[test]
fn every_operation_of_publishers_is_tried() {
    let matrix = include_str!("../../../../spec/authorization.tsv");
    let mut publishing: Vec<_> = matrix
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|row| row[3] == "deny" && row[4] == "allow")
        .map(|row| row[0])
        .collect();
    publishing.retain(|id| !OF_ALL.contains(id));
    assert_eq!(publishing, CHANGES);
}

#[tokio::test]
async fn a_publisher_of_a_workspace_changes_what_is_there_and_nothing_else() {
    let app = TestApp::new().await;
    let place = Place::new(&app).await;
    let mut wrong = Vec::new();
    for operation in named(&CHANGES) {
        let elsewhere = [
            (&place.other, vec!["permission_denied"]),
            (
                &place.foreign,
                vec!["not_found", "permission_denied", "request_invalid"],
            ),
        ];
        for (world, expected) in elsewhere {
            let code = place.call(world, &operation).await.code();
            if !expected.contains(&code.as_str()) {
                wrong.push(format!("{} elsewhere: {code}, not {expected:?}", operation.id));
            }
        }
        let code = place.call(&place.team, &operation).await.code();
        if ["permission_denied", "not_found", "internal"].contains(&code.as_str()) {
            wrong.push(format!("{} at home: {code}", operation.id));
        }
    }
    for operation in named(&OF_ALL) {
        let code = place.call(&place.team, &operation).await.code();
        // What may not be read is not there.
        let expected = match operation.id.starts_with("read_") {
            true => "not_found",
            false => "permission_denied",
        };
        if code != expected {
            wrong.push(format!("{}: {code}", operation.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_other_teams_publish_is_read_and_what_other_tenants_do_is_not() {
    let app = TestApp::new().await;
    let place = Place::new(&app).await;
    for operation in named(&READS) {
        for world in [&place.team, &place.other] {
            let answer = place.call(world, &operation).await;
            assert_eq!(answer.code(), "ok", "{}: {}", operation.id, answer.text());
        }
        assert_eq!(
            place.call(&place.foreign, &operation).await.code(),
            "not_found",
            "{}",
            operation.id
        );
    }
    for operation in operations() {
        let is_list = operation.id.starts_with("list_") && !operation.path.contains("{id}");
        // The catalogue is for everybody, the nodes serve everybody.
        if !is_list || operation.id.starts_with("list_catalogue") || operation.id == "list_error_codes" {
            continue;
        }
        let answer = place.publisher.get(&operation.path).await;
        let seen = place.foreign.ids().find(|id| answer.text().contains(id));
        assert_eq!(seen, None, "{}", operation.id);
    }
}

#[tokio::test]
async fn nobody_publishes_what_is_another_teams() {
    let app = TestApp::new().await;
    let place = Place::new(&app).await;
    let (team, other, any) = (&place.team, &place.other, place.publisher.with("if-match", "*"));
    let patch = async |kind: &str, id: &str, body: Value| {
        any.patch(&format!("/api/v1/{kind}/{id}"), body).await.code()
    };
    let theirs = json!({ "version_id": other.id("version") });
    assert_eq!(
        patch("routes", team.id("route"), theirs).await,
        "permission_denied"
    );
    let theirs = json!({ "upstream_id": other.id("upstream") });
    assert_eq!(
        patch("routes", team.id("route"), theirs).await,
        "permission_denied"
    );
    let both = json!({ "version_ids": [team.id("version"), other.id("version")] });
    assert_eq!(
        patch("products", team.id("product"), both.clone()).await,
        "permission_denied"
    );
    // What an owner has put together may be edited as long as nothing is added.
    let put = place.owner.with("if-match", "*");
    let product = format!("/api/v1/products/{}", team.id("product"));
    put.patch(&product, both).await.json(200);
    any.patch(&product, json!({ "title": "Both" })).await.json(200);
    // An import touches neither the upstream nor the product of another team that has the name.
    let upstream = json!({ "name": "taken", "targets": [{ "url": "http://127.0.0.1:9", "weight": 1 }] });
    let path = format!("/api/v1/upstreams?workspace_id={}", other.id("workspace"));
    place.owner.post(&path, upstream).await.json(201);
    let import =
        json!({ "document": PETS, "name": "taken", "upstream_url": "http://127.0.0.1:8", "publish": true });
    let refused = any.post("/api/v1/apis/import", import).await;
    assert_eq!(refused.code(), "permission_denied");
}

#[tokio::test]
async fn what_a_publisher_has_imported_is_theirs_to_edit() {
    let app = TestApp::new().await;
    let place = Place::new(&app).await;
    let any = place.publisher.with("if-match", "*");
    // No workspace is named: it is the only one they have a role in.
    let made = any
        .post(
            "/api/v1/apis/import",
            json!({ "document": PETS, "name": "mine", "publish": true }),
        )
        .await
        .json(201);
    let version = format!("/api/v1/versions/{}", made["version"].as_str().unwrap());
    any.patch(&version, json!({ "stage": "deprecated" }))
        .await
        .json(200);
    let contract = format!("{version}/contract");
    let replaced = any
        .send(Method::PUT, &contract, PETS.into(), Some("application/yaml"))
        .await;
    assert_eq!(replaced.status, 200, "{}", replaced.text());
    let routes = format!(
        "/api/v1/routes?filter[version]={}",
        made["version"].as_str().unwrap()
    );
    let routes = any.get(&routes).await.json(200);
    let route = routes["data"][0]["links"]["self"].as_str().unwrap();
    any.patch(route, json!({ "enabled": false })).await.json(200);
    let policy = json!({ "api_id": made["api"], "kind": "rate_limit", "config": { "requests": 9, "window_seconds": 1 } });
    let policy = any.post("/api/v1/policies", policy).await.json(201);
    let policy = policy["links"]["self"].as_str().unwrap();
    any.patch(policy, json!({ "enabled": false })).await.json(200);
    assert_eq!(any.delete(policy).await.status, 204);
    assert_eq!(any.delete(route).await.status, 204);
    // Who has a role in the other workspace only may look.
    let spec =
        json!({ "email": "q@example.com", "role": "publisher", "workspace_id": place.other.id("workspace") });
    let invited = place.owner.post("/api/v1/invitations", spec).await.json(201);
    let body = json!({ "token": token(&invited), "name": "Q", "password": "long enough for anybody" });
    let accepted = app
        .anybody()
        .post("/api/v1/auth/invitations/accept", body)
        .await
        .json(201);
    let user = accepted["user"]["id"].as_str().unwrap().parse().unwrap();
    let q = app
        .bearer(&app.control.script_token(user).await.unwrap())
        .with("if-match", "*");
    q.get(&version).await.json(200);
    assert_eq!(
        q.patch(&version, json!({ "stage": "stable" })).await.code(),
        "permission_denied"
    );
    assert_eq!(
        q.send(Method::PUT, &contract, PETS.into(), Some("application/yaml"))
            .await
            .code(),
        "permission_denied"
    );
}
