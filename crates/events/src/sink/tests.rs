use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::id::NodeId;
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, prop_assert_eq, proptest};
use redb::{AccessGuard, Database, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::{oneshot, watch};

use super::{ShipSettings, Sink, SinkError, ship};
use crate::call::Event;
use crate::log::{Hold, Log, LogSettings};
use crate::usage::tests::fold;
use crate::usage::{UsageKey, UsageSums};
use crate::wire::tests::{events, long_call};
use crate::wire::{Batch, decode_batches, encode_batches};

/// A store in memory: usage and watermark change together.
#[derive(Debug, Default)]
struct Store {
    watermark: u64,
    usage: HashMap<UsageKey, UsageSums>,
    trouble: Vec<Trouble>,
}

#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    /// Nothing is committed.
    Before,
    /// All is committed, but the answer gets lost.
    After,
}

#[derive(Clone, Default)]
struct ModelSink {
    store: Arc<Mutex<Store>>,
    watermark: watch::Sender<u64>,
}

impl Sink for ModelSink {
    async fn commit(&self, _node: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        let batches = decode_batches(&encode_batches(batches)).unwrap();
        let mut store = self.store.lock().unwrap();
        let trouble = store.trouble.pop().unwrap_or(Trouble::None);
        if matches!(trouble, Trouble::Before) {
            return Err(SinkError::Unavailable("before".into()));
        }
        let new: Vec<Batch> = batches
            .into_iter()
            .filter(|batch| batch.sequence() > store.watermark)
            .collect();
        for (batch, expected) in new.iter().zip(store.watermark + 1..) {
            assert_eq!(batch.sequence(), expected, "a gap");
        }
        for row in fold(&new) {
            let sums = store.usage.entry(row.key).or_default();
            sums.calls += row.sums.calls;
            sums.counted += row.sums.counted;
        }
        store.watermark += new.len() as u64;
        self.watermark.send_replace(store.watermark);
        match trouble {
            Trouble::After => Err(SinkError::Unavailable("after".into())),
            _ => Ok(store.watermark),
        }
    }
}

fn settings() -> ShipSettings {
    let millisecond = Duration::from_millis(1);
    ShipSettings {
        name: "model",
        interval: Duration::ZERO,
        batches_max: 2,
        backoff_min: millisecond,
        backoff_max: millisecond,
    }
}

fn calls_by_key(sets: &[Vec<Event>]) -> HashMap<UsageKey, (i64, i64)> {
    let mut sums = HashMap::new();
    for Event::Call(call) in sets.iter().flatten() {
        if let Some(key) = UsageKey::of(call) {
            let (calls, counted) = sums.entry(key).or_insert((0, 0));
            *calls += 1;
            *counted += i64::from(call.counted);
        }
    }
    sums
}

fn run(sets: &[Vec<Event>], trouble: Vec<Trouble>, restart_after: usize) -> (Store, Log) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.redb");
    let sink = ModelSink::default();
    sink.store.lock().unwrap().trouble = trouble;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut log = Arc::new(Log::open(&path, LogSettings::default()).unwrap());
    let (before, after) = sets.split_at(restart_after.min(sets.len()));
    for (part, expected) in [(before, before.len()), (after, sets.len())] {
        log = runtime.block_on(async {
            let (stop, stopped) = oneshot::channel::<()>();
            let stopped = async { drop(stopped.await) };
            let shipping = tokio::spawn(ship(Hold::new(&log), sink.clone(), settings(), stopped));
            for events in part {
                log.append(events).unwrap();
            }
            let mut watermark = sink.watermark.subscribe();
            watermark
                .wait_for(|watermark| *watermark >= expected as u64)
                .await
                .unwrap();
            stop.send(()).unwrap();
            shipping.await.unwrap();
            drop(log);
            Arc::new(Log::open(&path, LogSettings::default()).unwrap())
        });
    }
    let store = std::mem::take(&mut *sink.store.lock().unwrap());
    (store, Arc::into_inner(log).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_call_is_counted_once_whatever_fails(
        sets in vec(events(8), 1..8),
        trouble in vec(proptest::prop_oneof![Just(Trouble::None), Just(Trouble::Before), Just(Trouble::After)], 0..6),
        restart_after in 0..8_usize,
    ) {
        let (store, _log) = run(&sets, trouble, restart_after);
        let counted: HashMap<_, _> =
            store.usage.iter().map(|(key, sums)| (*key, (sums.calls, sums.counted))).collect();
        prop_assert_eq!(counted, calls_by_key(&sets));
        prop_assert_eq!(store.watermark, sets.len() as u64);
    }
}

