//! `kill -9` at any point: nothing double, nothing missing that was in the log.
//!
//! The programs of a debug build abort at named points (`GATELINE_FAULT=<point>:<count>`), without unwinding and
//! without a destructor, as a kill does. After each crash the test reads log and store as they were left, works
//! out what must be counted in the end, starts again, and compares.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use events::log::LogSettings;
use store::Store;

use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::service::Service;

/// Where the programs die, and how often the point is passed before.
const POINTS: [(&str, &[u64]); 13] = [
    ("log.before_commit", &[1, 7, 40]),
    ("log.after_commit", &[1, 7, 40]),
    ("log.after_trim", &[1, 3]),
    ("ship.before_commit", &[1, 3]),
    ("ship.after_commit", &[1, 3]),
    ("usage.counted", &[1, 2, 3]),
    ("usage.before_commit", &[1, 2, 3]),
    ("usage.after_commit", &[1, 2, 3]),
    ("lake.before_upload", &[1, 2]),
    ("lake.before_commit", &[1, 2]),
    ("lake.after_commit", &[1, 2]),
    ("lake.before_name", &[1, 2, 3]),
    ("lake.after_name", &[1, 2, 3]),
];
const CLIENTS: usize = 8;
/// So that the lake commits while there is load.
const LAKE_INTERVAL: (&str, &str) = ("GATELINE_LAKE_COMMIT_INTERVAL_MS", "100");

/// Calls until told to stop or nobody answers; how many were answered with 200.
async fn load(url: String, key: String, stop: Arc<AtomicBool>, sent: Arc<AtomicI64>) -> i64 {
    let http = Http::new();
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) {
        sent.fetch_add(1, Ordering::Relaxed);
        match http.get(&url, &key).await {
            Some(answer) if answer.status == 200 => answered += 1,
            _ => break,
        }
    }
    answered
}

/// What store and log say together: all of it must be counted in the end, once.
async fn kept(data: &Path) -> i64 {
    let log = events::Log::open(&data.join("gateway/log.redb"), LogSettings::default()).unwrap();
    let store = Store::connect(&format!("sqlite:{}", data.join("gateline.db").display()))
        .await
        .unwrap();
    let node = [store::Arg::text(log.node())];
    let row = store
        .fetch_optional("SELECT sequence FROM usage_watermark WHERE node_id = $1", &node)
        .await
        .unwrap();
    let watermark = row.map_or(0, |row| row.int("sequence").unwrap());
    let counted = counted(&store).await;
    store.close().await;
    let mut waiting = 0;
    let mut sequence = u64::try_from(watermark).unwrap();
    loop {
        let batches = log.read_after(sequence, 256).unwrap();
        let Some(last) = batches.last() else { break };
        sequence = last.sequence();
        waiting += batches
            .iter()
            .map(|batch| i64::try_from(batch.events().unwrap().len()).unwrap())
            .sum::<i64>();
    }
    counted + waiting
}

/// The calls in the usage, which are as many as in the roll-ups.
async fn counted(store: &Store) -> i64 {
    let sum = async |what: &str| {
        let rows = store
            .fetch_all(&format!("SELECT calls FROM {what}"), &[])
            .await
            .unwrap();
        rows.iter().map(|row| row.int("calls").unwrap()).sum::<i64>()
    };
    let usage = sum("usage_hour").await;
    for table in ["rollup_minute", "rollup_hour", "rollup_day"] {
        for grain in ["apis", "operations", "applications", "calls"] {
            let at_grain = format!("{table} r JOIN series s ON s.id = r.series_id WHERE s.grain = '{grain}'");
            assert_eq!(sum(&at_grain).await, usage, "{at_grain}");
        }
    }
    usage
}

/// Waits until each of the counted calls is one row of the lake.
async fn in_the_lake(gateline: &Gateline, calls: i64) {
    let sql = "SELECT count(*) AS calls, count(DISTINCT request_id) AS requests FROM calls WHERE api_id IS NOT NULL";
    let wanted = format!("{{\"calls\":{calls},\"requests\":{calls}}}\n");
    let mut found = String::new();
    let same = eventually("the lake's count", Duration::from_secs(20), async || {
        found = gateline.run(&["sql", sql, "--output", "json"]).stdout;
        (found == wanted).then_some(())
    });
    same.await;
    // No roll-ups are so old, so the calls themselves are summed up.
    let asked = [
        "analytics",
        "--from",
        "2020-01-01T00:00:00Z",
        "--by",
        "operation,status",
        "--measure",
        "calls",
    ];
    let answer = gateline.json(&asked);
    assert_eq!(answer["sources"][0]["kind"], "calls", "{answer}");
    let rows = answer["rows"].as_array().unwrap();
    let sum: f64 = rows
        .iter()
        .map(|row| row["values"]["calls"].as_f64().unwrap())
        .sum();
    assert_eq!(sum, calls as f64);
}

