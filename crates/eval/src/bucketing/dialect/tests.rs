use super::Order;
use crate::definition::Dialect;

/// Vectors that the makers publish: dialect, whether of a gate, key, weight, unit, place.
#[test]
fn places_are_those_of_others() {
    let table = [
        // Tests of Unleash's clients; they count from 1.
        (Dialect::Unleash, true, "gr1", 100, "123", 73 - 1),
        (Dialect::Unleash, true, "groupX", 100, "999", 25 - 1),
        (Dialect::Unleash, false, "gr1", 100, "123", 96 - 1),
        (Dialect::Unleash, false, "groupX", 100, "999", 60 - 1),
        // `hash` in GrowthBook's cases for its SDKs.
        (Dialect::GrowthbookV1, true, "", 1000, "a", 220),
        (Dialect::GrowthbookV1, true, "ef", 1000, "d", 652),
        (Dialect::GrowthbookV1, false, "asdf", 1000, "8952klfjas09ujk", 549),
        (Dialect::GrowthbookV1, false, "", 1000, "jos\u{e9}", 586),
        (Dialect::GrowthbookV2, true, "seed", 10_000, "a", 505),
        (Dialect::GrowthbookV2, true, "foo", 10_000, "def", 2019),
        (Dialect::GrowthbookV2, true, "", 10_000, "\u{1f600}", 4971),
        (
            Dialect::GrowthbookV2,
            false,
            "90850943850283058242805",
            10_000,
            "123",
            7516,
        ),
        // Tests of LaunchDarkly's SDKs: 0.42157587, 0.6708485, 0.10343106, and with the seed 61 0.09801207, 0.9242641.
        (
            Dialect::Launchdarkly,
            true,
            "hashKey.saltyA",
            100_000,
            "userKeyA",
            42_157,
        ),
        (
            Dialect::Launchdarkly,
            true,
            "hashKey.saltyA",
            100_000,
            "userKeyB",
            67_084,
        ),
        (
            Dialect::Launchdarkly,
            false,
            "hashKey.saltyA",
            100_000,
            "userKeyC",
            10_343,
        ),
        (Dialect::Launchdarkly, true, "61", 100_000, "userKeyA", 9801),
        (Dialect::Launchdarkly, true, "61", 100_000, "userKeyC", 92_426),
    ];
    for (dialect, is_gate, key, weight, unit, expected) in table {
        let order = match is_gate {
            true => Order::of_gate(dialect, key),
            false => Order::of_parts(dialect, key, weight),
        };
        assert_eq!(order.places(), u64::from(weight));
        assert_eq!(order.of(unit), expected, "{dialect:?} {key} {unit}");
    }
}

#[test]
fn ours_is_the_hash_of_key_and_unit() {
    let order = Order::of_parts(Dialect::Native, "checkout", 7);
    assert_eq!(
        order.of("user-1"),
        super::Bucketing::new("checkout").of(b"user-1")
    );
    assert_eq!(order.places(), 1 << 32);
    assert!(order.is_native());
}