#[test]
fn the_wait_doubles_up_to_its_limit() {
    let settings = ShipSettings::default();
    let waits = [1, 2, 3, 8, 40].map(|failures| settings.backoff(failures, 0.0).as_millis());
    assert_eq!(waits, [100, 200, 400, 10_000, 10_000]);
    assert_eq!(settings.backoff(1, 1.0).as_millis(), 50);
}

#[tokio::test]
async fn a_log_that_lost_its_end_goes_on_after_the_sink() {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::open(&directory.path().join("log.redb"), LogSettings::default()).unwrap());
    let sink = ModelSink::default();
    sink.store.lock().unwrap().watermark = 7;
    ship(Hold::new(&log), sink, settings(), std::future::ready(())).await;
    let call = Event::Call(long_call(1));
    assert_eq!(log.append(&[call]).unwrap(), 8);
}

const CHILD: &str = "GATELINE_TEST_SHIP";
const COUNTED: TableDefinition<'_, &str, u64> = TableDefinition::new("counted");

/// A store in a file: calls and watermark change in one transaction, or not at all.
struct FileSink(Database);

impl FileSink {
    fn open(directory: &Path) -> Self {
        Self(Database::create(directory.join("store.redb")).unwrap())
    }
}

impl Sink for FileSink {
    async fn commit(&self, _node: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        let transaction = self.0.begin_write().unwrap();
        let watermark = {
            let mut counted = transaction.open_table(COUNTED).unwrap();
            let number = |found: Option<AccessGuard<'_, u64>>| found.map_or(0, |value| value.value());
            let before = number(counted.get("watermark").unwrap());
            let new: Vec<Batch> = batches
                .iter()
                .filter(|batch| batch.sequence() > before)
                .cloned()
                .collect();
            let calls: i64 = fold(&new).iter().map(|row| row.sums.calls).sum();
            let sum = number(counted.get("calls").unwrap()) + u64::try_from(calls).unwrap();
            let watermark = before + new.len() as u64;
            counted.insert("calls", sum).unwrap();
            counted.insert("watermark", watermark).unwrap();
            watermark
        };
        transaction.commit().unwrap();
        Ok(watermark)
    }
}

fn quick_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

/// The child of the test below; alone it does nothing.
#[test]
fn child_that_ships_until_it_dies() {
    let Some(directory) = std::env::var_os(CHILD) else {
        return;
    };
    let directory = Path::new(&directory);
    let log = Arc::new(Log::open(&directory.join("log.redb"), LogSettings::default()).unwrap());
    quick_runtime().block_on(async {
        let sink = FileSink::open(directory);
        tokio::spawn(ship(Hold::new(&log), sink, settings(), std::future::pending()));
        loop {
            log.append(&[1, 2, 3].map(|seed| Event::Call(long_call(seed))))
                .unwrap();
            tokio::task::yield_now().await;
        }
    });
}

/// Kills a process at each point on the way from the log to the store, many times on the same files.
#[test]
fn every_logged_call_is_counted_once_after_the_death_of_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let points = [
        "log.before_commit",
        "log.after_commit",
        "ship.before_commit",
        "ship.after_commit",
        "log.after_trim",
    ];
    for (round, point) in points.iter().cycle().take(15).enumerate() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["sink::tests::child_that_ships_until_it_dies", "--exact"])
            .env(CHILD, directory.path())
            .env("GATELINE_FAULT", format!("{point}:{}", 1 + round / 5 * 3))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(!child.success());
    }
    let log = Arc::new(Log::open(&directory.path().join("log.redb"), LogSettings::default()).unwrap());
    let sink = FileSink::open(directory.path());
    let last = log.figures().last_sequence;
    quick_runtime().block_on(ship(Hold::new(&log), sink, settings(), std::future::ready(())));
    let sink = FileSink::open(directory.path());
    let counted = sink.0.begin_read().unwrap().open_table(COUNTED).unwrap();
    let number = |name| counted.get(name).unwrap().map(|value| value.value());
    assert_eq!(
        (number("watermark"), number("calls")),
        (Some(last), Some(last * 3))
    );
    assert_eq!(log.figures().batches, 0);
}
