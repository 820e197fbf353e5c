//! How it is found out which targets are healthy.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a check does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheckKind {
    /// `GET path` over the protocol of the upstream.
    #[default]
    Http,
    /// `grpc.health.v1.Health/Check` over HTTP/2.
    Grpc,
    /// Opens a connection and closes it.
    Tcp,
}

/// Asks every target regularly how it is; one thread of a node does, for all its cores.
///
/// The first check decides at once, later ones by the thresholds. Until then a target counts as healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    /// What is done.
    pub kind: HealthCheckKind,
    /// The path that `http` asks for, without the target's base path.
    #[schema(max_length = 2000)]
    pub path: String,
    /// The statuses that `http` takes as healthy; 200 to 399 if empty.
    #[schema(max_items = 50)]
    pub statuses: Vec<u16>,
    /// What the first 64 KiB of the body must contain for `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub body_contains: Option<String>,
    /// The service that `grpc` asks about; empty for the server as a whole.
    #[schema(max_length = 200)]
    pub grpc_service: String,
    /// The port to check, if it is not the target's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// From one check to the next, give or take a tenth, in milliseconds: 100 to an hour.
    #[schema(minimum = 100, maximum = 3_600_000)]
    pub interval_ms: u32,
    /// How long a check may take, in milliseconds.
    #[schema(minimum = 1, maximum = 600_000)]
    pub timeout_ms: u32,
    /// Checks in a row that must succeed until an unhealthy target is healthy: 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    pub healthy_threshold: u32,
    /// Checks in a row that must fail until a healthy target is unhealthy: 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    pub unhealthy_threshold: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            kind: HealthCheckKind::default(),
            path: "/".to_owned(),
            statuses: Vec::new(),
            body_contains: None,
            grpc_service: String::new(),
            port: None,
            interval_ms: 5_000,
            timeout_ms: 2_000,
            healthy_threshold: 2,
            unhealthy_threshold: 3,
        }
    }
}

/// Leaves a target out for a while after its calls have failed: no answer, a broken one, or a 5xx.
///
/// All cores of a node count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutlierDetection {
    /// Failures in a row after which a target is left out: up to 1000, 0 for any number.
    #[schema(maximum = 1000)]
    pub consecutive_failures: u32,
    /// Share of failed calls in the window from which a target is left out, in percent; 0 for any share.
    #[schema(maximum = 100)]
    pub failure_percent: u8,
    /// Calls in the window that it takes to know the share: 1 to 100,000.
    #[schema(minimum = 1, maximum = 100_000)]
    pub calls_min: u32,
    /// The window, in milliseconds: a second to an hour.
    #[schema(minimum = 1000, maximum = 3_600_000)]
    pub window_ms: u32,
    /// How long a target is left out the first time, in milliseconds; each time after that twice as long.
    #[schema(minimum = 100, maximum = 3_600_000)]
    pub ejection_ms: u32,
    /// The longest time that one is left out, in milliseconds; after as long without trouble, the first time
    /// is the first one again.
    #[schema(minimum = 100, maximum = 3_600_000)]
    pub ejection_max_ms: u32,
    /// Share of the targets that may be left out at a time, in percent.
    #[schema(maximum = 100)]
    pub ejected_max_percent: u8,
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_percent: 0,
            calls_min: 50,
            window_ms: 10_000,
            ejection_ms: 30_000,
            ejection_max_ms: 300_000,
            ejected_max_percent: 50,
        }
    }
}
