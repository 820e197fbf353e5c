//! The fields of a route.

use std::io::Read as _;

use serde_json::{Value, json};

use super::world::World;
use super::{Case, case};
use crate::bench::Client;

/// A node serves the routes of its environment that are switched on; who may remove one is the control plane's.
/// What needs several services and many callers to be seen is shown by tests of its own.
pub(super) const ELSEWHERE: &[(&str, &str)] = &[
    (
        "/match/client_certificate/kind",
        "gateway: certificates; routing: certificate",
    ),
    (
        "/match/client_certificate/fields/*/name",
        "gateway: certificates; routing: certificate",
    ),
    (
        "/match/client_certificate/fields/*/kind",
        "gateway: certificates; routing: certificate",
    ),
    (
        "/match/client_certificate/fields/*/value",
        "gateway: certificates; routing: certificate",
    ),
    (
        "/match/client_certificate/fields/*/not",
        "gateway: certificates; routing: certificate",
    ),
    ("/match/audience/flags/*/key", "gateway: audience"),
    ("/match/audience/flags/*/variants", "gateway: audience"),
    ("/match/audience/segments/*/key", "gateway: audience"),
    ("/match/audience/segments/*/not", "gateway: audience"),
    (
        "/match/audience/attributes/*/name",
        "gateway: audience; flags: calls",
    ),
    (
        "/match/audience/attributes/*/from",
        "gateway: audience; flags: calls",
    ),
    (
        "/match/audience/attributes/*/field",
        "gateway: audience; flags: calls",
    ),
    (
        "/environment",
        "control: the snapshot has the routes of its environment",
    ),
    ("/enabled", "control: a route that is off is not in the snapshot"),
    ("/managed_by", "e2e: declared"),
    ("/split/variants/*/name", "gateway: releasing"),
    ("/split/variants/*/upstream_id", "gateway: releasing"),
    ("/split/variants/*/weight", "gateway: releasing"),
    ("/split/by", "gateway: releasing"),
    ("/split/by_name", "routing: split"),
    ("/split/give_cookie/max_age_seconds", "gateway: releasing"),
    ("/split/give_cookie/path", "routing: split"),
    ("/split/give_cookie/domain", "routing: split"),
    ("/split/give_cookie/same_site", "routing: split"),
    ("/split/give_cookie/secure", "routing: split"),
    ("/split/give_cookie/http_only", "routing: split"),
    ("/split/key", "routing: split"),
    ("/split/forced_by/header", "gateway: releasing"),
    ("/split/forced_by/cookie", "gateway: releasing"),
    ("/split/answer_header", "gateway: releasing"),
    ("/importance", "gateway: resilience"),
    ("/mirror/upstream_id", "gateway: mirroring"),
    ("/mirror/calls_per_10000", "gateway: mirroring"),
    ("/mirror/by", "gateway: mirroring"),
    ("/mirror/by_name", "gateway: mirroring"),
    ("/mirror/methods", "gateway: mirroring"),
    ("/mirror/body_bytes_max", "gateway: mirroring"),
    ("/mirror/in_flight_max", "gateway: mirroring"),
    ("/mirror/send_credentials", "gateway: mirroring"),
    ("/mirror/compare/calls_per_10000", "gateway: mirroring"),
    ("/mirror/compare/ignore_headers", "gateway: mirror/compare"),
    ("/mirror/compare/ignore_json_pointers", "gateway: mirroring"),
    ("/mirror/compare/body_bytes_max", "gateway: mirroring"),
    ("/mirror/compare/slower_percent", "gateway: mirroring"),
    ("/mirror/compare/slower_min_ms", "gateway: mirror/compare"),
];

fn pets(world: &World) -> String {
    world.get("/shop/pets")
}

fn open(world: &World) -> (Client, u16) {
    let mut client = Client::connect(world.address());
    let key = world.key();
    let text = format!("CONNECT g:443 HTTP/1.1\r\nHost: g:443\r\nX-API-Key: {key}\r\n\r\n");
    client.send(text.as_bytes());
    let status = client.head().status;
    (client, status)
}

