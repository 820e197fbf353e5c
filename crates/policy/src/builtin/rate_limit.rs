//! `rate_limit`: a rate limit besides the plan's, of all calls or of those that end in certain ways.

use std::ops::RangeInclusive;
use std::sync::Arc;

use domain::Code;
use domain::limit::{self, OverLimit, RateAlgorithm, WhenStoreIsAway};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ask::Ask;
use crate::call::Call;
use crate::caller::{Counted, IPV6_PREFIX_DEFAULT, NAMES, Per};
use crate::directory::counts_for;
use crate::effects::Later;
use crate::kind::{Builtin, Fault};
use crate::limiter::Limiter;
use crate::shared::Ledger;
use crate::told::Told;
use crate::verdict::{Refusal, Verdict};
use crate::{Phase, Policy, State};

/// The most entries of `only_statuses`.
const STATUSES_MAX: usize = 50;

/// How many calls in what time, and whose.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Calls in the window.
    #[schemars(range(min = 1))]
    pub requests: u32,
    /// The window in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub window_seconds: u32,
    /// Calls that may come at once; `requests` if absent. Not with a sliding window, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub burst: Option<u32>,
    /// How calls are counted.
    #[serde(default)]
    pub algorithm: RateAlgorithm,
    /// Whose calls are counted together.
    #[serde(default)]
    pub per: Per,
    /// The header, query parameter or path parameter that `per` counts by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub attribute: Option<String>,
    /// Leading bits of IPv6 addresses that make one client.
    #[serde(default = "ipv6_prefix")]
    #[schemars(range(min = 1, max = 128))]
    pub ipv6_prefix: u8,
    /// Only calls whose answer has one of these statuses are counted, as `401` or `5xx`; all calls if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub only_statuses: Vec<String>,
    /// What becomes of calls that are over the limit.
    #[serde(default)]
    pub over_limit: OverLimit,
    /// What holds while the store, over which several nodes count together, is away.
    #[serde(default)]
    pub when_store_is_away: WhenStoreIsAway,
}

pub(crate) const fn ipv6_prefix() -> u8 {
    IPV6_PREFIX_DEFAULT
}

/// The compiled policy.
#[derive(Debug)]
pub struct RateLimit {
    limiter: Limiter,
    counted: Counted,
    /// What answers say of the limit, by whom it counts.
    told: [Told; NAMES.len()],
    only: Vec<RangeInclusive<u16>>,
    phase: Phase,
}

impl Builtin for RateLimit {
    type Config = Config;
    const NAME: &'static str = "rate_limit";
    const TITLE: &'static str = "Rate limit";
    const DESCRIPTION: &'static str = "Bounds how fast calls may come, besides what the plan allows: per application, \
        address, header, parameter or for the whole route. It may count only calls that end in certain ways, such as \
        failed sign-ins, and may warn, slow down or degrade calls before or instead of refusing them.";
    const TAKES_AUDIENCE: bool = true;

    fn build(config: Config, state: Option<&State>) -> Result<Self, Vec<Fault>> {
        let limit = limit::RateLimit {
            requests: config.requests,
            window_seconds: config.window_seconds,
            burst: config.burst,
            algorithm: config.algorithm,
            over_limit: config.over_limit,
        };
        let mut faults: Vec<_> = limit
            .faults()
            .into_iter()
            .map(|(pointer, detail)| Fault::new(pointer, detail))
            .collect();
        let attribute = config.attribute.as_deref();
        let counted = Counted::new(config.per, attribute, config.ipv6_prefix, &mut faults);
        let only = statuses(&config.only_statuses, &mut faults);
        let Some(counted) = counted.filter(|_| faults.is_empty()) else {
            return Err(faults);
        };
        let limiter = Limiter::new(limit, config.when_store_is_away, !counted.is_one(), state);
        let (requests, window) = (limiter.meter.requests(), limiter.meter.window_seconds());
        // Calls that the key's check refuses end in a certain way, too.
        let is_first = !only.is_empty() && config.per != Per::Application;
        Ok(Self {
            told: NAMES.map(|name| Told::new(name, name, requests, window)),
            limiter,
            counted,
            only,
            phase: if is_first { Phase::First } else { Phase::Decide },
        })
    }
}

/// Reads `401` and `4xx`.
fn statuses(texts: &[String], faults: &mut Vec<Fault>) -> Vec<RangeInclusive<u16>> {
    if texts.len() > STATUSES_MAX {
        faults.push(Fault::new("/only_statuses", format!("more than {STATUSES_MAX}")));
    }
    let mut ranges = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let class = text
            .strip_suffix("xx")
            .and_then(|class| class.parse::<u16>().ok())
            .filter(|class| (1..=5).contains(class));
        let status = text
            .parse::<u16>()
            .ok()
            .filter(|status| (100..=599).contains(status));
        match (class, status) {
            (Some(class), _) => ranges.push(class * 100..=class * 100 + 99),
            (None, Some(status)) => ranges.push(status..=status),
            (None, None) => faults.push(Fault::new(
                format!("/only_statuses/{index}"),
                "neither a status such as `401` nor a class such as `4xx`",
            )),
        }
    }
    ranges
}

impl Policy for RateLimit {
    fn phase(&self) -> Phase {
        self.phase
    }

    fn request<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        let caller = match self.counted.find(call) {
            Ok(caller) => caller,
            Err(refusal) => return refusal.into(),
        };
        let ask = call.ask();
        let decision = if self.only.is_empty() {
            self.limiter.admit(caller.hash, &ask)
        } else {
            let (decision, held) = self.limiter.hold(caller.hash, &ask);
            call.effects.later.extend((held > 0).then_some(Later {
                limit: self,
                caller: caller.hash,
                ask,
                held,
            }));
            decision
        };
        let told = &self.told[caller.name];
        let meter = &self.limiter.meter;
        let name = &call.place.api_name;
        call.settle((Self::NAME, told), meter.soft(), decision, |retry_seconds| {
            let detail = format!(
                "`{name}` allows {} calls per {} seconds and {}{}; the next one passes in {retry_seconds} seconds.",
                meter.requests(),
                meter.window_seconds(),
                told.name(),
                counts_for(ask.units)
            );
            Refusal::new(Code::RateLimited, detail)
        })
    }

    fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        Some(self.limiter.ledger())
    }

    fn state(&self) -> Option<State> {
        Some(self.limiter.state())
    }
}

impl RateLimit {
    /// Whether calls whose answer has this status count.
    pub(crate) fn is_counted(&self, status: StatusCode) -> bool {
        self.only.iter().any(|range| range.contains(&status.as_u16()))
    }

    /// Ends the holding of a call that counts, or of one that does not.
    pub(crate) fn settle(&self, caller: u64, held: u64, ask: &Ask, does_count: bool) {
        self.limiter.settle(caller, held, ask, does_count);
    }
}

#[cfg(test)]
mod tests;
