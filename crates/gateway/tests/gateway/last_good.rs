//! The last good answers in the place of an upstream that gives none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::recent::CallFallback;
use domain::traffic::{Fallback, LastGood};

use crate::bench::{Answer, Bench, Received, Upstream, reply};
use crate::explaining::explained;

/// What the service does: answers with these lines, fails with a status, or breaks off.
const GOOD: usize = 0;
const BAD: usize = 1;
const GONE: usize = 2;

struct Kept {
    bench: Bench,
    mode: Arc<AtomicUsize>,
    upstream: Upstream,
}

impl Kept {
    /// A service whose good answers have these fields, and say what they were asked.
    fn new(fields: &'static str, change: impl FnOnce(&mut LastGood)) -> Self {
        let mode = Arc::new(AtomicUsize::new(GOOD));
        let said = Arc::clone(&mode);
        let upstream =
            Upstream::start(
                move |received: &Received, stream| match said.load(Ordering::SeqCst) {
                    GOOD => {
                        let language = received.fields.get("accept-language").unwrap_or("none");
                        reply(stream, "200 OK", fields, &format!("{} {language}", received.line))
                    }
                    BAD => reply(stream, "503 Busy", "", "busy"),
                    _ => false,
                },
            );
        let mut last_good = LastGood::default();
        change(&mut last_good);
        let bench = Bench::with(&upstream.urls(), |settings, snapshot| {
            settings.cores = 1;
            snapshot.upstreams[0].spec.fallback = Some(Fallback {
                last_good: Some(last_good),
                status: None,
                content_type: "application/json".to_owned(),
                body: String::new(),
            });
        });
        Self {
            bench,
            mode,
            upstream,
        }
    }

    fn set(&self, mode: usize) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    fn get(&self, head: &str) -> Answer {
        self.bench.call("GET", "/shop/pets", head, "")
    }

    /// The status of a call while the service is away, after one with `first` while it was there.
    fn after(fields: &'static str, first: &str, then: &str) -> u16 {
        let kept = Self::new(fields, |_| {});
        assert_eq!(kept.get(first).status, 200);
        kept.set(GONE);
        kept.get(then).status
    }
}

#[test]
fn the_last_good_answer_stands_in_and_says_so() {
    let kept = Kept::new("Cache-Control: max-age=5\r\nAge: 3\r\nX-Own: 1\r\n", |_| {});
    let first = kept.get("");
    assert_eq!((first.status, first.field("cache-status")), (200, None));
    for mode in [GONE, BAD] {
        kept.set(mode);
        let answer = kept.get("");
        assert_eq!((answer.status, answer.text()), (200, first.text()));
        assert_eq!(answer.field("x-own"), Some("1"));
        let age: u64 = answer.field("age").unwrap().parse().unwrap();
        assert!((3..60).contains(&age), "{age}");
        let detail = if mode == BAD { "503" } else { "upstream_invalid" };
        let expected = format!(
            "gateline; hit; ttl={}; detail={detail}",
            5 - i64::try_from(age).unwrap()
        );
        assert_eq!(answer.field("cache-status"), Some(&*expected));
        // So says an explanation of the call.
        let upstream = explained(&kept.bench, &answer).call.upstream.unwrap();
        assert_eq!(upstream.fallback, Some(CallFallback::LastGood));
        assert_eq!(upstream.fallback_age_seconds.map(u64::from), Some(age));
    }
    let head = kept.bench.call("HEAD", "/shop/pets", "", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.field("content-length"), first.field("content-length"));
    assert_eq!(kept.bench.figure("upstream_stale_total"), 3);
    assert_eq!(kept.bench.figure("upstream_fallbacks_total"), 3);
    // Another path, another query, another method: nothing is there.
    assert_eq!(kept.bench.get("/shop/pets?page=2").status, 503);
    assert_eq!(kept.bench.call("POST", "/shop/pets", "", "x").status, 503);
    kept.set(GOOD);
    assert_eq!(kept.get("").field("cache-status"), None);
}

#[test]
fn what_an_answer_says_decides_whether_it_is_used() {
    let table = [
        ("", 200),
        ("Cache-Control: max-age=0, stale-if-error=60\r\n", 200),
        ("Cache-Control: s-maxage=60\r\n", 200),
        ("Cache-Control: max-age=60, must-revalidate\r\n", 200),
        ("Cache-Control: must-revalidate\r\nAge: 1\r\n", 502),
        ("Cache-Control: s-maxage=1\r\nAge: 2\r\n", 502),
        ("Cache-Control: max-age=1, proxy-revalidate\r\nAge: 2\r\n", 502),
        ("Cache-Control: max-age=0, stale-if-error=5\r\nAge: 60\r\n", 502),
        ("Age: 4000\r\n", 502),
        ("Cache-Control: no-store\r\n", 502),
        ("Cache-Control: no-cache\r\n", 502),
        ("Cache-Control: private\r\n", 502),
        ("Set-Cookie: a=b\r\n", 502),
        ("Vary: *\r\n", 502),
    ];
    for (fields, expected) in table {
        assert_eq!(Kept::after(fields, "", ""), expected, "{fields}");
    }
}

