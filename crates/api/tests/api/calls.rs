//! Questions about single calls: who asks, what is passed on, and how what goes wrong is told.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use control::lake::{Lake, Later, Query, QueryError, QueryErrorKind, Rows, Trouble};
use domain::Timestamp;
use domain::analytics::Dimension;
use domain::id::NodeId;
use domain::lake::{CallSums, Retention, RowFormat, Subject, SumsQuery};
use events::Batch;
use events::sink::SinkError;
use http::Method;
use serde_json::json;

use crate::app::TestApp;

const SQL: &str = "/api/v1/analytics/sql";
const QUERY: &str = "/api/v1/analytics/query";

/// Notes what it is asked, and answers or refuses as the statement says.
#[derive(Default)]
pub(crate) struct Noting {
    queries: Mutex<Vec<Query>>,
    batches: Mutex<Vec<u64>>,
    erased: Mutex<Vec<Subject>>,
    sums: Mutex<Vec<SumsQuery>>,
}

struct Pieces(std::vec::IntoIter<Result<Bytes, QueryError>>);

impl Rows for Pieces {
    fn next(&mut self) -> Later<'_, Option<Result<Bytes, QueryError>>> {
        let next = self.0.next();
        Box::pin(async move { next })
    }
}

fn refused(kind: QueryErrorKind, reason: &'static str) -> QueryError {
    QueryError {
        kind,
        reason,
        message: format!("it is refused: {reason}"),
        place: (reason == "syntax").then_some((2, 7)),
    }
}

impl Lake for Noting {
    fn commit<'a>(&'a self, _: NodeId, batches: &'a [Batch]) -> Later<'a, Result<u64, SinkError>> {
        let mut noted = self.batches.lock().unwrap();
        noted.extend(batches.iter().map(Batch::sequence));
        let last = noted.last().copied().unwrap_or(0);
        Box::pin(async move { Ok(last) })
    }

    fn query(&self, query: Query) -> Later<'_, Result<Box<dyn Rows>, QueryError>> {
        let answer = match query.sql.as_str() {
            "syntax" => Err(refused(QueryErrorKind::Invalid, "syntax")),
            "memory" => Err(refused(QueryErrorKind::Stopped, "memory")),
            "busy" => Err(refused(QueryErrorKind::Busy, "busy")),
            "away" => Err(refused(QueryErrorKind::Unavailable, "unavailable")),
            "value" => Ok(vec![Err(refused(QueryErrorKind::Invalid, "value"))]),
            "nothing" => Ok(Vec::new()),
            _ => Ok(vec![Ok("{\"n\":1}\n".into()), Ok("{\"n\":2}\n".into())]),
        };
        self.queries.lock().unwrap().push(query);
        Box::pin(async move { Ok(Box::new(Pieces(answer?.into_iter())) as Box<dyn Rows>) })
    }

    fn sums(&self, query: SumsQuery) -> Later<'_, Result<Vec<CallSums>, QueryError>> {
        let found = CallSums {
            span: query.spans.len().saturating_sub(1),
            dimensions: query.dimensions.iter().map(|_| "7".to_owned()).collect(),
            application: None,
            sums: [5, 4, 0, 0, 1, 0, 0, 10],
            latency: None,
        };
        let fits = query
            .filters
            .iter()
            .all(|filter| filter.dimension == Dimension::Api);
        self.sums.lock().unwrap().push(query);
        Box::pin(async move {
            if fits {
                Ok(vec![found])
            } else {
                Err(refused(QueryErrorKind::Stopped, "time"))
            }
        })
    }

    fn compact(&self) -> Later<'_, Result<(), Trouble>> {
        Box::pin(async { Ok(()) })
    }

    fn expire(&self, _: Retention, _: Timestamp) -> Later<'_, Result<(), Trouble>> {
        Box::pin(async { Ok(()) })
    }

    fn erase(&self, subject: Subject) -> Later<'_, Result<(), Trouble>> {
        self.erased.lock().unwrap().push(subject);
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_query_sees_the_organization_of_who_asks() {
    let lake = Arc::new(Noting::default());
    let app = TestApp::keeping(lake.clone()).await;
    let (owner, stranger) = (app.owner().await, app.stranger().await);
    let answer = owner
        .post(SQL, json!({ "sql": "rows", "format": "csv", "limit": 7 }))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "text/csv; charset=utf-8")
    );
    assert_eq!(answer.text(), "{\"n\":1}\n{\"n\":2}\n");
    let answer = stranger.post(SQL, json!({ "sql": "nothing" })).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, ""));
    assert_eq!(
        app.anybody().post(SQL, json!({ "sql": "rows" })).await.code(),
        "authentication_required"
    );

    let queries = lake.queries.lock().unwrap().clone();
    let [first, second] = &queries[..] else {
        panic!("{queries:?}");
    };
    assert_eq!((first.rows_max, first.format), (7, RowFormat::Csv));
    assert_eq!((second.rows_max, second.format), (1000, RowFormat::Ndjson));
    let own = owner.get("/api/v1/organizations").await.json(200);
    assert_eq!(own["data"][0]["id"], first.organization.to_string());
    let own = stranger.get("/api/v1/organizations").await.json(200);
    assert_eq!(own["data"][0]["id"], second.organization.to_string());
}

