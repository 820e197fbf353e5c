use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use deltalake::DeltaTable;
use domain::Timestamp;
use domain::analytics::{Dimension, DimensionFilter};
use domain::id::OrganizationId;
use domain::lake::{CallSums, SumsQuery};
use domain::rollup::{Grain, Rollup, Series};
use domain::sketch::Sketch;
use events::rollup::Fold;
use events::{Batch, Call, Event, Sink as _};
use futures_util::StreamExt as _;

use super::{afar, read};
use crate::cluster::{Cluster, ClusterOptions, Executor, ExecutorOptions, Scheduler, host};
use crate::commit::tests::node;
use crate::place::Place;
use crate::query::Error;
use crate::sample::{START_MICROS, Sample, consumer_id, provider_id};
use crate::{Lake, Limits};

const ALL: [Dimension; 12] = [
    Dimension::Api,
    Dimension::Version,
    Dimension::Operation,
    Dimension::Consumer,
    Dimension::Application,
    Dimension::Plan,
    Dimension::Target,
    Dimension::Variant,
    Dimension::Status,
    Dimension::StatusClass,
    Dimension::Code,
    Dimension::Side,
];

struct World {
    lake: Lake,
    calls: Vec<Call>,
    directory: tempfile::TempDir,
}

async fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::new(&Place::directory(directory.path()).unwrap());
    // Four hours around midnight.
    let mut events = Sample::new(7, START_MICROS, 4_800_000).events(3000);
    for event in &mut events {
        let Event::Call(call) = event else { continue };
        // Some applications are those of a provider.
        if let Some(caller) = call
            .caller
            .as_mut()
            .filter(|caller| caller.organization == consumer_id(0))
        {
            caller.organization = provider_id(1);
        }
        if call.status == 400 && call.refusal.is_none() && call.bytes_in == 0 {
            call.status = 499;
        }
    }
    lake.commit(node(1), &[Batch::of(1, &events)]).await.unwrap();
    let calls = events.iter().filter_map(|event| match event {
        Event::Call(call) => Some(*call),
        _ => None,
    });
    World {
        calls: calls.collect(),
        lake,
        directory,
    }
}

fn question(dimensions: &[Dimension]) -> SumsQuery {
    SumsQuery {
        organization: provider_id(1),
        from: Timestamp::from_micros(START_MICROS),
        to: Timestamp::from_micros(START_MICROS + 24 * domain::time::HOUR_MICROS),
        spans: Vec::new(),
        dimensions: dimensions.to_vec(),
        filters: Vec::new(),
        by_application: false,
        has_latency: true,
        sums_max: 100_000,
    }
}

fn value(dimension: Dimension, series: &Series, asker: OrganizationId) -> String {
    fn or_none(id: Option<impl ToString>) -> String {
        id.map(|id| id.to_string()).unwrap_or_default()
    }
    match dimension {
        Dimension::Api => series.api.to_string(),
        Dimension::Version => series.version.to_string(),
        Dimension::Operation => or_none(series.operation),
        Dimension::Consumer => or_none(series.consumer),
        Dimension::Application => or_none(series.application),
        Dimension::Plan => or_none(series.plan),
        Dimension::Target => or_none(series.target.filter(|_| series.provider == asker)),
        Dimension::Variant => {
            let own = series.variant.filter(|_| series.provider == asker);
            or_none(own.map(|(route, name)| format!("{route}/{name}")))
        }
        Dimension::Status => series.status.to_string(),
        Dimension::StatusClass => format!("{}xx", series.status / 100),
        Dimension::Code => or_none(series.code.map(domain::Code::as_str)),
        Dimension::Side if series.code.is_some() => "gateway".to_owned(),
        Dimension::Side if series.status == 499 => "client".to_owned(),
        Dimension::Side => "upstream".to_owned(),
    }
}

