//! Shares that grow by a schedule, and splits that some keep.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value as Json, json};

use super::{boolean, compiled, users};
use crate::Reason;
use crate::condition::moment;
use crate::flags::Flags;

/// Microseconds of the first step.
const FIRST: i64 = 1_800_000_000_000_000;
const SECOND: i64 = 1_000_000;

fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).unwrap().to_string()
}

/// Steps one after the other: seconds since the first, and thousandths of a percent.
fn steps_of(steps: &[(u32, u32)]) -> Vec<Json> {
    let each = steps.iter().map(|(seconds, share)| {
        let at = time(FIRST + i64::from(*seconds) * SECOND);
        json!({ "at": at, "percent": f64::from(*share) / 1000.0 })
    });
    each.collect()
}

fn rollout(steps: &[(u32, u32)], is_smooth: bool) -> Flags {
    let rollout = json!({ "serve": "on", "others": "off", "steps": steps_of(steps), "smooth": is_smooth });
    compiled(&json!({ "flag": boolean(&json!({ "otherwise": { "rollout": rollout, "by": "user_id" } })) }))
}

fn split(share: u32) -> Flags {
    let (on, off) = (f64::from(share) / 1000.0, f64::from(100_000 - share) / 1000.0);
    let split = json!({ "on": on, "off": off });
    compiled(&json!({ "flag": boolean(&json!({ "otherwise": { "split": split, "by": "user_id" } })) }))
}

fn is_on(flags: &Flags, unit: &str, now_micros: i64) -> bool {
    let mut subject = flags.subject(now_micros);
    flags.put(&mut subject, "user_id", unit);
    let found = flags.evaluate(flags.get("flag").unwrap(), &subject);
    assert_eq!((found.reason, found.by), (Reason::Split, Some("user_id")));
    found.variant == "on"
}

/// Steps with different moments.
fn any_steps() -> impl Strategy<Value = Vec<(u32, u32)>> {
    vec((1..100_000_u32, 0..=100_000_u32), 1..8).prop_map(|steps| {
        let mut at = 0;
        let each = steps.into_iter().map(|(wait, share)| {
            at += wait;
            (at, share)
        });
        each.collect()
    })
}

/// The same without one that is smaller than the one before.
fn growing() -> impl Strategy<Value = Vec<(u32, u32)>> {
    any_steps().prop_map(|steps| {
        let mut shares: Vec<_> = steps.iter().map(|(_, share)| *share).collect();
        shares.sort_unstable();
        steps.into_iter().map(|(at, _)| at).zip(shares).collect()
    })
}

proptest! {
    #[test]
    fn who_has_it_keeps_it_while_the_share_grows(
        steps in growing(), is_smooth in any::<bool>(), unit in ".{1,12}", mut times in vec(0..900_000_i64, 1..20),
    ) {
        let flags = rollout(&steps, is_smooth);
        times.sort_unstable();
        let given = times.iter().map(|time| is_on(&flags, &unit, FIRST + time * SECOND));
        let given: Vec<_> = given.collect();
        prop_assert!(given.is_sorted(), "{given:?}");
    }

    #[test]
    fn a_split_of_the_same_share_moves_nobody(steps in any_steps(), unit in ".{1,12}", wait in -10..900_000_i64) {
        let now = FIRST + wait * SECOND;
        let begun = steps.iter().rev().find(|(at, _)| i64::from(*at) <= wait);
        let flags = split(begun.map_or(0, |(_, share)| *share));
        prop_assert_eq!(is_on(&rollout(&steps, false), &unit, now), is_on(&flags, &unit, now));
    }

    /// The share is what the straight line says, cut off to thousandths towards the step before.
    #[test]
    fn a_smooth_share_is_on_the_line(
        (from, to) in (0..=100_000_u32, 0..=100_000_u32), span in 1..1_000_000_u32, at in 0.0..1.0_f64, unit in ".{1,12}",
    ) {
        let wait = (f64::from(span) * at) as u32;
        let way = f64::from(to) - f64::from(from);
        let line = f64::from(from) + way * f64::from(wait) / f64::from(span);
        let share = if way < 0.0 { line.ceil() } else { line.floor() };
        // What falls on a thousandth may be a little beside it as a floating number.
        let is_sure = (line - line.round()).abs() > 1e-6;
        let now = FIRST + i64::from(wait) * SECOND;
        let given = is_on(&rollout(&[(0, from), (span, to)], true), &unit, now);
        prop_assert!(!is_sure || given == is_on(&split(share as u32), &unit, now));
    }

    #[test]
    fn no_moment_makes_a_roll_out_fail(steps in any_steps(), is_smooth in any::<bool>(), now in any::<i64>()) {
        let flags = rollout(&steps, is_smooth);
        let on = is_on(&flags, "somebody", now);
        prop_assert_eq!(is_on(&flags, "somebody", now), on);
        let mut subject = flags.subject(now);
        flags.put(&mut subject, "user_id", "somebody");
        let (found, told) = flags.explain(flags.get("flag").unwrap(), &subject);
        prop_assert_eq!(found.variant == "on", on);
        prop_assert_eq!(told.len(), 2);
    }
}

