//! What was used.

use crate::Timestamp;
use crate::id::{ApiId, ApplicationId, OperationId, PlanId, SubscriptionId, VersionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Counted calls of one operation, application, plan and hour. Every accepted call is in exactly one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageRow {
    /// The beginning of the hour (or day) in UTC; absent when summed over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<Timestamp>,
    /// The API.
    pub api_id: ApiId,
    /// The API's name; empty if it was removed.
    pub api: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<VersionId>,
    /// The operation; absent for calls that matched none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// The operation's name; empty for calls that matched none.
    pub operation: String,
    /// The application; absent for calls without a valid key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<ApplicationId>,
    /// The application's title; empty without one, or if it was removed.
    pub application: String,
    /// The subscription they were counted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<SubscriptionId>,
    /// The plan they were counted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// All calls, refused ones included.
    pub calls: i64,
    /// Calls that count for quota and bill.
    pub counted: i64,
    /// Calls the gateway refused (401, 403, 429, …): not billed, not in the quota.
    pub refused: i64,
    /// Answers from 400 to 499 of the upstream.
    pub client_errors: i64,
    /// Answers from 500 to 599, the gateway's own included.
    pub server_errors: i64,
    /// Bytes of request bodies.
    pub bytes_in: i64,
    /// Bytes of answer bodies.
    pub bytes_out: i64,
    /// Sum of the time from the request's head to the answer's end, in microseconds.
    pub latency_us: i64,
}