/// What roll-ups by hour say.
fn expected(calls: &[Call], query: &SumsQuery) -> HashMap<(usize, Vec<String>), ([i64; 8], Sketch)> {
    let mut fold = Fold::default();
    let span = query.from..query.to;
    for call in calls.iter().filter(|call| span.contains(&call.started_at)) {
        fold.add(call);
    }
    let [_, hours, _] = fold.finish();
    let grain = match query.dimensions.contains(&Dimension::Target) {
        true => Grain::Targets,
        false => Grain::Calls,
    };
    let mut sums: HashMap<_, ([i64; 8], Sketch)> = HashMap::new();
    for Rollup {
        series,
        begin,
        sums: of,
        latency,
    } in &hours
    {
        let is_mine = match series.provider == query.organization {
            true => series.grain == grain,
            false => series.grain == Grain::Calls && series.consumer == Some(query.organization),
        };
        let fits = query.filters.iter().all(|filter| {
            filter
                .values
                .contains(&value(filter.dimension, series, query.organization))
                != filter.exclude
        });
        if !is_mine || !fits {
            continue;
        }
        let span = query
            .spans
            .partition_point(|span| span <= begin)
            .saturating_sub(1);
        let dimensions = query.dimensions.iter();
        let dimensions = dimensions.map(|dimension| value(*dimension, series, query.organization));
        let (found, spread) = sums.entry((span, dimensions.collect())).or_default();
        let only = |condition: bool| if condition { of.calls } else { 0 };
        let is_refused = series.code.is_some();
        let added = [
            of.calls,
            of.counted,
            only(is_refused && series.status < 500),
            only(!is_refused && (400..500).contains(&series.status)),
            only(series.status >= 500),
            of.bytes_in,
            of.bytes_out,
            of.latency_us,
        ];
        for (sum, added) in found.iter_mut().zip(added) {
            *sum += added;
        }
        spread.merge(latency);
    }
    sums
}

fn told(sums: Vec<CallSums>) -> HashMap<(usize, Vec<String>), ([i64; 8], Sketch)> {
    let count = sums.len();
    let sums = sums.into_iter();
    let told: HashMap<_, _> = sums
        .map(|sums| ((sums.span, sums.dimensions), (sums.sums, sums.latency.unwrap())))
        .collect();
    assert_eq!(told.len(), count);
    told
}

/// Every shape of a question.
fn questions() -> Vec<SumsQuery> {
    let hour = |hour: i64| Timestamp::from_micros(START_MICROS + hour * domain::time::HOUR_MICROS);
    let status = |values: &[&str], exclude| DimensionFilter {
        dimension: Dimension::StatusClass,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        exclude,
    };
    let mut questions: Vec<_> = ALL.iter().map(|dimension| question(&[*dimension])).collect();
    questions.push(question(&[]));
    questions.push(question(&[
        Dimension::Application,
        Dimension::Operation,
        Dimension::Status,
    ]));
    questions.push(SumsQuery {
        spans: vec![hour(0), hour(1), hour(3)],
        ..question(&[Dimension::Side])
    });
    questions.push(SumsQuery {
        from: hour(1),
        to: hour(3),
        filters: vec![status(&["4xx", "5xx"], false)],
        ..question(&[Dimension::Api])
    });
    questions.push(SumsQuery {
        filters: vec![status(&["2xx"], true)],
        ..question(&[Dimension::Status])
    });
    questions.push(SumsQuery {
        organization: consumer_id(1),
        ..question(&[Dimension::Variant, Dimension::Api])
    });
    questions
}

#[tokio::test]
async fn they_are_those_of_roll_ups_to_the_last_unit() {
    let world = world().await;
    for question in questions() {
        let found = world
            .lake
            .sums(question.clone(), Limits::default())
            .await
            .unwrap();
        let (found, expected) = (told(found), expected(&world.calls, &question));
        assert!(!expected.is_empty());
        assert_eq!(found, expected, "{question:?}");
    }
    // The filter for calls of the organization's own applications to its own APIs is not for nothing.
    let is_both = |call: &&Call| {
        let provider = call.callee.map(|callee| callee.organization);
        provider == Some(provider_id(1)) && call.caller.map(|caller| caller.organization) == provider
    };
    assert!(world.calls.iter().any(|call| is_both(&call)));
}

#[tokio::test]
async fn applications_are_told_apart_when_they_are_counted() {
    let world = world().await;
    let counted = SumsQuery {
        by_application: true,
        has_latency: false,
        ..question(&[])
    };
    let found = world.lake.sums(counted, Limits::default()).await.unwrap();
    assert!(found.iter().all(|sums| sums.latency.is_none()));
    let found: BTreeSet<_> = found.into_iter().map(|sums| sums.application.unwrap()).collect();
    let mine = |call: &&Call| {
        let provider = call.callee.map(|callee| callee.organization);
        let consumer = call.caller.map(|caller| caller.organization);
        provider.is_some() && (provider == Some(provider_id(1)) || consumer == Some(provider_id(1)))
    };
    let called = world.calls.iter().filter(mine);
    let called: BTreeSet<_> = called
        .map(|call| {
            call.caller
                .map(|caller| caller.application.to_string())
                .unwrap_or_default()
        })
        .collect();
    assert_eq!(found, called);
}

