//! What is counted of the edge, and how it is written for Prometheus.

use std::time::Duration;

use control::Counts;
use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::settings::Figure;

/// Upper bounds of the latency histogram in seconds; the promise is 0.1.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The content type of the exposition format.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    operation: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: String,
}

/// The numbers of the edge.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    latency: Family<Operation, Histogram, fn() -> Histogram>,
}

impl Metrics {
    /// Begins to count; `counts` and `figures` are asked when the numbers are written.
    pub(crate) fn new(counts: impl Fn() -> Counts + Send + Sync + 'static, figures: Vec<Figure>) -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let latency = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register(
            "gateline_control_requests",
            "Requests to the control plane by operation and status",
            requests.clone(),
        );
        registry.register(
            "gateline_control_latency_seconds",
            "Time from the request's head to the answer's head, by operation",
            latency.clone(),
        );
        registry.register_collector(Box::new(Asked {
            counts: Box::new(counts),
            figures,
        }));
        Self {
            registry,
            requests,
            latency,
        }
    }

    /// Counts a request; `operation` is one of the document or `-`, so the number of series is bounded.
    pub(crate) fn count(&self, operation: &str, status: StatusCode, elapsed: Duration) {
        let operation = operation.to_owned();
        let status = status.as_u16();
        let request = Request {
            operation: operation.clone(),
            status,
        };
        self.requests.get_or_create(&request).inc();
        self.latency
            .get_or_create(&Operation { operation })
            .observe(elapsed.as_secs_f64());
    }

    /// All numbers in the exposition format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

/// Numbers that are kept elsewhere.
struct Asked {
    counts: Box<dyn Fn() -> Counts + Send + Sync>,
    figures: Vec<Figure>,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asked")
    }
}

impl Collector for Asked {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts = (self.counts)();
        let counters = [
            ("gateline_sign_ins", "Sign-ins that succeeded", counts.sign_ins),
            (
                "gateline_sign_in_failures",
                "Sign-ins with a wrong name or password",
                counts.sign_ins_failed,
            ),
            (
                "gateline_sign_ins_delayed",
                "Sign-ins refused after too many failures",
                counts.sign_ins_delayed,
            ),
            (
                "gateline_refresh_reused",
                "Refresh tokens used a second time",
                counts.refresh_reused,
            ),
            (
                "gateline_stream_missed",
                "Calls that live streams left out because they were read too slowly",
                counts.stream_missed,
            ),
            (
                "gateline_alert_rules_judged",
                "Times that an alert rule was judged",
                counts.alert_rules_judged,
            ),
            (
                "gateline_alert_rules_undecided",
                "Times that an alert rule could not be judged",
                counts.alert_rules_undecided,
            ),
            (
                "gateline_alert_notices_delivered",
                "Notifications of alerts that were received",
                counts.alert_notices_delivered,
            ),
            (
                "gateline_alert_notice_tries_failed",
                "Tries to send a notification that failed",
                counts.alert_notice_tries_failed,
            ),
            (
                "gateline_alert_notices_given_up",
                "Notifications that nobody tries to send any more",
                counts.alert_notices_given_up,
            ),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let streams = ConstGauge::new(counts.streams);
        let help = "Live streams that are open";
        let kind = streams.metric_type();
        streams.encode(encoder.encode_descriptor("gateline_streams", help, None, kind)?)?;
        for figure in &self.figures {
            let gauge = ConstGauge::new((figure.read)());
            gauge.encode(encoder.encode_descriptor(
                figure.name,
                figure.help,
                None,
                gauge.metric_type(),
            )?)?;
        }
        Ok(())
    }
}
