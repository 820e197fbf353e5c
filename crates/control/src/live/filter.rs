//! Which calls a listener hears of.

use domain::Code;
use domain::id::{ApiId, ApplicationId, OperationId, OrganizationId};
use domain::live::{LiveView, StatusPattern};
use events::{Call, Method};

/// Which calls a listener hears of: those that fit all of it.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) organization: OrganizationId,
    pub(crate) view: LiveView,
    /// One of these; any if absent.
    pub(crate) apis: Option<Vec<ApiId>>,
    pub(crate) applications: Option<Vec<ApplicationId>>,
    pub(crate) operations: Option<Vec<OperationId>>,
    /// One of these; any if empty.
    pub(crate) statuses: Vec<StatusPattern>,
    pub(crate) refusal: Option<Code>,
    pub(crate) method: Option<Method>,
    pub(crate) latency_min_us: u64,
    /// Calls of which the chance part of the id is below this; all if absent.
    pub(crate) sample_below: Option<u64>,
}

impl Filter {
    /// Whether a call is told.
    pub(crate) fn fits(&self, call: &Call) -> bool {
        let owner = match self.view {
            LiveView::Provided => call.callee.map(|callee| callee.organization),
            LiveView::Made => call.caller.map(|caller| caller.organization),
        };
        if owner != Some(self.organization) {
            return false;
        }
        // What no route has matched is nobody's call.
        let Some(callee) = call.callee else { return false };
        let application = call.caller.map(|caller| caller.application);
        is_one_of(self.apis.as_deref(), Some(callee.api))
            && is_one_of(self.applications.as_deref(), application)
            && is_one_of(self.operations.as_deref(), callee.operation)
            && (self.statuses.is_empty() || self.statuses.iter().any(|status| status.fits(call.status)))
            && (self.refusal.is_none() || self.refusal == call.refusal)
            && self.method.is_none_or(|method| method == call.method)
            && call.latency_us >= self.latency_min_us
            && self.sample_below.is_none_or(|below| chance(call) < below)
    }

    /// The bound of a share of all calls: more than 0, at most 1; `None` for all.
    pub(crate) fn bound(share: f64) -> Option<u64> {
        // The cast rounds and saturates.
        (share < 1.0).then(|| (share * 2_f64.powi(64)) as u64)
    }
}

fn is_one_of<T: PartialEq>(wanted: Option<&[T]>, found: Option<T>) -> bool {
    match (wanted, found) {
        (None, _) => true,
        (Some(wanted), Some(found)) => wanted.contains(&found),
        (Some(_), None) => false,
    }
}

/// The chance part of a call's id: every listener with the same share hears of the same calls, also when it comes back.
fn chance(call: &Call) -> u64 {
    // The last 62 bits of a UUIDv7 are random (RFC 9562, 5.7); the two before them say the variant.
    call.request.uuid().as_u64_pair().1 << 2
}
