//! Starts that must not succeed, each with a clear message and its exit code.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::harness::eventually;
use crate::harness::gateline::{Ended, Home};
use crate::harness::program::{Running, ours};

fn start(home: &Home) -> (Option<i32>, String) {
    let mut running = Running::start(&mut home.command(), home.path());
    let code = running.wait(Duration::from_secs(30));
    (code, running.said())
}

#[test]
fn wrong_settings_say_where() {
    let home = Home::new();
    fs::write(
        home.path().join("gateline.toml"),
        "[gateway]\nlistn = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    let (code, said) = start(&home);
    assert_eq!(code, Some(6), "{said}");
    assert!(
        said.contains("gateline.toml:2: there is no setting `gateway.listn`; did you mean `gateway.listen`?"),
        "{said}"
    );

    fs::write(home.path().join("gateline.toml"), "").unwrap();
    let checked = Ended::of(
        ours("gateline")
            .args(["config", "check"])
            .current_dir(home.path())
            .env("GATELINE_LOG_LEVL", "info"),
    );
    assert_eq!(checked.code, Some(6));
    assert!(
        checked.stderr.contains("did you mean `GATELINE_LOG_LEVEL`?"),
        "{}",
        checked.stderr
    );
    let checked = Ended::of(
        ours("gateline")
            .args(["config", "check"])
            .current_dir(home.path())
            .env("GATELINE_CLUSTER_TOKEN", "t0ps3cret"),
    );
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(
        checked.stdout.contains("GATELINE_CLUSTER_TOKEN") && !checked.stdout.contains("t0ps3cret"),
        "{}",
        checked.stdout
    );
}

#[test]
fn a_database_that_is_away_is_told_apart() {
    let home = Home::new().with(&[
        "--no-demo",
        "--database",
        "postgres://nobody:s3cret@127.0.0.1:9/none",
    ]);
    let (code, said) = start(&home);
    assert_eq!(code, Some(9), "{said}");
    assert!(said.contains("127.0.0.1:9") && !said.contains("s3cret"), "{said}");
}

#[test]
fn an_address_in_use_is_named_with_its_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flag, other, setting) in [
        ("--control", "--gateway", "control.listen"),
        ("--gateway", "--control", "gateway.listen"),
    ] {
        let home = Home::new();
        let mut command = ours("gateline");
        command.current_dir(home.path());
        command.args(["up", "--no-demo", flag, &address, other, "127.0.0.1:0"]);
        let mut running = Running::start(&mut command, home.path());
        let code = running.wait(Duration::from_secs(30));
        let said = running.said();
        assert_eq!(code, Some(10), "{said}");
        for part in [&address, setting, flag, "another program listens there"] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        // Nothing of a start that failed is in the way of the next one.
        let mut command = ours("gateline");
        command.current_dir(home.path());
        command.args(["up", "--no-demo", flag, &address, other, &address]);
        let mut running = Running::start(&mut command, home.path());
        assert_eq!(
            running.wait(Duration::from_secs(30)),
            Some(6),
            "{}",
            running.said()
        );
        assert!(
            running.said().contains("cannot both listen"),
            "{}",
            running.said()
        );
    }
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let home = Home::new();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    // Not even root makes a folder in the kernel's.
    for (path, reason) in [
        (file.as_path(), "it is a file"),
        (Path::new("/proc/gateline"), ""),
    ] {
        let other = Home::new().with_data(path);
        let (code, said) = start(&other);
        assert_eq!(code, Some(6), "{said}");
        let path = path.display().to_string();
        for part in [path.as_str(), "--data-dir", reason] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
    }
}

#[tokio::test]
async fn ctrl_c_ends_it_well_and_the_next_start_goes_on() {
    let home = Home::new().with(&["--no-demo", "--log-format", "text"]);
    let mut gateline = home.up().await;
    let said = gateline.running.said();
    assert!(
        !said.contains("read_readiness"),
        "calls of the start are told: {said}"
    );
    gateline.json(&["keys", "list"]);
    eventually("the line about a call", Duration::from_secs(2), async || {
        gateline.running.said().contains("list_keys").then_some(())
    })
    .await;
    gateline.running.signal("INT");
    let code = gateline.running.wait(Duration::from_secs(30));
    assert_eq!(code, Some(0), "{}", gateline.running.said());
    let said = fs::read_to_string(home.path().join("stdout.log")).unwrap();
    assert!(said.contains("Ctrl-C stops it"), "{said}");
    home.up().await.stop();
}

#[tokio::test]
async fn a_data_directory_has_one_user() {
    let home = Home::new().with(&["--no-demo"]);
    let gateline = home.up().await;
    let other = Home::new().with(&["--no-demo"]).with_data(&home.data());
    let (code, said) = start(&other);
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("in use by another gateline"), "{said}");
    gateline.stop();
}

#[tokio::test]
async fn a_locked_or_newer_database_is_left_alone() {
    let home = Home::new().with(&["--no-demo"]);
    home.up().await.stop();
    let url = format!("sqlite:{}", home.data().join("gateline.db").display());
    let store = store::Store::open(&url).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.execute("UPDATE organizations SET revision = revision", &[])
        .await
        .unwrap();
    let (code, said) = start(&home);
    assert_eq!(code, Some(7), "{said}");
    drop(tx);

    let mut tx = store.begin().await.unwrap();
    let version = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'from the future', TRUE, x'00', 0)";
    tx.execute(version, &[]).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    let (code, said) = start(&home);
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("newer Gateline"), "{said}");
}
