use std::collections::BTreeMap;
use std::time::Duration;

use deltalake::arrow::array::{Array, Int64Array, RecordBatch};
use deltalake::arrow::util::display::{ArrayFormatter, FormatOptions};
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use domain::id::OrganizationId;
use domain::lake::RowFormat;
use events::{Batch, Call, Event, Sink};
use futures_util::TryStreamExt;

use super::{Error, Limits, Tenant, encode};
use crate::Lake;
use crate::commit::tests::node;
use crate::place::Place;
use crate::sample::{START_MICROS, Sample, application_id, consumer_id, provider_id};

struct World {
    lake: Lake,
    calls: Vec<Call>,
    _directory: tempfile::TempDir,
}

const MINE: u64 = 1;
const OTHER: u64 = 2;

async fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::new(&Place::directory(directory.path()).unwrap());
    // Four hours around midnight.
    let events = Sample::new(7, START_MICROS, 4_800_000).events(3000);
    lake.commit(node(1), &[Batch::of(1, &events[..2000])])
        .await
        .unwrap();
    lake.commit(node(1), &[Batch::of(2, &events[2000..])])
        .await
        .unwrap();
    let calls = events.iter().filter_map(|event| match event {
        Event::Call(call) => Some(*call),
        _ => None,
    });
    World {
        calls: calls.collect(),
        lake,
        _directory: directory,
    }
}

fn mine() -> Tenant {
    Tenant::Organization(provider_id(MINE))
}

fn of_provider(calls: &[Call], id: OrganizationId) -> usize {
    let is_of = |call: &&Call| call.callee.is_some_and(|callee| callee.organization == id);
    calls.iter().filter(is_of).count()
}

pub(crate) async fn rows(
    lake: &Lake,
    sql: &str,
    tenant: Tenant,
    limits: Limits,
) -> Result<Vec<Vec<String>>, Error> {
    let batches: Vec<RecordBatch> = lake.query(sql, tenant, limits).await?.try_collect().await?;
    let options = FormatOptions::default().with_null("none");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|c| ArrayFormatter::try_new(c, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            rows.push(
                columns
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect(),
            );
        }
    }
    Ok(rows)
}

async fn one(lake: &Lake, sql: &str, tenant: Tenant) -> String {
    let found = rows(lake, sql, tenant, Limits::default()).await;
    let found = found.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert_eq!(found.len(), 1, "{sql}: {found:?}");
    found[0].join(" ")
}

/// Which calls are looked at.
type Which = fn(&Call) -> bool;

