//! What a gateway node remembers of a recent call: every decision about it, and when it was taken.
//!
//! The same type travels from the node to the control plane and on to whoever asks. Times are microseconds since
//! the head of the request was there; what was not noted is absent.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::explain::{ExplainedOperation, TriedRoute};
use crate::id::{
    ApiId, ApplicationId, DebugTokenId, KeyId, NodeId, OrganizationId, PlanId, PolicyId, RequestId, RouteId,
    SubscriptionId, UpstreamId, VersionId,
};
use crate::limit::Mode;
use crate::release::{SplitBy, VariantName};
use crate::{Name, Timestamp};

/// The longest request id that is asked about, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;
/// The header field that carries a debug token.
pub const DEBUG_HEADER: &str = "Gateline-Debug";

/// How much was noted of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Noted {
    /// What is noted of every call.
    Summary,
    /// Everything: the call carried a debug token.
    Full,
    /// What its consumer may know of it.
    Consumer,
}

/// A call and every decision about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedCall {
    /// The request's id as its client was told it.
    pub request_id: String,
    /// The node's own id of the call.
    pub id: RequestId,
    /// The node that took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    /// The environment it was called in.
    pub environment: Name,
    /// How much was noted.
    pub noted: Noted,
    /// When the head of the request was there.
    pub started_at: Timestamp,
    /// The method.
    pub method: String,
    /// The path as it was sent, without the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The status of the answer; 499 if the client went away before there was one.
    pub status: u16,
    /// The code of the gateway's own answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The revision of the snapshot it was served by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_revision: Option<u64>,
    /// Which route it took.
    pub routing: CallRouting,
    /// Who called; absent without a valid key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallCaller>,
    /// What decided, in its order.
    pub steps: Vec<CallStep>,
    /// The limits that counted it.
    pub limits: Vec<CallLimit>,
    /// How many calls it counts for.
    pub cost: u32,
    /// How long a limit held it back.
    pub delay_us: u32,
    /// Where it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<CallUpstream>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// When what happened.
    pub timing: CallTiming,
}

/// Which route a call took, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallRouting {
    /// Routes that were tried before and did not fit, as far as they were noted.
    pub tried: Vec<TriedRoute>,
    /// How many were tried before.
    pub missed: u32,
    /// The route that took it; absent if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_id: Option<RouteId>,
    /// Why it did, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The side of the route's split that it got; absent if the route has none, or if the call ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<CallVariant>,
    /// The API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_id: Option<ApiId>,
    /// The API's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_name: Option<Name>,
    /// The API's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<VersionId>,
    /// The operation; absent if the version has none for the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<ExplainedOperation>,
}

/// Why a call got a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VariantReason {
    /// A header field of the call asked for it.
    ForcedByHeader,
    /// A cookie of the call asked for it.
    ForcedByCookie,
    /// It follows from what callers are told apart by: they stay on their side.
    Kept,
    /// The same, of the cookie that the client was given because it had none.
    CookieGiven,
    /// The call lacked what callers are told apart by; it follows from the client's address instead.
    UnitMissing,
}

impl VariantReason {
    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForcedByHeader => "forced_by_header",
            Self::ForcedByCookie => "forced_by_cookie",
            Self::Kept => "kept",
            Self::CookieGiven => "cookie_given",
            Self::UnitMissing => "unit_missing",
        }
    }
}

/// The side of a split that a call got, as the split was then.
///
/// A split has as many buckets as its weights add up to, and callers fall on one of them by their hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallVariant {
    /// What it is called.
    pub name: VariantName,
    /// Why it is this one.
    pub reason: VariantReason,
    /// The same in words.
    pub why: String,
    /// What callers are told apart by; absent if the call asked for the variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SplitBy>,
    /// The header field or cookie that asked for the variant, or that callers are told apart by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_name: Option<String>,
    /// The bucket that the caller falls on, counted from 0; absent if the call asked for the variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u32>,
    /// How many buckets there are.
    pub buckets: u32,
    /// The variant's first bucket.
    pub buckets_from: u32,
    /// The one behind its last.
    pub buckets_until: u32,
    /// What asked for no variant that there is, and the shares of all; with a debug token only.
    pub details: Vec<String>,
}

/// Who called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallCaller {
    /// The consumer's organization.
    pub organization_id: OrganizationId,
    /// The program.
    pub application_id: ApplicationId,
    /// The key's id; never the key.
    pub key_id: KeyId,
    /// What the call fell under; absent if the application is not subscribed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<SubscriptionId>,
    /// Its plan at the time of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
}

/// What a step said to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepVerdict {
    /// The call went on.
    Passed,
    /// The gateway answered with a problem.
    Refused,
    /// The step answered itself.
    Answered,
    /// Something before it had ended the call.
    NotRun,
}