#[test]
fn whoever_proves_something_else_gets_nothing_of_it() {
    let (alice, bob) = ("Authorization: Bearer alice\r\n", "Authorization: Bearer bob\r\n");
    for (fields, first, then, expected) in [
        ("", alice, alice, 200),
        ("", alice, bob, 502),
        ("", alice, "", 502),
        ("", "Cookie: u=1\r\n", "Cookie: u=2\r\n", 502),
        ("Cache-Control: public\r\n", alice, bob, 200),
        ("", "", "Cache-Control: no-cache\r\n", 502),
        ("", "Cache-Control: no-store\r\n", "", 502),
        ("", "Range: bytes=0-1\r\n", "", 502),
    ] {
        assert_eq!(
            Kept::after(fields, first, then),
            expected,
            "{fields} {first} {then}"
        );
    }
}

#[test]
fn consumers_are_apart() {
    use domain::consumer::KeyState;
    use domain::id::{ApplicationId, KeyId, SubscriptionId};
    use domain::snapshot::{Key, Subscription};

    use crate::bench::id;

    for (fields, expected) in [("", 502), ("Cache-Control: public\r\n", 200)] {
        let kept = Kept::new(fields, |_| {});
        let environment: domain::Name = "sandbox".parse().unwrap();
        let other = domain::key::write(&environment, id(91), [7; 32]).unwrap();
        kept.bench.change(|snapshot| {
            let mut application = snapshot.applications[0].clone();
            application.id = ApplicationId::new(id(92));
            let subscription = Subscription {
                id: SubscriptionId::new(id(93)),
                application: application.id,
                ..snapshot.subscriptions[0].clone()
            };
            snapshot.subscriptions.push(subscription);
            snapshot.keys.push(Key {
                id: KeyId::new(id(91)),
                hash: domain::key::hash(other.as_bytes()),
                application: application.id,
                state: KeyState::Active,
                expires_at: None,
            });
            snapshot.applications.push(application);
        });
        let get = |key: &str| {
            let mut client = kept.bench.connect();
            client.send(format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
            client.answer().status
        };
        assert_eq!(get(&kept.bench.key), 200);
        kept.set(GONE);
        assert_eq!(get(&kept.bench.key), 200);
        assert_eq!(get(&other), expected, "{fields}");
    }
}

#[test]
fn what_an_answer_depends_on_is_heeded() {
    let kept = Kept::new("Vary: Accept-Language\r\n", |_| {});
    for language in ["de", "fr"] {
        assert_eq!(kept.get(&format!("Accept-Language: {language}\r\n")).status, 200);
    }
    kept.set(GONE);
    for language in ["de", "fr"] {
        let answer = kept.get(&format!("Accept-Language: {language}\r\n"));
        assert!(answer.text().ends_with(language), "{}", answer.text());
    }
    assert_eq!(kept.get("Accept-Language: es\r\n").status, 502);
    assert_eq!(kept.get("").status, 502);
}

#[test]
fn bounds_hold_and_the_oldest_goes_first() {
    let kept = Kept::new("", |last_good| last_good.entries_max = 2);
    let get = |number: usize| kept.bench.get(&format!("/shop/pets/{number}")).status;
    for number in [1, 2, 3] {
        assert_eq!(get(number), 200);
    }
    kept.set(GONE);
    assert_eq!([1, 2, 3].map(get), [502, 200, 200]);
    // 2 was used after 3 when the next one comes.
    kept.set(GOOD);
    kept.set(GONE);
    assert_eq!(get(2), 200);
    kept.set(GOOD);
    assert_eq!(get(4), 200);
    kept.set(GONE);
    assert_eq!([2, 3, 4].map(get), [200, 502, 200]);

    let small = Kept::new("", |last_good| last_good.body_bytes_max = 3);
    assert_eq!(small.get("").status, 200);
    small.set(GONE);
    assert_eq!(small.get("").status, 502);

    // Five of some 15,000 bytes each are more than there is room for, so the first is gone.
    let large = format!("X-Large: {}\r\n", "x".repeat(15_000)).leak();
    let full = Kept::new(large, |last_good| last_good.bytes_max = 1 << 16);
    let get = |number: usize| full.bench.get(&format!("/shop/pets/{number}")).status;
    assert_eq!([1, 2, 3, 4, 5].map(get), [200; 5]);
    full.set(GONE);
    assert_eq!([1, 5].map(get), [502, 200]);
}

#[test]
fn an_answer_is_used_for_as_long_as_is_said() {
    // It was fresh for five seconds and came when it was ten seconds old.
    for (max_stale_seconds, expected) in [(0, 502), (3_600, 200)] {
        let kept = Kept::new("Cache-Control: max-age=5\r\nAge: 10\r\n", |last_good| {
            last_good.max_stale_seconds = max_stale_seconds;
        });
        assert_eq!(kept.get("").status, 200);
        kept.set(GONE);
        assert_eq!(kept.get("").status, expected, "{max_stale_seconds}");
    }
}

#[test]
fn a_5xx_is_passed_on_where_that_is_wanted_and_a_fixed_answer_comes_last() {
    let kept = Kept::new("", |last_good| last_good.on_5xx = false);
    assert_eq!(kept.get("").status, 200);
    kept.set(BAD);
    assert_eq!(kept.get("").status, 503);
    kept.set(GONE);
    assert_eq!(kept.get("").status, 200);
    kept.bench.change(|snapshot| {
        let fallback = snapshot.upstreams[0].spec.fallback.as_mut().unwrap();
        (fallback.status, fallback.body) = (Some(299), "{}".to_owned());
    });
    // What was kept goes on although the upstream has changed.
    assert_eq!(kept.get("").status, 200);
    assert_eq!(kept.bench.get("/shop/pets/9").status, 299);
    assert!(kept.upstream.received().len() >= 3);
}
