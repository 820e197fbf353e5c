//! Alerts from real traffic to whoever is told: a webhook and a mailbox.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use domain::id::RequestId;
use domain::rollup::Resolution;
use events::{Call, Callee};
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use store::Store;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::away::answers;
use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::service::Service;

const SOON: Duration = Duration::from_secs(20);
const HOUR_MICROS: i64 = 3_600_000_000;

/// A receiver of webhooks: keeps what comes, and fails as often as it is told to before.
struct Receiver {
    url: String,
    came: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    task: JoinHandle<()>,
}

impl Receiver {
    async fn start(failures: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        let came = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&came);
        let router = axum::Router::new().fallback(move |request: Request| {
            let kept = Arc::clone(&kept);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let mut kept = kept.lock().unwrap();
                kept.push((head.headers, String::from_utf8(body.to_vec()).unwrap()));
                if kept.len() > failures {
                    StatusCode::NO_CONTENT
                } else {
                    StatusCode::BAD_GATEWAY
                }
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, came, task }
    }

    /// What came of an alert of a rule.
    fn of(&self, rule: &str) -> Vec<(HeaderMap, Value)> {
        let came = self.came.lock().unwrap();
        let parsed = came
            .iter()
            .map(|(headers, body)| (headers.clone(), serde_json::from_str(body).unwrap()));
        parsed
            .filter(|(_, body): &(_, Value)| body["data"]["alert"]["rule"] == rule)
            .collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A mail server that takes everything (RFC 5321) and keeps it.
struct Mailbox {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Mailbox {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&mails);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take_mail(stream, Arc::clone(&kept)));
            }
        });
        Self { port, mails, task }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take_mail(stream: TcpStream, kept: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mail.test\r\n").await.ok()?;
    let mut mail = String::new();
    let mut is_data = false;
    while let Some(line) = lines.next_line().await.ok()? {
        let answer: &[u8] = match line.split(' ').next()? {
            "." if is_data => {
                is_data = false;
                kept.lock().unwrap().push(std::mem::take(&mut mail));
                b"250 taken\r\n"
            }
            _ if is_data => {
                mail.push_str(&line);
                mail.push('\n');
                continue;
            }
            "DATA" => {
                is_data = true;
                b"354 go on\r\n"
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await.ok()?;
                return Some(());
            }
            _ => {
                mail.push_str(&line);
                mail.push('\n');
                b"250 ok\r\n"
            }
        };
        writer.write_all(answer).await.ok()?;
    }
    Some(())
}

fn home(mailbox: &Mailbox) -> Home {
    let mut home = Home::new().with(&["--no-demo"]);
    home.set("GATELINE_ALERTS_INTERVAL_SECONDS", "1");
    home.set("GATELINE_ALERTS_DANGER_PRIVATE_ADDRESSES", "true");
    home.set(
        "GATELINE_ALERTS_MAIL_URL",
        &format!("smtp://127.0.0.1:{}", mailbox.port),
    );
    home.set("GATELINE_ALERTS_MAIL_FROM", "Gateline <alerts@gateline.test>");
    home
}

/// Declares channels and rules as a folder does.
fn declare(gateline: &Gateline, home: &Home, receiver: &Receiver, rules: &[(&str, Value)]) {
    let channels = [
        json!({ "kind": "alert_channel", "spec": { "name": "hook", "title": "Hook",
            "target": { "kind": "webhook", "url": receiver.url } } }),
        json!({ "kind": "alert_channel", "spec": { "name": "team", "title": "Team",
            "target": { "kind": "email", "to": ["team@example.com", "boss@example.com"] } } }),
    ];
    let rules = rules.iter().map(|(name, condition)| {
        json!({ "kind": "alert_rule", "spec": { "name": name, "title": format!("The {name}"),
            "description": "See the runbook.", "severity": "critical", "channels": ["hook", "team"],
            "condition": condition } })
    });
    let folder = home.path().join("alerts");
    std::fs::create_dir(&folder).unwrap();
    for (number, document) in channels.into_iter().chain(rules).enumerate() {
        std::fs::write(folder.join(format!("{number}.yaml")), document.to_string()).unwrap();
    }
    gateline.json(&["apply", folder.to_str().unwrap()]);
    let again = gateline.run(&["diff", folder.to_str().unwrap()]);
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
}

