//! The lines that users and acceptance checks rely on, exactly as they are promised.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::program::ours;
use crate::harness::service::Service;

/// How soon a call shows up in the usage.
const COUNTED: Duration = Duration::from_secs(2);
/// How soon a change is in force at the gateway.
const IN_FORCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_line_from_contract_to_usage() {
    let home = Home::new().with(&["--no-demo"]);
    the_line(&home).await;
}

#[tokio::test]
async fn the_line_on_postgresql() {
    let database = store::testing::fresh_postgres().await;
    let home = Home::new().with(&["--no-demo", "--database", &database]);
    the_line(&home).await;
}

/// The ten calls of the line are in the answers of `gateline analytics`.
fn analytics_tell(gateline: &Gateline, service: &str) {
    let asked = [
        "analytics",
        "--api",
        "shop",
        "--last",
        "1h",
        "--by",
        "status",
        "--measure",
        "calls,latency_p95_us",
    ];
    let analytics = gateline.json(&asked);
    let rows = analytics["rows"].as_array().unwrap();
    let answered = rows.iter().find(|row| row["dimensions"]["status"] == "200");
    let answered = &answered.unwrap()["values"];
    assert_eq!(answered["calls"], 10.0, "{analytics}");
    assert!(answered["latency_p95_us"].as_f64().unwrap() > 0.0, "{analytics}");
    let shown = gateline.run(&asked).stdout;
    assert!(shown.contains("LATENCY P95") && shown.contains(" ms"), "{shown}");
    let explained = gateline.run(&[&asked[..], &["--explain"]].concat()).stdout;
    assert!(explained.contains("rollups"), "{explained}");
    assert!(explained.contains("apis, calls"), "{explained}");
    // All of them were sent to the one target, which is called as it is configured.
    let by_target = gateline.run(&["analytics", "--api", "shop", "--last", "1h", "--by", "target"]);
    let (code, shown) = (by_target.code, by_target.stdout);
    assert_eq!(code, Some(0), "{}", by_target.stderr);
    assert!(
        shown
            .lines()
            .any(|line| line.trim_start().starts_with(service) && line.contains(" 10 ")),
        "{shown}"
    );
}

async fn the_line(home: &Home) {
    let service = Service::start().await;
    let gateline = home.up().await;
    for pointer in ["/admin/email", "/admin/password", "/admin/token"] {
        assert!(
            gateline.ready.pointer(pointer).is_some_and(Value::is_string),
            "{pointer} in {}",
            gateline.ready
        );
    }
    assert!(gateline.ready.get("demo").is_none());

    let imported = gateline.import_shop(&service);
    assert!(
        imported["api"].as_str().unwrap().starts_with("api_"),
        "{imported}"
    );
    assert!(
        imported["version"].is_string() && imported["findings"].is_array(),
        "{imported}"
    );
    assert_eq!(imported["operations"], 13);
    assert_eq!(imported["base_url"], format!("{}/shop", gateline.gateway()));

    let key = gateline.json(&["keys", "create", "--api", "shop", "--plan", "free"]);
    assert!(key["id"].as_str().unwrap().starts_with("key_"), "{key}");
    let key = key["key"].as_str().unwrap();
    assert!(key.starts_with("gl_sandbox_"), "{key}");

    let http = Http::new();
    let url = format!("{}/shop/stations/harbour", gateline.gateway());
    let answered = eventually("the key", IN_FORCE, async || {
        http.get(&url, key).await.filter(|answer| answer.status == 200)
    });
    assert_eq!(answered.await.json()["code"], "harbour");
    // Refused calls on the way there are counted, too; from here on the count is exact.
    let before = eventually("the first count", COUNTED, async || {
        Some(gateline.calls("shop")).filter(|calls| *calls > 0)
    })
    .await;
    for _ in 0..9 {
        assert_eq!(http.get(&url, key).await.unwrap().status, 200);
    }
    gateline.counted("shop", before + 9, COUNTED).await;
    let usage = gateline.json(&["usage", "--api", "shop"]);
    assert!(
        usage["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["operation"] == "read_station"),
        "{usage}"
    );
    assert_eq!(service.reached(), 10);
    analytics_tell(&gateline, &service.url);

    let verified = gateline.run(&["audit", "verify"]);
    assert_eq!(
        (verified.code, verified.stderr.as_str()),
        (Some(0), ""),
        "{}",
        verified.stdout
    );
    gateline.stop();
    the_same_after_a_restart(home, key).await;
}

async fn the_same_after_a_restart(home: &Home, key: &str) {
    let gateline = home.up().await;
    let url = format!("{}/shop/stations", gateline.gateway());
    assert_eq!(Http::new().get(&url, key).await.unwrap().status, 200);
    let listed = gateline.json(&["keys", "list"]);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains(key), "a key is shown once");
    gateline.stop();
}

