//! `rate_limit`: a rate limit besides the plan's, per application, address or route.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{Code, offer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::gcra::{self, Decision, Rate};
use crate::kind::{Builtin, Fault};
use crate::told::Told;
use crate::verdict::{Refusal, Verdict};
use crate::{Policy, State};

/// How many callers are told apart at a time; 16 bytes each.
const CELLS: usize = 16_384;
/// How many cells one caller may use; more would be slower to search, fewer would be full sooner.
const WAYS: usize = 8;

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
    /// Calls that may come at once; `requests` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub burst: Option<u32>,
    /// Whose calls are counted together.
    #[serde(default)]
    pub per: Per,
}

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Those of an application; of an address while the application is not known.
    #[default]
    Application,
    /// Those of an IPv4 address or an IPv6 network of 64 bits.
    Address,
    /// All calls.
    Route,
}

/// The compiled policy.
#[derive(Debug)]
pub struct RateLimit {
    rate: Rate,
    per: Per,
    /// What answers say of the limit of an application, an address, the route.
    told: [Told; 3],
    cells: Arc<Cells>,
}

const NAMES: [&str; 3] = ["application", "address", "route"];

impl Builtin for RateLimit {
    type Config = Config;
    const NAME: &'static str = "rate_limit";
    const TITLE: &'static str = "Rate limit";
    const DESCRIPTION: &'static str = "Refuses calls that come faster than a rate, per application, address or route, \
        besides what the plan allows. Counted on each gateway node by itself.";

    fn build(config: Config, state: Option<&State>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        if config.requests == 0 {
            faults.push(Fault::new("/requests", "at least 1"));
        }
        if !(1..=86_400).contains(&config.window_seconds) {
            faults.push(Fault::new("/window_seconds", "from 1 to 86400"));
        }
        if config.burst == Some(0) {
            faults.push(Fault::new("/burst", "at least 1"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let Config {
            requests,
            window_seconds,
            burst,
            per,
        } = config;
        let size = if per == Per::Route { WAYS } else { CELLS };
        let cells = state
            .and_then(|state| Arc::clone(state).downcast::<Cells>().ok())
            .filter(|cells| cells.cells.len() == size)
            .unwrap_or_else(|| Arc::new(Cells::new(size)));
        let rate = Rate::new(offer::RateLimit {
            requests,
            window_seconds,
            burst,
        });
        Ok(Self {
            told: NAMES.map(|name| Told::new(name, rate.requests, rate.window_seconds)),
            rate,
            per,
            cells,
        })
    }
}

impl Policy for RateLimit {
    fn request<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        let now_ns = call.moment.steady_ns;
        let (told, cell) = match (self.per, call.consumer) {
            (Per::Application, Some(consumer)) => (0, self.cells.find(consumer.application.id, now_ns)),
            (Per::Application | Per::Address, _) => (1, self.cells.find(network(call.address), now_ns)),
            (Per::Route, _) => (2, self.cells.find((), now_ns)),
        };
        let told = &self.told[told];
        match gcra::admit(cell, &self.rate, now_ns) {
            Decision::Pass {
                remaining,
                reset_seconds,
            } => {
                call.limits.push(told, remaining, reset_seconds);
                Verdict::Continue
            }
            Decision::Refuse { retry_seconds } => {
                call.limits.push(told, 0, retry_seconds);
                let Rate {
                    requests,
                    window_seconds,
                    ..
                } = self.rate;
                let detail = format!(
                    "`{}` allows {requests} calls per {window_seconds} seconds and {}; \
                     the next one passes in {retry_seconds} seconds.",
                    call.place.api_name,
                    told.name()
                );
                Refusal::new(Code::RateLimited, detail)
                    .retry_after(retry_seconds)
                    .into()
            }
        }
    }

    fn state(&self) -> Option<State> {
        Some(Arc::clone(&self.cells) as State)
    }
}

/// What counts as one address, and whether it is an IPv6 network: who has one has all its addresses.
fn network(address: IpAddr) -> (bool, u64) {
    match address.to_canonical() {
        IpAddr::V4(address) => (false, u64::from(address.to_bits())),
        IpAddr::V6(address) => (true, (address.to_bits() >> 64) as u64),
    }
}

/// Rate cells of many callers in bounded memory, without locks: a table that forgets whose rate is whole.
///
/// When all cells that a caller may use are taken, the one nearest to being whole is given up: its caller
/// may then exceed the rate once, which is better than refusing a stranger.
#[derive(Debug)]
struct Cells {
    cells: Box<[Cell]>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Cell {
    /// The caller's hash; 0 for none.
    caller: AtomicU64,
    due_ns: AtomicU64,
}

impl Cells {
    fn new(size: usize) -> Self {
        Self {
            cells: (0..size).map(|_| Cell::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    fn find(&self, caller: impl Hash, now_ns: u64) -> &AtomicU64 {
        let hash = self.hasher.hash_one(caller) | 1;
        let sets = self.cells.len() / WAYS;
        // The low bit is always set, so the high half chooses the place.
        let first = (hash >> 32) as usize % sets * WAYS;
        let ways = &self.cells[first..first + WAYS];
        if let Some(cell) = ways
            .iter()
            .find(|cell| cell.caller.load(Ordering::Relaxed) == hash)
        {
            return &cell.due_ns;
        }
        let cell = ways
            .iter()
            .min_by_key(|cell| cell.due_ns.load(Ordering::Relaxed))
            .expect("there are ways");
        let before = cell.caller.load(Ordering::Relaxed);
        if cell
            .caller
            .compare_exchange(before, hash, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            cell.due_ns.store(now_ns, Ordering::Relaxed);
        }
        &cell.due_ns
    }
}

#[cfg(test)]
mod tests;
