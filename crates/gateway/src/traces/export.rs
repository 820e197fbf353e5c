//! Sends finished spans: a bounded queue, batches, and tries as OTLP's specification wants them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use prost::Message as _;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::span::Finished;
use super::wire::{Attributes, Request, Resource, ResourceSpans, Response, Scope, ScopeSpans};
use super::{Error, Figures, Tracer, Traces};
use crate::causes::chain;
use crate::remote::{Answer, Asking, Remote};

/// How often a batch is tried.
const TRIES_MAX: u32 = 5;
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// How long what is left may take when the node ends.
const LAST_MAX: Duration = Duration::from_secs(3);
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The conventions that attributes are named by.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.27.0";

/// Sends spans.
struct Exporter {
    remote: Remote,
    headers: HeaderMap,
    resource: Resource,
    settings: Traces,
    figures: Arc<Figures>,
}

/// What becomes of a batch that was not taken.
enum Failed {
    /// Another try may succeed, not before this.
    Again(Option<Duration>),
    /// It will never be taken.
    Never,
}

/// Starts what sends spans; it ends when no core has a tracer any more, and what is left was sent.
pub(crate) fn spawn(
    settings: &Traces,
    figures: &Arc<Figures>,
    instance: &str,
) -> Result<(Tracer, JoinHandle<()>), Error> {
    settings.check()?;
    let roots = settings.certificate.as_deref();
    let remote = Remote::new(&settings.endpoint, roots, ANSWER_BYTES_MAX).map_err(Error::Endpoint)?;
    let exporter = Exporter {
        remote,
        headers: headers(settings)?,
        resource: resource(settings, instance),
        settings: settings.clone(),
        figures: Arc::clone(figures),
    };
    let (queue, finished) = mpsc::channel(settings.max_queue_size);
    let tracer = Tracer::new(settings, queue, Arc::clone(figures));
    let body = move || match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(exporter.run(finished)),
        Err(error) => tracing::error!(%error, "traces cannot be sent"),
    };
    let thread = thread::Builder::new()
        .name("gateway-traces".to_owned())
        .spawn(body);
    Ok((tracer, thread.map_err(Error::Thread)?))
}

/// Fields of every request; those of the file may be secret, so they are never shown.
fn headers(settings: &Traces) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    let agent = concat!("gateline/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    let Some(path) = &settings.headers_file else {
        return Ok(headers);
    };
    let text = std::fs::read_to_string(path).map_err(|source| Error::File {
        path: path.clone(),
        source,
    })?;
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let field = line.split_once(':').and_then(|(name, value)| {
            let name: HeaderName = name.trim().parse().ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let (name, mut value) = field.ok_or(Error::Line { line: index + 1 })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// What is said of the node.
fn resource(settings: &Traces, instance: &str) -> Resource {
    let mut attributes = Attributes::default();
    attributes.text("service.name", &settings.service_name);
    attributes.text("service.version", env!("CARGO_PKG_VERSION"));
    attributes.text("service.instance.id", instance);
    attributes.text("telemetry.sdk.name", "gateline");
    attributes.text("telemetry.sdk.language", "rust");
    for (key, value) in &settings.resource_attributes {
        attributes.text(key, value);
    }
    Resource {
        attributes: attributes.0,
    }
}

impl Exporter {
    async fn run(self, mut finished: mpsc::Receiver<Finished>) {
        let delay = Duration::from_millis(u64::from(self.settings.schedule_delay_ms));
        loop {
            let Some(first) = finished.recv().await else {
                return;
            };
            let (until, most) = (Instant::now() + delay, self.settings.max_export_batch_size);
            let mut count = first.spans_count();
            let mut batch = vec![first];
            let mut has_ended = false;
            while count < most {
                match timeout_at(until, finished.recv()).await {
                    Ok(Some(next)) => {
                        count += next.spans_count();
                        batch.push(next);
                    }
                    Ok(None) => {
                        has_ended = true;
                        break;
                    }
                    Err(_) => break,
                }
            }
            if has_ended || finished.is_closed() {
                // Nobody waits for long when a node ends.
                if tokio::time::timeout(LAST_MAX, self.send(&batch)).await.is_err() {
                    self.figures.failed.fetch_add(count as u64, Relaxed);
                }
            } else {
                self.send(&batch).await;
            }
        }
    }

    /// Sends a batch, again and again if that may help.
    async fn send(&self, batch: &[Finished]) {
        let spans: Vec<_> = batch.iter().flat_map(Finished::spans).collect();
        let count = spans.len() as u64;
        let request = Request {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(Scope {
                        name: "gateline.gateway".to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                    }),
                    spans,
                }],
                schema_url: SCHEMA_URL.to_owned(),
            }],
        };
        let body = Bytes::from(request.encode_to_vec());
        let mut backoff = BACKOFF_MIN;
        for _ in 0..TRIES_MAX {
            match self.try_send(body.clone()).await {
                Ok(rejected) => {
                    self.figures
                        .exported
                        .fetch_add(count.saturating_sub(rejected), Relaxed);
                    self.figures.failed.fetch_add(rejected, Relaxed);
                    return;
                }
                Err(Failed::Never) => break,
                Err(Failed::Again(after)) => {
                    sleep(after.unwrap_or_else(|| jitter(backoff))).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
        self.figures.failed.fetch_add(count, Relaxed);
    }

    /// Sends a batch once; how many of its spans were rejected.
    async fn try_send(&self, body: Bytes) -> Result<u64, Failed> {
        let asking = Asking {
            method: Method::POST,
            path: "",
            headers: self.headers.clone(),
            body,
        };
        let max = Duration::from_millis(u64::from(self.settings.timeout_ms));
        let answer = self.remote.call(asking, max).await.map_err(|error| {
            tracing::warn!(error = %chain(&error), "the receiver of traces cannot be reached");
            Failed::Again(None)
        })?;
        if answer.status.is_success() {
            return Ok(rejected(&answer));
        }
        tracing::warn!(status = %answer.status, "the receiver of traces did not take spans");
        // OTLP, "Retryable response codes": all others will not be taken ever.
        match answer.status.as_u16() {
            429 | 502 | 503 | 504 => Err(Failed::Again(retry_after(&answer))),
            _ => Err(Failed::Never),
        }
    }
}

/// How many spans the receiver did not want; it is not asked to take them again.
fn rejected(answer: &Answer) -> u64 {
    let partial = Response::decode(answer.body.clone()).ok();
    let Some(partial) = partial.and_then(|response| response.partial_success) else {
        return 0;
    };
    let rejected = u64::try_from(partial.rejected_spans).unwrap_or(0);
    if rejected > 0 || !partial.error_message.is_empty() {
        let message: String = partial.error_message.chars().take(200).collect();
        tracing::warn!(rejected, message, "the receiver of traces has rejected spans");
    }
    rejected
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    let seconds = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(BACKOFF_MAX))
}

/// Between half of a time and all of it.
fn jitter(whole: Duration) -> Duration {
    let mut random = [0; 2];
    // Without randomness the wait is the longest one.
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        return whole;
    }
    whole / 2 + whole / 2 * u32::from(u16::from_le_bytes(random)) / u32::from(u16::MAX)
}
