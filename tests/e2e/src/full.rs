//! A full disk: changes are refused, traffic goes on, and nothing is broken when there is room again.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::harness::eventually;
use crate::harness::gateline::Home;
use crate::harness::http::Http;
use crate::harness::service::Service;

/// A line that starts `command` with a small file system of its own at `folder`.
///
/// Root mounts it in a private mount namespace; others need user namespaces, which Debian has switched on.
fn with_small_disk(command: &Command, folder: &Path) -> Command {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    let mut wrapped = Command::new("unshare");
    if !root {
        wrapped.arg("--map-root-user");
    }
    wrapped
        .args([
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs -o size=12m none \"$0\" && exec \"$@\"",
        ])
        .arg(folder);
    wrapped.arg(command.get_program()).args(command.get_args());
    if let Some(current) = command.get_current_dir() {
        wrapped.current_dir(current);
    }
    wrapped
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("GATELINE_")));
    wrapped
}

#[tokio::test]
async fn a_full_disk_refuses_changes_and_serves_traffic() {
    let home = Home::new().with(&["--no-demo"]);
    let (service, http) = (Service::start().await, Http::new());
    std::fs::create_dir_all(home.data()).unwrap();
    let gateline = home
        .start(&mut with_small_disk(&home.command(), &home.data()))
        .await;
    gateline.import_shop(&service);
    let key = gateline.shop_key();
    let url = format!("{}/shop/stations", gateline.gateway());
    eventually("the key", Duration::from_secs(2), async || {
        http.get(&url, &key).await.filter(|answer| answer.status == 200)
    })
    .await;

    let bearer = format!("Bearer {}", gateline.token());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let create = async |number: usize, description: &str| {
        let body = json!({ "name": format!("plan-{number}"), "title": "Plan", "description": description });
        let url = format!("{}/api/v1/plans", gateline.control());
        http.send(Method::POST, &url, &headers, &body.to_string())
            .await
            .unwrap()
    };
    let long = "x".repeat(19_000);
    let mut number = 0;
    let full = loop {
        let answer = create(number, &long).await;
        if answer.status != 201 {
            break answer;
        }
        number += 1;
        assert!(number < 2_000, "the disk does not fill");
    };
    assert_eq!(
        (full.status.as_u16(), full.code().as_str()),
        (507, "storage_full"),
        "{}",
        full.json()
    );
    for _ in 0..50 {
        assert_eq!(http.get(&url, &key).await.unwrap().status, 200);
    }
    let read = http
        .send(
            Method::GET,
            &format!("{}/api/v1/plans?limit=1", gateline.control()),
            &headers,
            "",
        )
        .await
        .unwrap();
    assert_eq!(read.status, 200);
    gateline.running.signal("TERM");
}
