//! Measures evaluations: `cargo bench -p eval`; prints figures, asserts none.
//!
//! A thousand flags, each with a rule of five conditions and a split; the conditions are those of all of them, or of each its
//! own. Subjects are made beforehand, as a bulk evaluation makes one for all flags, and with it, as a single one does. Medians
//! of several rounds.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use eval::{Definitions, Flags, Handle, Subject};
use serde_json::{Value, json};

const FLAGS: usize = 1000;
const SUBJECTS: usize = 1000;
const ROUNDS: usize = 11;
const EACH: usize = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let flags = compiled(|number| flag(number, 0))?;
    let users: Vec<String> = (0..SUBJECTS).map(|number| format!("user-{number:08}")).collect();
    let subjects: Vec<_> = users.iter().map(|user| subject(&flags, user)).collect();
    let handles: Vec<_> = flags.iter().map(|(_, flag)| flag).collect();
    let keys: Vec<_> = flags.iter().map(|(key, _)| key).collect();
    let fixed = flags.get("static").ok_or("no static flag")?;

    let mut out = std::io::stdout();
    writeln!(out, "| evaluation | ns | allocations |\n|---|---:|---:|")?;
    let at = |place: usize| (place * 7919 % FLAGS, place % SUBJECTS);
    let mut row = |name: &str, work: &dyn Fn(usize)| -> std::io::Result<()> {
        let (nanos, taken) = measure(work);
        writeln!(out, "| {name} | {nanos:.1} | {taken:.3} |")
    };
    let ask = |flag: Handle, subject: &Subject<'_>| {
        black_box(flags.evaluate(black_box(flag), black_box(subject)));
    };
    row("a static flag by its handle", &|place| {
        ask(fixed, &subjects[at(place).1]);
    })?;
    row("five conditions and a split, of one subject", &|place| {
        ask(handles[at(place).0], &subjects[0]);
    })?;
    row("the same, each of another subject", &|place| {
        let (flag, subject) = at(place);
        ask(handles[flag], &subjects[subject]);
    })?;
    row("the same, by the flag's key", &|place| {
        let (flag, subject) = at(place);
        if let Some(flag) = flags.get(black_box(keys[flag])) {
            ask(flag, &subjects[subject]);
        }
    })?;
    row("the same, with a subject that is made for it", &|place| {
        let (flag, user) = at(place);
        if let Some(flag) = flags.get(black_box(keys[flag])) {
            ask(flag, &subject(&flags, &users[user]));
        }
    })?;
    let unlike = compiled(|number| flag(number, number))?;
    let unlike_subject = subject(&unlike, &users[0]);
    let unlike_handles: Vec<_> = unlike.iter().map(|(_, flag)| flag).collect();
    row(
        "five conditions of its own and a split, of one subject",
        &|place| {
            let flag = unlike_handles[at(place).0];
            black_box(unlike.evaluate(black_box(flag), black_box(&unlike_subject)));
        },
    )?;
    Ok(())
}

fn compiled(flag: impl Fn(usize) -> Value) -> Result<Flags, Box<dyn Error>> {
    let flags: serde_json::Map<String, Value> = (0..FLAGS)
        .map(|number| (format!("feature-{number}"), flag(number)))
        .chain([("static".to_owned(), fixed())])
        .collect();
    let definitions: Definitions = serde_json::from_value(json!({ "flags": flags }))?;
    Flags::compile(&definitions).map_err(|problems| format!("{problems:?}").into())
}

/// Flags with another `own` have no condition in common.
fn flag(number: usize, own: usize) -> Value {
    json!({
        "variants": { "on": true, "off": false },
        "off": "off",
        "rules": [{
            "when": { "all": [
                { "attribute": "country", "op": "in", "values": ["DE", "FR", own.to_string()] },
                { "attribute": "plan", "op": "not_in", "values": [format!("free-{own}")] },
                { "attribute": "app_version", "op": "semver_gte", "values": [format!("2.1.{own}")] },
                { "attribute": "age", "op": "gte", "values": [(18.0 + own as f64 / 1000.0).to_string()] },
                { "attribute": "email", "op": "ends_with", "values": [format!("@example.{own}"), "@example.com"] },
            ] },
            "split": { "on": number % 100, "off": 100 - number % 100 },
            "by": "user_id",
        }],
        "otherwise": { "serve": "off" },
    })
}

fn fixed() -> Value {
    json!({ "variants": { "on": true, "off": false }, "off": "off", "otherwise": { "serve": "on" } })
}

fn subject<'a>(flags: &Flags, user: &'a str) -> Subject<'a> {
    let mut subject = flags.subject(1_795_000_000_000_000);
    flags.put(&mut subject, "user_id", user);
    flags.put(&mut subject, "country", "FR");
    flags.put(&mut subject, "plan", "team");
    flags.put(&mut subject, "app_version", "2.10.3");
    flags.put(&mut subject, "age", 34.0);
    flags.put(&mut subject, "email", "someone@example.com");
    subject
}

/// Nanoseconds of one, the median of some rounds, and how often one asks for memory.
fn measure(work: &dyn Fn(usize)) -> (f64, f64) {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        (0..EACH).for_each(work);
        rounds.push(started.elapsed().as_secs_f64() * 1e9 / EACH as f64);
    }
    let taken = allocation_counter::measure(|| (0..EACH).for_each(work)).count_total;
    rounds.sort_unstable_by(f64::total_cmp);
    (rounds[ROUNDS / 2], taken as f64 / EACH as f64)
}
