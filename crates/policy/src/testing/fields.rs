//! Nothing that is configured is silently ignored: every field of every limit changes what becomes of some calls.

use std::collections::BTreeSet;

use domain::limit::{OverLimit, Tier};
use domain::offer::PlanSpec;
use serde_json::{Value, json};

use super::{By, Scene};
use crate::ask::Standing;
use crate::call::Cost;
use crate::directory::Directory;
use crate::directory::tests::snapshot;
use crate::kind;

/// A field, a configuration, what is changed in it, and the calls that show it.
type Row = (&'static str, Value, Value, Vec<Scene>);

fn calls(count: usize, scene: &Scene) -> Vec<Scene> {
    vec![scene.clone(); count]
}

fn merged(base: &Value, change: &Value) -> Value {
    let mut config = base.clone();
    config
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    config
}

/// The fields of a schema with those of objects below them, as `over_limit.mode`.
fn fields(schema: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (name, property) in schema["properties"].as_object().unwrap() {
        let below = property["$ref"].as_str().and_then(|place| {
            let definition = place.strip_prefix("#/$defs/")?;
            schema["$defs"][definition]["properties"].as_object()
        });
        match below {
            Some(below) => all.extend(below.keys().map(|below| format!("{name}.{below}"))),
            None => drop(all.insert(name.clone())),
        }
    }
    all
}

fn transcript(name: &str, config: &Value, scenes: &[Scene]) -> Vec<String> {
    let directory = Directory::compile(&snapshot(), None).unwrap();
    let policy = kind(name)
        .unwrap()
        .compile(config, None)
        .unwrap_or_else(|faults| panic!("{name} {config}: {faults:?}"));
    let mut held = Vec::new();
    scenes
        .iter()
        .map(|scene| scene.play(&directory, By::Policy(&*policy), &mut held))
        .collect()
}

fn check(name: &str, rows: Vec<Row>) {
    let known = fields(&kind(name).unwrap().schema());
    let tested: BTreeSet<_> = rows.iter().map(|(field, ..)| (*field).to_owned()).collect();
    assert_eq!(tested, known, "{name}: every field has its rows");
    for (field, base, change, scenes) in rows {
        let [before, after] =
            [base.clone(), merged(&base, &change)].map(|config| transcript(name, &config, &scenes));
        assert_ne!(before, after, "{name}.{field}: {change} changes nothing");
    }
}

fn whose(base: &Value, known: &Scene) -> Vec<Row> {
    let from = |address| Scene {
        address,
        ..known.clone()
    };
    let [first, second] = ["2001:db8:0:1::1", "2001:db8:0:2::1"].map(from);
    let tagged = |value| Scene {
        head: vec![("x-account", value), ("x-other", "same")],
        ..known.clone()
    };
    let by = json!({ "per": "header", "attribute": "X-Account" });
    vec![
        (
            "per",
            base.clone(),
            json!({ "per": "address" }),
            vec![first.clone(), second.clone()],
        ),
        (
            "attribute",
            merged(base, &by),
            json!({ "attribute": "X-Other" }),
            vec![tagged("a"), tagged("b")],
        ),
        (
            "ipv6_prefix",
            merged(base, &json!({ "per": "address" })),
            json!({ "ipv6_prefix": 48 }),
            vec![first, second],
        ),
    ]
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_field_of_rate_limit_holds() {
    let base = json!({ "requests": 2, "window_seconds": 10, "burst": 1 });
    let scene = Scene::default();
    let three = || calls(3, &scene);
    let late = Scene {
        after_ms: 2_500,
        ..scene.clone()
    };
    let away = Scene {
        standing: Standing::Away { nodes: 2 },
        ..scene.clone()
    };
    let two = json!({ "requests": 2, "window_seconds": 10 });
    let slow = json!({ "requests": 2, "window_seconds": 10, "over_limit": { "mode": "slow_down" } });
    let mut rows = vec![
        (
            "requests",
            base.clone(),
            json!({ "requests": 20 }),
            vec![scene.clone(), late.clone()],
        ),
        (
            "window_seconds",
            base.clone(),
            json!({ "window_seconds": 4 }),
            vec![scene.clone(), late],
        ),
        ("burst", base.clone(), json!({ "burst": 2 }), three()),
        (
            "algorithm",
            two.clone(),
            json!({ "algorithm": "sliding_window" }),
            three(),
        ),
        (
            "only_statuses",
            base.clone(),
            json!({ "only_statuses": ["401"] }),
            three(),
        ),
        (
            "over_limit.mode",
            base.clone(),
            json!({ "over_limit": { "mode": "warn" } }),
            three(),
        ),
        (
            "over_limit.mode",
            base.clone(),
            json!({ "over_limit": { "mode": "degrade" } }),
            three(),
        ),
        (
            "over_limit.from_percent",
            merged(&two, &json!({ "over_limit": { "mode": "warn" } })),
            json!({ "over_limit": { "mode": "warn", "from_percent": 50 } }),
            three(),
        ),
        (
            "over_limit.delay_ms_max",
            slow,
            json!({ "over_limit": { "mode": "slow_down", "delay_ms_max": 6_000 } }),
            three(),
        ),
    ];
    for when in ["local", "open", "closed"] {
        rows.push((
            "when_store_is_away",
            two.clone(),
            json!({ "when_store_is_away": when }),
            calls(3, &away),
        ));
    }
    rows.extend(whose(&base, &scene));
    check("rate_limit", rows);
}

#[test]
fn every_field_of_concurrency_limit_holds() {
    let base = json!({ "calls_max": 1 });
    let scene = Scene::default();
    let three = || calls(3, &scene);
    let warn = json!({ "calls_max": 2, "over_limit": { "mode": "warn" } });
    let mut rows = vec![
        ("calls_max", base.clone(), json!({ "calls_max": 2 }), three()),
        (
            "over_limit.mode",
            base.clone(),
            json!({ "over_limit": { "mode": "warn" } }),
            three(),
        ),
        (
            "over_limit.mode",
            base.clone(),
            json!({ "over_limit": { "mode": "degrade" } }),
            three(),
        ),
        (
            "over_limit.from_percent",
            warn,
            json!({ "over_limit": { "mode": "warn", "from_percent": 50 } }),
            three(),
        ),
    ];
    rows.extend(whose(&base, &scene));
    // The delay belongs to a mode that this limit refuses.
    let refused = kind("concurrency_limit")
        .unwrap()
        .validate(&json!({ "calls_max": 1, "over_limit": { "mode": "slow_down", "delay_ms_max": 5 } }));
    assert_eq!(refused.unwrap_err()[0].pointer, "/over_limit/mode");
    let known = fields(&kind("concurrency_limit").unwrap().schema());
    let tested: BTreeSet<_> = rows.iter().map(|(field, ..)| (*field).to_owned()).collect();
    let left: Vec<_> = known.difference(&tested).collect();
    assert_eq!(left, ["over_limit.delay_ms_max"]);
    for (field, base, change, scenes) in rows {
        let [before, after] = [base.clone(), merged(&base, &change)]
            .map(|config| transcript("concurrency_limit", &config, &scenes));
        assert_ne!(before, after, "{field}: {change} changes nothing");
    }
}

#[test]
fn every_field_of_bandwidth_limit_holds() {
    let base = json!({ "answer_bytes_per_second": 2048, "burst_bytes": 4096 });
    let scene = Scene::default();
    let three = || calls(3, &scene);
    let mut rows = vec![
        (
            "answer_bytes_per_second",
            base.clone(),
            json!({ "answer_bytes_per_second": 4096 }),
            three(),
        ),
        (
            "request_bytes_per_second",
            base.clone(),
            json!({ "request_bytes_per_second": 4096 }),
            three(),
        ),
        (
            "burst_bytes",
            base.clone(),
            json!({ "burst_bytes": 8192 }),
            three(),
        ),
    ];
    rows.extend(whose(&base, &scene));
    check("bandwidth_limit", rows);
}

#[test]
fn every_field_of_call_cost_holds() {
    let base = json!({ "units": 1 });
    let scene = Scene::default();
    let one = || calls(1, &scene);
    let rows = vec![
        ("units", base, json!({ "units": 0 }), one()),
        (
            "tier",
            json!({ "tier": "cheap" }),
            json!({ "tier": "expensive" }),
            one(),
        ),
        (
            "expression",
            json!({ "expression": "1" }),
            json!({ "expression": "size(path)" }),
            one(),
        ),
    ];
    check("call_cost", rows);
}

/// What a plan says besides what becomes of calls.
const ELSEWHERE: ::fields::Elsewhere<'static> = &[
    (
        "crates/policy/src/testing/fields.rs::what_a_plan_says_reads_well",
        &["/name"],
    ),
    (
        "crates/control/src/key/tests.rs::plans_bound_the_number_of_keys",
        &["/keys_max"],
    ),
    (
        "crates/control/src/report/tests.rs::promises_of_plans_are_checked",
        &["/service_level/availability", "/service_level/latency_p95_ms"],
    ),
    (
        "tests/e2e/src/declared.rs::what_a_folder_no_longer_declares_goes_and_what_people_made_stays",
        &["/managed_by"],
    ),
    (
        "crates/api/tests/api/fields.rs::what_is_written_for_people_is_read_by_them",
        &["/title", "/description", "/price/amount_minor", "/price/currency"],
    ),
];

/// What becomes of calls under a plan with these fields.
fn under(plan: &Value, scenes: &[Scene]) -> Vec<String> {
    let mut all = json!({ "name": "free", "title": "Free" });
    all.as_object_mut()
        .unwrap()
        .extend(plan.as_object().unwrap().clone());
    let spec: PlanSpec = serde_json::from_value(all).unwrap();
    let mut snapshot = snapshot();
    let plan = &mut snapshot.plans[0];
    plan.rate_limit = spec.rate_limit;
    plan.quota = spec.quota;
    plan.concurrent_calls_max = spec.concurrent_calls_max;
    plan.tier_costs = spec.tier_costs;
    plan.when_store_is_away = spec.when_store_is_away;
    let directory = Directory::compile(&snapshot, None).unwrap();
    let mut held = Vec::new();
    scenes
        .iter()
        .map(|scene| scene.play(&directory, By::Plan, &mut held))
        .collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_limit_of_a_plan_holds() {
    let scene = Scene::default();
    let three = || calls(3, &scene);
    let late = Scene {
        after_ms: 2_500,
        ..scene.clone()
    };
    let tier = |tier| {
        vec![Scene {
            cost: Cost::Tier(tier),
            ..scene.clone()
        }]
    };
    let away = Scene {
        standing: Standing::Away { nodes: 2 },
        ..scene.clone()
    };
    let rate = |change: Value| {
        let base = json!({ "requests": 2, "window_seconds": 10 });
        json!({ "rate_limit": merged(&base, &change) })
    };
    let quota = |change: Value| {
        let base = json!({ "requests": 2, "period": "day" });
        json!({ "quota": merged(&base, &change) })
    };
    let costs = |change: Value| {
        merged(
            &rate(json!({ "requests": 200 })),
            &json!({ "tier_costs": change }),
        )
    };
    let mode = |mode: &str| json!({ "over_limit": { "mode": mode } });
    let both = |when| merged(&rate(json!({})), &json!({ "when_store_is_away": when }));
    let rows = [
        ("/rate_limit/requests", json!({}), rate(json!({})), three()),
        (
            "/rate_limit/requests",
            rate(json!({})),
            rate(json!({ "requests": 3 })),
            three(),
        ),
        (
            "/rate_limit/window_seconds",
            rate(json!({})),
            rate(json!({ "window_seconds": 4 })),
            vec![scene.clone(), late],
        ),
        (
            "/rate_limit/burst",
            rate(json!({})),
            rate(json!({ "burst": 1 })),
            three(),
        ),
        (
            "/rate_limit/algorithm",
            rate(json!({})),
            rate(json!({ "algorithm": "sliding_window" })),
            three(),
        ),
        (
            "/rate_limit/over_limit/mode",
            rate(json!({})),
            rate(mode("warn")),
            three(),
        ),
        (
            "/rate_limit/over_limit/mode",
            rate(mode("warn")),
            rate(mode("degrade")),
            three(),
        ),
        (
            "/rate_limit/over_limit/from_percent",
            rate(mode("warn")),
            rate(json!({ "over_limit": { "mode": "warn", "from_percent": 50 } })),
            three(),
        ),
        (
            "/rate_limit/over_limit/delay_ms_max",
            rate(mode("slow_down")),
            rate(json!({ "over_limit": { "mode": "slow_down", "delay_ms_max": 6000 } })),
            three(),
        ),
        ("/quota/requests", json!({}), quota(json!({})), three()),
        (
            "/quota/requests",
            quota(json!({})),
            quota(json!({ "requests": 3 })),
            three(),
        ),
        (
            "/quota/period",
            quota(json!({})),
            quota(json!({ "period": "month" })),
            three(),
        ),
        (
            "/quota/over_limit/mode",
            quota(json!({})),
            quota(mode("warn")),
            three(),
        ),
        (
            "/quota/over_limit/mode",
            quota(mode("warn")),
            quota(mode("degrade")),
            three(),
        ),
        (
            "/quota/over_limit/from_percent",
            quota(mode("warn")),
            quota(json!({ "over_limit": { "mode": "warn", "from_percent": 50 } })),
            three(),
        ),
        (
            "/concurrent_calls_max",
            json!({}),
            json!({ "concurrent_calls_max": 1 }),
            three(),
        ),
        (
            "/concurrent_calls_max",
            json!({ "concurrent_calls_max": 2 }),
            json!({ "concurrent_calls_max": 1 }),
            three(),
        ),
        (
            "/tier_costs/cheap",
            costs(json!({})),
            costs(json!({ "cheap": 2 })),
            tier(Tier::Cheap),
        ),
        (
            "/tier_costs/moderate",
            costs(json!({})),
            costs(json!({ "moderate": 2 })),
            tier(Tier::Moderate),
        ),
        (
            "/tier_costs/expensive",
            costs(json!({})),
            costs(json!({ "expensive": 2 })),
            tier(Tier::Expensive),
        ),
        (
            "/when_store_is_away",
            both("local_share"),
            both("local"),
            calls(3, &away),
        ),
        (
            "/when_store_is_away",
            both("local"),
            both("open"),
            calls(3, &away),
        ),
        (
            "/when_store_is_away",
            both("open"),
            both("closed"),
            calls(3, &away),
        ),
    ];
    let schemas = ::fields::published();
    let known = ::fields::of(&schemas["PlanSpec"], &schemas);
    // The delay belongs to a mode that quotas refuse.
    let delay = "/quota/over_limit/delay_ms_max";
    let slow: OverLimit = serde_json::from_value(json!({ "mode": "slow_down", "delay_ms_max": 5 })).unwrap();
    assert_eq!(slow.faults(false)[0].0, "mode");
    let here = rows.iter().map(|(field, ..)| *field).chain([delay]);
    ::fields::complete("a plan", &known, here, ELSEWHERE);
    for (field, before, after, scenes) in rows {
        assert_ne!(
            under(&before, &scenes),
            under(&after, &scenes),
            "{field}: {before} and {after} do the same"
        );
    }
}

#[test]
fn what_a_plan_says_reads_well() {
    let plan = json!({
        "rate_limit": { "requests": 2, "window_seconds": 10 },
        "quota": { "requests": 5, "period": "hour", "over_limit": { "mode": "warn", "from_percent": 20 } },
        "concurrent_calls_max": 2,
    });
    assert_eq!(
        under(&plan, &calls(3, &Scene::default())),
        [
            "pass | \"free-concurrent\";q=2;qu=\"concurrent-requests\", \"free\";q=2;w=10, \"free-hour\";q=5;w=3600 \
             | \"free-concurrent\";r=1, \"free\";r=1;t=5, \"free-hour\";r=4;t=3600 \
             | delay 0 ms, warned false, degraded None, 1 units",
            "pass | \"free-concurrent\";q=2;qu=\"concurrent-requests\", \"free\";q=2;w=10, \"free-hour\";q=5;w=3600 \
             | \"free-concurrent\";r=0, \"free\";r=0;t=10, \"free-hour\";r=3;t=3600 \
             | over \"free-hour\";mode=warn | delay 0 ms, warned true, degraded None, 1 units",
            "concurrency_limited after Some(1) | \"free-concurrent\";q=2;qu=\"concurrent-requests\" \
             | \"free-concurrent\";r=0 | delay 0 ms, warned false, degraded None, 1 units",
        ]
    );
}
