//! What becomes of calls that fail, and of those that are too many.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What may make a call be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// No connection could be opened: another target is tried at once.
    ConnectFailure,
    /// The connection ended before an answer began.
    Reset,
    /// The answer did not begin in time (`timeouts.answer_ms`).
    Timeout,
}

/// Whether a call is sent again.
///
/// Only where that cannot do a thing twice: nothing was sent, the method is idempotent (RFC 9110 section 9.2.2), or
/// `idempotency_key` is on and the call carries one. A retry goes to a target that was not tried yet, if there is
/// one. Besides this, a call is always sent a second time if its idle connection turns out to be dead before anything
/// was sent, or under a call without a body that is idempotent; and if the target says, in HTTP/2, that it has not
/// looked at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retries {
    /// How often a call is sent at most, the first time included: 1 to 10.
    #[schema(minimum = 1, maximum = 10)]
    pub attempts_max: u32,
    /// What makes it be sent again.
    #[schema(max_items = 3)]
    pub on: Vec<RetryOn>,
    /// Statuses of an answer that make it be sent again: 400 to 599.
    #[schema(max_items = 50)]
    pub statuses: Vec<u16>,
    /// Whether calls with `Idempotency-Key` may be sent again whatever their method is: only for services that heed
    /// it.
    pub idempotency_key: bool,
    /// The largest part of a request's body that is kept to be sent again, in bytes: up to 1 MiB. A call whose
    /// body is larger is not. For HTTP/2, where a target can refuse what it has begun to get, it is always kept.
    #[schema(maximum = 1_048_576)]
    pub body_bytes_max: u32,
    /// Retries of a core in relation to the calls of the last ten seconds, in percent: 0 to 100. Opening a
    /// connection to another target is not one.
    #[schema(maximum = 100)]
    pub budget_percent: u8,
    /// Retries per second and core that are allowed anyway: up to 10,000.
    #[schema(maximum = 10_000)]
    pub budget_per_second_min: u32,
    /// The mean wait before the first retry, in milliseconds: up to a minute; twice as long before each further one,
    /// and random around it.
    #[schema(maximum = 60_000)]
    pub backoff_ms: u32,
    /// The longest wait, in milliseconds: up to a minute. An answer whose `Retry-After` is later is passed on.
    #[schema(maximum = 60_000)]
    pub backoff_max_ms: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            on: vec![RetryOn::ConnectFailure],
            statuses: Vec::new(),
            idempotency_key: false,
            body_bytes_max: 65_536,
            budget_percent: 20,
            budget_per_second_min: 10,
            backoff_ms: 25,
            backoff_max_ms: 1_000,
        }
    }
}

/// Asks a second target when the first one takes long; who answers first is heard, the other connection is closed.
///
/// Only for calls without a body whose method is idempotent. Each costs a retry of the budget of `retries`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hedging {
    /// How long the first one may take, in milliseconds: what nearly all calls take less than. Up to an hour.
    #[schema(minimum = 1, maximum = 3_600_000)]
    pub after_ms: u32,
}

/// What is answered in the place of an upstream that gives no answer: it cannot be reached, answers garbage or not in
/// time, has no healthy target, or must not be asked at the moment.
///
/// The last good answer comes first if there is one and it may be used, then the fixed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The last answers that were good; none are kept if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
    /// The status of the fixed answer: 200 to 599; none is given if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 200, maximum = 599)]
    pub status: Option<u16>,
    /// What the body is.
    #[serde(default = "json")]
    #[schema(max_length = 200)]
    pub content_type: String,
    /// The body, up to 64 KiB.
    #[serde(default)]
    #[schema(max_length = 65_536)]
    pub body: String,
}

/// Keeps good answers to `GET`, for when there is none: what RFC 5861 calls `stale-if-error`.
///
/// An answer is kept for the application that got it and for the `Authorization` and cookies that it was got with, unless
/// it is `public`; never if it sets a cookie or its `Cache-Control` says `no-store`, `no-cache` or `private`. `Vary` is
/// heeded. One with `must-revalidate`, `proxy-revalidate` or `s-maxage` is used only while it is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LastGood {
    /// For how long an answer may be used after it was fresh, in seconds: up to 30 days. Its own `stale-if-error` holds
    /// if that is less.
    #[schema(maximum = 2_592_000)]
    pub max_stale_seconds: u32,
    /// Use it in the place of answers with 500, 502, 503 and 504 too.
    pub on_5xx: bool,
    /// The largest body that is kept, in bytes: up to 1 MiB.
    #[schema(maximum = 1_048_576)]
    pub body_bytes_max: u32,
    /// What is kept per core, in bytes: 64 KiB to 1 GiB. What was not used for longest goes first.
    #[schema(minimum = 65_536, maximum = 1_073_741_824)]
    pub bytes_max: u32,
    /// Requests whose answers are kept per core: 1 to 100,000.
    #[schema(minimum = 1, maximum = 100_000)]
    pub entries_max: u32,
}

