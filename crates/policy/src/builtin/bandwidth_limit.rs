//! `bandwidth_limit`: bounds how fast bodies flow.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rate_limit::ipv6_prefix;
use crate::ask::SECOND_NS;
use crate::call::Call;
use crate::caller::{Counted, Per};
use crate::cells::Cells;
use crate::gcra::Gcra;
use crate::kind::{Builtin, Fault};
use crate::verdict::Verdict;
use crate::{Policy, State};

/// The slowest that can be set, in bytes per second: below it, bodies would never end.
const BYTES_LEAST: u64 = 1024;
/// The fastest: beyond a terabyte, a limit says nothing.
const BYTES_MOST: u64 = 1 << 40;

/// How fast bodies flow, and whose.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Bytes of answers per second, 1024 or more; as fast as they come if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024))]
    pub answer_bytes_per_second: Option<u64>,
    /// Bytes of requests per second, 1024 or more; as fast as they come if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024))]
    pub request_bytes_per_second: Option<u64>,
    /// Bytes that may flow at once, either way; those of one second if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub burst_bytes: Option<u64>,
    /// Whose bodies share the bandwidth.
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
}

/// The compiled policy.
#[derive(Debug)]
pub struct BandwidthLimit {
    answers: Option<Speed>,
    requests: Option<Speed>,
    counted: Counted,
    both: Arc<Both>,
}

/// What has flowed of each caller, either way.
#[derive(Debug)]
struct Both {
    answers: Arc<Cells<Gcra>>,
    requests: Arc<Cells<Gcra>>,
}

#[derive(Debug, Clone, Copy)]
struct Speed {
    bytes_per_second: u64,
    ahead_ns: u64,
}

impl Speed {
    fn new(bytes_per_second: u64, burst: Option<u64>) -> Self {
        let cost = |bytes: u64| cost_ns(bytes, bytes_per_second);
        Self {
            bytes_per_second,
            ahead_ns: burst.map_or(SECOND_NS, cost),
        }
    }
}

/// How long so many bytes take.
fn cost_ns(bytes: u64, bytes_per_second: u64) -> u64 {
    let nanos = u128::from(bytes) * u128::from(SECOND_NS) / u128::from(bytes_per_second.max(1));
    u64::try_from(nanos).unwrap_or(u64::MAX / 4)
}

impl Builtin for BandwidthLimit {
    type Config = Config;
    const NAME: &'static str = "bandwidth_limit";
    const TITLE: &'static str = "Bandwidth";
    const DESCRIPTION: &'static str = "Lets the bodies of requests and answers, and what passes through WebSockets and \
        tunnels, flow no faster than so many bytes per second, all calls of an application, address, header, parameter or of the whole route together. Nothing is \
        refused: bodies wait. Counted on each gateway node by itself.";
    const TAKES_AUDIENCE: bool = true;

    fn build(config: Config, state: Option<&State>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        for (pointer, speed) in [
            ("/answer_bytes_per_second", config.answer_bytes_per_second),
            ("/request_bytes_per_second", config.request_bytes_per_second),
        ] {
            if speed.is_some_and(|speed| !(BYTES_LEAST..=BYTES_MOST).contains(&speed)) {
                faults.push(Fault::new(pointer, format!("from {BYTES_LEAST} to {BYTES_MOST}")));
            }
        }
        if config.answer_bytes_per_second.is_none() && config.request_bytes_per_second.is_none() {
            faults.push(Fault::new("", "name a bandwidth of answers or requests"));
        }
        if config
            .burst_bytes
            .is_some_and(|burst| !(1..=BYTES_MOST).contains(&burst))
        {
            faults.push(Fault::new("/burst_bytes", format!("from 1 to {BYTES_MOST}")));
        }
        let attribute = config.attribute.as_deref();
        let counted = Counted::new(config.per, attribute, config.ipv6_prefix, &mut faults);
        let Some(counted) = counted.filter(|_| faults.is_empty()) else {
            return Err(faults);
        };
        let cells = || {
            Arc::new(if counted.is_one() {
                Cells::one()
            } else {
                Cells::many()
            })
        };
        let both = state
            .and_then(|state| Arc::clone(state).downcast::<Both>().ok())
            .filter(|both| both.answers.is_many() != counted.is_one())
            .unwrap_or_else(|| {
                Arc::new(Both {
                    answers: cells(),
                    requests: cells(),
                })
            });
        let speed = |bytes: Option<u64>| bytes.map(|bytes| Speed::new(bytes, config.burst_bytes));
        Ok(Self {
            answers: speed(config.answer_bytes_per_second),
            requests: speed(config.request_bytes_per_second),
            counted,
            both,
        })
    }
}

impl Policy for BandwidthLimit {
    fn request<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        let caller = match self.counted.find(call) {
            Ok(caller) => caller,
            Err(refusal) => return refusal.into(),
        };
        for (way, speed, cells) in [
            (Way::Answer, &self.answers, &self.both.answers),
            (Way::Request, &self.requests, &self.both.requests),
        ] {
            if let Some(speed) = speed
                && let Some(place) = cells.place(caller.hash, call.moment)
            {
                call.effects.flows.push(Flow {
                    way,
                    speed: *speed,
                    cells: Arc::clone(cells),
                    place,
                });
            }
        }
        Verdict::Continue
    }

    fn state(&self) -> Option<State> {
        Some(Arc::clone(&self.both) as State)
    }
}

/// Which body a bandwidth is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The answer's.
    Answer,
    /// The request's.
    Request,
}

/// The bandwidth of one caller, while one of its bodies flows.
#[derive(Debug)]
pub struct Flow {
    /// Which body it is for.
    pub way: Way,
    speed: Speed,
    cells: Arc<Cells<Gcra>>,
    place: usize,
}

impl Flow {
    /// How large the parts should be in which a body flows: what a tenth of a second allows, 1 KiB at least.
    pub fn part_bytes(&self) -> usize {
        usize::try_from(self.speed.bytes_per_second / 10).map_or(usize::MAX, |bytes| bytes.max(1024))
    }

    /// Counts bytes that have passed; nanoseconds to wait before more may.
    pub fn passed(&self, bytes: u64, steady_ns: u64) -> u64 {
        let cost = cost_ns(bytes, self.speed.bytes_per_second);
        self.cells
            .at(self.place)
            .take(cost, self.speed.ahead_ns, steady_ns)
    }
}

#[cfg(test)]
mod tests;
