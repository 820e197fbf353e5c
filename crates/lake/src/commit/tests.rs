use std::num::NonZeroU64;
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::compute::concat_batches;
use deltalake::datafusion::prelude::SessionContext;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use domain::id::NodeId;
use events::sink::SinkError;
use events::{Batch, Event, Sink};
use uuid::Uuid;

use super::append;
use crate::compact::as_written;
use crate::place::Place;
use crate::query::{Limits, Tenant};
use crate::rows::DayFile;
use crate::sample::{START_MICROS, Sample};
use crate::schema::CALLS_BEFORE;
use crate::table::Table;
use crate::{Lake, rows};

pub(crate) fn node(number: u128) -> NodeId {
    NodeId::new(Uuid::from_u128(
        0x0199_0000_0000_7000_8000_0000_0000_0000 + number,
    ))
}

pub(crate) fn batches(seed: u64, sequences: std::ops::RangeInclusive<u64>, events: usize) -> Vec<Batch> {
    sequences
        .map(|sequence| {
            let mut sample = Sample::new(seed << 32 | sequence, START_MICROS, 100_000);
            Batch::of(sequence, &sample.events(events))
        })
        .collect()
}

/// Counts rows, and how many of them have a request id of their own.
pub(crate) async fn count(lake: &Lake) -> (i64, i64) {
    let table = lake.calls.newest().await.unwrap();
    let session = SessionContext::new();
    session
        .register_table("calls", table.table_provider().await.unwrap())
        .unwrap();
    let query = "SELECT count(*), count(DISTINCT request_id) FROM calls";
    let rows: Vec<RecordBatch> = session.sql(query).await.unwrap().collect().await.unwrap();
    let number = |column: usize| {
        let column = rows[0].column(column).as_any();
        column
            .downcast_ref::<deltalake::arrow::array::Int64Array>()
            .unwrap()
            .value(0)
    };
    (number(0), number(1))
}

fn lake(directory: &tempfile::TempDir) -> Lake {
    Lake::new(&Place::directory(directory.path()).unwrap())
}

/// Writes files as they were before calls had targets.
fn files_before(batches: &[Batch]) -> Result<Vec<DayFile>, rows::Error> {
    let files = rows::files(batches)?.into_iter().map(|file| {
        let rows = ParquetRecordBatchReaderBuilder::try_new(file.bytes)?.build()?;
        let rows = rows.map(|batch| as_written(&CALLS_BEFORE, &batch?));
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        rows::written(
            &CALLS_BEFORE,
            file.date,
            &concat_batches(&CALLS_BEFORE.file_schema(), &rows)?,
        )
    });
    files.collect()
}

/// The only row of an answer.
async fn asked(lake: &Lake, sql: &str) -> Vec<String> {
    let rows = crate::query::tests::rows(lake, sql, Tenant::Installation, Limits::default());
    rows.await.unwrap().remove(0)
}

#[tokio::test]
async fn a_table_from_before_gets_the_columns_that_it_does_not_have() {
    let directory = tempfile::tempdir().unwrap();
    let before = Table::new(&Place::directory(directory.path()).unwrap(), &CALLS_BEFORE);
    let store = before.store();
    let (old, new) = (batches(1, 1..=1, 40), batches(1, 2..=2, 60));
    let mut turn = before.turn().await.unwrap();
    let appended = append(&mut turn, (&*store, files_before), (node(1), 0), &old).await;
    assert_eq!(appended.unwrap(), 1);
    turn.end();

    let lake = lake(&directory);
    assert_eq!(lake.commit(node(1), &new).await.unwrap(), 2);
    let events = new.iter().flat_map(|batch| batch.events().unwrap());
    let is_sent = |event: &Event| matches!(event, Event::Call(call) if call.target.is_some());
    let sent = events.filter(is_sent).count();
    let counts = "SELECT count(*), count(target_id) FROM calls";
    assert_eq!(asked(&lake, counts).await, ["100", &sent.to_string()]);
    // Who knows the table as it was goes on, and its files are joined with others.
    let mut turn = before.turn().await.unwrap();
    turn.refresh().await.unwrap();
    let older = batches(1, 3..=3, 10);
    let appended = append(&mut turn, (&*store, files_before), (node(1), 0), &older).await;
    assert_eq!(appended.unwrap(), 3);
    turn.end();
    let joined = lake.compact(NonZeroU64::new(64 << 20).unwrap()).await.unwrap();
    assert_eq!((joined.files_removed, joined.files_added), (3, 1));
    assert_eq!(asked(&lake, counts).await, ["110", &sent.to_string()]);
}

