use domain::Code;
use domain::id::SdkKeyId;
use domain::limit::CallRate;
use uuid::Uuid;

use super::{Gate, GateSpec, KeyRates};
use crate::Moment;
use crate::directory::tests::at;
use crate::effects::Holds;

fn gate(spec: GateSpec) -> Gate {
    Gate::new(&GateSpec {
        ipv6_prefix: if spec.ipv6_prefix == 0 {
            64
        } else {
            spec.ipv6_prefix
        },
        ..spec
    })
    .unwrap()
}

const RATE: CallRate = CallRate {
    requests: 10,
    window_seconds: 10,
    burst: Some(2),
};

/// Calls that pass of three from each address, at once.
fn passed(gate: &Gate, addresses: &[&str], held: &mut Vec<Holds>) -> usize {
    let moment = Moment {
        steady_ns: 1,
        ..at("2026-11-21T12:00:00Z")
    };
    let calls = addresses.iter().flat_map(|address| [address; 3]);
    calls
        .filter(|address| {
            let mut holds = Holds::default();
            let from = (address.parse().unwrap(), 100);
            let passed = gate.admit(from, moment, &mut holds).is_ok();
            held.push(holds);
            passed
        })
        .count()
}

#[test]
fn every_limit_of_a_node_holds() {
    let all = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];
    let none = GateSpec::default();
    let rate = Some(RATE);
    let unburst = Some(CallRate { burst: None, ..RATE });
    for (spec, expected) in [
        (GateSpec { rate, ..none }, 2),
        (
            GateSpec {
                rate: unburst,
                ..none
            },
            10,
        ),
        (
            GateSpec {
                address_rate: rate,
                ..none
            },
            6,
        ),
        (
            GateSpec {
                address_rate: rate,
                ipv6_prefix: 128,
                ..none
            },
            8,
        ),
        (GateSpec { calls_max: 5, ..none }, 5),
    ] {
        let mut held = Vec::new();
        let gate = gate(spec);
        assert_eq!(passed(&gate, &all, &mut held), expected, "{spec:?}");
        held.clear();
        let again = passed(&gate, &all, &mut held);
        assert_eq!(again, if spec.calls_max > 0 { 5 } else { 0 }, "{spec:?}");
    }
    assert!(Gate::new(&none).is_none(), "nobody pays for what is not set");
    assert_eq!(CallRate { requests: 0, ..RATE }.faults().len(), 1);
}

#[test]
fn calls_that_matter_less_take_a_part_of_what_may_be_open() {
    let gate = gate(GateSpec {
        calls_max: 10,
        ..GateSpec::default()
    });
    let (address, moment) = ("192.0.2.1".parse().unwrap(), at("2026-11-21T12:00:00Z"));
    let mut held = Vec::new();
    for (share, expected) in [(60, 6), (80, 2), (60, 0), (100, 2), (100, 0)] {
        let passes = |_: &usize| {
            let mut holds = Holds::default();
            let passed = gate.admit((address, share), moment, &mut holds).is_ok();
            held.push(holds);
            passed
        };
        assert_eq!((0..12).filter(passes).count(), expected, "{share}");
    }
}

#[test]
fn keys_have_rates_of_their_own() {
    let (rates, start) = (KeyRates::default(), at("2026-11-21T12:00:00Z"));
    let after = |seconds: u64| Moment {
        steady_ns: 1 + seconds * 1_000_000_000,
        ..start
    };
    let key = |number| SdkKeyId::new(Uuid::from_u128(number));
    let slow = CallRate { requests: 1, ..RATE };
    let passed = |key, rate, seconds| {
        (0..5)
            .filter(|_| rates.admit(key, rate, after(seconds)).is_ok())
            .count()
    };
    assert_eq!((passed(key(1), RATE, 0), passed(key(2), slow, 0)), (2, 2));
    let refusal = rates.admit(key(2), slow, after(0)).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.retry_after_seconds),
        (Code::RateLimited, Some(10))
    );
    assert_eq!((passed(key(1), RATE, 1), passed(key(2), slow, 9)), (1, 0));
    assert_eq!(passed(key(2), slow, 10), 1);
    // Whoever may do more from now on need not wait for what the old rate took.
    assert_eq!(
        [11, 12, 14].map(|seconds| passed(key(2), RATE, seconds)),
        [0, 1, 2]
    );
}
