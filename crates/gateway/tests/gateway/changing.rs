//! Snapshots that change while calls are under way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::{Bench, Upstream, reply};

/// How long the load lasts; ten changes a second in it.
const LOAD: Duration = Duration::from_secs(3);

#[test]
fn no_call_fails_while_snapshots_change_ten_times_a_second() {
    let upstreams = [Upstream::simple(), Upstream::simple()];
    let bench = Bench::new(&upstreams[0].urls());
    let (stop, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for kind in 0..4 {
            let (bench, stop, calls) = (&bench, &stop, &calls);
            scope.spawn(move || {
                let key = &bench.key;
                let get = format!("GET /shop/pets/{kind} HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n");
                let post = format!(
                    "POST /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\nContent-Length: 3\r\n\r\nabc"
                );
                let mut client = bench.connect();
                while !stop.load(Ordering::Relaxed) {
                    client.send(if kind == 0 {
                        post.as_bytes()
                    } else {
                        get.as_bytes()
                    });
                    let answer = client.try_answer().expect("the connection outlives changes");
                    assert_eq!(
                        (answer.status, answer.is_whole, answer.text()),
                        (200, true, "hello")
                    );
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let until = Instant::now() + LOAD;
        let mut change = 0;
        while Instant::now() < until {
            change += 1;
            bench.send(|snapshot| {
                // Other targets, another order of keys and routes, and now and then one that is refused.
                let url = upstreams[change % 2].url();
                snapshot.upstreams[0].spec.targets[0].url = url;
                snapshot.routes[0].body_bytes_max += 1;
                snapshot.environment = if change % 10 == 9 { "other" } else { "sandbox" }
                    .parse()
                    .unwrap();
            });
            thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, Ordering::Relaxed);
        assert!(change >= 20, "only {change} changes");
    });
    assert!(calls.load(Ordering::Relaxed) > 100);
    assert!(
        upstreams.iter().all(|upstream| upstream.received().len() > 10),
        "both took calls"
    );
}

#[test]
fn a_call_keeps_the_snapshot_it_began_with() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let slow = Upstream::start(move |_, stream| {
        wait.lock().unwrap().recv().unwrap();
        reply(stream, "200 OK", "", "slow")
    });
    let bench = Bench::new(&slow.urls());
    let mut client = bench.connect();
    client.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    crate::bench::eventually(|| !slow.received().is_empty());
    bench.change(|snapshot| {
        snapshot.routes.clear();
        snapshot.upstreams.clear();
    });
    assert_eq!(bench.get("/shop/pets").problem(), "404 route_not_found");
    release.send(()).unwrap();
    assert_eq!(client.answer().text(), "slow");
}

/// Changes before memory is looked at for the first time, and between the two looks.
const CHANGES: [u32; 2] = [1_000, 9_000];
/// What two looks may differ by: a snapshot takes some 100 kB, so one in a hundred that stayed would be seen.
const GROWTH_BYTES_MAX: u64 = 2_000_000;

#[test]
fn memory_stays_flat_over_many_changes() {
    const ALONE: &str = "GATELINE_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        // Other tests of this process would be seen as well.
        let alone = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "changing::memory_stays_flat_over_many_changes"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        assert!(
            alone.status.success(),
            "{}",
            String::from_utf8_lossy(&alone.stdout)
        );
        return;
    }
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let route = snapshot.routes[0].clone();
        for number in 0..20 {
            snapshot.routes.push(domain::snapshot::Route {
                id: domain::id::RouteId::new(crate::bench::id(1_000 + number)),
                base_path: format!("/more/{number}"),
                ..route.clone()
            });
        }
    });
    let mut sizes = CHANGES.map(|changes| {
        for change in 0..changes {
            let before = bench.revision();
            bench.send(|snapshot| snapshot.routes[0].body_bytes_max = u64::from(change) + 1000);
            crate::bench::eventually(|| bench.revision() > before);
            // What the test itself keeps of each call would be seen as well.
            if change % 50 == 0 {
                assert_eq!(bench.get("/shop/pets").status, 200);
            }
        }
        resident_bytes()
    });
    sizes.reverse();
    let [after, before] = sizes;
    assert!(
        after < before + GROWTH_BYTES_MAX,
        "{before} bytes before, {after} after"
    );
}

/// Memory of this process that is not swapped out: the second number of `statm`, in pages.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
