//! What live streams tell: single calls as they are counted, and what else is said on the way.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::id::{
    ApiId, ApplicationId, KeyId, NodeId, OperationId, OrganizationId, PlanId, RequestId, RouteId,
    SubscriptionId, VersionId,
};
use crate::limit::Mode;
use crate::release::VariantName;

/// Whose calls are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LiveView {
    /// Those of the organization's APIs.
    #[default]
    Provided,
    /// Those that the organization's applications made.
    Made,
}

impl LiveView {
    /// Every view, the one that is meant if none is named first.
    pub const ALL: [Self; 2] = [Self::Provided, Self::Made];

    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provided => "provided",
            Self::Made => "made",
        }
    }
}

impl FromStr for LiveView {
    type Err = UnknownView;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|view| view.as_str() == text);
        found.ok_or(UnknownView)
    }
}

/// Says that a text is no view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is neither `provided` nor `made`")]
pub struct UnknownView;

/// A status, as `404`, or all of a class, as `4xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusPattern {
    /// This one: 100 to 599.
    Exact(u16),
    /// Those that begin with this digit: 1 to 5.
    Class(u8),
}

impl StatusPattern {
    /// Whether a status is meant.
    pub const fn fits(self, status: u16) -> bool {
        match self {
            Self::Exact(exact) => exact == status,
            Self::Class(class) => status / 100 == class as u16,
        }
    }
}

impl FromStr for StatusPattern {
    type Err = NoStatus;

    fn from_str(text: &str) -> Result<Self, NoStatus> {
        let bytes = text.as_bytes();
        let &[first @ b'1'..=b'5', second, third] = bytes else {
            return Err(NoStatus);
        };
        if (second, third) == (b'x', b'x') {
            return Ok(Self::Class(first - b'0'));
        }
        if !second.is_ascii_digit() || !third.is_ascii_digit() {
            return Err(NoStatus);
        }
        text.parse().map(Self::Exact).map_err(|_| NoStatus)
    }
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

/// Says that a text is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is neither a status, as `404`, nor a class of them, as `4xx`")]
pub struct NoStatus;

/// A call: the columns that it has in the lake, and what some of its ids are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveCall {
    /// When the head of the request was there.
    pub started_at: Timestamp,
    /// The id that the answer carried.
    pub request_id: RequestId,
    /// The API's provider.
    pub organization_id: OrganizationId,
    /// The API.
    pub api_id: ApiId,
    /// What it is called; absent if it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The version of the API.
    pub version_id: VersionId,
    /// The operation; absent if none matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Who called; absent without a valid key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_organization_id: Option<OrganizationId>,
    /// The program that called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<ApplicationId>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The key that it showed; never the key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// What the call falls under; absent if the application is not subscribed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<SubscriptionId>,
    /// The subscription's plan at the time of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// The method; `OTHER` if it is not a common one.
    pub method: String,
    /// The answer's status; 499 if the client went away before there was one.
    pub status: u16,
    /// The code of the gateway's own answer; absent if the answer is the upstream's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Microseconds from the request's head to the answer's end.
    pub latency_us: u64,
    /// Whether the call counts for quota and bill.
    pub counted: bool,
    /// How many calls it counts for on a quota.
    pub units: u32,
    /// When the quota's period began; absent without a quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_period_start: Option<Timestamp>,
    /// How the call was treated if it was over a limit and passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_limit: Option<Mode>,
    /// The route, where it splits calls; for the provider only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_id: Option<RouteId>,
    /// The variant that the call got, where its route splits calls; for the provider only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub variant: Option<VariantName>,
}

/// A node whose calls a stream can tell of: it reports to the process that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportingNode {
    /// The node.
    pub node_id: NodeId,
    /// When it reported last.
    pub reported_at: Timestamp,
}

/// The first event of a stream of calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveHello {
    /// Whose calls are told.
    pub view: LiveView,
    /// The nodes whose calls are told: those that reported to this process within a day, the last one first.
    pub nodes: Vec<ReportingNode>,
}

/// Says that calls which fit were not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveMissed {
    /// How many; `null` if that is not known, because more calls came since than are remembered.
    pub missed: Option<u64>,
}

/// The last event of a stream that the server ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveEnd {
    /// Why, as a stable code: `token_expired`, `draining`, …
    pub code: String,
    /// What exactly.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::StatusPattern;

    #[test]
    fn a_status_is_three_digits_or_a_class() {
        let table = [
            ("404", Some(StatusPattern::Exact(404)), [404, 400]),
            ("4xx", Some(StatusPattern::Class(4)), [499, 500]),
            ("100", Some(StatusPattern::Exact(100)), [100, 101]),
            ("5xx", Some(StatusPattern::Class(5)), [500, 600]),
        ];
        for (text, pattern, [fits, not]) in table {
            let read = text.parse::<StatusPattern>().ok();
            assert_eq!(read, pattern, "{text}");
            let read = read.unwrap();
            assert_eq!((read.fits(fits), read.fits(not)), (true, false), "{text}");
            assert_eq!(read.to_string(), text);
        }
        for text in [
            "",
            "6xx",
            "0xx",
            "4XX",
            "40x",
            "4x4",
            "4040",
            "+40",
            "１００",
            "600",
            "99",
        ] {
            assert!(text.parse::<StatusPattern>().is_err(), "{text}");
        }
    }
}