async fn call(http: &Http, gateline: &Gateline, path: &str, key: &str, times: usize) {
    for _ in 0..times {
        let answer = http.get(&format!("{}{path}", gateline.gateway()), key).await;
        assert!(answer.is_some());
    }
}

/// Waits for what a rule's alert is told the receiver; answers the body of the first that is received.
async fn told(receiver: &Receiver, rule: &str, kind: &str) -> Value {
    let what = format!("{kind} of {rule}");
    let seen = eventually(&what, SOON, async || {
        let came = receiver.of(rule);
        came.into_iter()
            .map(|(_, body)| body)
            .find(|body| body["type"] == kind)
    });
    seen.await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threshold_budget_and_quota_are_told_from_real_traffic() {
    let (receiver, mailbox) = (Receiver::start(0).await, Mailbox::start().await);
    let (service, http) = (Service::start().await, Http::new());
    let home = home(&mailbox);
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let refused =
        json!({ "kind": "threshold", "measure": "refused", "window_minutes": 1, "over": 2, "by": ["api"] });
    let rules = [
        ("refusals", refused),
        ("budget", json!({ "kind": "burn_rate", "objective": 0.999 })),
        (
            "traffic",
            json!({ "kind": "threshold", "measure": "calls", "window_minutes": 1440, "over": 1_000_000 }),
        ),
    ];
    declare(&gateline, &home, &receiver, &rules);
    let url = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &url, &key, SOON).await;
    assert_eq!(gateline.run(&["alerts", "list"]).stdout, "nothing is wrong\n");

    call(&http, &gateline, "/shop/stations", "nobody's", 3).await;
    let body = told(&receiver, "refusals", "alert.firing").await;
    let alert = &body["data"]["alert"];
    assert_eq!(
        (&alert["state"], &alert["severity"]),
        (&json!("firing"), &json!("critical")),
        "{body}"
    );
    assert!(
        alert["labels"]["api"].as_str().unwrap().starts_with("api_"),
        "{body}"
    );
    assert_eq!(body["data"]["description"], "See the runbook.");
    verify(&gateline, &receiver);

    // The service is away: all calls fail, far beyond the budget.
    drop(service);
    call(&http, &gateline, "/shop/stations", &key, 5).await;
    let body = told(&receiver, "budget", "alert.firing").await;
    assert!(body["data"]["alert"]["value"].as_f64().unwrap() > 14.4, "{body}");
    let listed = gateline.json(&["alerts", "list"]);
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "{listed}");
    let mail = eventually("two mails", SOON, async || {
        let mails = mailbox.mails.lock().unwrap().clone();
        (mails.len() >= 2).then_some(mails)
    });
    let mails = mail.await.join("\n");
    for part in [
        "RCPT TO:<team@example.com>",
        "RCPT TO:<boss@example.com>",
        "Subject: Firing (critical): The budget",
        "See the runbook.",
    ] {
        assert!(mails.contains(part), "{part}: {mails}");
    }

    // Who declared a rule otherwise ends its alert, and those who were told hear of it.
    let paused = home.path().join("paused.yaml");
    let condition = &rules[0].1;
    let spec = json!({ "kind": "alert_rule", "spec": { "name": "refusals", "title": "The refusals", "channels": ["hook"],
        "condition": condition, "paused": true } });
    std::fs::write(&paused, spec.to_string()).unwrap();
    gateline.json(&["apply", paused.to_str().unwrap()]);
    let body = told(&receiver, "refusals", "alert.resolved").await;
    assert_eq!(body["data"]["alert"]["ended_by"], "rule_changed", "{body}");
    gateline.stop();
}