#[tokio::test]
async fn percentiles_of_groups_are_those_of_their_rows() {
    let world = world().await;
    let World { lake, calls, .. } = &world;
    // What is asked, of which values, and the share of them that is below.
    let table: [(&str, Which, f64); 4] = [
        (
            "approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY latency_us)",
            |_| true,
            0.9,
        ),
        (
            "approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY latency_us DESC)",
            |_| true,
            0.1,
        ),
        (
            "approx_median(CASE WHEN bytes_in > 0 THEN latency_us END)",
            |call| call.bytes_in > 0,
            0.5,
        ),
        (
            "approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_us) FILTER (WHERE bytes_in > 0)",
            |call| call.bytes_in > 0,
            0.5,
        ),
    ];
    for (asked, is_one, share) in table {
        let sql = format!("SELECT status, {asked} FROM calls GROUP BY 1");
        let found = rows(lake, &sql, Tenant::Installation, Limits::default())
            .await
            .unwrap();
        let mut by_status: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
        for call in calls {
            let values = by_status.entry(call.status).or_default();
            values.extend(is_one(call).then_some(call.latency_us));
        }
        assert_eq!(found.len(), by_status.len());
        for row in found {
            let values = by_status.get_mut(&row[0].parse().unwrap()).unwrap();
            values.sort_unstable();
            if values.is_empty() {
                assert_eq!(row[1], "none");
                continue;
            }
            let last = (values.len() - 1) as f64;
            let least = values[(last * (share - 0.05)).floor() as usize] as f64;
            let greatest = values[(last * (share + 0.05)).ceil().min(last) as usize] as f64;
            let range = least..=greatest;
            let found: f64 = row[1].parse().unwrap();
            assert!(range.contains(&found), "{asked}: {found} in {range:?}");
        }
    }
    let wrong =
        "SELECT status, approx_percentile_cont(2) WITHIN GROUP (ORDER BY latency_us) FROM calls GROUP BY 1";
    let refused = rows(lake, wrong, Tenant::Installation, Limits::default()).await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn each_side_sees_its_calls() {
    let world = world().await;
    let World { lake, calls, .. } = &world;
    let all = calls.len().to_string();
    assert_eq!(
        one(lake, "SELECT count(*) FROM calls", Tenant::Installation).await,
        all
    );
    let known = calls.iter().filter(|call| call.caller.is_some()).count();
    let sql = "SELECT count(*) FROM calls_made";
    assert_eq!(one(lake, sql, Tenant::Installation).await, known.to_string());

    let provided = of_provider(calls, provider_id(MINE));
    assert!(provided > 100);
    assert_eq!(
        one(lake, "SELECT count(*) FROM calls", mine()).await,
        provided.to_string()
    );
    assert_eq!(one(lake, "SELECT count(*) FROM calls_made", mine()).await, "0");

    let consumer = Tenant::Organization(consumer_id(0));
    let made = calls.iter().filter(|call| {
        call.caller
            .is_some_and(|caller| caller.organization == consumer_id(0))
    });
    let made = made.count();
    assert!(made > 10);
    assert_eq!(
        one(lake, "SELECT count(*) FROM calls_made", consumer).await,
        made.to_string()
    );
    assert_eq!(one(lake, "SELECT count(*) FROM calls", consumer).await, "0");
    let sql = format!(
        "SELECT count(DISTINCT organization_id) FROM calls_made WHERE application_id = '{}'",
        application_id(0)
    );
    assert_ne!(one(lake, &sql, consumer).await, "0");
    let variants = lake
        .query("SELECT variant FROM calls_made", consumer, Limits::default())
        .await;
    assert_eq!(variants.unwrap_err().reason(), "meaning");
}

#[tokio::test]
async fn sums_are_those_of_the_events() {
    let world = world().await;
    let World { lake, calls, .. } = &world;
    let wanted: u64 = calls.iter().map(|call| call.bytes_out).sum();
    assert_eq!(
        one(lake, "SELECT sum(bytes_out) FROM calls", Tenant::Installation).await,
        wanted.to_string()
    );
    let second = calls
        .iter()
        .filter(|call| call.started_at.to_string().starts_with("2026-11-21"))
        .count();
    assert!(second > 0);
    let sql = "SELECT count(*) FROM calls WHERE date = '2026-11-21'";
    assert_eq!(one(lake, sql, Tenant::Installation).await, second.to_string());
    let sql = "SELECT count(*) FROM calls WHERE started_at >= '2026-11-21T00:00:00Z'";
    assert_eq!(one(lake, sql, Tenant::Installation).await, second.to_string());
    let errors = calls.iter().filter(|call| call.status >= 500).count();
    let sql = "SELECT sum(n) FROM (SELECT date_trunc('hour', started_at) AS hour, count(*) AS n FROM calls \
               WHERE status >= 500 GROUP BY 1) AS hours";
    assert_eq!(one(lake, sql, Tenant::Installation).await, errors.to_string());
    let sql = "SELECT application_id, count(*) AS n, rank() OVER (ORDER BY count(*) DESC) FROM calls \
               WHERE application_id IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1 LIMIT 1";
    assert!(
        one(lake, sql, Tenant::Installation)
            .await
            .starts_with(&application_id(0).to_string())
    );
}

#[tokio::test]
async fn no_statement_reaches_what_is_not_the_askers() {
    let world = world().await;
    let World { lake, calls, .. } = &world;
    let own = of_provider(calls, provider_id(MINE)).to_string();
    let other = provider_id(OTHER);
    assert!(of_provider(calls, other) > 0);
    let nothing = [
        format!("SELECT count(*) FROM calls WHERE organization_id = '{other}'"),
        format!(
            "SELECT count(*) FROM calls WHERE organization_id = '{other}' OR (1=1 AND organization_id <> '{}')",
            provider_id(MINE)
        ),
        format!("SELECT count(*) FROM (SELECT * FROM calls) AS c WHERE c.organization_id = '{other}'"),
        format!("WITH c AS (SELECT * FROM calls) SELECT count(*) FROM c WHERE organization_id = '{other}'"),
        format!("SELECT count(*) FROM calls AS calls_made WHERE calls_made.organization_id = '{other}'"),
        format!("SELECT count(*) FROM lake.public.calls WHERE organization_id = '{other}'"),
        format!(
            "SELECT count(*) FROM calls a JOIN calls b ON a.request_id = b.request_id WHERE b.organization_id = '{other}'"
        ),
        format!(
            "SELECT count(*) FROM calls a WHERE EXISTS (SELECT 1 FROM calls b WHERE b.method = a.method AND b.organization_id = '{other}')"
        ),
        "SELECT count(*) FROM calls WHERE organization_id IS NULL".to_owned(),
        format!("SELECT count(*) FROM calls_made WHERE organization_id = '{other}'"),
        format!(
            "SELECT count(*) FROM (SELECT organization_id AS o FROM calls UNION ALL SELECT organization_id FROM calls_made) AS u WHERE o = '{other}'"
        ),
        format!("SELECT count(*) /* a comment */ FROM calls -- another\nWHERE organization_id = '{other}'"),
    ];
    for sql in &nothing {
        assert_eq!(one(lake, sql, mine()).await, "0", "{sql}");
    }
    for sql in [
        "SELECT count(*) FROM calls WHERE 1 = 1 OR organization_id <> ''",
        "SELECT count(*) FROM calls a LEFT JOIN calls_made b ON a.request_id = b.request_id",
        "SELECT max(n) FROM (SELECT count(*) AS n FROM calls UNION ALL SELECT count(*) FROM calls_made) AS u",
        "SELECT (SELECT count(*) FROM calls)",
        "SELECT count(request_id) FROM (SELECT * FROM calls ORDER BY started_at) AS s",
    ] {
        assert_eq!(one(lake, sql, mine()).await, own, "{sql}");
    }
}

/// Conditions that fail on a row of somebody else, if they are computed on it.
#[tokio::test]
async fn conditions_are_not_computed_on_what_is_not_the_askers() {
    let world = world().await;
    let other = provider_id(OTHER);
    for condition in [
        format!("1 / (CASE WHEN organization_id = '{other}' THEN 0 ELSE 1 END) = 1"),
        format!("CAST(CASE WHEN organization_id = '{other}' THEN request_id ELSE '1' END AS INT) = 1"),
        format!(
            "1 / (CASE WHEN organization_id = '{other}' THEN status - status ELSE 1 END) = 1 AND date > '2000-01-01'"
        ),
    ] {
        let sql = format!("SELECT count(*) FROM calls WHERE {condition}");
        let own = of_provider(&world.calls, provider_id(MINE)).to_string();
        assert_eq!(one(&world.lake, &sql, mine()).await, own, "{sql}");
        let all = rows(&world.lake, &sql, Tenant::Installation, Limits::default()).await;
        assert_eq!(all.unwrap_err().reason(), "value", "{sql}");
    }
}

#[tokio::test]
async fn plans_tell_nothing_of_the_files() {
    let world = world().await;
    let sql = "EXPLAIN SELECT count(*) FROM calls WHERE status = 200";
    let told = rows(&world.lake, sql, mine(), Limits::default()).await.unwrap();
    let told = format!("{told:?}");
    assert!(told.contains("StreamingTableExec"), "{told}");
    for secret in ["parquet", "file:", "/tmp", "org_", "DataSource", "_delta_log"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
}

#[tokio::test]
async fn what_does_more_than_read_is_refused() {
    let world = world().await;
    let cases = [
        ("", "statements"),
        ("SELECT 1; SELECT 2", "statements"),
        ("SELECT 1; DROP TABLE calls", "statements"),
        ("SELEC 1", "syntax"),
        ("SELECT (", "syntax"),
        ("INSERT INTO calls SELECT * FROM calls", "not_allowed"),
        ("UPDATE calls SET status = 1", "not_allowed"),
        ("DELETE FROM calls", "not_allowed"),
        ("CREATE TABLE t AS SELECT * FROM calls", "not_allowed"),
        ("CREATE VIEW v AS SELECT * FROM calls", "not_allowed"),
        (
            "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc'",
            "not_allowed",
        ),
        ("COPY calls TO '/tmp/calls.parquet'", "not_allowed"),
        ("COPY (SELECT 1) TO '/tmp/x.csv'", "not_allowed"),
        ("SET datafusion.execution.batch_size = 1", "not_allowed"),
        ("SHOW TABLES", "not_allowed"),
        ("SHOW ALL", "not_allowed"),
        ("DESCRIBE calls", "not_allowed"),
        ("PREPARE p AS SELECT 1", "not_allowed"),
        ("BEGIN", "not_allowed"),
        ("EXPLAIN ANALYZE SELECT count(*) FROM calls", "not_allowed"),
        ("EXPLAIN DROP TABLE calls", "not_allowed"),
        ("SELECT * INTO t FROM calls", "not_allowed"),
        ("SELECT * FROM nothing", "meaning"),
        ("SELECT nothing FROM calls", "meaning"),
        ("SELECT * FROM information_schema.tables", "meaning"),
        ("SELECT * FROM '/etc/passwd'", "meaning"),
        ("SELECT * FROM 'file:///etc/passwd'", "meaning"),
        ("SELECT * FROM other.public.calls", "meaning"),
        ("SELECT * FROM read_parquet('/etc/passwd')", "meaning"),
        ("SELECT * FROM read_csv('/etc/passwd')", "meaning"),
        ("SELECT * FROM generate_series(1, 10000000000)", "meaning"),
        ("SELECT * FROM range(1, 10000000000)", "meaning"),
        (
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
            "meaning",
        ),
        ("SELECT repeat('x', 1000000000)", "meaning"),
        ("SELECT lpad('x', 1000000000)", "meaning"),
        ("SELECT array_agg(request_id) FROM calls", "meaning"),
        ("SELECT string_agg(request_id, ',') FROM calls", "meaning"),
        ("SELECT concat(request_id, request_id) FROM calls", "meaning"),
        ("SELECT request_id || request_id FROM calls", "function"),
        ("SELECT version()", "meaning"),
        ("SELECT unnest([1, 2, 3])", "function"),
    ];
    for (sql, reason) in cases {
        for tenant in [mine(), Tenant::Installation] {
            let refused = rows(&world.lake, sql, tenant, Limits::default()).await;
            let refused = refused.map_err(|error| (error.reason(), error.to_string()));
            assert!(
                matches!(&refused, Err((found, _)) if *found == reason),
                "{sql}: {refused:?}"
            );
        }
    }
    let long = format!("SELECT {}", "1+".repeat(20_000));
    let refused = world.lake.query(&long, mine(), Limits::default()).await;
    assert_eq!(refused.unwrap_err().reason(), "length");
}

#[tokio::test]
async fn errors_say_where() {
    let world = world().await;
    let refused = world
        .lake
        .query("SELECT *\nFORM calls", mine(), Limits::default())
        .await
        .unwrap_err();
    assert_eq!(refused.place(), Some((2, 1)), "{refused}");
    let refused = world
        .lake
        .query("SELECT statut FROM calls", mine(), Limits::default())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("statut"), "{refused}");
}

/// Statements that are short, and whose parts put in place of each other are beyond all measure.
#[tokio::test]
async fn what_grows_in_itself_is_refused_at_once() {
    let world = world().await;
    let mut tables = "WITH t0 AS (SELECT status AS s FROM calls)".to_owned();
    let mut sums = tables.clone();
    for number in 1..=30 {
        let before = number - 1;
        tables.push_str(&format!(
            ", t{number} AS (SELECT a.s FROM t{before} a CROSS JOIN t{before} b)"
        ));
        sums.push_str(&format!(", t{number} AS (SELECT s + s AS s FROM t{before})"));
    }
    for sql in [
        format!("{tables} SELECT * FROM t30"),
        format!("{sums} SELECT * FROM t30 WHERE s > 1"),
    ] {
        let refused = world.lake.query(&sql, mine(), Limits::default()).await;
        assert_eq!(refused.unwrap_err().reason(), "complexity", "{sql}");
    }
    let deep = format!("SELECT {}1{}", "(".repeat(1000), ")".repeat(1000));
    assert_eq!(
        world
            .lake
            .query(&deep, mine(), Limits::default())
            .await
            .unwrap_err()
            .reason(),
        "syntax"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_end_queries() {
    let world = world().await;
    let lake = &world.lake;
    let all = Tenant::Installation;
    let limits = Limits::default();

    let few = Limits { rows: 10, ..limits };
    let found = rows(lake, "SELECT request_id FROM calls", all, few)
        .await
        .unwrap();
    assert_eq!(found.len(), 10);

    let little = Limits {
        memory_bytes: 100_000,
        ..limits
    };
    let sql = "SELECT request_id, count(*) FROM calls GROUP BY 1 ORDER BY 2";
    assert_eq!(rows(lake, sql, all, little).await.unwrap_err().reason(), "memory");

    let short = Limits {
        time: Duration::from_millis(50),
        ..limits
    };
    let sql = "SELECT a.request_id, count(*) FROM calls a JOIN calls b ON a.status = b.status \
               WHERE a.bytes_out + b.bytes_out > 1 GROUP BY 1";
    assert_eq!(rows(lake, sql, all, short).await.unwrap_err().reason(), "time");
    let sql = "SELECT a.request_id FROM calls a JOIN calls b ON a.status = b.status ORDER BY b.request_id";
    let little = Limits {
        memory_bytes: 1 << 20,
        time: Duration::from_secs(60),
        ..limits
    };
    assert_eq!(rows(lake, sql, all, little).await.unwrap_err().reason(), "memory");
}

/// They would not end, and could not be stopped while they go through the other side.
#[tokio::test]
async fn joins_of_everything_with_everything_are_refused() {
    let world = world().await;
    for sql in [
        "SELECT count(*) FROM calls a CROSS JOIN calls b",
        "SELECT count(*) FROM calls a, calls b WHERE a.bytes_out + b.bytes_out = 1",
        "SELECT count(*) FROM calls a JOIN calls b ON a.started_at < b.started_at",
        "SELECT count(*) FROM calls a WHERE EXISTS (SELECT 1 FROM calls b WHERE b.started_at < a.started_at)",
    ] {
        let refused = world.lake.query(sql, mine(), Limits::default()).await;
        assert_eq!(refused.unwrap_err().reason(), "join", "{sql}");
    }
    for sql in [
        "SELECT count(*) FROM calls a, calls b WHERE a.request_id = b.request_id",
        "SELECT status, count(*) * 100 / (SELECT count(*) FROM calls) FROM calls GROUP BY 1",
        "SELECT count(*) FROM calls CROSS JOIN (VALUES (1), (2)) AS times (n)",
        "SELECT count(*) FROM calls a CROSS JOIN (SELECT status FROM calls LIMIT 10) b WHERE a.status < b.status",
    ] {
        let answered = rows(&world.lake, sql, mine(), Limits::default()).await;
        assert!(!answered.unwrap().is_empty(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_are_given_back_when_nobody_waits() {
    let world = world().await;
    let lake = &world.lake;
    let endless = "SELECT a.request_id FROM calls a JOIN calls b ON a.status = b.status";
    for _ in 0..3 {
        let mut answers = Vec::new();
        let busy = loop {
            match lake.query(endless, Tenant::Installation, Limits::default()).await {
                Ok(answer) => answers.push(answer),
                Err(error) => break error,
            }
        };
        assert_eq!((answers.len(), busy.reason()), (super::QUERIES_MAX, "busy"));
        drop(answers);
        while lake.places.0.available_permits() < super::QUERIES_MAX {
            tokio::task::yield_now().await;
        }
    }
}

async fn written(lake: &Lake, sql: &str, format: RowFormat) -> Vec<u8> {
    let answer = lake
        .query(sql, Tenant::Installation, Limits::default())
        .await
        .unwrap();
    let pieces: Vec<_> = encode(answer, format).try_collect().await.unwrap();
    pieces.concat()
}

#[tokio::test]
async fn answers_are_written_in_four_ways() {
    let world = world().await;
    let lake = &world.lake;
    let sql = "SELECT date, status, refusal, counted, started_at, bytes_out FROM calls ORDER BY started_at, request_id";
    let all = world.calls.len();

    let lines = String::from_utf8(written(lake, sql, RowFormat::Ndjson).await).unwrap();
    assert_eq!(lines.lines().count(), all);
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["date"], "2026-11-20");
    assert_eq!(
        first["started_at"].as_str().unwrap(),
        world.calls[0].started_at.to_string()
    );
    assert_eq!(first["bytes_out"], world.calls[0].bytes_out);
    assert!(lines.contains("\"refusal\":null"));

    let table = String::from_utf8(written(lake, sql, RowFormat::Csv).await).unwrap();
    assert_eq!(
        table.lines().next(),
        Some("date,status,refusal,counted,started_at,bytes_out")
    );
    assert_eq!(table.lines().count(), all + 1);
    let empty = written(lake, "SELECT status FROM calls WHERE status = 1", RowFormat::Csv).await;
    assert_eq!(empty, b"status\n");

    let file = written(lake, sql, RowFormat::Parquet).await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
    let rows: usize = reader
        .build()
        .unwrap()
        .map(|batch| batch.unwrap().num_rows())
        .sum();
    assert_eq!(rows, all);

    let stream = written(lake, sql, RowFormat::Arrow).await;
    let reader = deltalake::arrow::ipc::reader::StreamReader::try_new(stream.as_slice(), None).unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), all);
    let bytes = batches.iter().map(|batch| {
        let column = batch.column_by_name("bytes_out").unwrap();
        let column = column.as_any().downcast_ref::<Int64Array>().unwrap();
        assert_eq!(column.null_count(), 0);
        column.values().iter().sum::<i64>()
    });
    let wanted: u64 = world.calls.iter().map(|call| call.bytes_out).sum();
    assert_eq!(bytes.sum::<i64>(), i64::try_from(wanted).unwrap());
}
