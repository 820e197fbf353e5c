//! `concurrency_limit`: bounds how many calls are open at a time.

use std::sync::Arc;

use domain::Code;
use domain::limit::OverLimit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rate_limit::ipv6_prefix;
use crate::ask::Soft;
use crate::call::Call;
use crate::caller::{Counted, NAMES, Per};
use crate::cells::Cells;
use crate::effects::{Hold, Open};
use crate::kind::{Builtin, Fault};
use crate::told::Told;
use crate::verdict::{Refusal, Verdict};
use crate::{Policy, State};

/// The most that can be allowed.
const CALLS_MOST: u32 = 1_000_000;

/// How many calls may be open at a time, and whose.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Calls that may be open at a time on each gateway node, from their head to the end of their answer.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub calls_max: u32,
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
    /// What becomes of calls that are over the limit; `slow_down` is not for this one.
    #[serde(default)]
    pub over_limit: OverLimit,
}

/// The compiled policy.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    calls_max: u32,
    soft: Soft,
    soft_calls: u64,
    counted: Counted,
    told: [Told; NAMES.len()],
    open: Arc<Cells<Open>>,
}

impl Builtin for ConcurrencyLimit {
    type Config = Config;
    const NAME: &'static str = "concurrency_limit";
    const TITLE: &'static str = "Concurrent calls";
    const DESCRIPTION: &'static str = "Bounds how many calls are open at a time, per application, address, header, \
        parameter or for the whole route. Calls that are cut off end as well. Counted on each gateway node by itself.";
    const TAKES_AUDIENCE: bool = true;

    fn build(config: Config, state: Option<&State>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        if !(1..=CALLS_MOST).contains(&config.calls_max) {
            faults.push(Fault::new("/calls_max", "from 1 to 1000000"));
        }
        let attribute = config.attribute.as_deref();
        let counted = Counted::new(config.per, attribute, config.ipv6_prefix, &mut faults);
        let over = config.over_limit.faults(false).into_iter();
        faults.extend(over.map(|(field, why)| Fault::new(format!("/over_limit/{field}"), why)));
        let Some(counted) = counted.filter(|_| faults.is_empty()) else {
            return Err(faults);
        };
        let is_many = !counted.is_one();
        let open = state
            .and_then(|state| Arc::clone(state).downcast::<Cells<Open>>().ok())
            .filter(|open| open.is_many() == is_many)
            .unwrap_or_else(|| Arc::new(if is_many { Cells::many() } else { Cells::one() }));
        let soft = Soft::new(config.over_limit);
        Ok(Self {
            calls_max: config.calls_max,
            soft_calls: soft.units(u64::from(config.calls_max)),
            soft,
            counted,
            told: NAMES.map(|name| Told::concurrent(name, &format!("{name}-concurrent"), config.calls_max)),
            open,
        })
    }
}

impl Policy for ConcurrencyLimit {
    fn request<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        let caller = match self.counted.find(call) {
            Ok(caller) => caller,
            Err(refusal) => return refusal.into(),
        };
        let told = &self.told[caller.name];
        // With more callers at once than there are cells, some are not counted.
        let Some(place) = self.open.place(caller.hash, call.moment) else {
            return Verdict::Continue;
        };
        let most = if self.soft.passes_all() {
            u32::MAX
        } else {
            self.calls_max
        };
        let Some(open) = self.open.at(place).begin_one(most) else {
            call.limits.push(told, 0, None);
            let detail = format!(
                "`{}` allows {most} calls at a time per {}.",
                call.place.api_name, NAMES[caller.name]
            );
            return Refusal::new(Code::ConcurrencyLimited, detail)
                .retry_after(1)
                .into();
        };
        let hold = Hold::Caller(Arc::clone(&self.open), place);
        call.effects.holds.push(hold);
        let over = (u64::from(open) > self.soft_calls).then_some(self.soft.mode);
        if let Some(mode) = over {
            call.effects.over(Self::NAME, mode, 0);
        }
        let remaining = u64::from(self.calls_max.saturating_sub(open));
        call.limits.push_over(told, remaining, None, over);
        Verdict::Continue
    }

    fn state(&self) -> Option<State> {
        Some(Arc::clone(&self.open) as State)
    }
}
