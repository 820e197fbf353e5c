//! How flags are used: what they gave, which of them nobody may need any more, and where programs name them.

use std::time::Duration;

use domain::Timestamp;
use serde_json::{Value, json};
use store::flag::evaluation::Evaluations;
use store::on_both;

use crate::app::{Someone, TestApp};

const FLAGS: &str = "/api/v1/feature-flags";
const DAY: u64 = 86_400;

fn path(it: &Value) -> String {
    format!("{FLAGS}/{}", it["id"].as_str().unwrap())
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * DAY)
}

async fn flag(owner: &Someone<'_>, fields: Value) -> Value {
    let on = json!({ "off": "off", "otherwise": { "serve": "on" } });
    let mut spec = json!({ "environments": { "sandbox": on, "production": on } });
    spec.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    owner.post(FLAGS, spec).await.json(201)
}

/// Evaluations of somebody's flags at a moment: environment, key, variant, how many.
async fn count(app: &TestApp, flag: &Value, at: Timestamp, counts: &[(&str, &str, i64)]) {
    let row = |(environment, variant, count): &(&str, &str, i64)| Evaluations {
        organization: flag["organization_id"].as_str().unwrap().parse().unwrap(),
        environment: environment.parse().unwrap(),
        key: flag["key"].as_str().unwrap().to_owned(),
        variant: (*variant).to_owned(),
        count: *count,
        last_at: at,
    };
    let rows: Vec<_> = counts.iter().map(row).collect();
    app.control.count_flag_evaluations(&rows).await.unwrap();
}

