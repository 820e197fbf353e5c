use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;
use redb::{Database, ReadableTable, TableDefinition};

use super::{Error, Hold, Log, LogSettings, QuotaCount};
use crate::call::Event;
use crate::wire::Batch;
use crate::wire::tests::{events, long_call};
use disk::Disk;

pub(crate) mod disk;

/// What the log should be like.
#[derive(Debug, Default)]
struct Model {
    batches: BTreeMap<u64, Vec<Event>>,
    last: u64,
    quota: HashMap<(u128, i64), u64>,
}

impl Model {
    fn append(&mut self, events: &[Event]) {
        self.last += 1;
        self.batches.insert(self.last, events.to_vec());
        for Event::Call(call) in events {
            if let Some((subscription, period)) = call.quota() {
                *self
                    .quota
                    .entry((subscription.uuid().as_u128(), period))
                    .or_insert(0) += u64::from(call.units);
            }
        }
    }

    fn trim(&mut self, up_to: u64) {
        self.batches.retain(|sequence, _| *sequence > up_to);
    }

    /// Counts that began long before the newest ones may be forgotten.
    fn quota(&self) -> HashMap<(u128, i64), u64> {
        let newest = self.quota.keys().map(|(_, period)| *period).max().unwrap_or(0);
        let oldest = newest.saturating_sub(super::file::QUOTA_SECONDS_KEPT);
        self.quota
            .iter()
            .filter(|((_, period), _)| *period >= oldest)
            .map(|(key, sum)| (*key, *sum))
            .collect()
    }
}

fn quota_of(log: &Log) -> HashMap<(u128, i64), u64> {
    let read = |count: QuotaCount| {
        (
            (count.subscription.uuid().as_u128(), count.period_start),
            count.count,
        )
    };
    log.quota_counts().unwrap().into_iter().map(read).collect()
}

fn batches_of(log: &Log, after: u64) -> BTreeMap<u64, Vec<Event>> {
    let mut found = BTreeMap::new();
    let mut after = after;
    loop {
        let batches = log.read_after(after, 3).unwrap();
        let Some(last) = batches.last() else { return found };
        after = last.sequence();
        found.extend(
            batches
                .iter()
                .map(|batch| (batch.sequence(), batch.events().unwrap())),
        );
    }
}

fn check(log: &Log, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(*log.committed().borrow(), model.last);
    let first = model.batches.keys().next().copied().unwrap_or(model.last + 1);
    prop_assert_eq!(&batches_of(log, first - 1), &model.batches);
    prop_assert_eq!(quota_of(log), model.quota());
    let figures = log.figures();
    prop_assert_eq!(figures.batches, model.batches.len() as u64);
    let bytes: usize = model
        .batches
        .iter()
        .map(|(sequence, events)| Batch::of(*sequence, events).frame().len())
        .sum();
    prop_assert_eq!(figures.bytes, bytes as u64);
    Ok(())
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Event>),
    /// This many batches, of those that are there.
    Trim(u64),
    Reopen,
    /// The disk fails after so many changes, and is well again at the second next try.
    Fail(u32),
    CutPower(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = proptest::prop_oneof![
        6 => events(6).prop_map(Step::Append),
        2 => (0..4_u64).prop_map(Step::Trim),
        1 => proptest::prelude::Just(Step::Reopen),
        2 => (0..30_u32).prop_map(Step::Fail),
        2 => any::<u64>().prop_map(Step::CutPower),
    ];
    vec(step, 1..25)
}

pub(crate) fn open_on(disk: &Disk) -> Result<Log, Error> {
    let disk = disk.clone();
    let open = move || {
        Ok(Database::builder()
            .set_cache_size(1 << 16)
            .create_with_backend(disk.clone())?)
    };
    Log::open_with(Path::new("disk"), LogSettings::default(), Box::new(open))
}

