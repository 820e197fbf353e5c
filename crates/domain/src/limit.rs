//! How much is allowed: the words of limits, which plans and policies share.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The share of a limit from which it is over, unless set: all of it.
pub const FROM_PERCENT_DEFAULT: u8 = 100;
/// The longest delay of a call, in milliseconds, unless set.
pub const DELAY_MS_MAX_DEFAULT: u32 = 1_000;
/// The longest delay that can be set.
pub const DELAY_MS_MOST: u32 = 30_000;

/// How the calls of a window are counted.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RateAlgorithm {
    /// The cell rate algorithm: calls are due at even intervals and may run ahead by the burst.
    #[default]
    Gcra,
    /// Calls of the last window, that before the running one counted by the share that is still in it.
    SlidingWindow,
}

/// What becomes of calls that are over a limit.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They are refused.
    #[default]
    Enforce,
    /// They pass; answers say that they were over.
    Warn,
    /// They wait until they are due, as long as that is bearable.
    SlowDown,
    /// They pass; the service behind is told, so that it can do less for them.
    Degrade,
}

/// What becomes of calls that are over a limit, and from where on they are.
///
/// From `from_percent` of the limit to all of it, calls are treated as `mode` says; above, they are refused. With
/// 100 percent nothing is refused: the mode holds for all calls that are over. The exception is `slow_down`, which
/// refuses calls that would have to wait longer than `delay_ms_max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OverLimit {
    /// What becomes of them.
    pub mode: Mode,
    /// The share of the limit from which the mode holds: 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    #[schemars(range(min = 1, max = 100))]
    pub from_percent: u8,
    /// With `slow_down`, the longest that a call is held back, in milliseconds: 1 to 30,000.
    #[schema(minimum = 1, maximum = 30_000)]
    #[schemars(range(min = 1, max = 30_000))]
    pub delay_ms_max: u32,
}

impl Default for OverLimit {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            from_percent: FROM_PERCENT_DEFAULT,
            delay_ms_max: DELAY_MS_MAX_DEFAULT,
        }
    }
}

impl OverLimit {
    /// What is wrong with it: the field and why; `can_wait` tells whether calls can wait for the limit.
    pub fn faults(&self, can_wait: bool) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        if self.mode == Mode::SlowDown && !can_wait {
            faults.push(("mode", "calls cannot wait for a calendar period to end"));
        }
        if !(1..=100).contains(&self.from_percent) {
            faults.push(("from_percent", "from 1 to 100"));
        } else if self.mode == Mode::Enforce && self.from_percent != FROM_PERCENT_DEFAULT {
            faults.push(("from_percent", "`enforce` refuses at 100; choose another mode"));
        }
        if !(1..=DELAY_MS_MOST).contains(&self.delay_ms_max) {
            faults.push(("delay_ms_max", "from 1 to 30000"));
        } else if self.mode != Mode::SlowDown && self.delay_ms_max != DELAY_MS_MAX_DEFAULT {
            faults.push(("delay_ms_max", "only `slow_down` holds calls back"));
        }
        faults
    }
}

/// What holds while the store, over which several nodes count together, is away.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WhenStoreIsAway {
    /// Each node allows its share: the limit divided by the nodes that were there last.
    #[default]
    LocalShare,
    /// Each node allows the whole limit.
    Local,
    /// The limit does not hold.
    Open,
    /// Calls that the limit would count are refused.
    Closed,
}

impl WhenStoreIsAway {
    /// Whether it is what holds when nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How many calls in what time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Calls in the window: at least 1.
    #[schema(minimum = 1)]
    #[schemars(range(min = 1))]
    pub requests: u32,
    /// The window in seconds: 1 to 86 400.
    #[schema(minimum = 1, maximum = 86_400)]
    #[schemars(range(min = 1, max = 86_400))]
    pub window_seconds: u32,
    /// Calls that may come at once; `requests` if absent. Not with a sliding window, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    #[schemars(range(min = 1))]
    pub burst: Option<u32>,
    /// How calls are counted.
    #[serde(default)]
    pub algorithm: RateAlgorithm,
    /// What becomes of calls that are over the limit.
    #[serde(default)]
    pub over_limit: OverLimit,
}

