//! Measures dashboards: `cargo bench -p control -- [CALLS [STORE]]`; prints figures, asserts none.
//!
//! Calls of thirty days are summed up, some hours at a time, as the counter of usage does, into a store of SQLite in a
//! temporary directory, or the one that is named; that is not filled twice. Then the questions of the screens are asked about the busiest provider.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::{Caller, Control};
use domain::Timestamp;
use domain::analytics::{AnalyticsQuery, Dimension, Granularity, Measure, Top};
use domain::id::{ApiId, OperationId, PlanId, TargetId, VersionId};
use domain::rollup::Resolution;
use events::Call;
use events::rollup::Fold;
use store::Store;
use uuid::Uuid;

#[path = "../../lake/src/sample.rs"]
#[expect(dead_code, reason = "the lake's benchmark asks for more")]
mod sample;

const CALLS: u64 = 2_000_000;
const DAYS: u64 = 30;
const DAY_MICROS: i64 = 86_400_000_000;
/// What is summed up together.
const PART_MICROS: i64 = DAY_MICROS / 4;
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-'));
    let calls: u64 = words.next().map_or(Ok(CALLS), |word| word.parse())?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("bench.db");
    let url = words
        .next()
        .unwrap_or_else(|| format!("sqlite:{}", file.display()));
    let store = Store::open(&url).await?;
    let mut out = std::io::stdout();
    let known = rows(&store, "rollup_day").await?;
    if known == 0 {
        fill(&store, calls, &mut out).await?;
    }
    for table in ["series", "rollup_minute", "rollup_hour", "rollup_day"] {
        writeln!(out, "{table}: {} rows", rows(&store, table).await?)?;
    }
    if let Some(bytes) = url.strip_prefix("sqlite:").and_then(bytes) {
        writeln!(
            out,
            "{:.0} MB, {:.1} bytes per call",
            bytes / 1e6,
            bytes / calls as f64
        )?;
    }
    ask(store, &mut out).await
}

fn now() -> Timestamp {
    let days = i64::try_from(DAYS).unwrap_or(0);
    // In the middle of an hour.
    Timestamp::from_micros(sample::START_MICROS + days * DAY_MICROS + 1_234_567_890)
}

async fn rows(store: &Store, table: &str) -> Result<i64, Box<dyn Error>> {
    let sql = format!("SELECT COUNT(*) AS rows FROM {table}");
    let row = store.fetch_optional(&sql, &[]).await?;
    Ok(row.ok_or("a count")?.int("rows")?)
}

fn bytes(file: &str) -> Option<f64> {
    let size = |name: String| Path::new(&name).metadata().map_or(0, |file| file.len());
    Some((size(file.to_owned()) + size(format!("{file}-wal"))) as f64)
}

/// Makes a call one to the API that its application mostly calls, or to its second one.
///
/// Applications call few operations: the sample's call everything, which nobody's do.
fn loyal(mut call: Call) -> Call {
    let (Some(callee), Some(caller)) = (call.callee.as_mut(), call.caller.as_mut()) else {
        return call;
    };
    let dice = call.request.uuid().as_u128();
    let application = caller.application.uuid().as_u128();
    let second = u128::from(dice.is_multiple_of(5));
    let own = mixed(application + second);
    // About as Zipf says, so that the first provider is the busiest.
    let skewed = |bound: u128, bits: u128| {
        let unit = (bits % 1024) as f64 / 1024.0;
        ((bound as f64 + 1.0).powf(unit) - 1.0) as u128
    };
    let provider = skewed(u128::from(sample::PROVIDERS), own);
    let api = provider * 8 + skewed(4, own >> 16);
    let operation = (skewed(12, own >> 32) + skewed(4, dice >> 8)).min(11);
    let id = |kind: u128, number: u128| Uuid::from_u128(mixed(kind << 64 | number));
    callee.organization = sample::provider_id(u64::try_from(provider).unwrap_or(0));
    callee.api = ApiId::new(id(2, api));
    callee.version = VersionId::new(id(3, api));
    callee.operation = Some(OperationId::new(id(4, api * 16 + operation)));
    if let Some(subscribed) = caller.subscribed.as_mut() {
        subscribed.plan = PlanId::new(id(9, api * 3 + second));
    }
    call.target = call.target.map(|_| TargetId::new(id(12, api * 2 + dice % 2)));
    call.variant = None;
    call
}

fn mixed(number: u128) -> u128 {
    let mixed = (number ^ (number >> 67)).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    mixed ^ (mixed >> 61)
}