/// Appends as the pump does: again with the same events, until it succeeds.
fn append(log: &Log, disk: &Disk, events: &[Event]) -> u64 {
    for _ in 0..3 {
        if let Ok(sequence) = log.append(events) {
            return sequence;
        }
    }
    disk.allow(None);
    log.append(events).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_log_is_like_its_model_whatever_the_disk_does(steps in steps()) {
        let disk = Disk::default();
        let mut model = Model::default();
        let mut log = open_on(&disk).unwrap();
        let node = log.node();
        for step in steps {
            match step {
                Step::Append(events) => {
                    model.append(&events);
                    prop_assert_eq!(append(&log, &disk, &events), model.last);
                }
                Step::Trim(count) => {
                    disk.allow(None);
                    let up_to = model.batches.keys().nth(count as usize).copied().unwrap_or(model.last);
                    // The first use after an error of the disk may still meet it.
                    if log.trim(up_to).is_err() {
                        log.trim(up_to).unwrap();
                    }
                    model.trim(up_to);
                }
                Step::Fail(changes) => disk.allow(Some(changes)),
                Step::Reopen => {
                    disk.allow(None);
                    drop(log);
                    log = open_on(&disk).unwrap();
                }
                Step::CutPower(random) => {
                    // Nothing of the process writes after the power is gone.
                    disk.allow(Some(0));
                    drop(log);
                    let mut random = random;
                    disk.cut_power(|| { random = random.rotate_left(1).wrapping_mul(0x9E37_79B9_7F4A_7C15); random & 1 == 1 });
                    log = open_on(&disk).unwrap();
                }
            }
        }
        disk.allow(None);
        // The first use after an error of the disk still meets it.
        log.quota_counts().or_else(|_| log.quota_counts()).unwrap();
        check(&log, &model)?;
        prop_assert_eq!(log.node(), node);
    }
}

fn temporary() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.redb");
    (directory, path)
}

fn call_events(seeds: std::ops::Range<u32>) -> Vec<Event> {
    seeds.map(|seed| Event::Call(long_call(seed))).collect()
}

