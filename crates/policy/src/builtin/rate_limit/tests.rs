use serde_json::json;

use crate::directory::Directory;
use crate::directory::tests::snapshot;
use crate::kind;
use crate::testing::{By, Scene};

/// The first word of what becomes of calls under a limit.
fn play(config: &serde_json::Value, scenes: &[Scene]) -> Vec<String> {
    let policy = kind("rate_limit").unwrap().compile(config, None).unwrap();
    let directory = Directory::compile(&snapshot(), None).unwrap();
    let mut held = Vec::new();
    scenes
        .iter()
        .map(|scene| scene.play(&directory, By::Policy(&*policy), &mut held))
        .map(|became| became.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn only_failures_count_and_only_against_their_account() {
    let config = json!({
        "requests": 2, "window_seconds": 60, "per": "path", "attribute": "pet_id", "only_statuses": ["401", "5xx"]
    });
    let sign_in = |path, status| Scene {
        path,
        status,
        ..Scene::default()
    };
    let became = play(
        &config,
        &[
            sign_in("/pets/joe", 200),
            sign_in("/pets/joe", 401),
            sign_in("/pets/joe", 403),
            sign_in("/pets/jo%65", 503),
            sign_in("/pets/joe", 200),
            sign_in("/pets/ann", 401),
            sign_in("/pets/ann", 200),
        ],
    );
    let (pass, refused) = ("pass", "rate_limited");
    assert_eq!(became, [pass, pass, pass, pass, refused, pass, pass]);
}

#[test]
fn a_call_that_ends_without_an_answer_counts() {
    let config = json!({ "requests": 2, "window_seconds": 60, "per": "address", "only_statuses": ["401"] });
    let ended = |status| Scene {
        status,
        ..Scene::default()
    };
    let became = play(&config, &[ended(0), ended(200), ended(0), ended(200)]);
    assert_eq!(became, ["pass", "pass", "pass", "rate_limited"]);
}

#[test]
fn a_caller_is_the_same_however_it_is_written() {
    let by = |per: &str| json!({ "requests": 1, "window_seconds": 60, "per": per, "attribute": "x-account" });
    let asked = |query| Scene {
        query,
        ..Scene::default()
    };
    let queries = [
        "?x-account=ann",
        "?x%2Daccount=ann",
        "?%78-account=%61nn&a=b",
        "?x-account=ann&x-account=%61nn",
        "?x-account=zoe&x-account=ann",
        "?x-account=ann&%78-account=zoe",
        "?x-account&x-account=ann",
        "?x-account=zoe",
    ];
    let (over, several) = ("rate_limited", "parameter_invalid");
    let became = play(&by("query"), &queries.map(asked));
    assert_eq!(
        became,
        ["pass", over, over, over, several, several, several, "pass"]
    );
    let head = |values: &[&'static str]| Scene {
        head: values.iter().map(|value| ("x-account", *value)).collect(),
        ..Scene::default()
    };
    let became = play(
        &by("header"),
        &[
            head(&["ann"]),
            head(&["ann", "ann"]),
            head(&["zoe", "ann"]),
            head(&["zoe"]),
        ],
    );
    assert_eq!(became, ["pass", over, several, "pass"]);
}

#[test]
fn failures_count_before_the_key_is_checked() {
    let phase = |config: serde_json::Value| {
        let policy = kind("rate_limit").unwrap().compile(&config, None).unwrap();
        policy.phase()
    };
    let failures = json!({ "requests": 1, "window_seconds": 1, "per": "address", "only_statuses": ["401"] });
    assert_eq!(phase(failures), crate::Phase::First);
    for other in [
        json!({ "requests": 1, "window_seconds": 1, "only_statuses": ["401"] }),
        json!({ "requests": 1, "window_seconds": 1, "per": "address" }),
    ] {
        assert_eq!(phase(other), crate::Phase::Decide);
    }
}

#[test]
fn what_is_missing_is_counted_by_address() {
    let config = json!({ "requests": 1, "window_seconds": 60, "per": "header", "attribute": "X-Account" });
    let from = |address, head: &[(&'static str, &'static str)]| Scene {
        address,
        head: head.to_vec(),
        ..Scene::default()
    };
    let became = play(
        &config,
        &[
            from("192.0.2.1", &[("x-account", "a")]),
            from("192.0.2.2", &[("x-account", "a")]),
            from("192.0.2.1", &[]),
            from("192.0.2.1", &[]),
            from("192.0.2.2", &[]),
        ],
    );
    assert_eq!(became, ["pass", "rate_limited", "pass", "rate_limited", "pass"]);
}

#[test]
fn counters_go_on_unless_the_kind_of_counting_changes() {
    let base = json!({ "requests": 1, "window_seconds": 60 });
    let first = kind("rate_limit").unwrap().compile(&base, None).unwrap();
    let directory = Directory::compile(&snapshot(), None).unwrap();
    let mut held = Vec::new();
    let mut passes = |policy: &dyn crate::Policy| {
        Scene::default()
            .play(&directory, By::Policy(policy), &mut held)
            .starts_with("pass")
    };
    assert!(passes(&*first));
    let state = first.state();
    for (change, expected) in [
        (json!({ "requests": 1, "window_seconds": 61 }), false),
        (
            json!({ "requests": 1, "window_seconds": 60, "algorithm": "sliding_window" }),
            true,
        ),
        (
            json!({ "requests": 1, "window_seconds": 60, "per": "route" }),
            true,
        ),
    ] {
        let next = kind("rate_limit")
            .unwrap()
            .compile(&change, state.as_ref())
            .unwrap();
        assert_eq!(passes(&*next), expected, "{change}");
    }
}
