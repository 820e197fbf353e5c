//! Live streams: calls as they are counted, and sums as they change.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use control::Error;
use control::live::{LiveFilters, Stream, Tail, TailQuery, Told, Watch, WatchQuery};
use domain::Code;
use domain::analytics::{AnalyticsAnswer, Dimension, Measure};
use domain::live::{LiveCall, LiveEnd, LiveHello, LiveMissed, LiveView};
use events::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::call::{Call, invalid};
use crate::endpoint::Endpoint;
use crate::parameter::{Parameter, one_of, text};
use crate::stream::{self, Sent, Source};

/// The most statuses of a filter.
const STATUSES_MAX: usize = 20;
/// The greatest latency that can be asked for: a day.
const LATENCY_MAX_US: u64 = 86_400_000_000;

/// `tail_calls`, `watch_analytics`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![tail(), watch()]
}

fn tail() -> Endpoint {
    let view = "Whose calls: those of your APIs (`provided`), or those that your applications made (`made`).";
    let methods: Vec<_> = Method::ALL.iter().map(|method| method.as_str()).collect();
    let latency = json!({ "type": "integer", "minimum": 0, "maximum": LATENCY_MAX_US, "default": 0 });
    let share = json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 1 });
    let after = "The `id` of the last event you have, for who cannot send `Last-Event-ID`.";
    let last =
        "The `id` of the last event you have: calls since then come first, as far as they are remembered.";
    let views = LiveView::ALL.map(LiveView::as_str);
    Endpoint::get("/api/v1/analytics/calls", "tail_calls")
        .tag("usage")
        .says(
            "Watch calls",
            "Server-sent events: each call as a `call` event as soon as it is counted, about a second after it ended, \
             with the columns that it has in `calls`, or `calls_made`, of `query_calls`. The first event, `hello`, names \
             the nodes whose calls are told: those that report to the process that answers. Who reads too slowly loses \
             the oldest calls and is told so by a `missed` event. An `end` event says why the server ends the stream. \
             With `Upgrade: websocket` the same comes as messages `{\"event\": …, \"id\": …, \"data\": …}` of a WebSocket.",
        )
        .takes(Parameter::query("view", view, one_of(&views)))
        .takes_all(filters())
        .takes(Parameter::query("method", "Only calls with this method.", one_of(&methods)))
        .takes(Parameter::query("latency_min_us", "Only calls that took at least so many microseconds.", latency))
        .takes(Parameter::query("sample", "Only this share of the calls that fit, by chance.", share))
        .takes(Parameter::query("after", after, text(100)))
        .takes(Parameter::header("Last-Event-ID", last, text(100)))
        .mentions::<LiveHello>()
        .mentions::<LiveMissed>()
        .mentions::<LiveEnd>()
        .streams::<LiveCall>("The calls.")
        .refuses(&[Code::StreamsLimited])
        .to(answer_calls)
}

fn watch() -> Endpoint {
    let interval = json!({ "type": "integer", "minimum": 1, "maximum": 60, "default": 2 });
    let window = json!({ "type": "integer", "minimum": 1, "maximum": 60, "default": 15 });
    let measures = "What is measured, separated by commas, as in `query_analytics`; `calls,error_rate,latency_p95_us` if absent.";
    let dimensions = "What rows are told apart by, separated by commas, as in `query_analytics`; at most 4.";
    Endpoint::get("/api/v1/analytics/live", "watch_analytics")
        .tag("usage")
        .says(
            "Watch sums of calls",
            "Server-sent events: an `answer` event with sums by minute of the last minutes, then another one whenever they \
             have changed. They are of the calls of your APIs and of those that your applications made, as in \
             `query_analytics`, and of all nodes. An `end` event says why the server ends the stream. With `Upgrade: \
             websocket` the same comes as messages `{\"event\": …, \"data\": …}` of a WebSocket.",
        )
        .takes(Parameter::query("measures", measures, text(400)))
        .takes(Parameter::query("dimensions", dimensions, text(100)))
        .takes_all(filters())
        .takes(Parameter::query("interval_seconds", "The least time between two answers.", interval))
        .takes(Parameter::query("window_minutes", "How many minutes until now they are about.", window))
        .mentions::<LiveEnd>()
        .streams::<AnalyticsAnswer>("The answers.")
        .refuses(&[Code::StreamsLimited, Code::RequestInvalid])
        .to(answer_sums)
}