on_both! {
    async fn evaluations_add_up_by_day(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let (owner, stranger) = (app.owner().await, app.stranger().await);
        let (a, theirs) = (flag(&owner, json!({ "key": "a" })).await, flag(&stranger, json!({ "key": "a" })).await);
        let (now, before) = (app.control.now(), app.control.now().before(days(2)));
        count(&app, &a, before, &[("sandbox", "on", 1)]).await;
        count(&app, &a, now, &[("sandbox", "on", 2), ("sandbox", "on", 3), ("production", "off", 1)]).await;
        count(&app, &a, now.before(Duration::from_secs(1)), &[("sandbox", "on", 5)]).await;
        count(&app, &theirs, now, &[("sandbox", "on", 100)]).await;
        count(&app, &a, now, &[]).await;
        let read = async |query: &str| owner.get(&format!("{}/evaluations{query}", path(&a))).await.json(200);
        let all = read("").await;
        let counts: Vec<_> = all["counts"].as_array().unwrap().iter()
            .map(|it| (it["day"].as_str().unwrap().to_owned(), it["environment"].as_str().unwrap().to_owned(), it["variant"].as_str().unwrap().to_owned(), it["count"].as_i64().unwrap()))
            .collect();
        let row = |day: &str, environment: &str, variant: &str, count| (format!("{day}T00:00:00Z"), environment.to_owned(), variant.to_owned(), count);
        assert_eq!(counts, [
            row("2025-11-18", "sandbox", "on", 1),
            row("2025-11-20", "production", "off", 1),
            row("2025-11-20", "sandbox", "on", 10),
        ]);
        assert_eq!(all["counts"][2]["last_at"], json!(now));
        assert_eq!(read("?from=2025-11-19T23:00:00Z").await["counts"].as_array().unwrap().len(), 2);
        assert_eq!(read("?to=2025-11-20T00:00:00Z").await["counts"].as_array().unwrap().len(), 1);
        let wrong = owner.get(&format!("{}/evaluations?from=2025-11-20T00:00:00Z&to=2025-11-20T00:00:00Z", path(&a))).await;
        assert_eq!(wrong.code(), "parameter_invalid");
        let shown = owner.get(&path(&a)).await.json(200);
        assert_eq!((&shown["last_evaluated_at"], shown.get("stale")), (&json!(now), None));
        // A flag that comes again begins anew.
        owner.with("if-match", "*").delete(&path(&a)).await;
        let again = flag(&owner, json!({ "key": "a" })).await;
        let none = owner.get(&format!("{}/evaluations", path(&again))).await.json(200);
        assert_eq!(none["counts"], json!([]));
        let theirs = stranger.get(&format!("{}/evaluations", path(&theirs))).await.json(200);
        assert_eq!(theirs["counts"][0]["count"], 100);
    }

    async fn flags_that_nobody_needs_are_found(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await;
        let begun = app.control.now();
        let mut flags = Vec::new();
        for key in ["both", "one", "once", "never"] {
            flags.push(flag(&owner, json!({ "key": key })).await);
        }
        flag(&owner, json!({ "key": "past", "expires_at": begun.after(days(1)) })).await;
        let [both, one, once, _] = &flags[..] else { panic!("{flags:?}") };
        count(&app, once, begun, &[("sandbox", "on", 1), ("sandbox", "off", 1)]).await;
        app.pass(days(20));
        // Tokens end sooner than flags get old.
        let stale = async || {
            let page = app.owner().await.get(&format!("{FLAGS}?filter[stale]=true&sort=name")).await.json(200);
            let each = page["data"].as_array().unwrap().iter().map(|it| format!("{} {}", it["key"].as_str().unwrap(), it["stale"].as_str().unwrap()));
            each.collect::<Vec<_>>()
        };
        // Too young to tell but for the date.
        assert_eq!(stale().await, ["past expired"]);
        app.pass(days(20));
        let owner = app.owner().await;
        flag(&owner, json!({ "key": "young" })).await;
        let now = app.control.now();
        count(&app, both, now.before(days(1)), &[("sandbox", "on", 1), ("production", "off", 1)]).await;
        count(&app, one, now.before(days(29)), &[("sandbox", "on", 1), ("production", "on", 1)]).await;
        count(&app, one, now.before(days(31)), &[("sandbox", "off", 1)]).await;
        assert_eq!(stale().await, ["never never_evaluated", "once never_evaluated", "one one_variant", "past expired"]);
        let all = owner.get(&format!("{FLAGS}?sort=name")).await.json(200);
        let unsuspected = all["data"].as_array().unwrap().iter().filter(|it| it.get("stale").is_none()).map(|it| it["key"].as_str().unwrap());
        assert_eq!(unsuspected.collect::<Vec<_>>(), ["both", "young"]);
        assert_eq!(owner.get(&format!("{FLAGS}?filter[stale]=no")).await.code(), "parameter_invalid");
        assert!(app.stranger().await.get(&format!("{FLAGS}?filter[stale]=true")).await.json(200)["data"].as_array().unwrap().is_empty());
        // Counts of long ago are forgotten.
        app.pass(days(61));
        control::jobs::tidy(&app.control).await.unwrap();
        let shown = app.owner().await.get(&path(once)).await.json(200);
        assert_eq!(shown.get("last_evaluated_at"), None);
    }

    async fn programs_that_name_flags_are_known(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let (owner, stranger) = (app.owner().await, app.stranger().await);
        let a = flag(&owner, json!({ "key": "a" })).await;
        flag(&owner, json!({ "key": "b" })).await;
        let at = |flag: &str, path: &str, line: u32| json!({ "flag": flag, "path": path, "line": line });
        let put = async |someone: &Someone<'_>, repository: &str, references: Value| {
            let body = json!({ "repository": repository, "commit": "4f0c2a1", "references": references });
            let path = format!("{FLAGS}/code-references");
            someone.send(http::Method::PUT, &path, body.to_string().into(), Some("application/json")).await
        };
        let kept = put(&owner, "shop", json!([at("a", "src/b.rs", 2), at("b", "x", 1), at("a", "src/b.rs", 1), at("a", "src/b.rs", 2)])).await;
        assert_eq!(kept.json(200), json!({ "repository": "shop", "flags": 2, "references": 3 }));
        put(&owner, "app", json!([at("a", "main.ts", 7)])).await.json(200);
        let read = async || {
            let found = owner.get(&format!("{}/code-references", path(&a))).await.json(200);
            let repositories = found["repositories"].as_array().unwrap().iter();
            repositories.map(|it| format!("{} {}", it["repository"].as_str().unwrap(), it["places"])).collect::<Vec<_>>()
        };
        assert_eq!(read().await, [
            r#"app [{"path":"main.ts","line":7}]"#,
            r#"shop [{"path":"src/b.rs","line":1},{"path":"src/b.rs","line":2}]"#,
        ]);
        // What is told of a repository is all there is of it.
        put(&owner, "shop", json!([at("a", "src/c.rs", 1)])).await.json(200);
        put(&owner, "app", json!([])).await.json(200);
        assert_eq!(read().await, [r#"shop [{"path":"src/c.rs","line":1}]"#]);
        let unknown = put(&stranger, "shop", json!([at("a", "x", 1)])).await.json(400);
        assert_eq!(unknown["errors"][0]["pointer"], "/references/0/flag");
        for (repository, references) in [(" ", json!([])), ("shop", json!(vec![at("a", "x", 1); 10_001])), ("shop", json!([at("a", &"x".repeat(1001), 1)]))] {
            assert_eq!(put(&owner, repository, references).await.code(), "request_invalid");
        }
        assert_eq!(put(&app.member("viewer").await, "shop", json!([])).await.code(), "permission_denied");
        assert_eq!(owner.with("if-match", "*").delete(&path(&a)).await.status, 204);
    }
}
