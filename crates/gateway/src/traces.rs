//! OpenTelemetry traces: a span of each sampled request, and one of each time that it was sent to an upstream.
//!
//! Whether a request is sampled is decided when its head is there; only then is anything of it copied. A finished
//! span goes into a bounded queue that a thread of its own empties ([`export`]). Sources: W3C Trace Context level 1
//! ([`context`]), OpenTelemetry's semantic conventions of HTTP ([`span`]), OTLP 1 ([`wire`]).

pub(crate) mod context;
pub(crate) mod export;
pub(crate) mod span;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use self::context::{Context, Parent};
use self::span::Finished;
use crate::core::Ids;

/// Where traces go, and of how many requests; named as the variables `OTEL_…` are where there is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The whole address of an OTLP receiver (HTTP, protobuf), as `http://collector:4318/v1/traces`.
    pub endpoint: String,
    /// A file with header fields for it, each a line `name: value`; read when the node starts.
    #[serde(default)]
    pub headers_file: Option<PathBuf>,
    /// Certificates (PEM) to trust for it instead of those of the web.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// How long a try may take, in milliseconds: 100 to 60,000.
    #[serde(default = "timeout")]
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u32,
    /// Which requests are sampled.
    #[serde(default)]
    pub sampler: Sampler,
    /// The share of requests that is sampled where nobody has decided before: 0 to 1.
    #[serde(default = "ratio")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sampler_ratio: f64,
    /// Whether spans have the query of requests (`url.query`); it may hold what is secret.
    #[serde(default)]
    pub query: bool,
    /// `service.name` of the spans.
    #[serde(default = "service_name")]
    pub service_name: String,
    /// Further attributes of the node, as `deployment.environment.name`.
    #[serde(default)]
    pub resource_attributes: BTreeMap<String, String>,
    /// Requests whose spans may wait to be sent; those of further ones are dropped and counted. 1 to 1,000,000.
    #[serde(default = "queue_size")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_queue_size: usize,
    /// Spans that are sent at a time: 1 to 10,000.
    #[serde(default = "batch_size")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_export_batch_size: usize,
    /// How long a span waits at most for others, in milliseconds: 10 to 60,000.
    #[serde(default = "delay")]
    #[schemars(range(min = 10, max = 60_000))]
    pub schedule_delay_ms: u32,
}

const fn timeout() -> u32 {
    10_000
}

const fn ratio() -> f64 {
    1.0
}

fn service_name() -> String {
    "gateline".to_owned()
}

const fn queue_size() -> usize {
    2048
}

const fn batch_size() -> usize {
    512
}

const fn delay() -> u32 {
    5_000
}

/// Which requests are sampled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// As whoever called us has decided, and `sampler_ratio` of the others. A client can so have all its calls traced.
    #[default]
    ParentbasedTraceidratio,
    /// `sampler_ratio` of all requests, by their trace's id.
    Traceidratio,
}

/// Why traces cannot be sent as they are set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A number is out of its range.
    #[error("gateway.traces.{name}: from {least} to {most}")]
    Range {
        /// The setting.
        name: &'static str,
        /// The least.
        least: f64,
        /// The most.
        most: f64,
    },
    /// The address is none, or TLS cannot be set up.
    #[error("gateway.traces.endpoint")]
    Endpoint(#[source] crate::remote::Error),
    /// The file of header fields cannot be read.
    #[error("gateway.traces.headers_file: {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line of it is no header field; which one is told, but not what is in it.
    #[error("gateway.traces.headers_file: line {line} is not `name: value`")]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// The system gave no thread.
    #[error("starting a thread")]
    Thread(#[source] std::io::Error),
}

impl Traces {
    fn check(&self) -> Result<(), Error> {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let numbers = [
            ("timeout_ms", f64::from(self.timeout_ms), 100.0, 60_000.0),
            ("sampler_ratio", self.sampler_ratio, 0.0, 1.0),
            ("max_queue_size", self.max_queue_size as f64, 1.0, 1e6),
            (
                "max_export_batch_size",
                self.max_export_batch_size as f64,
                1.0,
                10_000.0,
            ),
            (
                "schedule_delay_ms",
                f64::from(self.schedule_delay_ms),
                10.0,
                60_000.0,
            ),
        ];
        match numbers
            .into_iter()
            .find(|(_, number, least, most)| !(*least..=*most).contains(number))
        {
            Some((name, _, least, most)) => Err(Error::Range { name, least, most }),
            None => Ok(()),
        }
    }
}

/// What became of spans.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) exported: AtomicU64,
    /// For want of room in the queue.
    pub(crate) dropped: AtomicU64,
    /// The receiver did not take them, or was away for too long.
    pub(crate) failed: AtomicU64,
}

/// Decides which requests are sampled, and takes their spans.
#[derive(Debug, Clone)]
pub(crate) struct Tracer {
    follows_parent: bool,
    /// Trace ids whose lower half is below this one are sampled; all of them if absent.
    below: Option<u64>,
    pub(crate) has_query: bool,
    queue: mpsc::Sender<Finished>,
    figures: Arc<Figures>,
}

impl Tracer {
    fn new(settings: &Traces, queue: mpsc::Sender<Finished>, figures: Arc<Figures>) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of all numbers need not be exact"
        )]
        let below =
            (settings.sampler_ratio < 1.0).then_some((settings.sampler_ratio * u64::MAX as f64) as u64);
        Self {
            follows_parent: settings.sampler == Sampler::ParentbasedTraceidratio,
            below,
            has_query: settings.query,
            queue,
            figures,
        }
    }

    /// The context of a request's span, if the request is sampled.
    pub(crate) fn sample(&self, headers: &HeaderMap, ids: &Ids) -> Option<Context> {
        let parent = Parent::read(headers);
        let is_sampled = match &parent {
            Some(parent) if self.follows_parent => parent.is_sampled,
            Some(parent) => self.is_chosen(parent.trace),
            None => true,
        };
        if !is_sampled {
            return None;
        }
        let Some(parent) = parent else {
            let trace = u128::from(ids.random()) << 64 | u128::from(ids.random());
            return self.is_chosen(trace).then(|| Context::root(trace.max(1), ids));
        };
        Some(Context::child(&parent, headers, ids))
    }

    /// By the lower half of the id, which is random (W3C Trace Context level 2) where anything is.
    const fn is_chosen(&self, trace: u128) -> bool {
        match self.below {
            None => true,
            Some(below) => (trace as u64) < below,
        }
    }

    /// Takes a request that has ended.
    pub(crate) fn take(&self, finished: Finished) {
        if self.queue.try_send(finished).is_err() {
            self.figures.dropped.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
