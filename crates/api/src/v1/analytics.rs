//! Questions about calls.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use control::Error;
use control::lake::{QueryError, Rows};
use domain::Code;
use domain::analytics::{
    AnalyticsAnswer, AnalyticsQuery, Dimension, DimensionFilter, Granularity, Measure, Top,
};
use domain::lake::{CallsQuery, RowFormat};
use futures_util::stream::{self, Stream, StreamExt};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::answer;
use crate::call::Call;
use crate::endpoint::Endpoint;

/// `query_analytics`, `query_calls`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![query(), query_calls()]
}

fn query() -> Endpoint {
    let example = AnalyticsQuery {
        measures: vec![Measure::Calls, Measure::ErrorRate, Measure::LatencyP95Us],
        dimensions: vec![Dimension::Operation],
        filters: vec![DimensionFilter {
            dimension: Dimension::StatusClass,
            values: vec!["4xx".to_owned()],
            exclude: true,
        }],
        from: "2026-11-13T00:00:00Z".parse().expect("it is a moment"),
        to: Some("2026-11-20T00:00:00Z".parse().expect("it is a moment")),
        granularity: Some(Granularity::Day),
        time_zone: Some("Europe/Berlin".to_owned()),
        compare: true,
        top: Some(Top {
            count: 5,
            by: Measure::Calls,
        }),
    };
    Endpoint::post("/api/v1/analytics/query", "query_analytics")
        .tag("usage")
        .says(
            "Ask about calls",
            "Measures of calls, told apart by time and by up to four dimensions, compared with the time before, the \
             greatest groups one by one and the others together. A provider is told of the calls of its APIs, a \
             consumer of those of its applications. A call is in the answer about a second after it ended. Sums by \
             minute are kept for 7 days, those by hour for 400; `resolution` says which were read.",
        )
        .not_idempotent()
        .body(&example)
        .answers::<AnalyticsAnswer>(200, "The answer.")
        .to(|call| async move {
            let answer = call.control().analytics(&call.caller, &call.json()?).await?;
            answer::json(StatusCode::OK, &answer)
        })
}

fn query_calls() -> Endpoint {
    let example = CallsQuery {
        sql:
            "SELECT api_id, status, count(*) AS calls FROM calls WHERE date = DATE '2026-11-20' GROUP BY 1, 2"
                .to_owned(),
        limit: 1000,
        format: RowFormat::Ndjson,
    };
    let rows = |format: RowFormat| {
        let kind = match format {
            RowFormat::Ndjson | RowFormat::Csv => json!({ "type": "string" }),
            RowFormat::Parquet | RowFormat::Arrow => json!({ "type": "string", "format": "binary" }),
        };
        (format.media_type(), kind)
    };
    Endpoint::post("/api/v1/analytics/sql", "query_calls")
        .tag("usage")
        .says(
            "Ask about single calls with SQL",
            "Rows of one `SELECT` over `calls`, the calls of the organization's APIs, `calls_made`, those that its \
             applications made, and `events`, its tracked events; in the dialect of DataFusion. A call is there some seconds after it ended. Filter by \
             `date` first: days are read one by one. An answer that breaks off is not complete.",
        )
        .not_idempotent()
        .body(&example)
        .answers_with(200, "The rows.", RowFormat::ALL.map(rows).to_vec())
        .refuses(&[
            Code::QueryInvalid,
            Code::QueryStopped,
            Code::Overloaded,
            Code::LakeOff,
            Code::LakeUnavailable,
        ])
        .to(answer_calls)
}

async fn answer_calls(call: Call) -> Result<Response, Error> {
    let query: CallsQuery = call.json()?;
    let media_type = query.format.media_type();
    let mut rows = call.control().query_calls(&call.caller, query).await?;
    // What goes wrong before the first row is told as any other error.
    let first = rows.next().await.transpose()?;
    let body = match first {
        None => Body::empty(),
        Some(first) => Body::from_stream(stream::once(async { Ok(first) }).chain(rest(rows))),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, body).into_response())
}

/// The pieces after the first; an error breaks the answer off, so that nobody takes it for all.
fn rest(rows: Box<dyn Rows>) -> impl Stream<Item = Result<Bytes, QueryError>> {
    stream::unfold(rows, async |mut rows| {
        let piece = rows.next().await?;
        Some((piece, rows))
    })
}
