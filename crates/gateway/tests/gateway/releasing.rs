//! Split routes: who gets which variant, and what is told of it.

use domain::id::UpstreamId;
use domain::recent::VariantReason;
use domain::release::{Split, SplitBy};
use domain::snapshot::Upstream as UpstreamEntry;
use domain::traffic::{Target, UpstreamSpec};
use gateway::Traces;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Upstream, eventually, id, policy, reply};
use crate::explaining::{TOKEN, explained, token};

/// Two services that say their names, and a gateway whose route leads to both.
struct Release {
    bench: Bench,
    sides: [Upstream; 2],
}

const NAMES: [&str; 2] = ["blue", "green"];

fn upstream(number: u128) -> UpstreamId {
    UpstreamId::new(id(number))
}

/// Half and half, but for what is said.
fn split(change: &Value) -> Split {
    let variants = |weights: [u32; 2]| {
        let variants = [0, 1].map(|side| {
            json!({ "name": NAMES[side], "upstream_id": upstream(50 + side as u128), "weight": weights[side] })
        });
        json!(variants)
    };
    let mut split = json!({ "variants": variants([50, 50]), "by": "header", "by_name": "x-user" });
    for (name, value) in change.as_object().unwrap() {
        split[name] = match (name.as_str(), value.as_array()) {
            ("weights", Some(weights)) => {
                let weights = [0, 1].map(|side| u32::try_from(weights[side].as_u64().unwrap()).unwrap());
                split["variants"] = variants(weights);
                continue;
            }
            _ => value.clone(),
        };
    }
    serde_json::from_value(split).unwrap()
}

impl Release {
    fn new(change: &Value) -> Self {
        Self::traced(change, None)
    }

    fn traced(change: &Value, traces: Option<Traces>) -> Self {
        let sides = NAMES.map(|name| {
            Upstream::start(move |_, stream| reply(stream, "200 OK", "Set-Cookie: own=1\r\n", name))
        });
        let bench = Bench::with(&[], |settings, snapshot| {
            settings.sealing.trust(TOKEN);
            settings.traces = traces;
            let entries = sides.iter().zip(50..).map(|(side, number)| UpstreamEntry {
                id: upstream(number),
                spec: UpstreamSpec::new(
                    format!("side-{number}").parse().unwrap(),
                    vec![Target::new(side.url())],
                ),
            });
            snapshot.upstreams = entries.collect();
            let route = &mut snapshot.routes[0];
            route.upstream = None;
            route.split = Some(split(change));
        });
        Self { bench, sides }
    }

    fn get(&self, head: &str) -> Answer {
        self.bench.call("GET", "/shop/pets", head, "")
    }

    /// The side that a user is on.
    fn side(&self, user: usize) -> usize {
        let answer = self.get(&format!("X-User: u{user}\r\n"));
        assert_eq!(answer.status, 200);
        NAMES.iter().position(|name| *name == answer.text()).unwrap()
    }

    fn sides(&self) -> Vec<usize> {
        (0..USERS).map(|user| self.side(user)).collect()
    }

    fn weigh(&self, weights: [u32; 2]) {
        self.bench.change(|snapshot| {
            let split = snapshot.routes[0].split.as_mut().unwrap();
            for (variant, weight) in split.variants.iter_mut().zip(weights) {
                variant.weight = weight;
            }
        });
    }

    fn figure(&self, name: &str, variant: &str) -> u64 {
        let route = self.bench.snapshots.borrow().routes[0].id;
        self.bench.figure(&format!(
            "variant_{name}_total{{route=\"{route}\",variant=\"{variant}\"}}"
        ))
    }
}

const USERS: usize = 40;

#[test]
fn who_calls_stays_on_a_side_while_weights_rise() {
    let release = Release::new(&json!({ "weights": [100, 0] }));
    assert_eq!(release.sides(), [0; USERS]);
    let mut before = release.sides();
    for weight in [20, 60, 100] {
        release.weigh([100 - weight, weight]);
        let now = release.sides();
        assert_eq!(now, release.sides(), "everybody stays");
        // Nobody goes back.
        assert!(before.iter().zip(&now).all(|(before, now)| before <= now));
        before = now;
        let moved = before.iter().sum::<usize>();
        assert!(
            (weight < 100 && moved > 0 && moved < USERS) || moved == USERS,
            "{weight} {moved}"
        );
    }
    // Back at once.
    release.weigh([100, 0]);
    assert_eq!(release.sides(), [0; USERS]);
}

#[test]
fn the_application_and_the_address_are_units_too() {
    for by in ["application", "subscription", "client_address"] {
        let release = Release::new(&json!({ "by": by, "by_name": null }));
        let first = release.get("").text().to_owned();
        for user in 0..10 {
            assert_eq!(release.get(&format!("X-User: u{user}\r\n")).text(), first, "{by}");
        }
    }
}

