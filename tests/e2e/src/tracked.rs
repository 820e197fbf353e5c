//! Tracked events through the real programs: from the command line and over HTTP, at nodes too, killed at any point.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::away::edge;
use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::program::{Running, free_port};
use crate::lake::rows;

/// Where the program dies, and how often the point is passed before.
const POINTS: [(&str, u64); 15] = [
    ("log.before_commit", 1),
    ("log.before_commit", 23),
    ("log.after_commit", 9),
    ("log.after_trim", 2),
    ("ship.before_commit", 2),
    ("ship.after_commit", 2),
    ("usage.counted", 2),
    ("usage.before_commit", 2),
    ("usage.after_commit", 2),
    ("lake.before_upload", 2),
    ("lake.before_commit", 2),
    ("lake.after_commit", 1),
    ("lake.between_tables", 1),
    ("lake.between_tables", 4),
    ("lake.after_name", 3),
];
const CLIENTS: usize = 6;
const BATCH: usize = 7;

/// Declares the type and makes a key.
fn prepare(gateline: &Gateline) -> String {
    gateline.json(&["event-types", "create", "visit"]);
    let key = gateline.json(&["sdk-keys", "create", "--kind", "server"]);
    key["key"].as_str().unwrap().to_owned()
}

/// Sends the events of a batch; how many were accepted, and how many were known. Nothing if nobody took them.
async fn send(http: &Http, address: &str, key: &str, ids: &[String]) -> Option<(u64, u64)> {
    let events: Vec<_> = ids
        .iter()
        .map(|id| json!({ "type": "visit", "id": id, "user_id": "u" }))
        .collect();
    let headers = [("x-api-key", key), ("content-type", "application/json")];
    let url = format!("{address}/api/v1/tracking/events");
    let answer = http
        .send(Method::POST, &url, &headers, &json!(events).to_string())
        .await?;
    if answer.status != 202 {
        return None;
    }
    let receipt = answer.json();
    Some((
        receipt["accepted"].as_u64().unwrap(),
        receipt["duplicates"].as_u64().unwrap(),
    ))
}

/// Sends new events until nobody answers: the batches that were answered, and the one that was not.
async fn load(
    control: String,
    key: String,
    name: String,
    stop: Arc<AtomicBool>,
) -> (u64, Option<Vec<String>>) {
    let http = Http::new();
    let mut accepted = 0;
    for batch in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let ids: Vec<_> = (0..BATCH)
            .map(|place| format!("{name}-{batch}-{place}"))
            .collect();
        match send(&http, &control, &key, &ids).await {
            Some((taken, known)) => {
                assert_eq!((taken, known), (BATCH as u64, 0), "{name}-{batch}");
                accepted += taken;
            }
            None => return (accepted, Some(ids)),
        }
    }
    (accepted, None)
}

/// The counted events.
fn counted(gateline: &Gateline) -> u64 {
    let usage = gateline.json(&["event-types", "usage", "visit", "--days"]);
    usage["events"].as_u64().unwrap()
}

async fn eventually_counted(gateline: &Gateline, expected: u64, place: &str) {
    let what = format!("{expected} events after {place}");
    let seen = eventually(&what, Duration::from_secs(20), async || {
        let found = counted(gateline);
        assert!(found <= expected, "{place}: {found} counted of {expected}");
        (found == expected).then_some(found)
    });
    seen.await;
}

/// Waits until the lake has these events, each with an id of its own.
async fn eventually_rows(gateline: &Gateline, expected: u64, place: &str) {
    let sql = "SELECT count(*) AS events, count(DISTINCT event_id) AS ids FROM events";
    let what = format!("{expected} rows after {place}");
    let seen = eventually(&what, Duration::from_secs(20), async || {
        let found = &rows(gateline, sql)[0];
        let number = |name: &str| found[name].as_u64().unwrap();
        let (events, ids) = (number("events"), number("ids"));
        assert!(
            events == ids && events <= expected,
            "{place}: {found} of {expected}"
        );
        (events == expected).then_some(())
    });
    seen.await;
}

/// What was sent and got no answer is sent again: then each event is counted once, and a row once, whatever had
/// become of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_is_counted_once_wherever_the_process_dies() {
    let mut home = Home::new().with(&["--no-demo"]);
    // So that the lake commits while there is load.
    home.set("GATELINE_LAKE_COMMIT_INTERVAL_MS", "100");
    let gateline = home.up().await;
    let key = prepare(&gateline);
    gateline.stop();
    let mut expected = 0;
    for (point, count) in POINTS {
        let place = format!("{point}:{count}");
        home.set("GATELINE_FAULT", &place);
        let mut unanswered = Vec::new();
        if let Ok(gateline) = home.try_up().await {
            let (accepted, lost) = crash(gateline, &key, &place).await;
            expected += accepted;
            unanswered = lost;
        }
        home.unset("GATELINE_FAULT");
        let gateline = home.up().await;
        let http = Http::new();
        for ids in unanswered {
            let (accepted, known) = send(&http, &gateline.control(), &key, &ids).await.unwrap();
            assert!(
                (accepted, known) == (0, BATCH as u64) || (accepted, known) == (BATCH as u64, 0),
                "{place}: {accepted} and {known} of a call that is all or nothing"
            );
            expected += BATCH as u64;
        }
        eventually_counted(&gateline, expected, &place).await;
        eventually_rows(&gateline, expected, &place).await;
        gateline.stop();
    }
    assert!(expected > 0);
}