#[tokio::test]
async fn a_replay_adds_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let lake = lake(&directory);
    let all = batches(1, 1..=6, 50);
    assert_eq!(lake.commit(node(1), &[]).await.unwrap(), 0);
    assert_eq!(lake.commit(node(1), &all[..3]).await.unwrap(), 3);
    assert_eq!(lake.commit(node(1), &all[..3]).await.unwrap(), 3);
    assert_eq!(lake.commit(node(1), &all).await.unwrap(), 6);
    assert_eq!(count(&lake).await, (300, 300));

    let again = self::lake(&directory);
    assert_eq!(again.commit(node(1), &[]).await.unwrap(), 6);
    assert_eq!(again.commit(node(1), &all).await.unwrap(), 6);
    assert_eq!(again.commit(node(2), &[]).await.unwrap(), 0);
    assert_eq!(again.commit(node(2), &batches(2, 1..=1, 50)).await.unwrap(), 1);
    assert_eq!(count(&again).await, (350, 350));
}

#[tokio::test]
async fn a_gap_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let lake = lake(&directory);
    let all = batches(1, 1..=5, 10);
    let refused = lake.commit(node(1), &all[1..]).await;
    assert!(matches!(refused, Err(SinkError::Refused { .. })), "{refused:?}");
    let holed = [all[0].clone(), all[2].clone()];
    let refused = lake.commit(node(1), &holed).await;
    assert!(matches!(refused, Err(SinkError::Refused { .. })), "{refused:?}");
    assert_eq!(lake.commit(node(1), &all).await.unwrap(), 5);
    assert_eq!(count(&lake).await, (50, 50));
}

#[tokio::test]
async fn lost_batches_keep_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let lake = lake(&directory);
    let lost: Vec<Batch> = (1..=3).map(Batch::lost).collect();
    assert_eq!(lake.commit(node(1), &lost).await.unwrap(), 3);
    assert_eq!(lake.commit(node(1), &batches(1, 4..=4, 10)).await.unwrap(), 4);
    let again = self::lake(&directory);
    assert_eq!(again.commit(node(1), &[]).await.unwrap(), 4);
    assert_eq!(count(&again).await, (10, 10));
}

#[tokio::test]
async fn two_days_are_one_version() {
    let directory = tempfile::tempdir().unwrap();
    let lake = lake(&directory);
    let events = Sample::new(1, START_MICROS, 3_600_000_000).events(20);
    lake.commit(node(1), &[]).await.unwrap();
    let before = lake.calls.newest().await.unwrap().version();
    lake.commit(node(1), &[Batch::of(1, &events)]).await.unwrap();
    let table = lake.calls.newest().await.unwrap();
    assert_eq!(table.version(), before.map(|version| version + 1));
    let files = rows::files(&[Batch::of(1, &events)]).unwrap().len();
    assert!(files > 1);
    assert_eq!(table.get_file_uris().unwrap().count(), files);
    assert_eq!(count(&lake).await, (20, 20));
}

#[tokio::test]
async fn an_older_handle_does_not_repeat_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (lake(&directory), lake(&directory));
    let all = batches(1, 1..=4, 25);
    // Both have read the table before either has committed.
    assert_eq!(first.commit(node(1), &[]).await.unwrap(), 0);
    assert_eq!(second.commit(node(1), &[]).await.unwrap(), 0);
    assert_eq!(first.commit(node(1), &all[..2]).await.unwrap(), 2);
    assert_eq!(second.commit(node(1), &all[..2]).await.unwrap(), 2);
    assert_eq!(second.commit(node(1), &all).await.unwrap(), 4);
    assert_eq!(first.commit(node(1), &all[2..]).await.unwrap(), 4);
    assert_eq!(count(&first).await, (100, 100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_committers_by_mistake_count_once() {
    let directory = tempfile::tempdir().unwrap();
    let all = Arc::new(batches(1, 1..=12, 20));
    let committers = (0..2).map(|_| {
        let (lake, all) = (lake(&directory), all.clone());
        tokio::spawn(async move {
            let mut watermark = lake.commit(node(1), &[]).await.unwrap();
            while watermark < 12 {
                let next = usize::try_from(watermark).unwrap();
                watermark = lake.commit(node(1), &all[next..=next]).await.unwrap();
            }
        })
    });
    for committer in futures_util::future::join_all(committers).await {
        committer.unwrap();
    }
    assert_eq!(count(&lake(&directory)).await, (240, 240));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_nodes_commit_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Arc::new(lake(&directory));
    let nodes = (1..=8_u64).map(|number| {
        let lake = lake.clone();
        tokio::spawn(async move {
            for sequence in 1..=3 {
                let batch = batches(number, sequence..=sequence, 10);
                let watermark = lake.commit(node(number.into()), &batch).await.unwrap();
                assert_eq!(watermark, sequence);
            }
        })
    });
    for done in futures_util::future::join_all(nodes).await {
        done.unwrap();
    }
    assert_eq!(count(&lake).await, (240, 240));
}
