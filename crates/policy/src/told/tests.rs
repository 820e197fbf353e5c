use domain::limit::Mode;

use super::{Limits, Told};

fn told(limits: &Limits<'_>) -> Option<[String; 2]> {
    let (policy, left) = limits.fields(&mut "what was there before".to_owned())?;
    Some([policy, left].map(|value| value.to_str().unwrap().to_owned()))
}

#[test]
fn as_many_as_fit_are_told_in_order() {
    let all: Vec<_> = (0..Limits::MAX as u64 + 1)
        .map(|number| Told::new("plan_rate", &format!("l{number}"), 100 + number, 60))
        .collect();
    let mut limits = Limits::default();
    assert!(limits.is_empty());
    assert_eq!(told(&limits), None);
    let expected = [
        ["\"l0\";q=100;w=60", "\"l0\";r=7;t=0"],
        [
            "\"l0\";q=100;w=60, \"l1\";q=101;w=60",
            "\"l0\";r=7;t=0, \"l1\";r=7;t=1",
        ],
    ];
    for (index, one) in all.iter().enumerate() {
        limits.push(one, 7, Some(index as u64));
        if let Some(expected) = expected.get(index) {
            assert_eq!(told(&limits).unwrap(), *expected);
        }
    }
    let [policy, left] = told(&limits).unwrap();
    assert_eq!(policy.matches(";q=").count(), Limits::MAX);
    assert!(left.ends_with("\"l3\";r=7;t=3"), "{left}");
    assert_eq!(all[3].name(), "l3");
}

#[test]
fn what_was_written_before_is_taken_for_its_two_limits_only() {
    let (rate, quota, other) = (
        Told::new("plan_rate", "free", 3, 60),
        Told::new("plan_rate", "free-month", 9, 2_678_400),
        Told::new("plan_rate", "x", 1, 1),
    );
    let pair = rate.and(&quota);
    let push = |all: &[&'static str]| {
        let mut limits = Limits::default();
        for name in all {
            let told = [&rate, &quota, &other]
                .into_iter()
                .find(|told| told.name() == *name)
                .unwrap();
            limits.push(told, 1, Some(2));
        }
        limits.written(&rate, &quota, &pair);
        (limits.pair.is_some(), told(&limits).unwrap()[0].clone())
    };
    let both = "\"free\";q=3;w=60, \"free-month\";q=9;w=2678400";
    assert_eq!(push(&["free", "free-month"]), (true, both.to_owned()));
    for (names, last) in [
        (&["free", "x", "free-month"][..], "\"free-month\";q=9;w=2678400"),
        (&["free-month"], "\"free-month\";q=9;w=2678400"),
        (&["free", "free-month", "x"], "\"x\";q=1;w=1"),
    ] {
        let (is_taken, text) = push(names);
        assert!(!is_taken && text.ends_with(last), "{names:?}: {text}");
    }
}

#[test]
fn a_limit_without_a_time_tells_none_and_who_was_over_is_told() {
    let (open, rate) = (
        Told::concurrent("plan_concurrency", "free-concurrent", 5),
        Told::new("plan_rate", "free", 3, 60),
    );
    let mut limits = Limits::default();
    limits.push(&open, 4, None);
    assert_eq!(limits.over(), None);
    limits.push_over(&rate, 0, Some(9), Some(Mode::SlowDown));
    limits.push_over(&open, 0, None, Some(Mode::Warn));
    assert_eq!(
        told(&limits).unwrap(),
        [
            "\"free-concurrent\";q=5;qu=\"concurrent-requests\", \"free\";q=3;w=60, \"free-concurrent\";q=5;qu=\"concurrent-requests\"",
            "\"free-concurrent\";r=4, \"free\";r=0;t=9, \"free-concurrent\";r=0",
        ]
    );
    assert_eq!(
        limits.over().unwrap(),
        "\"free\";mode=slow_down, \"free-concurrent\";mode=warn"
    );
}
