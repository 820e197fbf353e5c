//! The fields of a route.

use std::io::Read as _;

use ::fields::Elsewhere;
use serde_json::{Value, json};

use super::world::World;
use super::{Case, case};
use crate::bench::Client;

/// A node serves the routes of its environment that are switched on; who may remove one is the control plane's.
/// What needs several services and many callers to be seen is shown by tests of its own.
pub(super) const ELSEWHERE: Elsewhere<'static> = &[
    (
        "crates/gateway/tests/gateway/certificates.rs::routes_ask_for_certificates_of_clients",
        &[
            "/match/client_certificate/kind",
            "/match/client_certificate/fields/*/name",
            "/match/client_certificate/fields/*/kind",
            "/match/client_certificate/fields/*/value",
        ],
    ),
    (
        "crates/routing/src/certificate/tests.rs::what_it_says_is_compared",
        &["/match/client_certificate/fields/*/not"],
    ),
    (
        "crates/gateway/tests/gateway/audience.rs::a_flag_decides_which_service_gets_a_call",
        &["/match/audience/flags/*/key", "/match/audience/flags/*/variants"],
    ),
    (
        "crates/gateway/tests/gateway/audience.rs::a_segment_decides_as_well_wherever_it_is_known_from",
        &[
            "/match/audience/segments/*/key",
            "/match/audience/segments/*/not",
            "/match/audience/attributes/*/name",
            "/match/audience/attributes/*/from",
            "/match/audience/attributes/*/field",
        ],
    ),
    (
        "crates/control/src/snapshot/tests.rs::snapshots_leave_out_what_does_not_answer",
        &["/environment", "/enabled"],
    ),
    (
        "tests/e2e/src/declared.rs::what_a_folder_no_longer_declares_goes_and_what_people_made_stays",
        &["/managed_by"],
    ),
    (
        "crates/gateway/tests/gateway/releasing.rs::who_calls_stays_on_a_side_while_weights_rise",
        &["/split/variants/*/upstream_id", "/split/variants/*/weight"],
    ),
    (
        "crates/gateway/tests/gateway/releasing.rs::the_application_and_the_address_are_units_too",
        &["/split/by"],
    ),
    (
        "crates/routing/src/split/tests.rs::who_calls_stays_on_a_side_by_what_is_said",
        &["/split/by_name"],
    ),
    (
        "crates/routing/src/split/tests.rs::a_cookie_is_given_once",
        &[
            "/split/give_cookie/max_age_seconds",
            "/split/give_cookie/path",
            "/split/give_cookie/domain",
            "/split/give_cookie/same_site",
            "/split/give_cookie/secure",
            "/split/give_cookie/http_only",
        ],
    ),
    (
        "crates/routing/src/split/tests.rs::the_key_decides_who_is_where",
        &["/split/key"],
    ),
    (
        "crates/gateway/tests/gateway/releasing.rs::a_variant_is_forced_where_that_is_allowed_and_told",
        &[
            "/split/variants/*/name",
            "/split/forced_by/header",
            "/split/forced_by/cookie",
            "/split/answer_header",
        ],
    ),
    (
        "crates/gateway/tests/gateway/resilience.rs::what_matters_less_is_refused_first",
        &["/importance"],
    ),
    (
        "crates/gateway/tests/gateway/mirroring.rs::a_copy_is_the_call_without_credentials_and_marked",
        &["/mirror/upstream_id", "/mirror/send_credentials"],
    ),
    (
        "crates/gateway/tests/gateway/mirroring.rs::methods_and_a_share_decide_what_is_copied",
        &["/mirror/calls_per_10000", "/mirror/by", "/mirror/by_name"],
    ),
    (
        "crates/gateway/tests/gateway/mirroring.rs::bodies_are_copied_while_they_pass_and_no_larger_than_allowed",
        &["/mirror/methods", "/mirror/body_bytes_max"],
    ),
    (
        "crates/gateway/tests/gateway/mirroring.rs::a_slow_mirror_keeps_nobody_waiting_and_has_a_bound",
        &["/mirror/in_flight_max"],
    ),
    (
        "crates/gateway/tests/gateway/mirroring.rs::as_many_copies_are_compared_as_is_said",
        &["/mirror/compare/calls_per_10000"],
    ),
    (
        "crates/gateway/tests/gateway/mirroring.rs::an_answer_passes_unchanged_while_it_is_compared",
        &["/mirror/compare/body_bytes_max"],
    ),
    (
        "crates/gateway/src/mirror/compare/tests.rs::fields_are_told_by_name_but_those_that_always_differ",
        &["/mirror/compare/ignore_headers"],
    ),
    (
        "crates/gateway/src/mirror/compare/tests.rs::bodies_are_compared_as_json_and_told_by_place",
        &["/mirror/compare/ignore_json_pointers"],
    ),
    (
        "crates/gateway/src/mirror/compare/tests.rs::statuses_and_latencies_are_told_as_they_are",
        &["/mirror/compare/slower_percent", "/mirror/compare/slower_min_ms"],
    ),
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
