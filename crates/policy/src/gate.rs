//! The limits of a whole node, before it is known what is called and by whom.

use std::net::IpAddr;
use std::sync::Arc;

use domain::Code;
use domain::limit::{self, WhenStoreIsAway};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ask::{Ask, Decision, Standing};
use crate::call::Moment;
use crate::caller::network;
use crate::cells::{Cells, hash};
use crate::effects::{Hold, Holds, Open};
use crate::gcra::{Gcra, Rate};
use crate::verdict::Refusal;

/// How many calls a node takes in what time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateRate {
    /// Calls in the window: at least 1.
    pub requests: u32,
    /// The window in seconds: 1 to 86,400.
    pub window_seconds: u32,
    /// Calls that may come at once; `requests` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

impl GateRate {
    fn limit(self) -> limit::RateLimit {
        limit::RateLimit::new(self.requests, self.window_seconds, self.burst)
    }

    /// What is wrong with it: the field below it, and why.
    pub fn faults(self) -> Vec<(String, &'static str)> {
        self.limit().faults()
    }
}

/// How many calls a node takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct GateSpec {
    /// In what time.
    pub rate: Option<GateRate>,
    /// In what time from one address.
    pub address_rate: Option<GateRate>,
    /// At a time; 0 for no bound.
    pub calls_max: u32,
    /// Leading bits of IPv6 addresses that make one client.
    pub ipv6_prefix: u8,
}

/// The limits of a node, with what they remember.
#[derive(Debug)]
pub struct Gate {
    rate: Option<(Rate, Gcra)>,
    address_rate: Option<(Rate, Cells<Gcra>)>,
    open: Option<(u32, Arc<Open>)>,
    ipv6_bits: u32,
}

impl Gate {
    /// Limits that hold; `None` if none is set.
    pub fn new(spec: &GateSpec) -> Option<Self> {
        let is_open = spec.rate.is_none() && spec.address_rate.is_none() && spec.calls_max == 0;
        (!is_open).then(|| Self {
            rate: spec.rate.map(|rate| (Rate::new(rate.limit()), Gcra::default())),
            address_rate: spec
                .address_rate
                .map(|rate| (Rate::new(rate.limit()), Cells::many())),
            open: (spec.calls_max > 0).then(|| (spec.calls_max, Arc::default())),
            ipv6_bits: u32::from(spec.ipv6_prefix),
        })
    }

    /// Counts a call, or says why the node does not take it; `holds` keeps it counted as open.
    pub fn admit(&self, address: IpAddr, moment: Moment, holds: &mut Holds) -> Result<(), Box<Refusal>> {
        let ask = Ask {
            moment,
            units: 1,
            standing: Standing::Alone,
            looks_only: false,
        };
        let when = WhenStoreIsAway::default();
        let refused = |retry_seconds, whose: &str, rate: &Rate| {
            let detail = format!(
                "This gateway takes {} calls per {} seconds{whose}; the next one passes in {retry_seconds} seconds.",
                rate.requests, rate.window_seconds
            );
            Box::new(Refusal::new(Code::RateLimited, detail).retry_after(retry_seconds))
        };
        if let Some((most, open)) = &self.open {
            if open.begin_one(*most).is_none() {
                let detail = format!("This gateway takes {most} calls at a time.");
                return Err(Box::new(
                    Refusal::new(Code::ConcurrencyLimited, detail).retry_after(1),
                ));
            }
            holds.push(Hold::Node(Arc::clone(open)));
        }
        // Whoever sends too much must not use up what the others have together.
        if let Some((rate, cells)) = &self.address_rate {
            let (is_ipv6, bits) = network(address, self.ipv6_bits);
            let caller = hash(u8::from(is_ipv6), bits.to_le_bytes());
            if let Decision::Refuse { retry_seconds } = cells.find(caller, moment).admit(rate, &ask, when) {
                return Err(refused(retry_seconds, " from one address", rate));
            }
        }
        if let Some((rate, cell)) = &self.rate
            && let Decision::Refuse { retry_seconds } = cell.admit(rate, &ask, when)
        {
            return Err(refused(retry_seconds, "", rate));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
