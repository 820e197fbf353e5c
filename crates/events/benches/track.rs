//! Measures what tracked events cost: `cargo bench -p events --bench track [-- DIRECTORY]`.
//!
//! Reading and checking alone, then from the body of a call to its answer with the events on the disk, by several calls
//! at a time; in batches of 500 events of about 170 bytes, and one by one. CPU is that of the whole process, so of
//! reading and of the pump. The median of several rounds. The log is made in DIRECTORY, or in the directory for
//! temporary files; take care that it is on the disk that you want to know about.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Timestamp;
use domain::consumer::KeyState;
use domain::id::{EventTypeId, OrganizationId, SdkKeyId};
use domain::tracking::{EventTypeState, SdkKeyKind};
use events::ingest::{Directory, EventKind, Facts, IngestSettings, Key};
use events::intake::IntakeSettings;
use events::log::LogSettings;
use events::pump::PumpSettings;
use events::{Hold, Ingest, Intake, Log, Pump};
use uuid::Uuid;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
/// Ticks of the scheduler's clock in a second, on Linux.
const TICKS: f64 = 100.0;

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let parent = wanted.map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent)?;
    let log = Arc::new(Log::open(
        &directory.path().join("log.redb"),
        LogSettings::default(),
    )?);
    let intake = Intake::open(log.clone(), IntakeSettings::default())?;
    let pump = Pump::start_with(log.clone(), PumpSettings::default(), Some(intake.clone()))?;
    let bench = Arc::new(Bench {
        ingest: Ingest::new(intake, IngestSettings::default()),
        directory: directory_of(),
        key: key(),
        sink: Arc::new(Hold::new(&log)),
        log,
    });
    let mut out = std::io::stdout();
    let sample = body(500, 0, 0);
    writeln!(out, "one event: {} bytes", sample.len() / 500)?;
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| bench.read_ns(&sample)).collect();
    writeln!(out, "read and checked: {:>6.0} ns per event", median(&mut rounds))?;
    writeln!(
        out,
        "\n{:>6} {:>8} {:>12} {:>14} {:>18}",
        "batch", "callers", "events/s", "CPU µs/event", "events per CPU s"
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for (size, callers) in [(500, 1), (500, 8), (500, 32), (1, 64), (1, 512)] {
        let mut walls = Vec::new();
        let mut costs = Vec::new();
        for round in 0..ROUNDS {
            let (events, wall, cpu) = runtime.block_on(bench.clone().load(size, callers, round))?;
            walls.push(events / wall);
            costs.push(cpu / events * 1e6);
        }
        let (wall, cost) = (median(&mut walls), median(&mut costs));
        writeln!(
            out,
            "{size:>6} {callers:>8} {wall:>12.0} {cost:>14.3} {:>18.0}",
            1e6 / cost
        )?;
    }
    pump.stop()?;
    Ok(())
}

struct Bench {
    ingest: Ingest,
    directory: Directory,
    key: Key,
    log: Arc<Log>,
    sink: Arc<Hold>,
}

impl Bench {
    fn read_ns(&self, body: &[u8]) -> f64 {
        const CALLS: u32 = 400;
        let started = Instant::now();
        for _ in 0..CALLS {
            let read = self
                .ingest
                .read((&self.directory, &self.key), &facts(), body, now());
            std::hint::black_box(&read);
        }
        started.elapsed().as_nanos() as f64 / f64::from(CALLS) / 500.0
    }

    /// Events, seconds of time and seconds of CPU of one round.
    async fn load(
        self: Arc<Self>,
        size: usize,
        callers: usize,
        round: usize,
    ) -> Result<(f64, f64, f64), Box<dyn Error>> {
        // Bodies are made before, enough that no id comes again: their making is not measured.
        let calls = if size == 1 {
            60_000 / callers
        } else {
            2_000 / callers
        };
        let bodies: Vec<Vec<Vec<u8>>> = (0..callers)
            .map(|caller| {
                (0..calls)
                    .map(|call| body(size, (round * 1000 + caller) as u64, (call * size) as u64))
                    .collect()
            })
            .collect();
        let (started, cpu) = (Instant::now(), cpu_seconds()?);
        let tasks = tokio::task::LocalSet::new();
        let mut handles = Vec::new();
        for bodies in bodies {
            let bench = self.clone();
            handles.push(tasks.spawn_local(async move {
                let mut events = 0;
                for body in &bodies {
                    let read = bench
                        .ingest
                        .read((&bench.directory, &bench.key), &facts(), body, now());
                    let read = read.expect("the events are good");
                    let receipt = bench.ingest.submit(read).await.expect("there is room");
                    events += receipt.accepted;
                    if started.elapsed() > ROUND {
                        break;
                    }
                }
                events
            }));
        }
        let mut events = 0;
        tasks
            .run_until(async {
                for handle in handles {
                    events += handle.await.unwrap_or_default();
                }
            })
            .await;
        let measured = (
            events as f64,
            started.elapsed().as_secs_f64(),
            cpu_seconds()? - cpu,
        );
        self.sink.release(self.log.figures().last_sequence)?;
        Ok(measured)
    }
}

/// CPU time of all threads of this process.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after) = text.rsplit_once(") ").ok_or("no process")?;
    let fields: Vec<&str> = after.split(' ').collect();
    let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / TICKS)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn facts() -> Facts<'static> {
    Facts {
        media_type: Some("application/json"),
        ..Facts::default()
    }
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000)
}

fn organization() -> OrganizationId {
    OrganizationId::new(Uuid::from_u128(1))
}

fn key() -> Key {
    Key {
        id: SdkKeyId::new(Uuid::from_u128(2)),
        organization: organization(),
        environment: "production".parse().expect("it is a name"),
        kind: SdkKeyKind::Server,
        origins: Vec::new(),
        encrypt_payload: false,
        rate_limit: None,
        state: KeyState::Active,
        expires_at: None,
    }
}

fn directory_of() -> Directory {
    let kind = EventKind {
        id: EventTypeId::new(Uuid::from_u128(3)),
        name: "purchase".parse().expect("it is a name"),
        state: EventTypeState::Active,
        schema: None,
    };
    Directory::new([], [(organization(), Arc::new(kind))])
}

/// A list of events, or one event.
fn body(size: usize, seed: u64, first: u64) -> Vec<u8> {
    let event = |number: u64| {
        let id = Uuid::from_u128((u128::from(seed) << 64) | u128::from(number));
        format!(
            r#"{{"id":"{id}","type":"purchase","time":"2026-09-21T13:59:59Z","user_id":"u{}","properties":{{"price":9.5,"sku":"AB-{number}"}}}}"#,
            number % 1000,
        )
    };
    let events: Vec<_> = (0..size as u64).map(|place| event(first + place)).collect();
    if size == 1 {
        events.concat()
    } else {
        format!("[{}]", events.join(","))
    }
    .into_bytes()
}