#[tokio::test]
async fn they_are_bounded() {
    let world = world().await;
    let few = SumsQuery {
        sums_max: 3,
        ..question(&[Dimension::Application])
    };
    assert_eq!(world.lake.sums(few, Limits::default()).await.unwrap().len(), 3);
    let limits = Limits {
        memory_bytes: 100_000,
        ..Limits::default()
    };
    let all = question(&[Dimension::Application, Dimension::Operation, Dimension::Status]);
    let stopped = world.lake.sums(all, limits).await;
    assert!(matches!(stopped, Err(Error::Memory { .. })), "{stopped:?}");
}

const ANY: &str = "127.0.0.1:0";
const SECRET: &str = "known by all";

/// How a scheduler is asked.
fn asking(scheduler: SocketAddr, secret: &str) -> Cluster {
    Cluster::new(&ClusterOptions {
        scheduler: scheduler.to_string(),
        secret: secret.to_owned().into(),
        days_min: 0,
        partitions: 4,
    })
}

/// Starts a scheduler.
async fn scheduler() -> SocketAddr {
    let scheduler = Scheduler::bind(ANY.parse().unwrap(), SECRET.to_owned().into())
        .await
        .unwrap();
    let address = scheduler.address().unwrap();
    tokio::spawn(scheduler.run(std::future::pending()));
    address
}

/// Starts an executor, as if it were a process of its own.
async fn executor(scheduler: SocketAddr, place: &Place, folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let options = ExecutorOptions {
        scheduler_host: host(scheduler.ip()),
        scheduler_port: scheduler.port(),
        secret: SECRET.to_owned().into(),
        host: None,
        cores: 2,
        memory_bytes: 256 << 20,
        folder: folder.to_owned(),
    };
    let executor = Executor::bind(ANY.parse().unwrap(), place.clone(), options)
        .await
        .unwrap();
    tokio::spawn(executor.run());
}

/// Asks until there is an executor.
async fn ask(cluster: &Cluster, calls: &DeltaTable, question: &SumsQuery) -> Vec<CallSums> {
    for _ in 0..600 {
        let Ok(rows) = afar(cluster, calls, question).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let found = rows.map(|batch| read(&batch.unwrap(), question).unwrap());
        return found.collect::<Vec<_>>().await.concat();
    }
    panic!("no executor comes")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_finds_the_same() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let place = Place::directory(world.directory.path()).unwrap();
    let scheduler = scheduler().await;
    let executors = ["one", "other"].map(|name| folder.path().join(name));
    for folder in &executors {
        executor(scheduler, &place, folder).await;
    }
    let cluster = asking(scheduler, SECRET).far();
    let calls = world.lake.calls.newest().await.unwrap();
    for question in questions() {
        let found = told(ask(&cluster, &calls, &question).await);
        assert_eq!(found, expected(&world.calls, &question), "{question:?}");
    }
    for folder in &executors {
        assert!(
            folder.read_dir().unwrap().next().is_some(),
            "it has computed something"
        );
    }

    let stranger = asking(scheduler, "guessed");
    let refused = afar(&stranger, &calls, &question(&[])).await;
    let said = refused.err().unwrap().to_string();
    assert!(said.contains("the cluster's token"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cluster_they_are_computed_here() {
    let world = world().await;
    let calls = world.lake.calls.newest().await.unwrap();
    let idle = asking(scheduler().await, SECRET);
    let refused = afar(&idle, &calls, &question(&[])).await;
    let said = refused.err().unwrap().to_string();
    assert!(said.contains("there is no executor"), "{said}");
    let gone = asking("127.0.0.1:1".parse().unwrap(), SECRET);
    for cluster in [idle, gone] {
        let lake = Lake::new(&Place::directory(world.directory.path()).unwrap()).with_cluster(cluster);
        let found = lake.sums(question(&[]), Limits::default()).await.unwrap();
        assert_eq!(told(found), expected(&world.calls, &question(&[])));
    }
}
