//! Nothing that is saved is silently ignored: every field of these resources has a test that shows what it does.
//!
//! Routes, upstreams and settings are looked at where a gateway is (`crates/gateway/tests/gateway/fields.rs`), limits and
//! plans where policies are.

use ::fields::Elsewhere;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::feature_flags::key;

const READ: &str = "crates/api/tests/api/fields.rs::what_is_written_for_people_is_read_by_them";
const RATE: &str = "crates/api/tests/api/fields.rs::a_rate_holds_in_each_of_its_numbers";
const SNAPSHOT: &str = "crates/control/src/snapshot/tests.rs::snapshots_hold_what_gateways_need";
const IN_ORDER: &str = "crates/control/src/snapshot/tests.rs::policies_stand_in_their_order";
const DELIVERED: &str =
    "crates/control/src/resource/stream/tests.rs::stream_routes_are_checked_and_delivered";
const ONCE: &str = "crates/control/src/resource/stream/tests.rs::what_one_takes_nobody_else_does";

const CERTIFICATE: Elsewhere<'static> = &[
    (
        "crates/control/src/resource/certificate/tests.rs::a_certificate_is_checked_kept_apart_and_delivered_sealed",
        &["/environment", "/hosts", "/pem/chain", "/pem/private_key"],
    ),
    (
        "crates/control/src/resource/certificate/tests.rs::a_host_has_one_certificate_whoever_it_belongs_to",
        &["/name"],
    ),
    (
        "crates/gateway/tests/gateway/certificates.rs::hosts_are_shown_their_certificates_and_changes_take_effect_at_once",
        &["/hosts"],
    ),
    (
        "tests/e2e/src/acme.rs::certificates_come_by_http_and_by_tls_and_are_renewed",
        &[
            "/acme/directory_url",
            "/acme/contacts",
            "/acme/challenge",
            "/acme/authorities",
        ],
    ),
    (
        "crates/control/src/resource/certificate/tests.rs::what_no_server_would_sign_is_refused",
        &["/acme/terms_agreed"],
    ),
    (
        "crates/gateway/tests/gateway/certificates.rs::what_a_certificate_asks_of_clients_holds",
        &[
            "/client_auth/mode",
            "/client_auth/authorities",
            "/client_auth/forward",
        ],
    ),
    (
        "tests/e2e/src/declared.rs::certificates_are_declared_with_files_and_their_keys_never_shown",
        &["/managed_by"],
    ),
];

const STREAM_ROUTE: Elsewhere<'static> = &[
    (DELIVERED, &["/environment", "/upstream_id", "/enabled"]),
    (ONCE, &["/name"]),
    (
        "crates/gateway/tests/gateway/streams.rs::one_address_ends_tls_for_some_hosts_and_passes_others_on",
        &["/port", "/hosts"],
    ),
    (
        "crates/gateway/tests/gateway/streams.rs::silence_ends_a_stream",
        &["/idle_ms"],
    ),
    (
        "crates/gateway/tests/gateway/streams.rs::checks_and_bounds_hold",
        &["/connections_max"],
    ),
    (
        "tests/e2e/src/streams.rs::a_stream_route_is_declared_served_and_removed",
        &[],
    ),
    (READ, &["/managed_by"]),
];

const POLICY: Elsewhere<'static> = &[
    (IN_ORDER, &["/api_id", "/operation_id", "/position", "/enabled"]),
    (
        "crates/gateway/tests/gateway/policies.rs::policies_run_in_their_order_and_for_their_operation",
        &[],
    ),
    (
        "crates/policy/src/testing/steps.rs::every_policy_is_looked_at",
        &["/kind", "/config"],
    ),
    (
        "crates/gateway/tests/gateway/audience.rs::policies_hold_for_their_audience_only",
        &[
            "/audience/flags/*/key",
            "/audience/flags/*/variants",
            "/audience/attributes/*/name",
            "/audience/attributes/*/from",
            "/audience/attributes/*/field",
        ],
    ),
    (
        "crates/flags/src/calls/tests.rs::what_is_named_has_to_be_there",
        &["/audience/segments/*/key", "/audience/segments/*/not"],
    ),
    (
        "tests/e2e/src/declared.rs::what_a_folder_no_longer_declares_goes_and_what_people_made_stays",
        &["/managed_by"],
    ),
];