#[tokio::test]
async fn calls_are_summed_up_where_no_sums_are_kept() {
    let lake = Arc::new(Noting::default());
    let app = TestApp::keeping(lake.clone()).await;
    let owner = app.owner().await;
    let made = owner.import("shop").await;
    let filter = |dimension, value| json!({ "dimension": dimension, "values": [value] });
    let mut query = json!({
        "measures": ["calls", "error_rate"],
        "dimensions": ["operation"],
        "filters": [filter("api", "shop")],
        "from": "2019-12-31T23:00:00Z",
        "to": "2020-02-29T23:00:00Z",
        "granularity": "month",
        "time_zone": "Europe/Berlin",
    });
    let answer = owner.post(QUERY, query.clone()).await.json(200);
    let period = json!({ "from": "2019-12-31T23:00:00Z", "to": "2020-02-29T23:00:00Z" });
    assert_eq!(answer["sources"], json!([{ "kind": "calls", "period": period }]));
    let [row] = &answer["rows"].as_array().unwrap()[..] else {
        panic!("{answer}");
    };
    assert_eq!(row["time"], "2020-01-31T23:00:00Z");
    assert_eq!(row["dimensions"], json!({ "operation": "7" }));
    assert_eq!(row["values"], json!({ "calls": 5.0, "error_rate": 0.2 }));
    let [asked] = &lake.sums.lock().unwrap().clone()[..] else {
        panic!("it is asked once");
    };
    let own = owner.get("/api/v1/organizations").await.json(200);
    assert_eq!(own["data"][0]["id"], asked.organization.to_string());
    // The name of the API is not in the calls.
    let api = made["api"].as_str().unwrap().to_owned();
    assert_eq!(asked.filters[0].values, ["shop".to_owned(), api]);
    assert!(!asked.has_latency);

    query["filters"] = json!([filter("status", "200")]);
    let stopped = owner.post(QUERY, query.clone()).await;
    assert_eq!(
        stopped.problem(),
        "400 request_invalid: The calls were not summed up: it is refused: time.\n\"/granularity\" \"too_much\": \"The calls were not summed up: it is refused: time.\""
    );
    let off = TestApp::new().await;
    let refused = off.owner().await.post(QUERY, query).await.json(400);
    assert_eq!(refused["errors"][0]["pointer"], "/from");
}

#[tokio::test]
async fn what_has_no_answer_is_told() {
    let app = TestApp::keeping(Arc::new(Noting::default())).await;
    let owner = app.owner().await;
    let told = async |sql: &str| owner.post(SQL, json!({ "sql": sql })).await.problem();
    let both = "\"/sql\" \"syntax\": \"it is refused: syntax\"";
    assert_eq!(
        told("syntax").await,
        format!("400 query_invalid: it is refused: syntax\n{both}")
    );
    assert!(told("memory").await.starts_with("422 query_stopped: "));
    assert!(told("busy").await.starts_with("503 overloaded: "));
    assert!(told("away").await.starts_with("503 lake_unavailable: "));
    // Also if it goes wrong after the statement was understood, as long as nothing was answered.
    assert!(told("value").await.starts_with("400 query_invalid: "));
    let problem = owner.post(SQL, json!({ "sql": "syntax" })).await.json(400);
    assert_eq!(
        (&problem["errors"][0]["line"], &problem["errors"][0]["column"]),
        (&json!(2), &json!(7))
    );
    for limit in [0, 1_000_001] {
        let problem = owner
            .post(SQL, json!({ "sql": "rows", "limit": limit }))
            .await
            .json(400);
        assert_eq!(problem["errors"][0]["pointer"], "/limit");
    }
    let off = TestApp::new().await;
    let answer = off.owner().await.post(SQL, json!({ "sql": "rows" })).await;
    assert!(answer.problem().starts_with("501 lake_off: "));
}

