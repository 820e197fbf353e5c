//! Measures the lake: `cargo bench -p lake [-- ROWS [DIRECTORY]]`; prints figures, asserts none.
//!
//! Calls of ten days with realistic skew are committed in slices as a node's log hands them on, then compacted, then
//! asked for: one day of all, one day of one provider, by those who run it and by itself, and everything.
//!
//! If `PEER_PYTHON` names a Python with the packages `duckdb` and `deltalake`, DuckDB is asked the same of the same
//! files, in turn.

use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use deltalake::arrow::array::RecordBatch;
use domain::id::{NodeId, OrganizationId};
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
    ask(&lake, &directory.path().join("calls"), &mut out).await
}

/// Asks the questions, and the peer if there is one.
async fn ask(lake: &Lake, table: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut peer = Peer::start(table)?;
    for question in questions() {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let answer = lake.query(&question.sql(OURS), question.tenant, LIMITS).await?;
            let batches: Vec<_> = answer.try_collect().await?;
            let rows = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            ours.push((started.elapsed().as_secs_f64() * 1e3, rows));
            if let Some(peer) = &mut peer {
                theirs.push(peer.ask(&question.peers())?);
            }
        }
        let (median, slowest, rows) = told(ours);
        write!(
            out,
            "{}: {median:.0} ms, at most {slowest:.0}, {rows} rows",
            question.name
        )?;
        if peer.is_some() {
            let (theirs, _, their_rows) = told(theirs);
            assert_eq!(rows, their_rows, "both find the same");
            write!(out, "; DuckDB {theirs:.0} ms, {:.2} x", median / theirs)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Enough for whatever the largest table is asked here.
const LIMITS: Limits = Limits {
    memory_bytes: 1 << 30,
    time: Duration::from_secs(300),
    rows: 1_000_000,
};
/// How a percentile is asked for.
const OURS: &str = "approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_us)";
const THEIRS: &str = "approx_quantile(latency_us, 0.95)";

/// The median and the slowest of some rounds, and how many rows they found.
fn told(mut rounds: Vec<(f64, usize)>) -> (f64, f64, usize) {
    rounds.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (median, rows) = rounds[ROUNDS / 2];
    (median, rounds[ROUNDS - 1].0, rows)
}

struct Question {
    name: &'static str,
    by: &'static str,
    filter: &'static str,
    tenant: Tenant,
    /// Whose rows, where that is not said by who asks.
    provider: Option<OrganizationId>,
}

impl Question {
    fn sql(&self, percentile: &str) -> String {
        let Self { by, filter, .. } = self;
        let whose = self.provider.map(|id| format!(" AND organization_id = '{id}'"));
        format!(
            "SELECT {by}, count(*), sum(bytes_out), {percentile} FROM calls WHERE {filter}{} GROUP BY {by}",
            whose.unwrap_or_default()
        )
    }

    /// The same for who knows no tenants.
    fn peers(&self) -> String {
        let provider = match self.tenant {
            Tenant::Organization(id) => Some(id),
            Tenant::Installation => self.provider,
        };
        Self { provider, ..*self }.sql(THEIRS)
    }
}

fn questions() -> [Question; 4] {
    let provider = sample::provider_id(3);
    let all = Question {
        name: "a day, by API and status",
        by: "api_id, status",
        filter: "date = DATE '2026-11-25'",
        tenant: Tenant::Installation,
        provider: None,
    };
    [
        Question {
            name: "a day of a provider, by application",
            by: "application_id",
            provider: Some(provider),
            ..all
        },
        Question {
            name: "the same, asked by the provider",
            by: "application_id",
            tenant: Tenant::Organization(provider),
            ..all
        },
        Question {
            name: "everything, by day",
            by: "date",
            filter: "true",
            ..all
        },
        all,
    ]
}

/// DuckDB in a process of its own, which stays.
struct Peer {
    _process: Child,
    asks: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// None if no Python is named.
    fn start(table: &Path) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(python) = std::env::var_os("PEER_PYTHON") else {
            return Ok(None);
        };
        let mut process = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer.py"))
            .arg(table)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let asks = process.stdin.take().ok_or("it is piped")?;
        let mut answers = BufReader::new(process.stdout.take().ok_or("it is piped")?).lines();
        answers.next().ok_or("the peer did not start")??;
        Ok(Some(Self {
            _process: process,
            asks,
            answers,
        }))
    }

    /// Milliseconds and rows.
    fn ask(&mut self, sql: &str) -> Result<(f64, usize), Box<dyn Error>> {
        writeln!(self.asks, "{}", serde_json::Value::from(sql))?;
        let line = self.answers.next().ok_or("the peer has ended")??;
        let (millis, rows) = line.split_once(' ').ok_or("milliseconds and rows")?;
        Ok((millis.parse()?, rows.parse()?))
    }
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