/// Pearson's statistic of how many of 20,000 are on, if `share` of 100,000 should be; above 10.83 once in a thousand times.
fn chi_square(on: usize, share: u32) -> f64 {
    let expected = 20_000.0 * f64::from(share) / 1e5;
    let off = 20_000.0 - expected;
    (on as f64 - expected).powi(2) * (1.0 / expected + 1.0 / off)
}

#[test]
fn each_share_is_as_large_as_it_says() {
    for (key, share) in [("a", 1_000), ("b", 12_500), ("c", 50_000)] {
        // Users are asked about at the beginning of 1970: half way to the second step, or before the first.
        let smooth = json!([
            { "at": "1969-12-31T00:00:00Z", "percent": 0 },
            { "at": "1970-01-02T00:00:00Z", "percent": f64::from(share) / 500.0 },
        ]);
        let later = json!([{ "at": "1971-01-01T00:00:00Z", "percent": 0 }]);
        for (start, steps) in [(0, smooth), (share, later)] {
            let start = f64::from(start) / 1000.0;
            let rollout =
                json!({ "serve": "on", "others": "off", "start": start, "steps": steps, "smooth": true });
            let flag = boolean(&json!({ "otherwise": { "rollout": rollout, "by": "user_id" } }));
            let on = users(&compiled(&json!({ key: flag })), key);
            let on = on.iter().filter(|is_on| **is_on).count();
            assert!(chi_square(on, share) < 10.83, "{key} {rollout}: {on}");
        }
    }
}

fn told(flags: &Flags, known: &[(&str, &str)], now: &str) -> Vec<(String, String)> {
    let mut subject = flags.subject(moment(now).unwrap());
    for (name, value) in known {
        flags.put(&mut subject, name, *value);
    }
    let (_, steps) = flags.explain(flags.get("flag").unwrap(), &subject);
    let each = steps.into_iter().map(|step| (step.pointer, step.detail));
    each.skip(1).collect()
}

#[test]
fn an_explanation_tells_the_share_and_the_next_step() {
    let steps = [(0, 5_000), (3600, 33_333)];
    let (stepped, smooth) = (rollout(&steps, false), rollout(&steps, true));
    let at = |seconds: i64| time(FIRST + seconds * SECOND);
    let table = [
        (
            &stepped,
            -1,
            "`on` has 0 % and will have 5 % at 2027-01-15T08:00:00Z",
        ),
        (
            &stepped,
            1800,
            "`on` has 5 % and will have 33.333 % at 2027-01-15T09:00:00Z",
        ),
        (
            &smooth,
            -1,
            "`on` has 0 % and will have 5 % at 2027-01-15T08:00:00Z",
        ),
        (
            &smooth,
            1800,
            "`on` has 19.166 % on the way to 33.333 % at 2027-01-15T09:00:00Z",
        ),
        (&smooth, 3600, "`on` has 33.333 %, which was the last step"),
    ];
    for (flags, seconds, expected) in table {
        let found = told(flags, &[("user_id", "user-1")], &at(seconds));
        let variant = if seconds < 3600 { "off" } else { "on" };
        let detail = format!("By `user_id` they are at 70.656 % of all; {expected}: `{variant}`.");
        assert_eq!(found, [("/otherwise".to_owned(), detail)]);
        let found = told(flags, &[], &at(seconds));
        assert_eq!(found[0].1, format!("`user_id` is not known; {expected}: `off`."));
    }
}

fn kept() -> Flags {
    let gate = json!({ "key": "exp", "by": "user_id", "parts": [[0, 60]] });
    let rule = json!({
        "gates": [gate], "split": { "on": 100 }, "by": "user_id",
        "kept": [{ "parts": [[40, 60]], "split": { "off": 100 } }],
    });
    compiled(&json!({ "flag": boolean(&json!({ "rules": [rule] })) }))
}

#[test]
fn an_explanation_tells_who_keeps_what() {
    let flags = kept();
    let (mut keeping, mut others) = (0, 0);
    for number in 0..200 {
        let unit = format!("user-{number}");
        let found = told(&flags, &[("user_id", &unit)], "2026-11-22T10:00:00Z");
        let pointers: Vec<_> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        match *pointers {
            ["/rules/0/gates/0", "/rules/0/kept/0", "/rules/0"] => {
                assert!(found[2].1.ends_with(": `off`."));
                keeping += 1;
            }
            ["/rules/0/gates/0", "/rules/0"] => {
                assert!(found[1].1.ends_with(": `on`."));
                others += 1;
            }
            _ => assert_eq!(pointers, ["/rules/0/gates/0", "/otherwise"]),
        }
    }
    assert!(
        (20..60).contains(&keeping) && (50..110).contains(&others),
        "{keeping} {others}"
    );
}

#[test]
fn neither_takes_memory() {
    for (flags, now) in [
        (rollout(&[(0, 5_000), (60, 90_000)], true), FIRST + 7),
        (kept(), 0),
    ] {
        let flag = flags.get("flag").unwrap();
        for number in 0..50 {
            let unit = format!("user-{number}");
            let mut subject = flags.subject(now);
            flags.put(&mut subject, "user_id", unit.as_str());
            let taken = allocation_counter::measure(|| {
                std::hint::black_box(flags.evaluate(flag, &subject));
            });
            assert_eq!(taken.count_total, 0);
        }
    }
}
