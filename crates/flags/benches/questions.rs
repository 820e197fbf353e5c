//! Measures questions without the network: `cargo bench -p flags`; prints figures, asserts none.
//!
//! A thousand flags, each with a rule of five conditions and a split, asked about by somebody of whom six attributes are
//! known. The fastest of many rounds: the rest is what else the machine did. Then, what ten thousand such flags take of
//! memory, with the definitions that SDKs are sent.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use domain::flag::FlagType;
use domain::id::OrganizationId;
use domain::snapshot::{Flag, FlagSet};
use domain::tracking::SdkKeyKind;
use domain::{Name, Timestamp};
use flags::ofrep;
use flags::{Asker, Attributes, Counts, Question, Set, tag};
use serde_json::{Value, json};
use uuid::Uuid;

const FLAGS: usize = 1000;
const MANY: usize = 10_000;
const FEW: usize = 20;
const ROUNDS: usize = 200;
const EACH: usize = 1000;
const ASKER: Asker = Asker::Key(SdkKeyKind::Server);

fn main() -> Result<(), Box<dyn Error>> {
    let set = set_of(FLAGS)?;
    let now = Timestamp::from_micros(1_795_000_000_000_000);
    let attributes = json!({
        "user_id": "4711", "country": "DE", "plan": "pro", "age": 42, "app_version": "2.3.0", "email": "a@b.example",
    });
    let keys: Vec<_> = (0..FEW).map(|number| format!("flag-{number}")).collect();
    let few = json!({ "attributes": attributes, "flags": keys }).to_string();
    let one = json!({ "context": attributes }).to_string();
    let question = Question::read(few.as_bytes())?;
    let about = (question.flags.as_deref(), &question.attributes);
    let query = "user_id=4711&country=DE&plan=pro&age=42&app_version=2.3.0&email=a@b.example";
    let all = set.list(ASKER, about, now, |found, out| found.write_listed(out))?;

    let mut out = std::io::stdout();
    writeln!(out, "| work | ns |\n|---|---:|")?;
    let mut row = |name: &str, work: &dyn Fn()| writeln!(out, "| {name} | {:.0} |", measure(work));
    row("read a query", &|| {
        let _ = black_box(Attributes::from_query(black_box(query)));
    })?;
    row("read a context of OFREP", &|| {
        let _ = black_box(Attributes::from_context(black_box(one.as_bytes())));
    })?;
    row("one flag, as JSON", &|| {
        if let Ok(found) = set.evaluate(ASKER, black_box("flag-7"), &question.attributes, now) {
            let mut out = Vec::with_capacity(256);
            let _ = black_box(found.write(&mut out));
        }
    })?;
    row("read a question about twenty", &|| {
        let _ = black_box(Question::read(black_box(few.as_bytes())));
    })?;
    row("twenty flags", &|| {
        set.each(ASKER, about, now, |found| {
            black_box(found);
        });
    })?;
    row("twenty flags, as JSON", &|| {
        let _ = black_box(set.list(ASKER, black_box(about), now, |found, out| found.write_listed(out)));
    })?;
    row("twenty flags, as JSON of OFREP", &|| {
        let _ = black_box(set.list(ASKER, black_box(about), now, ofrep::write));
    })?;
    row("the tag of twenty", &|| {
        black_box(tag(black_box(&all)));
    })?;
    let mut held = None;
    let taken = allocation_counter::measure(|| held = set_of(MANY).ok());
    held.ok_or("the flags do not compile")?;
    writeln!(out, "\n{MANY} flags: {:.1} MB", taken.bytes_current as f64 / 1e6)?;
    Ok(())
}

fn set_of(flags: usize) -> Result<Set, Box<dyn Error>> {
    let tests = json!([
        { "attribute": "country", "op": "in", "values": ["DE", "FR", "AT"] },
        { "attribute": "plan", "op": "not_in", "values": ["free"] },
        { "attribute": "age", "op": "gte", "values": ["18"] },
        { "attribute": "app_version", "op": "semver_gte", "values": ["2.1.0"] },
        { "attribute": "email", "op": "ends_with", "values": [".example"] },
    ]);
    let definition: Value = json!({
        "variants": { "on": true, "off": false },
        "off": "off",
        "rules": [{ "when": { "all": tests }, "split": { "on": 50, "off": 50 }, "by": "user_id" }],
        "otherwise": { "serve": "off" },
    });
    let mut keys: Vec<_> = (0..flags).map(|number| format!("flag-{number}")).collect();
    keys.sort_unstable();
    let flag = |key: String| -> Result<Flag, Box<dyn Error>> {
        Ok(Flag {
            key: key.parse()?,
            r#type: FlagType::Boolean,
            client_side: false,
            definition: serde_json::from_value(definition.clone())?,
        })
    };
    let source = FlagSet {
        organization: OrganizationId::new(Uuid::from_u128(1)),
        tag: "tag".to_owned(),
        flags: keys.into_iter().map(flag).collect::<Result<_, _>>()?,
        segments: Default::default(),
        exposures: None,
    };
    let environment: Name = "sandbox".parse()?;
    let set = Set::compile(&environment, &source, &Arc::new(Counts::default()));
    set.map_err(|problems| format!("{problems:?}").into())
}

/// Nanoseconds of one.
fn measure(work: &dyn Fn()) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        (0..EACH).for_each(|_| work());
        started.elapsed().as_secs_f64() * 1e9 / EACH as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}
