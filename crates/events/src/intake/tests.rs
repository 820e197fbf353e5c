use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;

use super::{Intake, IntakeSettings, Refused, Taken};
use crate::log::tests::disk::Disk;
use crate::log::tests::open_on;
use crate::log::{Log, LogSettings};
use crate::pump::{Pump, PumpSettings};
use crate::wire::tests::long_call;
use crate::wire::tracked::tests::plain;

fn now() -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000)
}

fn open(path: &Path, settings: LogSettings) -> Arc<Log> {
    Arc::new(Log::open(&path.join("log.redb"), settings).unwrap())
}

fn start(log: &Arc<Log>) -> (Intake, Pump) {
    let intake = Intake::open(log.clone(), IntakeSettings::default()).unwrap();
    let pump = run(log, &intake);
    (intake, pump)
}

fn run(log: &Arc<Log>, intake: &Intake) -> Pump {
    Pump::start_with(log.clone(), PumpSettings::default(), Some(intake.clone())).unwrap()
}

const fn taken(accepted: u64, duplicates: u64) -> Taken {
    Taken { accepted, duplicates }
}

/// The ids in a log, in its order.
fn ids(log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    for batch in log.read_after(0, 1000).unwrap() {
        found.extend(batch.tracked().unwrap().iter().map(|event| event.id.to_string()));
    }
    found
}

#[tokio::test]
async fn what_is_answered_is_in_the_log_and_what_comes_again_is_not_there_twice() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path(), LogSettings::default());
    let (intake, pump) = start(&log);
    assert_eq!(intake.submit(vec![plain(1, 3)], now()).await, Ok(taken(3, 0)));
    assert_eq!(ids(&log), ["1-0", "1-1", "1-2"]);
    // The test's events are recognised by their places.
    assert_eq!(intake.submit(vec![plain(1, 4)], now()).await, Ok(taken(1, 3)));
    // In the same call, and across its sections.
    assert_eq!(
        intake.submit(vec![plain(2, 6), plain(3, 7)], now()).await,
        Ok(taken(3, 10)),
    );
    assert_eq!(ids(&log), ["1-0", "1-1", "1-2", "1-3", "2-4", "2-5", "3-6"]);
    pump.stop().unwrap();
    assert_eq!(
        intake.submit(vec![plain(9, 9)], now()).await,
        Err(Refused::Closed)
    );
    drop((intake, log));

    let log = open(directory.path(), LogSettings::default());
    let (intake, _pump) = start(&log);
    assert_eq!(intake.submit(vec![plain(4, 8)], now()).await, Ok(taken(1, 7)));
    let later = now().after(Duration::from_secs(3 * 3600));
    assert_eq!(intake.submit(vec![plain(5, 2)], later).await, Ok(taken(2, 0)));
    assert_eq!(intake.figures().accepted, 3);
}

#[tokio::test]
async fn calls_that_wait_share_a_commit_with_what_the_rings_hold() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path(), LogSettings::default());
    let intake = Intake::open(log.clone(), IntakeSettings::default()).unwrap();
    let mut answers = Vec::new();
    for _ in 0..50 {
        let mut section = plain(1, 1);
        section.retain(|_| false);
        section.push(0, now(), 0, &crate::wire::Marks::default());
        answers.push(intake.enqueue(vec![section], now()).unwrap());
    }
    assert!(intake.figures().waiting_bytes > 0);
    let pump = run(&log, &intake);
    for answer in answers {
        assert_eq!(answer.await.unwrap(), Ok(taken(1, 0)));
    }
    assert_eq!(log.figures().last_sequence, 1);
    assert_eq!(log.figures().tracked, 50);
    let recorder = pump.recorder();
    recorder.reserve().unwrap().record(long_call(1));
    intake.submit(vec![plain(2, 1)], now()).await.unwrap();
    pump.stop().unwrap();
    let batches = log.read_after(1, 10).unwrap();
    assert_eq!(
        batches
            .iter()
            .map(|batch| batch.events().unwrap().len())
            .sum::<usize>(),
        1
    );
    assert_eq!(
        batches
            .iter()
            .map(|batch| batch.tracked().unwrap().len())
            .sum::<usize>(),
        1
    );
    assert_eq!(intake.figures().waiting_bytes, 0);
}

