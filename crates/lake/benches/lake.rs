//! Measures the lake: `cargo bench -p lake [-- ROWS [DIRECTORY]]`; prints figures, asserts none.
//!
//! Calls of ten days with realistic skew are committed in slices as a node's log hands them on, then compacted, then
//! asked for: one day of all, one day of one provider, and everything.

use std::error::Error;
use std::io::Write;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use deltalake::arrow::array::RecordBatch;
use domain::id::NodeId;
use events::{Batch, Sink};
use futures_util::TryStreamExt;
use lake::{Lake, Limits, Place, Tenant};
use uuid::Uuid;

#[path = "../src/sample.rs"]
mod sample;

const ROWS: u64 = 2_000_000;
const DAYS: u64 = 10;
const BATCH_EVENTS: u64 = 5000;
/// A slice of the log: what comes in some seconds.
const SLICE_BATCHES: usize = 20;
const ROUNDS: usize = 5;
const FILE_BYTES: NonZeroU64 = NonZeroU64::new(128 << 20).expect("more than none");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-'));
    let rows: u64 = words.next().map_or(Ok(ROWS), |word| word.parse())?;
    let parent = words.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent)?;
    let lake = Lake::new(&Place::directory(directory.path())?);
    let mut out = std::io::stdout();

    let step = DAYS * 86_400_000_000 / rows;
    let mut calls = sample::Sample::new(1, sample::START_MICROS, step);
    let node = NodeId::new(Uuid::from_u128(1));
    let (mut spent, mut commits, mut sequence) = (Duration::ZERO, 0, 0);
    while sequence * BATCH_EVENTS < rows {
        let slice: Vec<Batch> = (0..SLICE_BATCHES)
            .map(|_| {
                sequence += 1;
                Batch::of(
                    sequence,
                    &calls.events(usize::try_from(BATCH_EVENTS).unwrap_or(1)),
                )
            })
            .collect();
        let started = Instant::now();
        lake.commit(node, &slice).await?;
        spent += started.elapsed();
        commits += 1;
    }
    let rows = sequence * BATCH_EVENTS;
    let per_second = rows as f64 / spent.as_secs_f64();
    writeln!(
        out,
        "{rows} events in {commits} commits: {per_second:.0} events/s"
    )?;
    writeln!(
        out,
        "as committed: {:.1} bytes per event",
        bytes(directory.path())? / rows as f64
    )?;
    let started = Instant::now();
    let compacted = lake.compact(FILE_BYTES).await?;
    let share = compacted.bytes_added as f64 / rows as f64;
    writeln!(
        out,
        "compacted from {} files to {} in {:.1} s: {share:.1} bytes per event",
        compacted.files_removed,
        compacted.files_added,
        started.elapsed().as_secs_f64()
    )?;
    for (name, sql) in queries() {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let answer = lake.query(&sql, Tenant::Installation, Limits::default()).await?;
            let batches: Vec<_> = answer.try_collect().await?;
            times.push((
                started.elapsed(),
                batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
            ));
        }
        times.sort_unstable();
        let (median, rows) = times[ROUNDS / 2];
        writeln!(out, "{name}: {:.0} ms, {rows} rows", median.as_secs_f64() * 1e3)?;
    }
    Ok(())
}

fn queries() -> [(&'static str, String); 3] {
    let measures =
        "count(*), sum(bytes_out), approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_us)";
    let day = "date = '2026-11-25'";
    let provider = sample::provider_id(3);
    [
        (
            "a day, by API and status",
            format!("SELECT api_id, status, {measures} FROM calls WHERE {day} GROUP BY 1, 2"),
        ),
        (
            "a day of a provider, by application",
            format!(
                "SELECT application_id, {measures} FROM calls \
                 WHERE {day} AND organization_id = '{provider}' GROUP BY 1"
            ),
        ),
        (
            "everything, by day",
            format!("SELECT date, {measures} FROM calls GROUP BY 1"),
        ),
    ]
}

/// Bytes of the data files below a directory.
fn bytes(directory: &Path) -> Result<f64, std::io::Error> {
    let mut sum = 0.0;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            sum += bytes(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            sum += path.metadata()?.len() as f64;
        }
    }
    Ok(sum)
}
