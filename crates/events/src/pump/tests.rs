use std::sync::Arc;
use std::time::Duration;

use super::{Pump, PumpSettings, Unwritten};
use crate::call::Event;
use crate::log::{Error, Hold, Log, LogSettings};
use crate::ring::WhenFull;
use crate::wire::tests::long_call;

fn log(settings: LogSettings) -> (tempfile::TempDir, Arc<Log>) {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(&directory.path().join("log.redb"), settings).unwrap();
    (directory, Arc::new(log))
}

fn events_of(log: &Log) -> Vec<Event> {
    log.read_after(0, 1000)
        .unwrap()
        .iter()
        .flat_map(|batch| batch.events().unwrap())
        .collect()
}

#[tokio::test]
async fn records_are_committed_while_the_pump_runs_and_it_wakes_after_a_pause() {
    let (_directory, log) = log(LogSettings::default());
    let pump = Pump::start(log.clone(), PumpSettings::default()).unwrap();
    let recorder = pump.recorder();
    let mut committed = log.committed();
    for seed in 0..5 {
        recorder.reserve().unwrap().record(long_call(seed));
        let newest = *committed
            .wait_for(|newest| *newest > u64::from(seed))
            .await
            .unwrap();
        assert_eq!(newest, u64::from(seed) + 1);
    }
    pump.stop().unwrap();
    assert_eq!(events_of(&log).len(), 5);
}

#[test]
fn what_was_recorded_before_the_end_is_in_the_log() {
    let (_directory, log) = log(LogSettings::default());
    let settings = PumpSettings {
        commit_interval: Duration::from_secs(1),
        ..PumpSettings::default()
    };
    let pump = Pump::start(log.clone(), settings).unwrap();
    let recorders = [pump.recorder(), pump.recorder()];
    for seed in 0..1000 {
        recorders[seed as usize % 2]
            .reserve()
            .unwrap()
            .record(long_call(seed));
    }
    pump.stop().unwrap();
    let mut found = events_of(&log);
    found.sort_by_key(|Event::Call(call)| std::cmp::Reverse(call.request));
    assert_eq!(
        found,
        (0..1000)
            .map(|seed| Event::Call(long_call(seed)))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_full_log_keeps_records_until_there_is_room() {
    let (_directory, log) = log(LogSettings {
        bytes_max: 2000,
        ..LogSettings::default()
    });
    let settings = PumpSettings {
        ring_capacity: 4,
        when_full: WhenFull::Refuse,
        ..PumpSettings::default()
    };
    let pump = Pump::start(log.clone(), settings).unwrap();
    let recorder = pump.recorder();
    let mut seed = 0;
    while let Ok(reservation) = recorder.reserve() {
        reservation.record(long_call(seed));
        seed += 1;
        // The pump may or may not have taken it; in the end the log is full, and so is the ring.
        std::thread::yield_now();
    }
    let hold = Hold::new(&log);
    let mut found = Vec::new();
    while found.len() < seed as usize {
        let after = found.last().map_or(0, |(sequence, _)| *sequence);
        for batch in log.read_after(after, 1000).unwrap() {
            let sequence = batch.sequence();
            found.extend(batch.events().unwrap().into_iter().map(|event| (sequence, event)));
            hold.release(sequence).unwrap();
        }
    }
    pump.stop().unwrap();
    let expected: Vec<Event> = (0..seed).map(|seed| Event::Call(long_call(seed))).collect();
    assert_eq!(
        found.into_iter().map(|(_, event)| event).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(recorder.figures().lost, 0);
}

#[test]
fn a_pump_that_cannot_write_says_how_much_is_lost_at_the_end() {
    let (_directory, log) = log(LogSettings {
        bytes_max: 1,
        ..LogSettings::default()
    });
    let pump = Pump::start(log, PumpSettings::default()).unwrap();
    let recorder = pump.recorder();
    for seed in 0..3 {
        recorder.reserve().unwrap().record(long_call(seed));
    }
    let Unwritten { events, source } = pump.stop().unwrap_err();
    assert_eq!(events, 3);
    assert!(matches!(source, Error::Full { bytes_max: 1 }), "{source}");
}