#[tokio::test]
async fn nodes_give_their_batches_to_the_lake_where_there_is_one() {
    let lake = Arc::new(Noting::default());
    let batches = [4, 5].map(|sequence| Batch::of(sequence, &[]));
    let path = "/internal/v1/nodes/node_01jd9zk5v8e7rbxq3m6t4n2w0c/lake";
    let give = async |app: &TestApp, token: &str| {
        let body = events::wire::encode_batches(&batches).into();
        app.bearer(token).send(Method::POST, path, body, None).await
    };
    let app = TestApp::keeping(lake.clone()).await;
    let token = app.control.secrets().cluster_token().to_owned();
    assert_eq!(give(&app, &token).await.json(200), json!({ "committed": 5 }));
    assert_eq!(give(&app, "guessed").await.code(), "token_invalid");
    assert_eq!(*lake.batches.lock().unwrap(), [4, 5]);
    let off = TestApp::new().await;
    let token = off.control.secrets().cluster_token().to_owned();
    assert_eq!(give(&off, &token).await.code(), "lake_off");
}

#[tokio::test]
async fn calls_of_an_application_are_erased_by_its_owner_only() {
    let lake = Arc::new(Noting::default());
    let app = TestApp::keeping(lake.clone()).await;
    let (owner, stranger) = (app.owner().await, app.stranger().await);
    let spec = json!({ "name": "finder", "title": "Finder" });
    let made = owner.post("/api/v1/applications", spec).await.json(201);
    let path = format!(
        "/api/v1/applications/{}/erase-calls",
        made["id"].as_str().unwrap()
    );
    assert_eq!(stranger.post(&path, json!({})).await.code(), "not_found");
    assert_eq!(*lake.erased.lock().unwrap(), []);
    let begun = owner.post(&path, json!({})).await;
    let work = begun.header("location").to_owned();
    assert_eq!(begun.json(202)["kind"], "erase_calls");
    let ended = owner.with("prefer", "wait=10").get(&work).await.json(200);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let id = made["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(*lake.erased.lock().unwrap(), [Subject::Application(id)]);
    let entries = owner.get("/api/v1/audit?limit=1").await.json(200);
    assert_eq!(entries["data"][0]["action"], "erase_calls", "{entries}");
}

#[tokio::test]
async fn events_about_somebody_are_erased_for_the_organization_that_asks() {
    let lake = Arc::new(Noting::default());
    let app = TestApp::keeping(lake.clone()).await;
    let owner = app.owner().await;
    let path = "/api/v1/tracking/erase-events";
    for wrong in [
        json!({}),
        json!({ "user_id": "" }),
        json!({ "anonymous_id": "x".repeat(257) }),
    ] {
        assert_eq!(owner.post(path, wrong).await.code(), "request_invalid");
    }
    assert_eq!(*lake.erased.lock().unwrap(), []);
    let begun = owner.post(path, json!({ "user_id": "ann@b" })).await;
    let work = begun.header("location").to_owned();
    assert_eq!(begun.json(202)["kind"], "erase_events");
    let ended = owner.with("prefer", "wait=10").get(&work).await.json(200);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let erased = lake.erased.lock().unwrap().clone();
    let [Subject::User(organization, unit)] = &erased[..] else {
        panic!("{erased:?}")
    };
    assert_eq!(
        (unit.user_id.as_deref(), unit.anonymous_id.as_deref()),
        (Some("ann@b"), None)
    );
    let entries = owner.get("/api/v1/audit?limit=1").await.json(200);
    assert_eq!(entries["data"][0]["action"], "erase_events", "{entries}");
    assert_eq!(entries["data"][0]["resource"], organization.to_string());
    assert!(
        !entries.to_string().contains("ann@b"),
        "the record names nobody: {entries}"
    );
}