async fn prepare(gateline: &Gateline, home: &Home, service: &Service) -> String {
    gateline.import_shop(service);
    let plan = home.path().join("plan.yaml");
    // Without limits, so that every answer under load is a 200.
    let offered = "- { kind: plan, spec: { name: open, title: Open } }
- { kind: product, spec: { name: shop, plans: [free, open] } }
";
    std::fs::write(&plan, offered).unwrap();
    gateline.json(&["apply", plan.to_str().unwrap()]);
    let key = gateline.json(&["keys", "create", "--api", "shop", "--plan", "open"]);
    let key = key["key"].as_str().unwrap().to_owned();
    let (http, url) = (Http::new(), format!("{}/shop/stations/bay", gateline.gateway()));
    eventually("the key", Duration::from_secs(2), async || {
        http.get(&url, &key).await.filter(|answer| answer.status == 200)
    })
    .await;
    key
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_counted_twice_or_lost_from_the_log() {
    let mut home = Home::new().with(&["--no-demo"]);
    home.set(LAKE_INTERVAL.0, LAKE_INTERVAL.1);
    home.set("GATELINE_LAKE_KEEP_DAYS", "0");
    let service = Service::start().await;
    let gateline = home.up().await;
    let key = prepare(&gateline, &home, &service).await;
    gateline.stop();
    let mut expected = kept(&home.data()).await;

    for (point, counts) in POINTS {
        for count in counts {
            let place = format!("{point}:{count}");
            home.set("GATELINE_FAULT", &place);
            let (answered, sent) = match home.try_up().await {
                Ok(gateline) => crash(gateline, &key, &place).await,
                // A node asks for its watermark at the start: that passes some points, too.
                Err(ended) => {
                    assert_eq!(ended.code, None, "{place}: {}", ended.stderr);
                    (0, 0)
                }
            };
            home.unset("GATELINE_FAULT");
            let after = kept(&home.data()).await;
            let new = after - expected;
            // What was in the rings may be gone (the default mode promises no more), but nothing is invented.
            assert!(new <= sent, "{place}: {new} kept of {sent} sent");
            let lost = answered - new;
            assert!(
                lost <= 10_000,
                "{place}: {lost} of {answered} answered calls are in neither store nor log"
            );
            expected = after;

            let gateline = home.up().await;
            gateline.counted("shop", expected, Duration::from_secs(20)).await;
            in_the_lake(&gateline, expected).await;
            gateline.stop();
            assert_eq!(kept(&home.data()).await, expected, "{place}: after a clean stop");
        }
    }
}

/// Loads a process until its fault kills it; answered and sent calls.
async fn crash(mut gateline: Gateline, key: &str, place: &str) -> (i64, i64) {
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let url = format!("{}/shop/stations/bay", gateline.gateway());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            tokio::spawn(load(
                url.clone(),
                key.to_owned(),
                Arc::clone(&stop),
                Arc::clone(&sent),
            ))
        })
        .collect();
    let ended = eventually(
        &format!("the crash at {place}"),
        Duration::from_secs(30),
        async || gateline.running.ended(),
    )
    .await;
    stop.store(true, Ordering::Relaxed);
    assert_eq!(
        ended,
        None,
        "{place}: ended by itself: {}",
        gateline.running.said()
    );
    let mut answered = 0;
    for client in clients {
        answered += client.await.unwrap();
    }
    (answered, sent.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_a_random_moment_is_survived() {
    let mut home = Home::new().with(&["--no-demo"]);
    home.set(LAKE_INTERVAL.0, LAKE_INTERVAL.1);
    home.set("GATELINE_LAKE_KEEP_DAYS", "0");
    let service = Service::start().await;
    let gateline = home.up().await;
    let key = prepare(&gateline, &home, &service).await;
    gateline.stop();
    let mut expected = kept(&home.data()).await;
    for pause_ms in [30, 150, 400] {
        let gateline = home.up().await;
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
        let url = format!("{}/shop/stations/bay", gateline.gateway());
        let client = tokio::spawn(load(url, key.clone(), Arc::clone(&stop), Arc::clone(&sent)));
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        gateline.running.kill();
        stop.store(true, Ordering::Relaxed);
        client.await.unwrap();
        let after = kept(&home.data()).await;
        assert!((expected..=expected + sent.load(Ordering::Relaxed)).contains(&after));
        expected = after;
        let gateline = home.up().await;
        gateline.counted("shop", expected, Duration::from_secs(20)).await;
        in_the_lake(&gateline, expected).await;
        gateline.stop();
    }
}