/// Something that decided about a call: a policy, or the plan's limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallStep {
    /// The kind of the policy; `plan_rate` and `plan_quota` for the plan's limits.
    pub kind: String,
    /// The policy; absent for the plan's limits, for one that every route has, and if the configuration has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_id: Option<PolicyId>,
    /// What it said.
    pub verdict: StepVerdict,
    /// What it found and did; with a debug token only.
    pub details: Vec<String>,
    /// How long it took in nanoseconds; with a debug token only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ns: Option<u64>,
}

/// A limit that counted a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallLimit {
    /// What is counted together: `plan_rate`, `plan_quota`, `plan_concurrency`, or whose calls: `application`,
    /// `address`, `route`, `header`, `query`, `path`.
    pub name: String,
    /// How many calls.
    pub limit: u64,
    /// In what time; absent for a bound on open calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u64>,
    /// How many could still come.
    pub remaining: u64,
    /// When all of it would be there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_seconds: Option<u64>,
    /// Set if the call was over it and passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Mode>,
}

/// Where a call went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallUpstream {
    /// The service behind.
    pub upstream_id: UpstreamId,
    /// How its targets are chosen; `only` if there is nothing to choose.
    pub algorithm: String,
    /// Each time it was sent.
    pub tries: Vec<CallTry>,
    /// How the targets were when the first one was chosen; with a debug token only.
    pub candidates: Vec<Candidate>,
    /// What was answered in the upstream's place; absent if the answer is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<CallFallback>,
    /// How old an answer is that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_age_seconds: Option<u32>,
}

/// What a call was answered with in its upstream's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallFallback {
    /// The fixed answer of the upstream's `fallback`.
    Fixed,
    /// The last good answer that was kept.
    LastGood,
}

/// Why a call was sent to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TryReason {
    /// It was the first one chosen.
    First,
    /// The one before could not be reached.
    Unreachable,
    /// The idle connection that was taken had been closed meanwhile.
    StaleConnection,
    /// The try before failed, and the upstream's `retries` want another one.
    Retry,
    /// The one before took long: hedging.
    Hedge,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TryOutcome {
    /// It was given up: another one was quicker, or the client went away.
    Abandoned,
    /// It was answered.
    Answered,
    /// No connection could be opened.
    Unreachable,
    /// No connection was open in time.
    ConnectTimeout,
    /// It has as many connections as it may have.
    Full,
    /// The answer did not begin in time.
    Timeout,
    /// The connection ended without an answer, or with one that is not valid.
    Broken,
    /// The request ended before it was whole.
    RequestBroken,
}

/// One time that a call was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallTry {
    /// The target's address.
    pub target: String,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Name>,
    /// Why it was sent.
    pub reason: TryReason,
    /// Whether the connection was open already.
    pub is_reused: bool,
    /// How it ended.
    pub outcome: TryOutcome,
    /// The status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// When a connection was looked for.
    pub began_us: u32,
    /// When there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_us: Option<u32>,
    /// When the answer began, or the try had failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_us: Option<u32>,
}

/// A target that could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// Its address.
    pub target: String,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Name>,
    /// Its priority.
    pub priority: u8,
    /// Its weight.
    pub weight: u32,
    /// Whether calls may go to it.
    pub healthy: bool,
    /// Whether it could not be reached a moment ago.
    pub is_down: bool,
    /// Calls that it had under way from this core.
    pub in_flight: u32,
}

/// When what happened to a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallTiming {
    /// All policies had decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_us: Option<u32>,
    /// There was a connection, and the request was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_us: Option<u32>,
    /// The answer began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u32>,
    /// The answer had ended.
    pub ended_us: u64,
}

/// A call as a node tells it to the control plane: with whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The organization whose API was called; absent if no route took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<OrganizationId>,
    /// The organization whose debug token it carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<OrganizationId>,
    /// The call.
    pub call: ExplainedCall,
}

/// What is known of the calls with a request id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallExplanation {
    /// The id that was asked about.
    pub request_id: String,
    /// The calls, the newest first: a client may have given several the same id.
    pub calls: Vec<ExplainedCall>,
    /// How many nodes were asked.
    pub nodes_asked: u32,
    /// How many of them have answered.
    pub nodes_answered: u32,
}

/// What a debug token is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DebugTokenSpec {
    /// The environment's name; `sandbox` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Name>,
    /// The only route it is good for; all of the organization's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_id: Option<RouteId>,
    /// How long it is good.
    #[serde(default = "lifetime")]
    #[schema(minimum = 10, maximum = 3600)]
    pub lifetime_seconds: u32,
}

const fn lifetime() -> u32 {
    600
}

/// A debug token; it is shown once and stored nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DebugToken {
    /// Its id, as in the audit chain.
    pub id: DebugTokenId,
    /// The value of the header field.
    pub token: String,
    /// The header field that carries it.
    pub header: String,
    /// The environment it is good in.
    pub environment: Name,
    /// The only route it is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_id: Option<RouteId>,
    /// When it stops to be good.
    pub expires_at: Timestamp,
}