/// Sums up calls until now, some hours in each transaction.
async fn fill(store: &Store, calls: u64, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let span = (now().as_micros() - sample::START_MICROS).unsigned_abs();
    let step = span / calls;
    let mut sample = sample::Sample::new(1, sample::START_MICROS, step);
    let minutes_from = now().before(control::analytics::MINUTES_KEPT);
    let started = Instant::now();
    let (mut left, mut next, mut written) = (calls, None, Duration::ZERO);
    while left > 0 {
        let mut fold = Fold::default();
        let mut part = None;
        while left > 0 {
            let call = next.take().unwrap_or_else(|| loyal(sample.call()));
            let begin = call.started_at.as_micros() / PART_MICROS;
            if *part.get_or_insert(begin) != begin {
                next = Some(call);
                break;
            }
            fold.add(&call);
            left -= 1;
        }
        let is_recent = part.is_some_and(|part| part * PART_MICROS >= minutes_from.as_micros());
        let rollups = fold.finish();
        let began = Instant::now();
        let mut tx = store.begin().await?;
        let series: Vec<_> = rollups[2].iter().map(|day| day.series).collect();
        tx.add_series(&series).await?;
        for (resolution, rollups) in Resolution::ALL.into_iter().zip(rollups) {
            if resolution != Resolution::Minute || is_recent {
                tx.add_rollups(resolution, &rollups).await?;
            }
        }
        tx.commit().await?;
        written += began.elapsed();
    }
    writeln!(
        out,
        "{calls} calls in {:.0} s, of which {:.0} s were written",
        started.elapsed().as_secs_f64(),
        written.as_secs_f64()
    )?;
    Ok(())
}

async fn ask(store: Store, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let control = Control::new(store, Arc::new(now))?;
    let provider = Caller::system(Some(sample::provider_id(0)));
    let consumer = Caller::system(Some(sample::consumer_id(0)));
    let mut all = Vec::new();
    for (name, query) in questions() {
        let asker = if name.starts_with("consumer") {
            &consumer
        } else {
            &provider
        };
        let mut times = Vec::new();
        let mut count = 0;
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let answer = control.analytics(asker, &query).await;
            times.push(started.elapsed());
            match answer {
                Ok(answer) => count = answer.rows.len(),
                Err(error) => {
                    writeln!(out, "{name}: {error}")?;
                    break;
                }
            }
        }
        times.sort_unstable();
        writeln!(
            out,
            "{name}: {:.1} ms, {count} rows",
            times[times.len() / 2].as_secs_f64() * 1e3
        )?;
        all.extend(times);
    }
    all.sort_unstable();
    writeln!(
        out,
        "all: p50 {:.1} ms, p95 {:.1} ms",
        all[all.len() / 2].as_secs_f64() * 1e3,
        all[all.len() * 95 / 100].as_secs_f64() * 1e3
    )?;
    Ok(())
}

fn question(days: i64, granularity: Option<Granularity>, zone: &str) -> AnalyticsQuery {
    AnalyticsQuery {
        measures: vec![Measure::Calls, Measure::ServerErrors, Measure::LatencyP95Us],
        dimensions: Vec::new(),
        filters: Vec::new(),
        from: Timestamp::from_micros(now().as_micros() - days * DAY_MICROS),
        to: None,
        granularity,
        time_zone: Some(zone.to_owned()),
        compare: false,
        top: None,
    }
}

fn questions() -> Vec<(&'static str, AnalyticsQuery)> {
    use Granularity::{Day, Hour, Minute};
    let by = |query: AnalyticsQuery, dimension, measures: &[Measure]| AnalyticsQuery {
        measures: measures.to_vec(),
        dimensions: vec![dimension],
        top: Some(Top {
            count: 10,
            by: Measure::Calls,
        }),
        ..query
    };
    let hour = AnalyticsQuery {
        from: now().before(Duration::from_hours(1)),
        ..question(0, Some(Minute), "UTC")
    };
    let spread = [Measure::Calls, Measure::LatencyP50Us, Measure::LatencyP99Us];
    let sums = [Measure::Calls, Measure::ServerErrors];
    let month = || question(28, None, "UTC");
    vec![
        ("the last hour by minute", hour),
        ("a day by hour", question(1, Some(Hour), "UTC")),
        ("a day by hour, Kolkata", question(1, Some(Hour), "Asia/Kolkata")),
        ("7 days by hour", question(6, Some(Hour), "UTC")),
        ("7 days by day, Kolkata", question(6, Some(Day), "Asia/Kolkata")),
        ("28 days by day", question(28, Some(Day), "UTC")),
        ("28 days by day, Berlin", question(28, Some(Day), "Europe/Berlin")),
        (
            "28 days by day, compared",
            AnalyticsQuery {
                compare: true,
                ..question(14, Some(Day), "UTC")
            },
        ),
        ("28 days by status", by(month(), Dimension::Status, &sums)),
        ("28 days, top APIs", by(month(), Dimension::Api, &spread)),
        (
            "28 days, top operations",
            by(month(), Dimension::Operation, &spread),
        ),
        (
            "28 days, top applications",
            by(month(), Dimension::Application, &sums),
        ),
        (
            "28 days, top applications with percentiles",
            by(month(), Dimension::Application, &spread),
        ),
        (
            "28 days, applications that called",
            AnalyticsQuery {
                measures: vec![Measure::Applications],
                ..month()
            },
        ),
        (
            "consumer, 28 days by day",
            question(28, Some(Day), "Europe/Berlin"),
        ),
        (
            "consumer, 28 days by operation",
            by(month(), Dimension::Operation, &spread),
        ),
    ]
}