/// The receiver knows that it is ours.
fn verify(gateline: &Gateline, receiver: &Receiver) {
    let secret = gateline.json(&["alerts", "secret", "hook"]);
    let secret = secret["secret"]
        .as_str()
        .unwrap()
        .strip_prefix("whsec_")
        .unwrap()
        .to_owned();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret).unwrap());
    let came = receiver.came.lock().unwrap();
    for (headers, body) in came.iter() {
        let header = |name: &str| headers[name].to_str().unwrap();
        let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
        let given = header("webhook-signature").strip_prefix("v1,").unwrap();
        hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(given).unwrap()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quota_and_what_is_not_usual_are_told_from_real_traffic() {
    let (receiver, mailbox) = (Receiver::start(0).await, Mailbox::start().await);
    let (service, http) = (Service::start().await, Http::new());
    let home = home(&mailbox);
    let gateline = home.up().await;
    let imported = gateline.import_shop(&service);
    let key = gateline.shop_key();
    let url = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &url, &key, SOON).await;
    gateline.stop();
    remember_ten_days(&home, &imported).await;

    let gateline = home.up().await;
    let rules = [
        (
            "unusual",
            json!({ "kind": "anomaly", "measure": "calls", "side": "high" }),
        ),
        ("quota", json!({ "kind": "quota", "percent": 10 })),
    ];
    let plan = home.path().join("plan.yaml");
    let spec = json!({ "name": "free", "title": "Free", "quota": { "requests": 1000, "period": "month" } });
    std::fs::write(&plan, json!({ "kind": "plan", "spec": spec }).to_string()).unwrap();
    gateline.json(&["apply", plan.to_str().unwrap()]);
    declare(&gateline, &home, &receiver, &rules);
    let url = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &url, &key, SOON).await;
    call(&http, &gateline, "/shop/stations", &key, 120).await;
    let body = told(&receiver, "unusual", "alert.firing").await;
    let alert = &body["data"]["alert"];
    assert!(alert["value"].as_f64() > alert["limit"].as_f64(), "{body}");
    let body = told(&receiver, "quota", "alert.firing").await;
    assert!(
        body["data"]["alert"]["labels"]["subscription"]
            .as_str()
            .unwrap()
            .starts_with("sub_"),
        "{body}"
    );

    // A rule becomes one of another kind.
    let other = home.path().join("other.yaml");
    let spec =
        json!({ "name": "quota", "title": "Budget", "condition": { "kind": "burn_rate", "objective": 0.9 } });
    std::fs::write(&other, json!({ "kind": "alert_rule", "spec": spec }).to_string()).unwrap();
    gateline.json(&["apply", other.to_str().unwrap()]);
    assert_eq!(
        gateline.json(&["get", "alert-rules", "quota"])["condition"]["kind"],
        "burn_rate"
    );

    // The examples are such that can be used.
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    for folder in ["alerts", "reports"] {
        gateline.json(&["apply", &format!("{examples}/{folder}")]);
    }
    let checkout = gateline.json(&["reports", "show", "checkout"]);
    assert_eq!(checkout["sections"].as_array().unwrap().len(), 4, "{checkout}");
    gateline.stop();
}