/// Loads a process until its fault kills it; accepted events, and batches without an answer.
async fn crash(mut gateline: Gateline, key: &str, place: &str) -> (u64, Vec<Vec<String>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let name = format!("{place}-{client}");
            tokio::spawn(load(gateline.control(), key.to_owned(), name, Arc::clone(&stop)))
        })
        .collect();
    let what = format!("the crash at {place}");
    let crash = eventually(&what, Duration::from_secs(30), async || gateline.running.ended());
    let ended = crash.await;
    stop.store(true, Ordering::Relaxed);
    assert_eq!(
        ended,
        None,
        "{place}: ended by itself: {}",
        gateline.running.said()
    );
    let (mut accepted, mut unanswered) = (0, Vec::new());
    for client in clients {
        let (taken, lost) = client.await.unwrap();
        accepted += taken;
        unanswered.extend(lost);
    }
    (accepted, unanswered)
}

/// A node answers for what is in its log, whatever becomes of it then; and what was sent to it and to others is counted
/// once, and a row once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nodes_accepted_is_counted_once_wherever_else_it_was_sent() {
    let mut home = Home::new().with(&["--no-demo"]);
    home.set("GATELINE_LAKE_COMMIT_INTERVAL_MS", "100");
    let gateline = home.up().await;
    let (key, http) = (prepare(&gateline), Http::new());
    let (port, folder) = (free_port(), home.path().join("edge-log"));
    std::fs::create_dir_all(&folder).unwrap();
    let address = format!("http://127.0.0.1:{port}");
    let mut command = edge(&gateline, &home, port);
    let ids = |name: &str| -> Vec<String> { (0..40).map(|place| format!("{name}-{place}")).collect() };
    let within = Duration::from_secs(20);
    let taken = async |ids: &[String]| {
        eventually("a node that takes events", within, async || {
            send(&http, &address, &key, ids).await
        })
        .await
    };
    let mut expected = 0;
    for round in 0..3 {
        // It is killed before it can have told anybody, or nearly so.
        let node = Running::start(&mut command, &folder);
        let first = ids(&format!("{round}-first"));
        assert_eq!(taken(&first).await, (40, 0));
        node.kill();
        expected += 40;
        // Who has seen nobody answer tries elsewhere.
        assert_eq!(
            send(&http, &gateline.control(), &key, &first).await,
            Some((40, 0))
        );
        let node = Running::start(&mut command, &folder);
        assert_eq!(taken(&first).await, (0, 40));
        let (second, third) = (ids(&format!("{round}-second")), ids(&format!("{round}-third")));
        for to in [&gateline.gateway(), &address, &gateline.control()] {
            assert!(send(&http, to, &key, &second).await.is_some(), "{to}");
        }
        assert_eq!(taken(&third).await, (40, 0));
        expected += 80;
        eventually_counted(&gateline, expected, "a node").await;
        eventually_rows(&gateline, expected, "a node").await;
        node.kill();
    }
    // Nothing comes behind it.
    let node = Running::start(&mut command, &folder);
    assert_eq!(taken(&ids("last")).await, (40, 0));
    eventually_counted(&gateline, expected + 40, "the end").await;
    eventually_rows(&gateline, expected + 40, "the end").await;
    node.kill();
    gateline.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_recorded_from_the_command_line() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    let key = prepare(&gateline);
    let track = |arguments: &[&str]| {
        let all = [&["track"], arguments].concat();
        gateline.run_with(&all, &[("GATELINE_SDK_KEY", &key)])
    };
    let said = track(&["visit", "--user", "1", "--property", "price=9.5", "--id", "a"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), "the event is recorded\n"),
        "{}",
        said.stderr
    );
    let said = track(&["visit", "--user", "1", "--id", "a"]);
    assert_eq!(said.stdout, "the event is known already\n");
    let unknown = track(&["sale", "--user", "1"]);
    assert_ne!(unknown.code, Some(0));
    assert!(
        unknown.stderr.contains("event_type_unknown"),
        "{}",
        unknown.stderr
    );
    eventually_counted(&gateline, 1, "one event").await;

    let folder = home.path().join("events.yaml");
    let declared = "kind: event_type\nspec: { name: order_paid, title: Paid, schema: { type: object, required: [price] } }\n";
    std::fs::write(&folder, declared).unwrap();
    gateline.json(&["apply", Path::to_str(&folder).unwrap()]);
    let again = gateline.run(&["diff", folder.to_str().unwrap()]);
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
    let found = gateline.json(&["get", "event-types", "order_paid"]);
    assert_eq!(found["title"], "Paid");
    let refused = track(&["order_paid", "--user", "1"]);
    assert!(refused.stderr.contains("/properties"), "{}", refused.stderr);
    gateline.json(&["event-types", "archive", "order_paid"]);
    let refused = track(&["order_paid", "--user", "1", "--property", "price=1"]);
    assert!(
        refused.stderr.contains("event_type_archived"),
        "{}",
        refused.stderr
    );
    gateline.stop();
}
