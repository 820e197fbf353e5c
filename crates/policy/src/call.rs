//! What a policy sees of a call.

use std::net::IpAddr;

use domain::id::{ApiId, KeyId, OrganizationId, RouteId, VersionId};
use domain::limit::{Mode, Tier, TierCosts};
use domain::{Code, Name, Timestamp};
use flags::Ask;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::ask::{self, Decision, Soft, Standing};
use crate::directory::{Application, Directory, Subscription};
use crate::effects::Effects;
use crate::told::{Limits, Told};
use crate::verdict::{Refusal, Verdict};

/// The time, read once per call.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The calendar's time, for expiry and quotas.
    pub calendar: Timestamp,
    /// Nanoseconds since the process began; never goes back, for rates.
    pub steady_ns: u64,
}

/// The route that a call was matched to.
#[derive(Debug, Clone)]
pub struct Place {
    /// The route.
    pub route: RouteId,
    /// The provider's organization.
    pub organization: OrganizationId,
    /// The API.
    pub api: ApiId,
    /// The API's name, for advice.
    pub api_name: Name,
    /// The version.
    pub version: VersionId,
    /// The environment that the node serves.
    pub environment: Name,
}

/// Who calls, once an authenticating policy has found out.
#[derive(Debug, Clone, Copy)]
pub struct Consumer<'a> {
    /// The key that was used.
    pub key: KeyId,
    /// The program.
    pub application: &'a Application,
    /// Its right to call this version.
    pub subscription: &'a Subscription,
}

/// A call on its way to the upstream.
#[derive(Debug)]
pub struct Call<'a, 'h> {
    /// The method.
    pub method: &'h Method,
    /// The head that will be forwarded; policies may change it.
    pub headers: &'h mut HeaderMap,
    /// The host without port, in lower case; empty if none is named.
    pub host: &'h str,
    /// The path below the route, as it is written.
    pub path: &'h str,
    /// The query with its question mark, or empty.
    pub query: &'h str,
    /// The template of the operation's path.
    pub template: &'a str,
    /// The client's address.
    pub address: IpAddr,
    /// Now.
    pub moment: Moment,
    /// Whether limits are counted together with other nodes.
    pub standing: Standing,
    /// What was called.
    pub place: &'a Place,
    /// All keys, applications and subscriptions.
    pub directory: &'a Directory,
    /// Who calls, if known.
    pub consumer: Option<Consumer<'a>>,
    /// Who says what feature flags give; nobody if absent.
    pub flags: Option<&'h dyn Ask>,
    /// The limits that counted this call.
    pub limits: Limits<'a>,
    /// What it counts for.
    pub cost: Cost,
    /// What decisions leave behind.
    pub effects: Effects<'a>,
}

/// What a call counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// So many calls.
    Units(u32),
    /// What the plan says; what plans say by default where there is none.
    Tier(Tier),
}

impl Default for Cost {
    fn default() -> Self {
        Self::Units(1)
    }
}

impl<'a> Call<'a, '_> {
    /// What the call counts for.
    pub fn units(&self) -> u32 {
        match (self.cost, &self.consumer) {
            (Cost::Units(units), _) => units,
            (Cost::Tier(tier), Some(consumer)) => consumer.subscription.tier_costs().of(tier),
            (Cost::Tier(tier), None) => TierCosts::default().of(tier),
        }
    }

    /// The question that a limit is asked about this call.
    pub(crate) fn ask(&self) -> ask::Ask {
        ask::Ask {
            moment: self.moment,
            units: self.units(),
            standing: self.standing,
            is_held: false,
        }
    }

    /// Makes a verdict of what a limit said, and notes what the answer tells of it.
    pub(crate) fn settle(
        &mut self,
        (kind, told): (&'static str, &'a Told),
        soft: &Soft,
        decision: Decision,
        refusal: impl FnOnce(u64) -> Refusal,
    ) -> Verdict {
        match decision {
            Decision::Pass {
                remaining,
                reset_seconds,
                over_ns,
            } => {
                let over = over_ns.filter(|_| soft.mode != Mode::Enforce);
                if let Some(over_ns) = over {
                    self.effects.over(kind, soft.mode, soft.delay_ns(over_ns));
                }
                self.limits
                    .push_over(told, remaining, Some(reset_seconds), over.map(|_| soft.mode));
                Verdict::Continue
            }
            Decision::Refuse { retry_seconds } => {
                self.limits.push(told, 0, Some(retry_seconds));
                refusal(retry_seconds).retry_after(retry_seconds).into()
            }
            Decision::Unknown => Refusal::new(
                Code::LimitsUnavailable,
                format!("`{}` cannot be counted, because its store is away.", told.name()),
            )
            .retry_after(1)
            .into(),
        }
    }
}

/// The head of an answer on its way to the client.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its head.
    pub headers: &'a mut HeaderMap,
    /// The request's `Origin`.
    pub origin: Option<&'a HeaderValue>,
}
