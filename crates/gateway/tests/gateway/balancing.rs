//! Which target a call goes to.

use std::collections::HashSet;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use domain::id::UpstreamId;
use domain::traffic::{Algorithm, Balancing, HashOn, Target};
use serde_json::json;

use crate::bench::{Bench, Upstream, eventually, id, reply};

/// A gateway of one core in front of these upstreams.
fn bench(upstreams: &[Upstream], balancing: Balancing) -> Bench {
    let urls: Vec<_> = upstreams.iter().map(Upstream::url).collect();
    Bench::with(&urls, |settings, snapshot| {
        settings.cores = 1;
        snapshot.upstreams[0].spec.balancing = balancing;
    })
}

fn by(algorithm: Algorithm) -> Balancing {
    Balancing {
        algorithm,
        ..Balancing::default()
    }
}

fn counts(upstreams: &[Upstream]) -> Vec<usize> {
    upstreams
        .iter()
        .map(|upstream| upstream.received().len())
        .collect()
}

#[test]
fn every_algorithm_heeds_weights() {
    let table = [
        (Algorithm::RoundRobin, 8, 6..=6),
        (Algorithm::LeastRequests, 8, 6..=6),
        (Algorithm::Random, 200, 115..=185),
    ];
    for (algorithm, calls, expected) in table {
        let upstreams = [Upstream::simple(), Upstream::simple()];
        let bench = bench(&upstreams, by(algorithm));
        bench.change(|snapshot| snapshot.upstreams[0].spec.targets[0].weight = 3);
        for _ in 0..calls {
            assert_eq!(bench.get("/shop/pets").status, 200);
        }
        let first = counts(&upstreams)[0];
        assert!(expected.contains(&first), "{algorithm:?}: {first} of {calls}");
    }
}

#[test]
fn a_slow_target_is_avoided() {
    let slow = Upstream::start(|_, stream| {
        thread::sleep(Duration::from_millis(100));
        reply(stream, "200 OK", "", "slow")
    });
    let upstreams = [slow, Upstream::simple()];
    let bench = bench(&upstreams, Balancing::default());
    for _ in 0..30 {
        assert_eq!(bench.get("/shop/pets").status, 200);
    }
    let [slow, fast] = counts(&upstreams)[..] else {
        unreachable!()
    };
    // Nobody knows before the first call how slow it is.
    assert!(slow <= 3 && fast >= 27, "{slow} of {}", slow + fast);
}

#[test]
fn calls_go_to_the_target_with_the_fewest() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let slow = Upstream::start(move |_, stream| {
        let _ = wait.lock().unwrap().recv();
        reply(stream, "200 OK", "", "slow")
    });
    let upstreams = [slow, Upstream::simple()];
    let bench = bench(&upstreams, by(Algorithm::LeastRequests));
    let mut client = bench.connect();
    client.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    eventually(|| counts(&upstreams)[0] == 1);
    for _ in 0..5 {
        assert_eq!(bench.get("/shop/pets").text(), "hello");
    }
    release.send(()).unwrap();
    assert_eq!(client.answer().text(), "slow");
    assert_eq!(counts(&upstreams), [1, 5]);
}

#[test]
fn calls_with_the_same_key_go_to_the_same_target() {
    let table = [
        (HashOn::Header, Some("X-Session"), "X-Session: "),
        (HashOn::Cookie, Some("session"), "Cookie: a=b; session="),
    ];
    for (on, name, field) in table {
        let upstreams: Vec<_> = (0..3).map(|_| Upstream::simple()).collect();
        let bench = bench(
            &upstreams,
            Balancing {
                hash_on: Some(on),
                hash_name: name.map(str::to_owned),
                ..by(Algorithm::ConsistentHash)
            },
        );
        let owner = |key: usize| {
            let before = counts(&upstreams);
            let answer = bench.call("GET", "/shop/pets", &format!("{field}k{key}\r\n"), "");
            assert_eq!(answer.status, 200);
            let after = counts(&upstreams);
            (0..3).find(|index| after[*index] > before[*index]).unwrap()
        };
        let owners: Vec<_> = (0..20).map(owner).collect();
        assert!((0..3).all(|index| owners.contains(&index)), "{owners:?}");
        assert_eq!((0..20).map(owner).collect::<Vec<_>>(), owners, "{on:?}");
        bench.change(|snapshot| {
            snapshot.upstreams[0].spec.targets.remove(0);
        });
        for (key, before) in owners.into_iter().enumerate().filter(|(_, owner)| *owner != 0) {
            assert_eq!(
                owner(key),
                before,
                "a target that leaves takes only its own keys along"
            );
        }
    }
}

