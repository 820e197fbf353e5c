//! Measures what a usage record costs: `cargo bench -p events [-- DIRECTORY]`.
//!
//! On the thread of a gateway core, on the thread of the pump, and on the disk, once through the log and once
//! through a plain file that is appended to and synced, as the floor. The file is made in DIRECTORY, or in the
//! directory for temporary files; take care that it is on the disk that you want to know about.

use std::error::Error;
use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Timestamp;
use domain::id::{
    ApiId, ApplicationId, KeyId, OperationId, OrganizationId, PlanId, RequestId, SubscriptionId, TargetId,
    VersionId,
};
use events::log::LogSettings;
use events::wire::Encoder;
use events::{Call, Callee, Caller, Event, Hold, Log, Method, Subscribed, WhenFull};
use uuid::Uuid;

/// Batches written for each measurement.
const BATCHES: u64 = 300;
/// A sink commits and trims about this often, in batches.
const TRIM_EVERY: u64 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let parent = wanted.map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent)?;
    let mut out = std::io::stdout();

    writeln!(out, "one call in memory: {} bytes", size_of::<Event>())?;
    writeln!(out, "record, per call:   {:>8.1} ns", record_ns())?;
    for keys in [1, 1000] {
        let (nanos, bytes) = encode(keys);
        writeln!(
            out,
            "encode, per call:   {nanos:>8.1} ns, {bytes:.1} bytes ({keys} keys)"
        )?;
    }
    writeln!(
        out,
        "\n{:<11} {:>6} {:>6} {:>12} {:>10} {:>14}",
        "", "batch", "keys", "events/s", "ms/commit", "CPU µs/commit"
    )?;
    for (size, keys) in [(1, 1), (100, 1), (750, 1), (750, 1000), (8192, 1000)] {
        let log = Log::open(&directory.path().join("log.redb"), LogSettings::default())?;
        let log = Arc::new(log);
        let sink = Hold::new(&log);
        let in_log = measure(size, keys, |number, events| {
            log.append(events)?;
            if number % TRIM_EVERY == 0 {
                sink.release(log.figures().last_sequence)?;
            }
            Ok(())
        })?;
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(directory.path().join("plain"))?;
        let mut encoder = Encoder::default();
        let in_file = measure(size, keys, |number, events| {
            file.write_all(encoder.encode(number, events))?;
            Ok(file.sync_data()?)
        })?;
        for (name, cost) in [("log", in_log), ("plain file", in_file)] {
            let per_second = (size * BATCHES) as f64 / cost.elapsed.as_secs_f64();
            let commit_ms = cost.elapsed.as_secs_f64() * 1e3 / BATCHES as f64;
            let cpu_us = cost.cpu_ns / 1e3 / BATCHES as f64;
            writeln!(
                out,
                "{name:<11} {size:>6} {keys:>6} {per_second:>12.0} {commit_ms:>10.3} {cpu_us:>14.0}"
            )?;
        }
    }
    let bytes = std::fs::metadata(directory.path().join("log.redb"))?.len();
    writeln!(out, "\nthe log's file at the end: {} KiB", bytes / 1024)?;
    Ok(())
}

struct Cost {
    elapsed: Duration,
    cpu_ns: f64,
}

fn measure(
    size: u64,
    keys: u64,
    mut write: impl FnMut(u64, &[Event]) -> Result<(), Box<dyn Error>>,
) -> Result<Cost, Box<dyn Error>> {
    let batches: Vec<Vec<Event>> = (0..8).map(|seed| batch(size, keys, seed)).collect();
    let (started, cpu_before) = (Instant::now(), cpu_ns()?);
    for (number, events) in (1..=BATCHES).zip(batches.iter().cycle()) {
        write(number, events)?;
    }
    Ok(Cost {
        elapsed: started.elapsed(),
        cpu_ns: cpu_ns()? - cpu_before,
    })
}

/// CPU time of this thread, from the scheduler of Linux.
fn cpu_ns() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().unwrap_or("0").parse()?)
}

fn record_ns() -> f64 {
    const CALLS: u32 = 4_000_000;
    let (recorder, drain) = events::ring::ring(8192, WhenFull::Refuse);
    let call = sample(1, 0);
    let started = Instant::now();
    for _ in 0..CALLS {
        // Emptied by the same thread, so that no other core has a part in the figure.
        if let Ok(reservation) = recorder.reserve() {
            reservation.record(black_box(call));
        }
        black_box(drain.pop());
    }
    started.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

fn encode(keys: u64) -> (f64, f64) {
    const ROUNDS: u32 = 2000;
    let batch = batch(750, keys, 0);
    let mut encoder = Encoder::default();
    let started = Instant::now();
    let mut bytes = 0;
    for round in 0..ROUNDS {
        bytes = encoder.encode(u64::from(round), black_box(&batch)).len();
    }
    let nanos = started.elapsed().as_nanos() as f64 / f64::from(ROUNDS) / batch.len() as f64;
    (nanos, bytes as f64 / batch.len() as f64)
}

fn batch(size: u64, keys: u64, seed: u64) -> Vec<Event> {
    // A step that is prime to the number of keys visits all of them, in no obvious order.
    (0..size)
        .map(|number| Event::Call(sample((number * 7919 + seed) % keys, number)))
        .collect()
}

fn sample(key: u64, number: u64) -> Call {
    let uuid = |kind: u128, bits: u64| Uuid::from_u128((kind << 96) | u128::from(bits));
    Call {
        request: RequestId::new(uuid(1, number.wrapping_mul(0x9E37_79B9_7F4A_7C15))),
        started_at: Timestamp::from_micros(1_790_000_000_000_000 + i64::try_from(number * 13).unwrap_or(0)),
        callee: Some(Callee {
            organization: OrganizationId::new(uuid(2, 1)),
            api: ApiId::new(uuid(3, 1)),
            version: VersionId::new(uuid(4, 1)),
            operation: Some(OperationId::new(uuid(5, key % 7))),
        }),
        caller: Some(Caller {
            organization: OrganizationId::new(uuid(6, key)),
            application: ApplicationId::new(uuid(7, key)),
            key: KeyId::new(uuid(8, key)),
            subscribed: Some(Subscribed {
                subscription: SubscriptionId::new(uuid(9, key)),
                plan: PlanId::new(uuid(10, 1)),
            }),
        }),
        method: Method::Get,
        status: 200,
        refusal: None,
        bytes_in: 0,
        bytes_out: 1024,
        latency_us: 400 + number % 100,
        quota_period_start: 1_789_000_000,
        counted: true,
        units: 1,
        over_limit: None,
        target: Some(TargetId::new(uuid(11, key % 3))),
        variant: None,
    }
}