#[tokio::test]
async fn more_than_may_wait_is_refused_and_so_is_what_a_full_log_cannot_take() {
    let directory = tempfile::tempdir().unwrap();
    let settings = LogSettings {
        bytes_max: 1_000_000,
        ..LogSettings::default()
    };
    let log = open(directory.path(), settings);
    let (intake, _pump) = start(&log);
    let mut count = 0;
    let refused = loop {
        let mut section = plain(1, 0);
        section.add_type(
            domain::id::EventTypeId::new(uuid::Uuid::nil()),
            "type.0".parse().unwrap(),
        );
        let properties = format!("{{\"a\":\"{}\"}}", "x".repeat(10_000));
        let marks = crate::wire::Marks {
            properties: Some(&properties),
            ..crate::wire::Marks::default()
        };
        for _ in 0..10 {
            section.push(0, now(), 0, &marks);
        }
        match intake.submit(vec![section], now()).await {
            Ok(_) => count += 10,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, Refused::Busy);
    assert_eq!(count, 80, "nine tenths of the log");
    assert_eq!(intake.figures().busy, 10);
    crate::Hold::new(&log)
        .release(log.figures().last_sequence)
        .unwrap();
    assert_eq!(intake.submit(vec![plain(1, 1)], now()).await, Ok(taken(1, 0)));

    let waiting = Intake::open(
        open(tempfile::tempdir().unwrap().path(), LogSettings::default()),
        IntakeSettings {
            bytes_max: 0,
            ..IntakeSettings::default()
        },
    )
    .unwrap();
    let mut sections = 0;
    while let Ok(answer) = waiting.enqueue(vec![plain(1, 8000)], now()) {
        drop(answer);
        sections += 1;
        assert!(sections < 1000);
    }
    assert!(waiting.figures().waiting_bytes <= super::BYTES_MAX_LEAST as u64);
}

/// A disk whose syncs fail: callers are told, nothing is there afterwards, and the same events can be sent again.
#[tokio::test]
async fn events_that_could_not_be_written_are_not_taken() {
    for changes in 0..40 {
        let disk = Disk::default();
        let log = Arc::new(open_on(&disk).unwrap());
        let (intake, pump) = start(&log);
        assert_eq!(intake.submit(vec![plain(1, 2)], now()).await, Ok(taken(2, 0)));
        let sent = vec![plain(2, 5)];
        disk.allow(Some(changes));
        let first = intake.submit(sent.clone(), now()).await;
        if first == Err(Refused::Unwritten) {
            assert_eq!(log.figures().tracked, 2, "after {changes} changes");
            let second = intake.submit(sent.clone(), now()).await;
            assert_eq!(second, Err(Refused::Unwritten), "after {changes} changes");
            disk.allow(None);
            // Meanwhile nobody sees what may be on the disk.
            let settled = intake.submit(sent.clone(), now()).await;
            assert_eq!(settled, Ok(taken(3, 2)), "after {changes} changes");
        } else {
            disk.allow(None);
            assert_eq!(first, Ok(taken(3, 2)));
        }
        pump.stop().unwrap();
        drop((intake, log));
        let log = Arc::new(open_on(&disk).unwrap());
        assert_eq!(
            ids(&log),
            ["1-0", "1-1", "2-2", "2-3", "2-4"],
            "after {changes} changes"
        );
    }
}

/// What was given up is not found by whoever opens the log next, nor counted beside calls that go on.
#[tokio::test]
async fn events_that_were_given_up_do_not_come_back_with_the_calls() {
    for changes in 0..40 {
        let disk = Disk::default();
        let log = Arc::new(open_on(&disk).unwrap());
        let intake = Intake::open(log.clone(), IntakeSettings::default()).unwrap();
        let answer = intake.enqueue(vec![plain(1, 3)], now()).unwrap();
        let pump = {
            // The call is in its ring before the pump looks.
            let (recorder, pump) = {
                disk.allow(Some(changes));
                let pump = run(&log, &intake);
                (pump.recorder(), pump)
            };
            recorder.reserve().unwrap().record(long_call(1));
            pump
        };
        let told = answer.await.unwrap();
        disk.allow(None);
        pump.stop().unwrap();
        drop((intake, log));
        let log = Arc::new(open_on(&disk).unwrap());
        let calls: usize = log
            .read_after(0, 100)
            .unwrap()
            .iter()
            .map(|batch| batch.events().unwrap().len())
            .sum();
        assert_eq!(calls, 1, "after {changes} changes");
        let expected = if told.is_ok() { 3 } else { 0 };
        assert_eq!(ids(&log).len(), expected, "after {changes} changes: {told:?}");
    }
}