#[test]
fn a_client_and_an_application_keep_their_target() {
    for on in [HashOn::ClientAddress, HashOn::Application] {
        let upstreams: Vec<_> = (0..4).map(|_| Upstream::simple()).collect();
        let bench = bench(
            &upstreams,
            Balancing {
                hash_on: Some(on),
                ..by(Algorithm::ConsistentHash)
            },
        );
        for _ in 0..12 {
            assert_eq!(bench.get("/shop/pets").status, 200);
        }
        let mut counts = counts(&upstreams);
        counts.sort_unstable();
        assert_eq!(counts, [0, 0, 0, 12], "{on:?}");
    }
}

/// Behind a proxy all calls come from one address, and from many clients.
#[test]
fn a_client_behind_a_trusted_proxy_keeps_its_target() {
    let services = || (0..3).map(|_| Upstream::simple()).collect::<Vec<_>>();
    let (upstreams, mirrors) = (services(), services());
    let balancing = Balancing {
        hash_on: Some(HashOn::ClientAddress),
        ..by(Algorithm::ConsistentHash)
    };
    let urls: Vec<_> = upstreams.iter().map(Upstream::url).collect();
    let bench = Bench::with(&urls, |settings, snapshot| {
        settings.cores = 1;
        settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        snapshot.upstreams[0].spec.balancing = balancing;
        let mut copies = snapshot.upstreams[0].clone();
        copies.id = UpstreamId::new(id(77));
        copies.spec.targets = mirrors.iter().map(|mirror| Target::new(mirror.url())).collect();
        snapshot.upstreams.push(copies);
        let mirror = json!({ "upstream_id": UpstreamId::new(id(77)) });
        snapshot.routes[0].mirror = Some(serde_json::from_value(mirror).unwrap());
    });
    for _ in 0..2 {
        for client in 0..40 {
            let head = format!("X-Forwarded-For: 192.0.2.{client}\r\n");
            assert_eq!(bench.call("GET", "/shop/pets", &head, "").status, 200);
        }
    }
    eventually(|| counts(&mirrors).iter().sum::<usize>() == 80);
    for targets in [&upstreams, &mirrors] {
        let clients = |target: &Upstream| {
            let received = target.received();
            let said = received
                .iter()
                .filter_map(|one| one.fields.get("x-forwarded-for"));
            said.filter_map(|said| said.split(',').next().map(str::to_owned))
                .collect::<HashSet<_>>()
        };
        let clients: Vec<_> = targets.iter().map(clients).collect();
        assert!(clients.iter().all(|clients| !clients.is_empty()), "{clients:?}");
        let all: usize = clients.iter().map(HashSet::len).sum();
        assert_eq!(all, 40, "each has one target: {clients:?}");
    }
}

#[test]
fn a_key_that_is_too_popular_gets_another_target() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let upstreams: Vec<_> = (0..2)
        .map(|_| {
            let wait = Arc::clone(&wait);
            Upstream::start(move |_, stream| {
                let _ = wait.lock().unwrap().recv();
                reply(stream, "200 OK", "", "ok")
            })
        })
        .collect();
    let bench = bench(
        &upstreams,
        Balancing {
            hash_on: Some(HashOn::Application),
            hash_load_max_percent: 120,
            ..by(Algorithm::ConsistentHash)
        },
    );
    let mut clients: Vec<_> = (0..6).map(|_| bench.connect()).collect();
    for client in &mut clients {
        client.send(
            format!(
                "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {}\r\n\r\n",
                bench.key
            )
            .as_bytes(),
        );
    }
    eventually(|| counts(&upstreams).iter().sum::<usize>() == 6);
    let mut shares = counts(&upstreams);
    shares.sort_unstable();
    assert_eq!(shares, [2, 4], "at most 1.2 times the half of each call more");
    (0..6).for_each(|_| release.send(()).unwrap());
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn targets_of_another_zone_or_a_lower_level_wait() {
    let upstreams: Vec<_> = (0..3).map(|_| Upstream::simple()).collect();
    let urls: Vec<_> = upstreams.iter().map(Upstream::url).collect();
    let bench = Bench::with(&urls, |settings, snapshot| {
        settings.cores = 1;
        settings.zone = Some("east".parse().unwrap());
        let targets = &mut snapshot.upstreams[0].spec.targets;
        targets[0].zone = Some("west".parse().unwrap());
        targets[1].zone = Some("east".parse().unwrap());
        targets[2].priority = 1;
    });
    for _ in 0..10 {
        assert_eq!(bench.get("/shop/pets").status, 200);
    }
    assert_eq!(counts(&upstreams), [0, 10, 0]);
}

#[test]
fn a_lower_level_takes_over_when_the_others_cannot_be_reached() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let spare = Upstream::simple();
    let bench = Bench::with(&[format!("http://{gone}"), spare.url()], |settings, snapshot| {
        settings.cores = 1;
        snapshot.upstreams[0].spec.targets[1].priority = 1;
    });
    for _ in 0..4 {
        assert_eq!(bench.call("POST", "/shop/pets", "", "abc").status, 200);
    }
    assert_eq!(spare.received().len(), 4);
}