#[test]
fn a_variant_is_forced_where_that_is_allowed_and_told() {
    let forced = json!({ "weights": [100, 0], "forced_by": { "header": "X-Try", "cookie": "try" }, "answer_header": "X-Side" });
    let release = Release::new(&forced);
    for (head, expected) in [
        ("", "blue"),
        ("X-Try: green\r\n", "green"),
        ("Cookie: a=b; try=green\r\n", "green"),
        ("X-Try: red\r\n", "blue"),
    ] {
        let answer = release.get(head);
        assert_eq!(
            (answer.text(), answer.field("x-side")),
            (expected, Some(expected)),
            "{head}"
        );
    }
    release.bench.change(|snapshot| {
        let split = snapshot.routes[0].split.as_mut().unwrap();
        (split.forced_by, split.answer_header) = (None, None);
    });
    let answer = release.get("X-Try: green\r\nCookie: try=green\r\n");
    assert_eq!((answer.text(), answer.field("x-side")), ("blue", None));
}

#[test]
fn a_client_without_a_cookie_is_given_one_and_stays() {
    let given = json!({ "by": "cookie", "by_name": "side", "give_cookie": { "max_age_seconds": 3600 } });
    let release = Release::new(&given);
    let mut seen = [false; 2];
    for _ in 0..40 {
        let first = release.get("");
        let cookies = first.field("set-cookie").unwrap();
        let given = cookies.strip_prefix("own=1, side=").unwrap();
        let (value, attributes) = given.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; Max-Age=3600; SameSite=Lax; Secure; HttpOnly");
        assert!(value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let again = release.get(&format!("Cookie: side={value}\r\n"));
        assert_eq!(
            (again.text(), again.field("set-cookie")),
            (first.text(), Some("own=1"))
        );
        seen[usize::from(first.text() == "green")] = true;
    }
    assert_eq!(seen, [true; 2]);
}

/// Green is tried by a header before anybody gets it, switched to, and left again, each by one change.
#[test]
fn blue_and_green_change_places_at_once() {
    let release = Release::new(&json!({ "weights": [100, 0], "forced_by": { "header": "x-try" } }));
    assert_eq!(release.get("X-Try: green\r\n").text(), "green");
    assert_eq!(release.sides(), [0; USERS]);
    release.weigh([0, 100]);
    assert_eq!(release.sides(), [1; USERS]);
    assert_eq!(release.get("X-Try: blue\r\n").text(), "blue");
    release.weigh([100, 0]);
    assert_eq!(release.sides(), [0; USERS]);
}

#[test]
fn each_variant_is_counted_and_recorded() {
    let release = Release::new(&json!({ "weights": [100, 0], "forced_by": { "header": "x-try" } }));
    let route = release.bench.snapshots.borrow().routes[0].id;
    for (head, name) in [("", "blue"), ("X-Try: green\r\n", "green")] {
        assert_eq!(release.get(head).status, 200);
        let call = release.bench.record();
        let variant = call.variant.unwrap();
        assert_eq!((variant.route, variant.name.as_str()), (route, name));
        let snapshot = release.bench.snapshots.borrow();
        let upstream = &snapshot.upstreams[usize::from(name == "green")];
        assert_eq!(call.target, Some(upstream.spec.targets[0].id(upstream.id)));
    }
    assert_eq!(release.sides[1].received().len(), 1);
    // What is counted goes on with another snapshot; a service that is gone is an error of its side.
    let gone = Upstream::start(|_, _| false);
    release
        .bench
        .change(|snapshot| snapshot.upstreams[1].spec.targets = vec![Target::new(gone.url())]);
    assert_eq!(release.get("X-Try: green\r\n").status, 502);
    let call = release.bench.record();
    assert_eq!((call.status, call.target.is_some()), (502, true));
    assert_eq!(
        (release.figure("calls", "blue"), release.figure("errors", "blue")),
        (1, 0)
    );
    assert_eq!(
        (
            release.figure("calls", "green"),
            release.figure("errors", "green")
        ),
        (2, 1)
    );
    assert!(release.figure("microseconds", "green") > 0);
    // Who is refused before has no side.
    assert_eq!(release.bench.get("/shop/nothing").status, 404);
    let call = release.bench.record();
    assert_eq!((call.target, call.variant), (None, None));
    assert_eq!(
        release.figure("calls", "blue") + release.figure("calls", "green"),
        3
    );
}

#[test]
fn why_a_call_got_its_variant_is_remembered() {
    let forced = json!({ "weights": [90, 10], "forced_by": { "header": "X-Try", "cookie": "try" } });
    let release = Release::new(&forced);
    let variant = |answer: &Answer| explained(&release.bench, answer).call.routing.variant.unwrap();
    let table = [
        (
            "X-Try: green\r\n",
            VariantReason::ForcedByHeader,
            None,
            Some("X-Try"),
        ),
        (
            "Cookie: try=green\r\n",
            VariantReason::ForcedByCookie,
            None,
            Some("try"),
        ),
        (
            "X-User: ada\r\n",
            VariantReason::Kept,
            Some(SplitBy::Header),
            Some("x-user"),
        ),
        (
            "X-Try: red\r\n",
            VariantReason::UnitMissing,
            Some(SplitBy::Header),
            Some("x-user"),
        ),
    ];
    for (head, reason, by, name) in table {
        let answer = release.get(head);
        let told = variant(&answer);
        assert_eq!(
            (told.name.as_str(), told.reason, told.by),
            (answer.text(), reason, by),
            "{head}"
        );
        let is_named = told.by_name.as_deref().map(str::to_lowercase) == name.map(str::to_lowercase);
        assert!(is_named && told.details.is_empty(), "{told:?}");
        let range = if answer.text() == "blue" {
            (0, 90)
        } else {
            (90, 100)
        };
        assert_eq!(
            (told.buckets_from, told.buckets_until, told.buckets),
            (range.0, range.1, 100)
        );
        assert!(
            told.bucket
                .is_none_or(|bucket| (range.0..range.1).contains(&bucket)),
            "{told:?}"
        );
    }
    // With a debug token, what had no effect is told as well.
    let head = format!("X-Try: red\r\nGateline-Debug: {}\r\n", token(|_| {}));
    let told = variant(&release.get(&head));
    let expected = [
        "the header `x-try` names no variant",
        "`blue` has 90 of 100 buckets",
        "`green` has 10 of 100 buckets",
    ];
    assert_eq!(told.details, expected);
    // It is told as the split was then, whatever has become of it.
    let answer = release.get("X-Try: green\r\n");
    release.weigh([100, 0]);
    let told = variant(&answer);
    assert_eq!((told.buckets_from, told.by_name.as_deref()), (90, Some("x-try")));
    // A call that was refused before has none.
    let refused = release.bench.get("/shop/nothing");
    let routing = explained(&release.bench, &refused).call.routing;
    assert!(routing.route_id.is_some() && routing.variant.is_none());
}

#[test]
fn spans_name_the_variant_and_why() {
    let receiver = Upstream::start(|_, stream| reply(stream, "200 OK", "", ""));
    let traces = json!({ "endpoint": receiver.url(), "schedule_delay_ms": 20, "timeout_ms": 1000 });
    let split = json!({ "forced_by": { "header": "x-try" } });
    let release = Release::traced(&split, serde_json::from_value(traces).ok());
    assert_eq!(release.get("X-Try: green\r\n").text(), "green");
    eventually(|| !receiver.received().is_empty());
    let sent = receiver.last().body;
    let sent = String::from_utf8_lossy(&sent);
    for text in [
        "gateline.variant.name",
        "green",
        "gateline.variant.reason",
        "forced_by_header",
    ] {
        assert!(sent.contains(text), "{text}");
    }
}

#[test]
fn policies_may_say_who_calls() {
    let release = Release::new(&json!({}));
    release.bench.change(|snapshot| {
        let set = json!({ "request": { "set": { "x-user": "everybody" } } });
        snapshot.routes[0].policies.push(policy("headers", set));
    });
    let sides = release.sides();
    assert!(sides.iter().all(|side| *side == sides[0]));
}

#[test]
fn a_split_that_cannot_be_is_rejected() {
    type Case = (fn(&mut Split), &'static str);
    let release = Release::new(&json!({}));
    let table: [Case; 3] = [
        (
            |split| split.variants[1].upstream_id = upstream(99),
            "which is not in the snapshot",
        ),
        (|split| split.by_name = None, "/split/by_name"),
        (|split| split.variants.truncate(1), "/split/variants"),
    ];
    for (change, expected) in table {
        release.bench.send(|snapshot| {
            snapshot.routes[0].split = Some(split(&json!({})));
            change(snapshot.routes[0].split.as_mut().unwrap());
        });
        let gateway = release.bench.gateway.as_ref().unwrap();
        let wanted = release.bench.snapshots.borrow().revision;
        eventually(|| {
            let rejected = gateway.status().rejected;
            rejected.is_some_and(|rejected| rejected.revision == wanted && rejected.reason.contains(expected))
        });
    }
    assert_eq!(release.get("").status, 200);
}