#[tokio::test]
async fn up_brings_a_sample_that_stays() {
    let home = Home::new();
    let http = Http::new();
    let gateline = home.up().await;
    let call = async |gateline: &Gateline| {
        let demo = &gateline.ready["demo"];
        let (url, key) = (demo["url"].as_str().unwrap(), demo["key"].as_str().unwrap());
        assert_eq!(http.get(url, key).await.unwrap().status, 200);
        (demo["api"].clone(), key.to_owned())
    };
    let first = call(&gateline).await;
    for page in [
        "/console/",
        "/portal/",
        "/api/docs",
        "/api/v1/openapi.json",
        "/health/ready",
    ] {
        let answer = http
            .get(&format!("{}{page}", gateline.control()), "")
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{page}");
    }
    // What a library does step by step is not told.
    let log = gateline.running.said();
    assert!(!log.contains("buoyant_kernel"), "{log}");
    let said = std::fs::read_to_string(home.path().join("stdout.log")).unwrap();
    for part in ["/console/", "/portal/", "curl ", &first.1] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let log = gateline.running.said();
    assert!(
        !log.contains(&first.1) && !log.contains(&gateline.token()),
        "a secret is in the log"
    );
    gateline.stop();
    let gateline = home.up().await;
    assert_eq!(call(&gateline).await, first);
    gateline.stop();
}

#[tokio::test]
async fn keys_are_rotated_and_revoked() {
    let home = Home::new().with(&["--no-demo"]);
    let (service, http) = (Service::start().await, Http::new());
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let first = gateline.json(&["keys", "create", "--api", "shop"]);
    let (id, key) = (first["id"].as_str().unwrap(), first["key"].as_str().unwrap());
    let url = format!("{}/shop/stations", gateline.gateway());
    let becomes = async |key: &str, status: u16| {
        let ask = async || http.get(&url, key).await.filter(|answer| answer.status == status);
        eventually(&format!("status {status}"), IN_FORCE, ask).await
    };
    becomes(key, 200).await;
    let second = gateline.json(&["keys", "rotate", id, "--overlap", "3600"]);
    becomes(second["key"].as_str().unwrap(), 200).await;
    becomes(key, 200).await;
    gateline.json(&["keys", "revoke", id]);
    assert_eq!(becomes(key, 401).await.code(), "key_revoked");
    assert_eq!(becomes("gl_sandbox_nonsense", 401).await.code(), "key_malformed");
    assert_eq!(becomes("", 401).await.status, 401);
    becomes(second["key"].as_str().unwrap(), 200).await;
    gateline.stop();
}

#[tokio::test]
async fn a_sign_in_is_remembered_until_signing_out() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    let admin = |field: &str| gateline.ready["admin"][field].as_str().unwrap().to_owned();
    let out = gateline.run_with(&["keys", "list"], &[]);
    assert_eq!(out.code, Some(4), "{}", out.stderr);
    assert!(out.stderr.contains("gateline login"), "{}", out.stderr);

    let sign_in = |password: &str| {
        let mut command = ours("gateline");
        command.args(["login", "--email", &admin("email"), "--password-stdin"]);
        command
            .env("GATELINE_URL", gateline.control())
            .env("GATELINE_CONFIG_DIR", home.path().join("config"));
        let file = home.path().join("password");
        std::fs::write(&file, format!("{password}\n")).unwrap();
        command
            .stdin(std::fs::File::open(file).unwrap())
            .status()
            .unwrap()
            .code()
    };
    assert_eq!(sign_in("wrong"), Some(4));
    assert_eq!(sign_in(&admin("password")), Some(0));
    let remembered = gateline.run_with(&["keys", "list", "--output", "json"], &[]);
    assert_eq!(remembered.code, Some(0), "{}", remembered.stderr);
    assert_eq!(gateline.run_with(&["logout"], &[]).code, Some(0));
    assert_eq!(gateline.run_with(&["keys", "list"], &[]).code, Some(4));
    gateline.stop();
}

