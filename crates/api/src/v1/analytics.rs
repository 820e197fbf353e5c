//! Questions about calls.

use domain::analytics::{
    AnalyticsAnswer, AnalyticsQuery, Dimension, DimensionFilter, Granularity, Measure, Top,
};
use http::StatusCode;

use crate::answer;
use crate::endpoint::Endpoint;

/// `query_analytics`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![query()]
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