impl RateLimit {
    /// A rate that is enforced, counted by the cell rate algorithm.
    pub const fn new(requests: u32, window_seconds: u32, burst: Option<u32>) -> Self {
        Self {
            requests,
            window_seconds,
            burst,
            algorithm: RateAlgorithm::Gcra,
            over_limit: OverLimit {
                mode: Mode::Enforce,
                from_percent: FROM_PERCENT_DEFAULT,
                delay_ms_max: DELAY_MS_MAX_DEFAULT,
            },
        }
    }

    /// What is wrong with it beyond single numbers: a JSON Pointer below it, and why.
    pub fn faults(&self) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        if self.requests == 0 {
            faults.push(("/requests".to_owned(), "at least 1"));
        }
        if !(1..=86_400).contains(&self.window_seconds) {
            faults.push(("/window_seconds".to_owned(), "from 1 to 86400"));
        }
        if self.burst == Some(0) {
            faults.push(("/burst".to_owned(), "at least 1"));
        } else if self.burst.is_some() && self.algorithm == RateAlgorithm::SlidingWindow {
            faults.push(("/burst".to_owned(), "a sliding window has no burst"));
        }
        let over = self.over_limit.faults(true).into_iter();
        faults.extend(over.map(|(field, why)| (format!("/over_limit/{field}"), why)));
        faults
    }
}

/// How many calls in what time, where more are refused and nothing else is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRate {
    /// Calls in the window: at least 1.
    #[schema(minimum = 1)]
    pub requests: u32,
    /// The window in seconds: 1 to 86,400.
    #[schema(minimum = 1, maximum = 86_400)]
    pub window_seconds: u32,
    /// Calls that may come at once; `requests` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub burst: Option<u32>,
}

impl CallRate {
    /// The same among limits that can be more.
    pub const fn limit(self) -> RateLimit {
        RateLimit::new(self.requests, self.window_seconds, self.burst)
    }

    /// What is wrong with it: the field below it, and why.
    pub fn faults(self) -> Vec<(String, &'static str)> {
        self.limit().faults()
    }
}

/// A calendar period in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From the full hour.
    Hour,
    /// From midnight.
    Day,
    /// From the first of the month.
    Month,
}

/// How many calls in a calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Calls in the period: at least 1.
    #[schema(minimum = 1)]
    pub requests: u64,
    /// The period.
    pub period: Period,
    /// What becomes of calls that are over the quota; `slow_down` is not for quotas.
    #[serde(default)]
    pub over_limit: OverLimit,
}

impl Quota {
    /// A quota that is enforced.
    pub fn new(requests: u64, period: Period) -> Self {
        Self {
            requests,
            period,
            over_limit: OverLimit::default(),
        }
    }
}

/// How dear a call is: policies of the kind `call_cost` give operations a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Little work.
    Cheap,
    /// Some work.
    Moderate,
    /// Much work.
    Expensive,
}

/// How many calls a call of each tier counts for under a plan: 0 to 1,000,000; 0 is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TierCosts {
    /// For a cheap call.
    #[schema(maximum = 1_000_000)]
    #[schemars(range(max = 1_000_000))]
    pub cheap: u32,
    /// For a moderate call.
    #[schema(maximum = 1_000_000)]
    #[schemars(range(max = 1_000_000))]
    pub moderate: u32,
    /// For an expensive call.
    #[schema(maximum = 1_000_000)]
    #[schemars(range(max = 1_000_000))]
    pub expensive: u32,
}

/// The most that a call can cost.
pub const COST_MAX: u32 = 1_000_000;

impl Default for TierCosts {
    fn default() -> Self {
        Self {
            cheap: 1,
            moderate: 5,
            expensive: 25,
        }
    }
}

impl TierCosts {
    /// What a call of a tier costs.
    pub const fn of(&self, tier: Tier) -> u32 {
        match tier {
            Tier::Cheap => self.cheap,
            Tier::Moderate => self.moderate,
            Tier::Expensive => self.expensive,
        }
    }
}

#[cfg(test)]
mod tests;