/// Writes five calls for each hour of the ten days before.
async fn remember_ten_days(home: &Home, imported: &Value) {
    let store = Store::connect(&format!("sqlite:{}", home.data().join("gateline.db").display()))
        .await
        .unwrap();
    let row = store
        .fetch_optional("SELECT organization_id FROM apis", &[])
        .await
        .unwrap()
        .unwrap();
    let callee = Callee {
        organization: row.parse("organization_id").unwrap(),
        api: imported["api"].as_str().unwrap().parse().unwrap(),
        version: imported["version"].as_str().unwrap().parse().unwrap(),
        operation: None,
    };
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let now = i64::try_from(since.as_micros()).unwrap();
    let mut fold = events::rollup::Fold::default();
    for ago in 1..=240 {
        let call = Call {
            callee: Some(callee),
            status: 200,
            latency_us: 1000,
            counted: true,
            ..Call::begun(
                RequestId::new(Uuid::nil()),
                Timestamp::from_micros(now - ago * HOUR_MICROS),
            )
        };
        for _ in 0..5 + ago % 3 {
            fold.add(&call);
        }
    }
    let rollups = fold.finish();
    let [.., days] = &rollups;
    let series: Vec<_> = days.iter().map(|day| day.series).collect();
    let mut tx = store.begin().await.unwrap();
    tx.add_series(&series).await.unwrap();
    for (resolution, rollups) in Resolution::ALL.into_iter().zip(rollups) {
        tx.add_rollups(resolution, &rollups).await.unwrap();
    }
    tx.commit().await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_sent_as_a_file_and_as_json() {
    let (receiver, mailbox) = (Receiver::start(0).await, Mailbox::start().await);
    let (service, http) = (Service::start().await, Http::new());
    let home = home(&mailbox);
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    declare(&gateline, &home, &receiver, &[]);
    let url = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &url, &key, SOON).await;
    let folder = home.path().join("schedules");
    std::fs::create_dir(&folder).unwrap();
    for format in ["pdf", "csv"] {
        let spec = json!({ "name": format, "title": format!("The week as {format}"), "report": "traffic", "interval": "week",
            "format": format, "channels": ["hook", "team"] });
        let document = json!({ "kind": "report_schedule", "spec": spec });
        std::fs::write(folder.join(format!("{format}.yaml")), document.to_string()).unwrap();
    }
    gateline.json(&["apply", folder.to_str().unwrap()]);
    for format in ["pdf", "csv"] {
        let sent = gateline.json(&["reports", "send", format]);
        assert_eq!(sent["data"].as_array().unwrap().len(), 2, "{sent}");
    }
    let mails = eventually("two mails", SOON, async || {
        let mails = mailbox.mails.lock().unwrap().clone();
        (mails.len() >= 2).then_some(mails)
    });
    let mails = mails.await;
    let mail_of = |format: &str| {
        let name = format!("filename=\"traffic.{format}\"");
        let mail = mails.iter().find(|mail| mail.contains(&name));
        mail.unwrap_or_else(|| panic!("{name}: {mails:?}")).clone()
    };
    let pdf = mail_of("pdf");
    assert!(pdf.contains("Subject: The week as pdf, 20"), "{pdf}");
    assert!(pdf.contains("Content-Type: application/pdf"), "{pdf}");
    // The file begins with `%PDF-` in base 64.
    assert!(pdf.contains("\nJVBERi0"), "{pdf}");
    assert!(mail_of("csv").contains("Content-Type: text/csv"), "{mails:?}");
    let report = eventually("the report came as JSON", SOON, async || {
        let came = receiver.came.lock().unwrap().clone();
        let mut bodies = came
            .iter()
            .map(|(_, body)| serde_json::from_str::<Value>(body).unwrap());
        bodies.find(|body| body["type"] == "report.made")
    });
    let report = report.await;
    assert_eq!(report["data"]["report"]["name"], "traffic", "{report}");
    verify(&gateline, &receiver);
    let schedules = gateline.run(&["reports", "schedules"]).stdout;
    assert!(schedules.contains("hook, team"), "{schedules}");
    gateline.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_received_is_sent_again_also_after_a_restart() {
    let (receiver, mailbox) = (Receiver::start(2).await, Mailbox::start().await);
    let (service, http) = (Service::start().await, Http::new());
    let home = home(&mailbox);
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let rules = [(
        "traffic",
        json!({ "kind": "threshold", "measure": "calls", "window_minutes": 1440, "over": 2 }),
    )];
    declare(&gateline, &home, &receiver, &rules);
    let tried = gateline.run(&["alerts", "test", "hook"]);
    assert!(
        tried.stdout.contains("the server answered 502"),
        "{}",
        tried.stdout
    );
    let url = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &url, &key, SOON).await;
    call(&http, &gateline, "/shop/stations", &key, 3).await;
    let first = eventually("the first try", SOON, async || {
        receiver.of("traffic").into_iter().next()
    })
    .await;
    gateline.stop();
    let gateline = home.up().await;
    let again = eventually("the second try", Duration::from_secs(40), async || {
        let came = receiver.of("traffic");
        (came.len() == 2).then(|| came[1].clone())
    });
    let again = again.await;
    assert_eq!(
        (&first.0["webhook-id"], &first.1),
        (&again.0["webhook-id"], &again.1)
    );
    let alerts = gateline.json(&["alerts", "list"]);
    let id = alerts["data"][0]["id"].as_str().unwrap();
    let url = format!("{}/api/v1/alerts/{id}/notices", gateline.control());
    let bearer = format!("Bearer {}", gateline.token());
    let noted = eventually("it is noted", SOON, async || {
        let answer = http
            .send(Method::GET, &url, &[("authorization", &bearer)], "")
            .await?
            .json();
        let hook = answer["data"]
            .as_array()?
            .iter()
            .find(|notice| notice["channel"] == "hook")?
            .clone();
        (hook["state"] == "delivered").then_some(hook)
    });
    assert_eq!(noted.await["attempts"], 2);
    let url = format!("{}/metrics", gateline.control());
    let metrics = http.send(Method::GET, &url, &[], "").await.unwrap().body;
    let metrics = String::from_utf8_lossy(&metrics);
    let delivered = metrics
        .lines()
        .find_map(|line| line.strip_prefix("gateline_alert_notices_delivered_total "));
    assert!(delivered.unwrap().parse::<u64>().unwrap() >= 1, "{metrics}");
    gateline.stop();
}
