use std::num::NonZeroU64;
use std::time::Duration;

use domain::Timestamp;
use domain::lake::{Retention, Subject};
use events::{Batch, Call, Event, Sink};

use crate::commit::tests::{batches, count, node};
use crate::place::Place;
use crate::sample::{START_MICROS, Sample, application_id, provider_id};
use crate::{Lake, schema};

const DAY: Duration = Duration::from_hours(24);
const TARGET: NonZeroU64 = NonZeroU64::new(64 << 20).unwrap();

struct World {
    directory: tempfile::TempDir,
    lake: Lake,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let lake = Lake::new(&Place::directory(directory.path()).unwrap());
        Self { directory, lake }
    }

    fn again(&self) -> Lake {
        Lake::new(&Place::directory(self.directory.path()).unwrap())
    }

    fn data_files(&self) -> usize {
        let days = std::fs::read_dir(self.directory.path().join(schema::CALLS.name)).unwrap();
        let days = days
            .map(|day| day.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("date="));
        days.map(|day| std::fs::read_dir(day).unwrap().count()).sum()
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

#[tokio::test]
async fn small_files_become_few_and_their_rows_stay() {
    let world = World::new();
    let lake = &world.lake;
    for batch in batches(1, 1..=12, 100).chunks(1) {
        lake.commit(node(1), batch).await.unwrap();
    }
    let done = lake.compact(TARGET).await.unwrap();
    assert_eq!((done.files_removed, done.files_added), (12, 1));
    assert!(done.bytes_added < done.bytes_removed);
    assert_eq!(count(lake).await, (1200, 1200));
    assert_eq!(lake.compact(TARGET).await.unwrap().files_removed, 0);

    // The watermark has come through it.
    assert_eq!(world.again().commit(node(1), &[]).await.unwrap(), 12);
    assert_eq!(lake.commit(node(1), &batches(1, 12..=13, 100)).await.unwrap(), 13);
    assert_eq!(count(&world.again()).await, (1300, 1300));
}

#[tokio::test]
async fn vacuum_waits_a_day_for_readers() {
    let world = World::new();
    let lake = &world.lake;
    for batch in batches(1, 1..=5, 10).chunks(1) {
        lake.commit(node(1), batch).await.unwrap();
    }
    let orphan = world
        .directory
        .path()
        .join(schema::CALLS.name)
        .join("date=2026-11-20/orphan.parquet");
    std::fs::write(&orphan, "never committed").unwrap();
    lake.compact(TARGET).await.unwrap();
    assert_eq!(world.data_files(), 7);
    assert_eq!(lake.vacuum(now()).await.unwrap().files_removed, 0);
    assert_eq!(world.data_files(), 7);
    assert_eq!(lake.vacuum(now().after(DAY * 2)).await.unwrap().files_removed, 6);
    assert_eq!(world.data_files(), 1);
    assert_eq!(count(&world.again()).await, (50, 50));
}

#[tokio::test]
async fn the_log_is_trimmed_behind_a_checkpoint() {
    let world = World::new();
    let lake = &world.lake;
    for batch in batches(1, 1..=8, 10).chunks(1) {
        lake.commit(node(1), batch).await.unwrap();
    }
    assert_eq!(lake.trim_log(now()).await.unwrap().files_removed, 0);
    let trimmed = lake.trim_log(now().after(DAY * 2)).await.unwrap();
    assert_eq!(trimmed.files_removed, 8, "all before the checkpoint's version");
    let again = world.again();
    assert_eq!(
        again.commit(node(1), &[]).await.unwrap(),
        8,
        "the watermark is in the checkpoint"
    );
    assert_eq!(again.commit(node(1), &batches(1, 8..=9, 10)).await.unwrap(), 9);
    assert_eq!(count(&again).await, (90, 90));
    // Who has read before goes on.
    assert_eq!(lake.commit(node(1), &batches(1, 10..=10, 10)).await.unwrap(), 10);
    assert_eq!(count(lake).await, (100, 100));
}

/// Calls of ten days, a tenth of them on each.
async fn ten_days(lake: &Lake) -> Vec<Call> {
    let step = u64::try_from(DAY.as_micros()).unwrap() / 100;
    let events = Sample::new(5, START_MICROS, step).events(1000);
    for (batch, sequence) in events.chunks(100).zip(1..) {
        lake.commit(node(1), &[Batch::of(sequence, batch)]).await.unwrap();
    }
    let calls = events.iter().filter_map(|event| match event {
        Event::Call(call) => Some(*call),
        _ => None,
    });
    calls.collect()
}

fn kept(calls: &[Call], is_kept: impl Fn(&Call, i64) -> bool) -> i64 {
    let day = |call: &Call| call.started_at.as_seconds().div_euclid(86_400);
    let kept = calls.iter().filter(|call| is_kept(call, day(call)));
    i64::try_from(kept.count()).unwrap()
}

#[tokio::test]
async fn calls_are_kept_as_long_as_their_provider_wants() {
    let world = World::new();
    let lake = &world.lake;
    let calls = ten_days(lake).await;
    let now = Timestamp::from_micros(START_MICROS).after(DAY * 10);
    let today = now.as_seconds().div_euclid(86_400);
    let provider = |call: &Call| call.callee.map(|callee| callee.organization);

    let for_ever = Retention::default();
    assert_eq!(
        lake.expire(&for_ever, now).await.unwrap(),
        super::Deleted::default()
    );
    assert_eq!(count(lake).await.0, 1000);

    let retention = Retention {
        days: Some(6),
        days_of: vec![
            (provider_id(0), Some(2)),
            (provider_id(1), Some(8)),
            (provider_id(2), Some(6)),
        ],
    };
    let days = |call: &Call| match provider(call) {
        Some(id) if id == provider_id(0) => 2,
        Some(id) if id == provider_id(1) => 8,
        _ => 6,
    };
    let wanted = kept(&calls, |call, day| day >= today - days(call));
    let deleted = lake.expire(&retention, now).await.unwrap();
    assert_eq!(deleted.rows, Some(u64::try_from(1000 - wanted).unwrap()));
    assert_eq!(count(lake).await, (wanted, wanted));
    assert_eq!(
        lake.expire(&retention, now).await.unwrap().rows.unwrap_or(0),
        0,
        "there is nothing more"
    );

    let except_one = Retention {
        days: Some(0),
        days_of: vec![(provider_id(1), None)],
    };
    lake.expire(&except_one, now.after(DAY)).await.unwrap();
    // It is the next day by then, whose calls are kept in any case.
    let wanted = kept(&calls, |call, day| {
        day > today || provider(call) == Some(provider_id(1)) && day >= today - 8
    });
    assert!(wanted > 0);
    assert_eq!(count(lake).await, (wanted, wanted));
}

#[tokio::test]
async fn whoever_is_erased_is_in_no_file_that_is_left() {
    let world = World::new();
    let lake = &world.lake;
    let calls = ten_days(lake).await;
    let caller = |call: &Call| call.caller.map(|caller| caller.application);
    let wanted = kept(&calls, |call, _| caller(call) != Some(application_id(0)));
    assert!(wanted < 1000);
    let erased = lake.erase(Subject::Application(application_id(0))).await.unwrap();
    assert_eq!(erased.rows, Some(u64::try_from(1000 - wanted).unwrap()));
    assert_eq!(count(lake).await, (wanted, wanted));

    lake.vacuum(now().after(DAY * 2)).await.unwrap();
    lake.trim_log(now().after(DAY * 2)).await.unwrap();
    assert_eq!(count(&world.again()).await, (wanted, wanted));
    assert_eq!(world.again().commit(node(1), &[]).await.unwrap(), 10);
}

#[tokio::test]
async fn an_organization_that_is_erased_leaves_nothing_of_its_own() {
    let world = World::new();
    let calls = ten_days(&world.lake).await;
    let provider = |call: &Call| call.callee.map(|callee| callee.organization);
    let wanted = kept(&calls, |call, _| provider(call) != Some(provider_id(0)));
    assert!(wanted < 1000);
    for rows in [1000 - wanted, 0] {
        let erased = world.lake.erase(Subject::Organization(provider_id(0))).await;
        assert_eq!(erased.unwrap().rows.unwrap_or(0), u64::try_from(rows).unwrap());
        assert_eq!(count(&world.again()).await, (wanted, wanted));
    }
}

/// Delta's own check lets two compactions of the same files pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compactions_at_once_keep_each_row_once() {
    for round in 0..3 {
        let world = World::new();
        for batch in batches(round, 1..=8, 50).chunks(1) {
            world.lake.commit(node(1), batch).await.unwrap();
        }
        let (one, other) = (world.again(), world.again());
        let (one, other) = tokio::join!(one.compact(TARGET), other.compact(TARGET));
        let removed = one.unwrap().files_removed + other.unwrap().files_removed;
        assert_eq!(removed, 8);
        assert_eq!(count(&world.again()).await, (400, 400));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn maintenance_and_commits_go_on_together() {
    let world = World::new();
    let committer = world.again();
    let commits = tokio::spawn(async move {
        for batch in batches(1, 1..=30, 20).chunks(1) {
            committer.commit(node(1), batch).await.unwrap();
        }
    });
    let mut erased = 0;
    while !commits.is_finished() {
        world.lake.compact(TARGET).await.unwrap();
        let deleted = world
            .lake
            .erase(Subject::Application(application_id(0)))
            .await
            .unwrap();
        erased += deleted.rows.unwrap_or(0);
    }
    commits.await.unwrap();
    erased += world
        .lake
        .erase(Subject::Application(application_id(0)))
        .await
        .unwrap()
        .rows
        .unwrap_or(0);
    let left = 600 - i64::try_from(erased).unwrap();
    assert!(erased > 0);
    assert_eq!(count(&world.again()).await, (left, left));
}