const SDK_KEY: Elsewhere<'static> = &[
    (
        "crates/api/tests/api/tracking.rs::pages_use_the_keys_that_are_for_them",
        &["/kind", "/origins"],
    ),
    (
        "crates/api/tests/api/tracking.rs::events_are_taken_once_and_counted",
        &["/environment"],
    ),
    (
        "crates/events/src/ingest/tests.rs::keys_open_what_is_theirs",
        &["/expires_at"],
    ),
    (
        "crates/api/tests/api/tracking.rs::keys_open_their_environment_until_they_end",
        &[],
    ),
    (
        "crates/api/tests/api/vendors.rs::features_are_encrypted_for_keys_that_say_so",
        &["/encrypt_payload"],
    ),
    (
        RATE,
        &[
            "/rate_limit/requests",
            "/rate_limit/window_seconds",
            "/rate_limit/burst",
        ],
    ),
    (READ, &["/title"]),
];

const KEY: Elsewhere<'static> = &[
    (SNAPSHOT, &["/application_id", "/environment", "/expires_at"]),
    (
        "crates/gateway/tests/gateway/policies.rs::keys_are_refused_for_their_own_reasons",
        &[],
    ),
    (
        "crates/control/src/key/tests.rs::keys_are_shown_once",
        &["/title"],
    ),
];

const EVENT_TYPE: Elsewhere<'static> = &[
    (
        "crates/api/tests/api/tracking.rs::bad_events_are_named_and_good_ones_taken",
        &["/name", "/schema", "/state"],
    ),
    (READ, &["/title", "/description", "/managed_by"]),
];

#[test]
fn every_field_that_is_saved_has_its_test() {
    let schemas = ::fields::published();
    for (name, elsewhere) in [
        ("CertificateSpec", CERTIFICATE),
        ("StreamRouteSpec", STREAM_ROUTE),
        ("PolicySpec", POLICY),
        ("SdkKeySpec", SDK_KEY),
        ("KeySpec", KEY),
        ("EventTypeSpec", EVENT_TYPE),
    ] {
        ::fields::complete(name, &::fields::of(&schemas[name], &schemas), [], elsewhere);
    }
}

/// Some fields do nothing but tell: whoever asks gets what was written.
#[tokio::test]
async fn what_is_written_for_people_is_read_by_them() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let database = json!({ "name": "db", "targets": [{ "url": "tcp://db.internal:5432" }] });
    let database = owner.post("/api/v1/upstreams", database).await.json(201);
    let price = json!({ "amount_minor": 900, "currency": "EUR" });
    for (path, spec) in [
        (
            "plans",
            json!({ "name": "gold", "title": "Gold", "description": "The most.", "price": price }),
        ),
        (
            "event-types",
            json!({ "name": "visit", "title": "Visit", "description": "Somebody.", "managed_by": "folder" }),
        ),
        (
            "sdk-keys",
            json!({ "kind": "server", "environment": "sandbox", "title": "Of the shop" }),
        ),
        (
            "stream-routes",
            json!({ "name": "db", "environment": "sandbox", "upstream_id": database["id"], "port": 5432,
                "managed_by": "folder" }),
        ),
    ] {
        let made = owner
            .post(&format!("/api/v1/{path}"), spec.clone())
            .await
            .json(201);
        let id = made["id"].as_str().unwrap();
        let read = owner.get(&format!("/api/v1/{path}/{id}")).await.json(200);
        for (name, value) in spec.as_object().unwrap() {
            assert_eq!(&read[name], value, "{path} {name}");
        }
    }
}

#[tokio::test]
async fn a_rate_holds_in_each_of_its_numbers() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    // The statuses of three calls, and whether the next one is far off.
    let seen = async |rate_limit: Value| {
        let spec = json!({ "kind": "server", "environment": "sandbox", "rate_limit": rate_limit });
        let asks = app.anybody().with("x-api-key", &key(&owner, spec).await);
        let mut statuses = Vec::new();
        let mut is_far = false;
        for _ in 0..3 {
            let answer = asks.post("/ofrep/v1/evaluate/flags", json!({})).await;
            statuses.push(answer.status.as_u16());
            is_far = answer
                .header("retry-after")
                .parse()
                .is_ok_and(|seconds: u64| seconds > 60);
        }
        (statuses, is_far)
    };
    let rate = |requests: u32, window_seconds: u32, burst: Option<u32>| json!({ "requests": requests, "window_seconds": window_seconds, "burst": burst });
    assert_eq!(seen(rate(2, 3600, None)).await, (vec![200, 200, 429], true));
    assert_eq!(seen(rate(1, 3600, None)).await, (vec![200, 429, 429], true));
    assert_eq!(seen(rate(2, 60, None)).await, (vec![200, 200, 429], false));
    assert_eq!(seen(rate(2, 3600, Some(1))).await, (vec![200, 429, 429], true));
}
