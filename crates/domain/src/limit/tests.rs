use serde_json::json;

use super::{Mode, OverLimit, Quota, RateLimit, Tier, TierCosts};

#[test]
fn what_cannot_hold_is_a_fault_with_its_place() {
    let table = [
        (json!({}), ""),
        (json!({ "requests": 0 }), "/requests"),
        (json!({ "window_seconds": 86_401 }), "/window_seconds"),
        (json!({ "burst": 0 }), "/burst"),
        (json!({ "burst": 3, "algorithm": "sliding_window" }), "/burst"),
        (json!({ "algorithm": "sliding_window" }), ""),
        (json!({ "over_limit": { "mode": "warn" } }), ""),
        (
            json!({ "over_limit": { "mode": "warn", "from_percent": 80 } }),
            "",
        ),
        (
            json!({ "over_limit": { "mode": "warn", "from_percent": 0 } }),
            "/over_limit/from_percent",
        ),
        (
            json!({ "over_limit": { "mode": "warn", "from_percent": 101 } }),
            "/over_limit/from_percent",
        ),
        (
            json!({ "over_limit": { "from_percent": 80 } }),
            "/over_limit/from_percent",
        ),
        (
            json!({ "over_limit": { "mode": "slow_down", "delay_ms_max": 0 } }),
            "/over_limit/delay_ms_max",
        ),
        (
            json!({ "over_limit": { "mode": "slow_down", "delay_ms_max": 30_001 } }),
            "/over_limit/delay_ms_max",
        ),
        (
            json!({ "over_limit": { "mode": "degrade", "delay_ms_max": 5 } }),
            "/over_limit/delay_ms_max",
        ),
        (
            json!({ "over_limit": { "mode": "slow_down", "delay_ms_max": 5 } }),
            "",
        ),
    ];
    for (change, expected) in table {
        let mut limit = json!({ "requests": 10, "window_seconds": 60 });
        limit
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let limit: RateLimit = serde_json::from_value(limit).unwrap();
        let faults = limit.faults();
        let places: Vec<_> = faults.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places.join(" "), expected, "{change}");
    }
    let waiting = OverLimit {
        mode: Mode::SlowDown,
        ..OverLimit::default()
    };
    assert_eq!(waiting.faults(false).len(), 1, "a month is too long to wait for");
}

#[test]
fn what_is_not_said_is_the_default() {
    let limit: RateLimit = serde_json::from_value(json!({ "requests": 1, "window_seconds": 2 })).unwrap();
    assert_eq!(limit, RateLimit::new(1, 2, None));
    let quota: Quota = serde_json::from_value(json!({ "requests": 1, "period": "day" })).unwrap();
    assert_eq!(quota, Quota::new(1, super::Period::Day));
}

#[test]
fn tiers_have_costs() {
    let costs: TierCosts = serde_json::from_value(json!({ "expensive": 100 })).unwrap();
    let all = [Tier::Cheap, Tier::Moderate, Tier::Expensive].map(|tier| costs.of(tier));
    assert_eq!(all, [1, 5, 100]);
}