impl Default for LastGood {
    fn default() -> Self {
        Self {
            max_stale_seconds: 3_600,
            on_5xx: true,
            body_bytes_max: 262_144,
            bytes_max: 16_777_216,
            entries_max: 1_000,
        }
    }
}

fn json() -> String {
    "application/json".to_owned()
}

/// Refuses calls (`circuit_open`) for a while after too many have failed: no answer, a broken one, or a 5xx.
///
/// All cores of a node count together. After `open_ms`, `probes` calls are let through; when all of them succeed,
/// the circuit is closed, and when one fails, it is open again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CircuitBreaker {
    /// Share of failed calls in the window that opens the circuit, in percent; 0 for any share.
    #[schema(maximum = 100)]
    pub failure_percent: u8,
    /// Calls in the window that it takes to know the share: 1 to 100,000.
    #[schema(minimum = 1, maximum = 100_000)]
    pub calls_min: u32,
    /// The window, in milliseconds: a second to an hour.
    #[schema(minimum = 1000, maximum = 3_600_000)]
    pub window_ms: u32,
    /// Failures in a row that open it as well: up to 1000, 0 for any number.
    #[schema(maximum = 1000)]
    pub consecutive_failures: u32,
    /// How long it stays open, in milliseconds.
    #[schema(minimum = 1, maximum = 3_600_000)]
    pub open_ms: u32,
    /// Calls that have to succeed to close it: 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    pub probes: u32,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            failure_percent: 50,
            calls_min: 20,
            window_ms: 10_000,
            consecutive_failures: 0,
            open_ms: 5_000,
            probes: 3,
        }
    }
}

/// How many calls an upstream may have at a time; further ones wait, then are refused (`upstream_overloaded`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Concurrency {
    /// Calls of a node under way at a time, bodies included: up to 1,000,000; 0 for any number.
    #[schema(maximum = 1_000_000)]
    pub calls_max: u32,
    /// Calls of a node that may wait for others to end: up to 100,000.
    #[schema(maximum = 100_000)]
    pub waiting_max: u32,
    /// How long they wait at most, in milliseconds: up to an hour.
    #[schema(maximum = 3_600_000)]
    pub wait_ms: u32,
    /// Finds the number by itself, per core: it rises while answers stay as fast as they are at best and falls
    /// when they get slower.
    pub adaptive: bool,
    /// The least number it finds: 1 to 10,000.
    #[schema(minimum = 1, maximum = 10_000)]
    pub adaptive_min: u32,
    /// The greatest number it finds: 1 to 100,000.
    #[schema(minimum = 1, maximum = 100_000)]
    pub adaptive_max: u32,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self {
            calls_max: 0,
            waiting_max: 0,
            wait_ms: 1_000,
            adaptive: false,
            adaptive_min: 10,
            adaptive_max: 1_000,
        }
    }
}

/// Bounds of the connections of one core to one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    /// Connections at a time: up to 100,000, 0 for any number. Calls that find none free wait for
    /// `timeouts.connect_ms`.
    #[schema(maximum = 100_000)]
    pub max: u32,
    /// Calls that may wait for a connection: up to 100,000; further ones are refused (`upstream_overloaded`).
    #[schema(maximum = 100_000)]
    pub waiting_max: u32,
    /// Calls after which a connection is closed: up to 1,000,000,000, 0 for any number.
    #[schema(maximum = 1_000_000_000)]
    pub calls_max: u32,
    /// How long one is kept without a call, in milliseconds: 100 to an hour.
    #[schema(minimum = 100, maximum = 3_600_000)]
    pub idle_ms: u32,
    /// Calls that a connection of HTTP/2 carries at a time; more connections are opened beyond that: 1 to 1000.
    #[schema(minimum = 1, maximum = 1000)]
    pub streams_max: u32,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max: 0,
            waiting_max: 1_000,
            calls_max: 0,
            idle_ms: 60_000,
            streams_max: 100,
        }
    }
}
