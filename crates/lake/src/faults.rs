//! What survives when processes die and stores fail: the rows of the table are the events that were accepted.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path as FilePath;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Timestamp;
use events::Sink;
use events::sink::SinkError;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use url::Url;

use crate::Lake;
use crate::commit::tests::{batches, count, node};
use crate::place::Place;

const CHILD: &str = "GATELINE_LAKE_CHILD";
/// How often a process dies in the test; more for a long run.
const RUNS: &str = "GATELINE_LAKE_FAULT_RUNS";
const RUNS_USUAL: usize = 24;
/// Commits of a process, if it does not die.
const ROUNDS: u32 = 100;
const EVENTS: usize = 20;
const POINTS: [&str; 8] = [
    "lake.before_upload",
    "lake.between_uploads",
    "lake.before_commit",
    "lake.after_commit",
    "lake.before_name",
    "lake.after_name",
    "lake.joined",
    "lake.maintained",
];

#[test]
fn child_that_commits_until_it_dies() {
    let Ok(directory) = std::env::var(CHILD) else {
        return;
    };
    let directory = FilePath::new(&directory);
    let lake = Lake::new(&Place::directory(&directory.join("lake")).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut watermark = lake.commit(node(1), &[]).await.unwrap();
        for round in 1..=ROUNDS {
            let next = batches(1, watermark + 1..=watermark + 2, EVENTS);
            watermark = lake.commit(node(1), &next).await.unwrap();
            std::fs::write(directory.join("answered"), watermark.to_string()).unwrap();
            if round.is_multiple_of(3) {
                maintain(&lake).await;
            }
        }
    });
}

async fn maintain(lake: &Lake) {
    let later = now().after(Duration::from_hours(48));
    lake.compact(NonZeroU64::new(1 << 30).unwrap()).await.unwrap();
    events::fault::point("lake.maintained");
    lake.trim_log(later).await.unwrap();
    events::fault::point("lake.maintained");
    lake.vacuum(later).await.unwrap();
    events::fault::point("lake.maintained");
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

#[test]
fn nothing_is_lost_or_doubled_wherever_a_process_dies() {
    let directory = tempfile::tempdir().unwrap();
    let runs = std::env::var(RUNS).map_or(RUNS_USUAL, |runs| runs.parse().unwrap());
    for run in 0..runs {
        let point = POINTS[run % POINTS.len()];
        // Sooner or later in the life of the process: a different place each time.
        let passes = 1 + run / POINTS.len() * 5 % 13;
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["faults::child_that_commits_until_it_dies", "--exact"])
            .env(CHILD, directory.path())
            .env("GATELINE_FAULT", format!("{point}:{passes}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(!child.success(), "{point}:{passes}");
    }
    let answered = std::fs::read_to_string(directory.path().join("answered")).unwrap();
    let answered: u64 = answered.parse().unwrap();
    let lake = Lake::new(&Place::directory(&directory.path().join("lake")).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let watermark = lake.commit(node(1), &[]).await.unwrap();
        assert!(watermark >= answered, "{watermark} after {answered} was answered");
        let rows = i64::try_from(watermark).unwrap() * i64::try_from(EVENTS).unwrap();
        assert_eq!(count(&lake).await, (rows, rows));
        maintain(&lake).await;
        assert_eq!(count(&lake).await, (rows, rows));
    });
}

/// A store of which many answers are errors: some before anything is done, some after it was.
#[derive(Debug)]
struct Failing {
    store: InMemory,
    seed: u64,
    calls: AtomicU64,
    /// Of a hundred calls.
    failing: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    FailsBefore,
    FailsAfter,
}

impl Failing {
    fn new(seed: u64, failing: u64) -> Self {
        Self {
            store: InMemory::new(),
            seed,
            calls: AtomicU64::new(0),
            failing: AtomicU64::new(failing),
        }
    }

    fn fate(&self) -> Fate {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let mixed = (self.seed << 32 ^ call)
            .wrapping_add(1)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let drawn = (mixed >> 33) % 100;
        match drawn < self.failing.load(Ordering::Relaxed) {
            false => Fate::Fine,
            true if drawn.is_multiple_of(2) => Fate::FailsBefore,
            true => Fate::FailsAfter,
        }
    }

    async fn through<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let fate = self.fate();
        if fate == Fate::FailsBefore {
            return Err(failure());
        }
        let done = work.await;
        match fate {
            Fate::FailsAfter => Err(failure()),
            _ => done,
        }
    }
}

fn failure() -> Error {
    Error::Generic {
        store: "failing",
        source: "it does not answer".into(),
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failing")
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.through(self.store.put_opts(location, payload, options))
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.through(self.store.put_multipart_opts(location, options))
            .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.through(self.store.get_opts(location, options)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.through(self.store.get_ranges(location, ranges)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fate() {
            Fate::Fine => self.store.list(prefix),
            _ => futures_util::stream::iter([Err(failure())]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.through(self.store.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.through(self.store.copy_opts(from, to, options)).await
    }
}

fn place(store: &Arc<Failing>) -> Place {
    Place::of(Url::parse("memory:///lake/").unwrap(), store.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_store_doubles_nothing() {
    for seed in 0..8 {
        let store = Arc::new(Failing::new(seed, 15));
        let all = batches(seed, 1..=10, EVENTS);
        let lakes = [Lake::new(&place(&store)), Lake::new(&place(&store))];
        let (mut watermark, mut failures) = (0, 0);
        for lake in lakes.iter().cycle() {
            // As the log's shipper does: after an error it asks, and offers what is not there.
            let offered = usize::try_from(watermark).unwrap();
            let end = (offered + 3).min(all.len());
            match lake.commit(node(1), &all[offered..end]).await {
                Ok(committed) => watermark = committed,
                Err(SinkError::Unavailable(_)) => {
                    failures += 1;
                    watermark = match lake.commit(node(1), &[]).await {
                        Ok(committed) => committed,
                        Err(_) => continue,
                    };
                }
                Err(error) => panic!("{error}"),
            }
            if watermark == 10 {
                break;
            }
        }
        assert!(failures > 0, "the store has failed");
        store.failing.store(0, Ordering::Relaxed);
        let rows = 10 * i64::try_from(EVENTS).unwrap();
        assert_eq!(
            count(&Lake::new(&place(&store))).await,
            (rows, rows),
            "seed {seed}"
        );
    }
}

#[tokio::test]
async fn a_store_that_is_away_holds_nothing_up_for_ever() {
    let store = Arc::new(Failing::new(1, 100));
    let lake = Lake::new(&place(&store));
    let all = batches(1, 1..=2, EVENTS);
    for _ in 0..3 {
        let refused = lake.commit(node(1), &all).await;
        assert!(matches!(refused, Err(SinkError::Unavailable(_))), "{refused:?}");
    }
    store.failing.store(0, Ordering::Relaxed);
    assert_eq!(lake.commit(node(1), &all).await.unwrap(), 2);
    store.failing.store(100, Ordering::Relaxed);
    assert!(lake.commit(node(1), &batches(1, 3..=3, EVENTS)).await.is_err());
    store.failing.store(0, Ordering::Relaxed);
    assert_eq!(lake.commit(node(1), &batches(1, 3..=3, EVENTS)).await.unwrap(), 3);
    assert_eq!(count(&lake).await.0, 3 * i64::try_from(EVENTS).unwrap());
}
