//! The limits of a whole node, before it is known who calls, and of the SDK keys that ask the node itself.

use std::net::IpAddr;
use std::sync::Arc;

use domain::Code;
use domain::id::SdkKeyId;
use domain::limit::{CallRate, WhenStoreIsAway};

use crate::ask::{Ask, Decision, Standing};
use crate::call::Moment;
use crate::caller::network;
use crate::cells::{Cells, hash};
use crate::effects::{Hold, Holds, Open};
use crate::gcra::{Gcra, Rate};
use crate::verdict::Refusal;

/// How many calls a node takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct GateSpec {
    /// In what time.
    pub rate: Option<CallRate>,
    /// In what time from one address.
    pub address_rate: Option<CallRate>,
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
    ///
    /// `share` is the part of what may be open at a time that calls which matter as much may take, in percent.
    pub fn admit(
        &self,
        (address, share): (IpAddr, u32),
        moment: Moment,
        holds: &mut Holds,
    ) -> Result<(), Box<Refusal>> {
        if let Some((most, open)) = &self.open {
            if open.begin_one(part(*most, share)).is_none() {
                let kept = if share < 100 {
                    " What is left is kept for calls that matter more."
                } else {
                    ""
                };
                let detail = format!("This gateway takes {most} calls at a time.{kept}");
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
            count(cells.find(caller, moment), rate, moment, "from one address")?;
        }
        if let Some((rate, cell)) = &self.rate {
            count(cell, rate, moment, "in all")?;
        }
        Ok(())
    }
}

/// A share of a number, in percent; never nothing.
fn part(most: u32, share: u32) -> u32 {
    let part = u64::from(most) * u64::from(share) / 100;
    u32::try_from(part).unwrap_or(most).max(1)
}

/// What is remembered of SDK keys that may be used so often only; the least used are forgotten where there are very many.
#[derive(Debug)]
pub struct KeyRates(Cells<Gcra>);

impl Default for KeyRates {
    fn default() -> Self {
        Self(Cells::many())
    }
}

impl KeyRates {
    /// Counts a call with a key, or says why it is not taken.
    pub fn admit(&self, key: SdkKeyId, rate: CallRate, moment: Moment) -> Result<(), Box<Refusal>> {
        let caller = hash(0, key.uuid().into_bytes());
        let cell = self.0.find(caller, moment);
        count(cell, &Rate::new(rate.limit()), moment, "with this key")
    }
}

/// Counts one call that counts here alone.
fn count(cell: &Gcra, rate: &Rate, moment: Moment, which: &str) -> Result<(), Box<Refusal>> {
    let ask = Ask {
        moment,
        units: 1,
        standing: Standing::Alone,
        is_held: false,
    };
    let Decision::Refuse { retry_seconds } = cell.admit(rate, &ask, WhenStoreIsAway::default()) else {
        return Ok(());
    };
    let detail = format!(
        "{} calls per {} seconds are taken here {which}; the next one passes in {retry_seconds} seconds.",
        rate.requests, rate.window_seconds
    );
    Err(Box::new(
        Refusal::new(Code::RateLimited, detail).retry_after(retry_seconds),
    ))
}

#[cfg(test)]
mod tests;
