//! Sums over many days that other processes compute.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::away::answers;
use crate::harness::eventually;
use crate::harness::gateline::{Ended, Gateline, Home};
use crate::harness::http::Http;
use crate::harness::program::{Running, free_port, ours};
use crate::harness::service::Service;
use crate::lake::rows;

const SOON: Duration = Duration::from_secs(20);

/// A part of a cluster for the control plane of a home, and the folder of its data.
fn part(home: &Home, role: &str, name: &str, scheduler: &str) -> (Running, PathBuf) {
    let data = home.path().join(name);
    std::fs::create_dir_all(&data).unwrap();
    let token = std::fs::read_to_string(home.data().join("secrets/cluster.token")).unwrap();
    let mut command = ours("gateline");
    command
        .current_dir(home.path())
        .args(["serve", "--roles", role, "--data-dir"])
        .arg(&data)
        .env("GATELINE_CLUSTER_TOKEN", token.trim())
        .env("GATELINE_LAKE_URL", place(home))
        .env("GATELINE_LAKE_CLUSTER_SCHEDULER", scheduler)
        .env("GATELINE_LAKE_CLUSTER_SCHEDULER_LISTEN", scheduler)
        .env("GATELINE_LAKE_CLUSTER_EXECUTOR_LISTEN", "127.0.0.1:0");
    (Running::start(&mut command, &data), data)
}

fn place(home: &Home) -> String {
    format!("file://{}/lake", home.path().display())
}

/// Calls by operation and status since long ago, which only single calls can tell.
fn asked(gateline: &Gateline) -> BTreeMap<(String, String), f64> {
    let by = "operation,status,application";
    let answer = gateline.json(&[
        "analytics",
        "--from",
        "2020-01-01T00:00:00Z",
        "--by",
        by,
        "--measure",
        "calls",
    ]);
    assert_eq!(answer["sources"][0]["kind"], "calls", "{answer}");
    let mut all = BTreeMap::new();
    for row in answer["rows"].as_array().unwrap() {
        let text = |name: &str| row["dimensions"][name].as_str().unwrap_or_default().to_owned();
        let calls = row["values"]["calls"].as_f64().unwrap();
        *all.entry((text("operation"), text("status"))).or_default() += calls;
    }
    all
}

/// What executors have found and keep.
fn found(executors: &[(Running, PathBuf)]) -> usize {
    let folder = |data: &Path| data.join("executor");
    let count = |data: &PathBuf| folder(data).read_dir().map_or(0, Iterator::count);
    executors.iter().map(|(_, data)| count(data)).sum()
}

#[tokio::test]
async fn executors_compute_what_is_too_much_for_one_process() {
    let scheduler = format!("127.0.0.1:{}", free_port());
    let mut home = Home::new().with(&["--no-demo"]);
    home.set("GATELINE_LAKE_COMMIT_INTERVAL_MS", "200");
    home.set("GATELINE_LAKE_KEEP_DAYS", "0");
    home.set("GATELINE_LAKE_URL", &place(&home));
    home.set("GATELINE_LAKE_CLUSTER_SCHEDULER", &scheduler);
    let (service, http) = (Service::start().await, Http::new());
    let gateline = home.up().await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let shop = format!("{}/shop/stations", gateline.gateway());
    answers(&http, &shop, &key, SOON).await;
    for station in 0..20 {
        let url = format!("{shop}/{station}");
        assert!(http.get(&url, &key).await.is_some());
    }
    let count = "SELECT count(*) AS calls FROM calls WHERE key_id IS NOT NULL";
    eventually("the rows", SOON, async || {
        (rows(&gateline, count)[0]["calls"].as_i64()? >= 21).then_some(())
    })
    .await;

    // There is no scheduler yet, so that the control plane computes for itself.
    let expected = asked(&gateline);
    assert!(expected.len() > 1, "{expected:?}");
    let alone = gateline.running.said();
    assert!(alone.contains("computed here"), "{alone}");

    let (mut schedules, _) = part(&home, "scheduler", "scheduler", &scheduler);
    let ready = format!("http://{scheduler}/health/ready");
    eventually("the scheduler", SOON, async || {
        http.get(&ready, "").await.filter(|answer| answer.status == 503)
    })
    .await;
    let mut executors = Vec::from(["one", "other"].map(|name| part(&home, "executor", name, &scheduler)));
    eventually("the executors", SOON, async || {
        http.get(&ready, "").await.filter(|answer| answer.status == 200)
    })
    .await;
    assert_eq!(found(&executors), 0);
    assert_eq!(asked(&gateline), expected);
    assert!(found(&executors) > 0, "executors have computed it");

    // One dies, with what it has found and with tasks perhaps.
    let (died, _) = executors.remove(0);
    died.kill();
    let before = found(&executors);
    assert_eq!(asked(&gateline), expected);
    assert!(found(&executors) > before, "the other one has computed it");

    let (executor, data) = &mut executors[0];
    executor.signal("TERM");
    assert_eq!(executor.wait(SOON), Some(0), "{}", executor.said());
    let left: Vec<_> = data.join("executor").read_dir().unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    schedules.signal("TERM");
    assert_eq!(schedules.wait(SOON), Some(0), "{}", schedules.said());
    assert_eq!(asked(&gateline), expected);
    gateline.stop();
}

#[test]
fn parts_that_were_not_told_with_whom_say_so() {
    let home = Home::new();
    for (role, set, said) in [
        (
            "scheduler",
            &[][..],
            "a scheduler without a control plane in its process needs `cluster.token`",
        ),
        (
            "executor",
            &[],
            "an executor without a control plane in its process needs `lake.cluster.scheduler`",
        ),
        (
            "executor",
            &[("GATELINE_LAKE_CLUSTER_SCHEDULER", "127.0.0.1:1")],
            "an executor without a control plane in its process needs `lake.url`",
        ),
        (
            "executor",
            &[("GATELINE_LAKE_CLUSTER_SCHEDULER", "http://127.0.0.1:1")],
            "`lake.cluster.scheduler` must be a host and a port",
        ),
    ] {
        let mut command = ours("gateline");
        command
            .args(["serve", "--roles", role, "--data-dir"])
            .arg(home.data());
        command.envs(set.iter().copied());
        let ended = Ended::of(&mut command);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    }
}