#[test]
fn a_second_process_is_told_that_the_log_is_in_use() {
    let (_directory, path) = temporary();
    let _log = Log::open(&path, LogSettings::default()).unwrap();
    let error = Log::open(&path, LogSettings::default()).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let (_directory, path) = temporary();
    drop(Log::open(&path, LogSettings::default()).unwrap());
    change(&path, |transaction| {
        let meta: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
        transaction.open_table(meta).unwrap().insert("format", 2).unwrap();
    });
    let error = Log::open(&path, LogSettings::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Format {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_file_that_is_no_log_is_refused() {
    let (_directory, path) = temporary();
    std::fs::write(&path, "nothing of the kind".repeat(1000)).unwrap();
    let error = Log::open(&path, LogSettings::default()).unwrap_err();
    assert!(matches!(error, Error::Storage { .. }), "{error}");
}

#[test]
fn a_damaged_batch_is_reported_once_and_keeps_its_place() {
    let (_directory, path) = temporary();
    let log = Log::open(&path, LogSettings::default()).unwrap();
    for seed in 0..3 {
        log.append(&call_events(seed..seed + 1)).unwrap();
    }
    drop(log);
    change(&path, |transaction| {
        let batches: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("batches");
        let mut batches = transaction.open_table(batches).unwrap();
        let mut frame = batches.get(2).unwrap().unwrap().value().to_vec();
        frame[20] ^= 1;
        batches.insert(2, &frame[..]).unwrap();
    });
    let log = Log::open(&path, LogSettings::default()).unwrap();
    for _ in 0..2 {
        let read = log.read_after(0, 10).unwrap();
        let lost: Vec<bool> = read.iter().map(Batch::is_lost).collect();
        assert_eq!(lost, [false, true, false]);
    }
    assert_eq!(log.figures().corrupt, 1);
}

fn change(path: &Path, work: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    work(&transaction);
    transaction.commit().unwrap();
}

#[test]
fn a_log_that_fills_up_sheds_what_does_not_count_and_then_refuses() {
    let (_directory, path) = temporary();
    let log = Log::open(
        &path,
        LogSettings {
            bytes_max: 10_000,
            ..LogSettings::default()
        },
    )
    .unwrap();
    let uncounted = |seed| {
        let mut call = long_call(seed);
        call.counted = false;
        Event::Call(call)
    };
    let mut seed = 0;
    while log.figures().shed == 0 {
        log.append(&[uncounted(seed)]).unwrap();
        seed += 1;
    }
    assert!(
        (8000..10_000).contains(&log.figures().bytes),
        "{:?}",
        log.figures()
    );
    let last = log.figures().last_sequence;
    assert_eq!(
        log.append(&[uncounted(seed), Event::Call(long_call(seed))])
            .unwrap(),
        last + 1
    );
    assert_eq!(log.read_after(last, 1).unwrap()[0].events().unwrap().len(), 1);
    let refused = loop {
        match log.append(&call_events(seed..seed + 1)) {
            Ok(_) => seed += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Full { bytes_max: 10_000 }), "{refused}");
    log.trim(last).unwrap();
    log.append(&call_events(0..1)).unwrap();
}

#[test]
fn what_was_trimmed_and_is_asked_for_again_is_lost_visibly() {
    let (_directory, path) = temporary();
    let log = Log::open(&path, LogSettings::default()).unwrap();
    for seed in 0..3 {
        log.append(&call_events(seed..seed + 1)).unwrap();
    }
    log.trim(2).unwrap();
    let read = log.read_after(0, 10).unwrap();
    let told = |read: &[Batch]| -> Vec<(u64, bool)> {
        read.iter()
            .map(|batch| (batch.sequence(), batch.is_lost()))
            .collect()
    };
    assert_eq!(told(&read), [(2, true), (3, false)]);
    log.trim(3).unwrap();
    assert_eq!(told(&log.read_after(0, 10).unwrap()), [(3, true)]);
    assert_eq!(told(&log.read_after(3, 10).unwrap()), []);
}

#[test]
fn a_log_forgets_what_nobody_holds() {
    let (_directory, path) = temporary();
    let log = Arc::new(Log::open(&path, LogSettings::default()).unwrap());
    let (quick, slow) = (Hold::new(&log), Hold::new(&log));
    for seed in 0..3 {
        log.append(&call_events(seed..seed + 1)).unwrap();
    }
    quick.release(3).unwrap();
    assert_eq!((log.figures().batches, slow.waiting()), (3, 3));
    slow.release(2).unwrap();
    assert_eq!((log.figures().batches, slow.waiting()), (1, 1));
    drop(slow);
    quick.release(3).unwrap();
    assert_eq!(
        log.figures().batches,
        1,
        "a sink that is not served loses nothing"
    );
    let idle = Hold::new(&log);
    idle.let_go().unwrap();
    assert_eq!(log.figures().batches, 1);
}

#[test]
fn who_lets_go_holds_up_nobody() {
    let (_directory, path) = temporary();
    let log = Arc::new(Log::open(&path, LogSettings::default()).unwrap());
    let (quick, idle) = (Hold::new(&log), Hold::new(&log));
    for seed in 0..3 {
        log.append(&call_events(seed..seed + 1)).unwrap();
    }
    idle.let_go().unwrap();
    quick.release(2).unwrap();
    assert_eq!(log.figures().batches, 1);
    // It is wanted again, and begins with what there is.
    idle.release(0).unwrap();
    log.append(&call_events(3..4)).unwrap();
    quick.release(4).unwrap();
    assert_eq!(log.figures().batches, 2);
}

#[test]
fn a_log_behind_its_sink_goes_on_after_it() {
    let (_directory, path) = temporary();
    let log = Log::open(&path, LogSettings::default()).unwrap();
    log.advance(41).unwrap();
    assert_eq!(log.append(&call_events(0..1)).unwrap(), 42);
}

const CHILD: &str = "GATELINE_TEST_LOG";

/// The child of the test below; alone it does nothing.
#[test]
fn child_that_appends_until_it_dies() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let log = Log::open(Path::new(&path), LogSettings::default()).unwrap();
    loop {
        let next = log.figures().last_sequence as u32 + 1;
        let sequence = log.append(&call_events(next * 10..next * 10 + 3)).unwrap();
        println!("acknowledged {sequence}");
        if sequence.is_multiple_of(3) {
            log.trim(sequence - 2).unwrap();
        }
    }
}

/// Kills a process at each point, many times on the same file; each time, all that it had acknowledged is there.
#[test]
fn what_was_acknowledged_survives_the_death_of_the_process() {
    let (_directory, path) = temporary();
    let mut acknowledged = 0;
    for round in 0..12 {
        let point = ["log.before_commit", "log.after_commit", "log.after_trim"][round % 3];
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "log::tests::child_that_appends_until_it_dies",
                "--exact",
                "--nocapture",
            ])
            .env(CHILD, &path)
            .env("GATELINE_FAULT", format!("{point}:{}", 1 + round / 3 * 2))
            .stderr(Stdio::null())
            .output()
            .unwrap();
        assert!(!child.status.success());
        let said = String::from_utf8_lossy(&child.stdout);
        let newest = said
            .lines()
            .filter_map(|line| line.split("acknowledged ").nth(1)?.parse::<u64>().ok())
            .max();
        acknowledged = newest.unwrap_or(0).max(acknowledged);

        let log = Log::open(&path, LogSettings::default()).unwrap();
        let last = log.figures().last_sequence;
        assert!(
            (acknowledged..=acknowledged + 1).contains(&last),
            "{point}: {last}, said {acknowledged}"
        );
        acknowledged = last;
        for batch in log.read_after(last.saturating_sub(2), 10).unwrap() {
            let first = batch.sequence() as u32 * 10;
            assert_eq!(batch.events().unwrap(), call_events(first..first + 3), "{point}");
        }
        let counted: u64 = log.quota_counts().unwrap().iter().map(|count| count.count).sum();
        assert_eq!(counted, last * 3 * u64::from(domain::limit::COST_MAX), "{point}");
    }
}
