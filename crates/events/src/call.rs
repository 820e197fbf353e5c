//! One call of the gateway, as plain data.

use domain::id::{
    ApiId, ApplicationId, KeyId, OperationId, OrganizationId, PlanId, RequestId, RouteId, SubscriptionId,
    TargetId, VersionId,
};
use domain::limit::Mode;
use domain::release::VariantName;
use domain::{Code, Timestamp};

/// One immutable fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A request was answered, or its client went away.
    Call(Call),
}

/// One request and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The id of the request.
    pub request: RequestId,
    /// When the head of the request was there.
    pub started_at: Timestamp,
    /// What was called; absent when no route matched.
    pub callee: Option<Callee>,
    /// Who called; absent without a valid key.
    pub caller: Option<Caller>,
    /// The method.
    pub method: Method,
    /// The status of the answer; 499 if the client went away before there was one.
    pub status: u16,
    /// Why the gateway itself answered; absent when the answer is the upstream's.
    pub refusal: Option<Code>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Microseconds from the request's head to the answer's end.
    pub latency_us: u64,
    /// Beginning of the quota's period in seconds since 1970; 0 without a quota.
    pub quota_period_start: i64,
    /// Whether the call counts for quota and bill.
    pub counted: bool,
    /// How many calls it counts for on a quota.
    pub units: u32,
    /// How it was treated if it was over a limit and passed.
    pub over_limit: Option<Mode>,
    /// The target that was tried last; absent if none was.
    pub target: Option<TargetId>,
    /// The variant that it got, where its route splits calls.
    pub variant: Option<Variant>,
}

/// One side of a route that splits its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The route.
    pub route: RouteId,
    /// What the side is called there.
    pub name: VariantName,
}

/// What was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Callee {
    /// The provider's organization.
    pub organization: OrganizationId,
    /// The API.
    pub api: ApiId,
    /// Its version.
    pub version: VersionId,
    /// The operation; absent when none matched.
    pub operation: Option<OperationId>,
}

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The consumer's organization.
    pub organization: OrganizationId,
    /// The program.
    pub application: ApplicationId,
    /// The key it showed.
    pub key: KeyId,
    /// What the call falls under; absent when the application is not subscribed.
    pub subscribed: Option<Subscribed>,
}

/// The subscription and plan that a call falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subscribed {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Its plan at the time of the call.
    pub plan: PlanId,
}

/// The method of a call; the numbers are those on disk and on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Method {
    /// Any other.
    Other = 0,
    /// GET.
    Get = 1,
    /// HEAD.
    Head = 2,
    /// POST.
    Post = 3,
    /// PUT.
    Put = 4,
    /// PATCH.
    Patch = 5,
    /// DELETE.
    Delete = 6,
    /// OPTIONS.
    Options = 7,
    /// CONNECT; what was built before it had a number reads it as another method.
    Connect = 8,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 9] = [
        Self::Other,
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Options,
        Self::Connect,
    ];

    /// The method of a name as in the request line.
    pub fn from_name(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }

    /// Its name; `OTHER` for those that have no number.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Other => "OTHER",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Connect => "CONNECT",
        }
    }

    pub(crate) fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Other)
    }
}

impl Call {
    /// The status of a call whose client went away before there was an answer.
    pub const CLIENT_GONE: u16 = 499;

    /// A call of which nothing is known but that it began: it counts for nothing, and nobody has answered.
    pub const fn begun(request: RequestId, started_at: Timestamp) -> Self {
        Self {
            request,
            started_at,
            callee: None,
            caller: None,
            method: Method::Other,
            status: Self::CLIENT_GONE,
            refusal: None,
            bytes_in: 0,
            bytes_out: 0,
            latency_us: 0,
            quota_period_start: 0,
            counted: false,
            units: 1,
            over_limit: None,
            target: None,
            variant: None,
        }
    }

    /// The subscription and period whose quota the call takes its units of; `None` if it takes none.
    pub fn quota(&self) -> Option<(SubscriptionId, i64)> {
        let subscribed = self.caller?.subscribed?;
        (self.counted && self.units > 0 && self.quota_period_start > 0)
            .then_some((subscribed.subscription, self.quota_period_start))
    }
}