/// The parameters that both streams have.
fn filters() -> [Parameter; 5] {
    let only = |name, description, chars_max| Parameter::query(name, description, text(chars_max));
    [
        only("api", "Only calls of this API: its id or name.", 100),
        only(
            "application",
            "Only calls of this application: its id or name.",
            100,
        ),
        only("operation", "Only calls of this operation: its id or name.", 200),
        only(
            "status",
            "Only calls with one of these statuses, separated by commas: `404`, `5xx`.",
            100,
        ),
        only(
            "refusal",
            "Only calls that the gateway answered itself with this error code, as `rate_limited`.",
            100,
        ),
    ]
}

fn asked(call: &Call) -> Result<LiveFilters, Error> {
    let own = |name| call.query(name).map(str::to_owned);
    let statuses = list::<String>(call, "status")?;
    if statuses.len() > STATUSES_MAX {
        return Err(invalid("status", &format!("more than {STATUSES_MAX} were named")));
    }
    let statuses = statuses.iter().map(|text| {
        text.parse()
            .map_err(|error| invalid("status", &format!("`{text}`: {error}")))
    });
    let refusal = call.query("refusal").map(|text| {
        let found = Code::ALL.iter().find(|code| code.as_str() == text);
        found
            .copied()
            .ok_or_else(|| invalid("refusal", &format!("`{text}` is no error code")))
    });
    Ok(LiveFilters {
        api: own("api"),
        application: own("application"),
        operation: own("operation"),
        statuses: statuses.collect::<Result<_, _>>()?,
        refusal: refusal.transpose()?,
    })
}

/// The words of a parameter, separated by commas.
fn list<T: DeserializeOwned>(call: &Call, name: &str) -> Result<Vec<T>, Error> {
    let words = call.query(name).unwrap_or_default().split(',').map(str::trim);
    let words = words.filter(|word| !word.is_empty());
    let read = |word: &str| serde_json::from_value(Value::from(word)).map_err(|error| invalid(name, &error));
    words.map(read).collect()
}

/// A number within bounds.
fn within(call: &Call, name: &str, (least, default, most): (u64, u64, u64)) -> Result<u64, Error> {
    let number = call.query_as::<u64>(name)?.unwrap_or(default);
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(invalid(name, &format!("it is not {least} to {most}")))
}

async fn answer_calls(call: Call) -> Result<Response, Error> {
    let method = call.query("method").map(|text| {
        let found = Method::ALL.into_iter().find(|method| method.as_str() == text);
        found.ok_or_else(|| {
            invalid(
                "method",
                &format!("`{text}` is not one of those that are told apart"),
            )
        })
    });
    let after = call.header("last-event-id").or(call.query("after"));
    let query = TailQuery {
        view: call.query_as("view")?.unwrap_or_default(),
        filters: asked(&call)?,
        method: method.transpose()?,
        latency_min_us: within(&call, "latency_min_us", (0, 0, LATENCY_MAX_US))?,
        sample: call.query_as("sample")?,
        after: after.map(str::to_owned),
    };
    let tail = call.control().tail(&call.caller, &query).await?;
    let hello = Sent::new("hello", None, tail.hello())?;
    stream::answer(call, Stream::Calls, vec![hello], Calls(tail)).await
}

async fn answer_sums(call: Call) -> Result<Response, Error> {
    let mut measures = list::<Measure>(&call, "measures")?;
    if measures.is_empty() {
        measures = vec![Measure::Calls, Measure::ErrorRate, Measure::LatencyP95Us];
    }
    let query = WatchQuery {
        measures,
        dimensions: list::<Dimension>(&call, "dimensions")?,
        filters: asked(&call)?,
        interval: Duration::from_secs(within(&call, "interval_seconds", (1, 2, 60))?),
        window: Duration::from_secs(60 * within(&call, "window_minutes", (1, 15, 60))?),
    };
    let mut watch = call.control().watch(&call.caller, &query).await?;
    let first = answered(&watch.first()?)?;
    stream::answer(call, Stream::Sums, first, Sums(watch)).await
}

struct Calls(Tail);

impl Source for Calls {
    async fn next(&mut self) -> Result<Vec<Sent>, Error> {
        let told = self.0.next().await;
        let sent = told.into_iter().map(|told| match told {
            Told::Missed(missed) => Sent::new("missed", None, &LiveMissed { missed }),
            Told::Call(id, call) => Sent::new("call", Some(id), &call),
        });
        sent.collect()
    }
}

struct Sums(Watch);

impl Source for Sums {
    async fn next(&mut self) -> Result<Vec<Sent>, Error> {
        answered(&self.0.next().await?)
    }
}

fn answered(answer: &Arc<AnalyticsAnswer>) -> Result<Vec<Sent>, Error> {
    Ok(vec![Sent::new("answer", None, &**answer)?])
}