/// Whether a tunnel is opened to the usual port.
fn tunnel(world: &World) -> String {
    open(world).1.to_string()
}

/// Whether a tunnel ends in which nothing comes.
fn silence(world: &World) -> String {
    let (client, status) = open(world);
    let wait = std::time::Duration::from_secs(3);
    client.stream.set_read_timeout(Some(wait)).unwrap();
    let ended = (&client.stream).read(&mut [0]);
    format!("{status} {:?}", ended.ok())
}

fn pet(world: &World) -> String {
    world.get("/shop/pets/7?a=1")
}

/// A call with a field, a parameter and a cookie of each of two names.
fn told(world: &World) -> String {
    world.call(
        "GET",
        "/shop/pets?one=12&two=34",
        "One: 12\r\nTwo: 34\r\nCookie: one=12; two=34\r\n",
        "",
    )
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(super) fn cases() -> Vec<Case> {
    let none = || json!({});
    let matching = |condition: Value| json!({ "route": { "match": condition } });
    let mut cases = vec![
        case(
            "/version_id",
            none(),
            json!({ "version_id": other_version() }),
            pets,
        ),
        case(
            "/upstream_id",
            none(),
            json!({ "upstream_id": other_upstream() }),
            pets,
        ),
        case("/host", none(), json!({ "host": "shop.test" }), pets),
        case("/base_path", none(), json!({ "base_path": "/store" }), pets),
        case(
            "/match/path/kind",
            matching(json!({ "path": { "kind": "exact", "value": "/shop/pets" } })),
            json!({ "match": { "path": { "kind": "prefix" } } }),
            pet,
        ),
        case(
            "/match/path/value",
            matching(json!({ "path": { "kind": "exact", "value": "/shop/pets" } })),
            json!({ "match": { "path": { "value": "/shop/pets/1" } } }),
            pets,
        ),
        case(
            "/match/methods",
            none(),
            json!({ "match": { "methods": ["POST"] } }),
            pets,
        ),
        case(
            "/match/when",
            none(),
            json!({ "match": { "when": "method == 'POST'" } }),
            pets,
        ),
        case(
            "/priority",
            json!({ "routes": [{ "upstream": null, "answer": { "status": 200, "body": "the other" },
                "match": { "query": [{ "name": "two", "kind": "present" }] } }],
                "route": { "match": { "query": [{ "name": "one", "kind": "present" }] } } }),
            json!({ "priority": -1 }),
            told,
        ),
        case(
            "/body_bytes_max",
            none(),
            json!({ "body_bytes_max": 3 }),
            |world| world.call("POST", "/shop/pets", "", "0123456789"),
        ),
    ];
    for (list, of) in [
        (
            "headers",
            [
                "/match/headers/*/name",
                "/match/headers/*/kind",
                "/match/headers/*/value",
                "/match/headers/*/not",
            ],
        ),
        (
            "query",
            [
                "/match/query/*/name",
                "/match/query/*/kind",
                "/match/query/*/value",
                "/match/query/*/not",
            ],
        ),
        (
            "cookies",
            [
                "/match/cookies/*/name",
                "/match/cookies/*/kind",
                "/match/cookies/*/value",
                "/match/cookies/*/not",
            ],
        ),
    ] {
        let condition = |name: &str, kind: &str, value: &str, not: bool| json!({ "match": { list: [{ "name": name, "kind": kind, "value": value, "not": not }] } });
        let [name, kind, value, not] = of;
        let base = |condition: Value| json!({ "route": condition });
        let (fits, fits_not) = (
            condition("one", "exact", "12", false),
            condition("one", "exact", "1", false),
        );
        cases.push(case(
            name,
            base(fits.clone()),
            condition("two", "exact", "12", false),
            told,
        ));
        cases.push(case(
            kind,
            base(fits_not.clone()),
            condition("one", "prefix", "1", false),
            told,
        ));
        cases.push(case(value, base(fits_not), fits.clone(), told));
        cases.push(case(not, base(fits), condition("one", "exact", "12", true), told));
    }
    cases.extend(actions());
    cases
}

fn other_upstream() -> String {
    domain::id::UpstreamId::new(crate::bench::id(55)).to_string()
}

fn other_version() -> String {
    domain::id::VersionId::new(crate::bench::id(77)).to_string()
}

/// What becomes of calls.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn actions() -> Vec<Case> {
    let redirect = |fields: Value| {
        let mut route = json!({ "route": { "upstream": null, "redirect": { "host": "other.test" } } });
        super::merge(&mut route["route"]["redirect"], &fields);
        route
    };
    let tunnels = |fields: Value| json!({ "route": { "base_path": "", "connect": fields } });
    let answer = || json!({ "route": { "upstream": null, "answer": { "status": 200, "body": "hi" } } });
    let rewrite = |fields: Value| json!({ "route": { "rewrite": fields } });
    let regex = json!({ "regex": { "pattern": "^/pets", "replacement": "/dogs" } });
    vec![
        case(
            "/connect/ports",
            tunnels(json!({})),
            json!({ "connect": { "ports": [8443] } }),
            tunnel,
        ),
        case(
            "/connect/idle_ms",
            tunnels(json!({})),
            json!({ "connect": { "idle_ms": 1_000 } }),
            silence,
        ),
        case(
            "/redirect/status",
            redirect(json!({})),
            json!({ "redirect": { "status": 308 } }),
            pet,
        ),
        case(
            "/redirect/scheme",
            redirect(json!({})),
            json!({ "redirect": { "scheme": "https" } }),
            pet,
        ),
        case(
            "/redirect/host",
            redirect(json!({})),
            json!({ "redirect": { "host": "third.test" } }),
            pet,
        ),
        case(
            "/redirect/port",
            redirect(json!({})),
            json!({ "redirect": { "port": 8443 } }),
            pet,
        ),
        case(
            "/redirect/path",
            redirect(json!({})),
            json!({ "redirect": { "path": "/elsewhere" } }),
            pet,
        ),
        case(
            "/redirect/prefix",
            redirect(json!({})),
            json!({ "redirect": { "prefix": "/store" } }),
            pet,
        ),
        case(
            "/redirect/keep_query",
            redirect(json!({})),
            json!({ "redirect": { "keep_query": false } }),
            pet,
        ),
        case(
            "/answer/status",
            answer(),
            json!({ "answer": { "status": 418 } }),
            pets,
        ),
        case(
            "/answer/headers",
            answer(),
            json!({ "answer": { "headers": { "x-a": "1" } } }),
            pets,
        ),
        case(
            "/answer/content_type",
            answer(),
            json!({ "answer": { "content_type": "text/html" } }),
            pets,
        ),
        case(
            "/answer/body",
            answer(),
            json!({ "answer": { "body": "ho" } }),
            pets,
        ),
        case(
            "/rewrite/prefix",
            json!({}),
            json!({ "rewrite": { "prefix": "/v2" } }),
            pets,
        ),
        case(
            "/rewrite/path",
            json!({}),
            json!({ "rewrite": { "path": "/all" } }),
            pets,
        ),
        case(
            "/rewrite/host",
            json!({}),
            json!({ "rewrite": { "host": "behind.test" } }),
            pets,
        ),
        case(
            "/rewrite/regex/pattern",
            rewrite(regex.clone()),
            json!({ "rewrite": { "regex": { "pattern": "^/cats" } } }),
            pets,
        ),
        case(
            "/rewrite/regex/replacement",
            rewrite(regex),
            json!({ "rewrite": { "regex": { "replacement": "/cats" } } }),
            pets,
        ),
    ]
}