#[tokio::test]
async fn commands_end_with_the_promised_codes() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    let broken = home.path().join("broken.yaml");
    std::fs::write(
        &broken,
        "openapi: 3.1.0\ninfo: { title: A, version: '1' }\npaths:\n  /a: { $ref: '#/nowhere' }\n",
    )
    .unwrap();
    let refused = gateline.run(&["import", broken.to_str().unwrap()]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("contract_invalid") && refused.stderr.contains("line 4"),
        "{}",
        refused.stderr
    );
    let refused = gateline.run(&["import", broken.to_str().unwrap(), "--output", "json"]);
    let problem: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(problem["code"], "contract_invalid");
    assert_eq!(problem["errors"][0]["line"], 4);
    let apis = Http::new()
        .send(
            Method::GET,
            &format!("{}/api/v1/apis", gateline.control()),
            &[("authorization", &format!("Bearer {}", gateline.token()))],
            "",
        )
        .await
        .unwrap();
    assert_eq!(
        apis.json()["data"].as_array().unwrap().len(),
        0,
        "nothing half-imported stays"
    );

    assert_eq!(gateline.run(&["import", "no-such-file.yaml"]).code, Some(2));
    assert_eq!(gateline.run(&["impart"]).code, Some(2));
    assert_eq!(
        gateline
            .run_with(&["keys", "list"], &[("GATELINE_TOKEN", "nonsense")])
            .code,
        Some(4)
    );
    assert_eq!(
        gateline
            .run_with(
                &["keys", "list"],
                &[("GATELINE_TOKEN", "x"), ("GATELINE_URL", "http://127.0.0.1:9")]
            )
            .code,
        Some(5)
    );
    let script = gateline.run(&["completions", "bash"]);
    assert!(
        script.code == Some(0) && script.stdout.contains("_gateline"),
        "{}",
        script.stderr
    );
    gateline.stop();
}

#[tokio::test]
async fn a_changed_audit_entry_is_found() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    assert_eq!(gateline.run(&["audit", "verify"]).code, Some(0));
    let store = store::Store::open(&format!("sqlite:{}", home.data().join("gateline.db").display()))
        .await
        .unwrap();
    let mut tx = store.begin().await.unwrap();
    let sql = "UPDATE audit SET body = replace(body, 'Free', 'Fred') WHERE body LIKE '%Free%'";
    assert!(tx.execute(sql, &[]).await.unwrap() > 0);
    tx.commit().await.unwrap();
    store.close().await;
    let found = gateline.run(&["audit", "verify", "--output", "json"]);
    assert_eq!(found.code, Some(1), "{}", found.stderr);
    let answer: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(answer["valid"], false);
    assert!(!answer["first_broken"].is_null(), "{answer}");
    gateline.stop();
}

#[tokio::test]
async fn whoever_has_the_machine_gets_back_in() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    let (data, control) = (home.data().display().to_string(), gateline.control());
    let email = gateline.ready["admin"]["email"].as_str().unwrap().to_owned();
    let address = control.strip_prefix("http://").unwrap();
    // Beside the running server.
    let line = [
        "reset-password",
        &email,
        "--data-dir",
        &data,
        "--control",
        address,
    ];
    let made = gateline.json(&line);
    let url = made["url"].as_str().unwrap();
    let token = url.strip_prefix(&format!("{control}/console/reset#")).unwrap();
    let http = Http::new();
    let post = async |path: &str, body: Value| {
        let json = [("content-type", "application/json")];
        let url = format!("{control}/api/v1/auth/{path}");
        let answer = http.send(Method::POST, &url, &json, &body.to_string()).await;
        answer.unwrap().status
    };
    let body = json!({ "token": token, "password": "another one that is long" });
    assert_eq!(post("password-reset", body.clone()).await, 204);
    assert_eq!(post("password-reset", body).await, 410);
    let body = json!({ "email": email, "password": "another one that is long" });
    assert_eq!(post("sessions", body).await, 201);
    let store = store::Store::open(&format!("sqlite:{data}/gateline.db"))
        .await
        .unwrap();
    let noted = store
        .fetch_all("SELECT id FROM audit WHERE action = 'create_password_reset'", &[])
        .await;
    assert_eq!(noted.unwrap().len(), 1);
    store.close().await;
    let nobody = ["reset-password", "nobody@example.com", "--data-dir", &data];
    let nobody = gateline.run(&nobody);
    assert_eq!(nobody.code, Some(3), "{}", nobody.stderr);
    // A directory that is none is not made into one.
    let elsewhere = home.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let wrong = [
        "reset-password",
        &email,
        "--data-dir",
        elsewhere.to_str().unwrap(),
    ];
    let wrong = gateline.run(&wrong);
    assert_eq!(wrong.code, Some(3), "{}", wrong.stderr);
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
    // The chain is whole, and the server starts again though nobody knows the first password any more.
    gateline.stop();
    let gateline = home.up().await;
    assert!(gateline.ready["admin"]["token"].is_null());
    gateline.stop();
}
