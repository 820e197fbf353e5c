//! A rate limit of many callers, by either algorithm.

use std::sync::Arc;

use domain::limit::{RateAlgorithm, RateLimit, WhenStoreIsAway};

use crate::State;
use crate::ask::{Ask, Decision, Soft};
use crate::call::Moment;
use crate::cells::Cells;
use crate::gcra::{Gcra, Rate};
use crate::shared::{Ledger, Said};
use crate::sliding::{Sliding, Window};

/// How fast calls may come, by either algorithm.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Meter {
    Gcra(Rate),
    Sliding(Window),
}

impl Meter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        match limit.algorithm {
            RateAlgorithm::Gcra => Self::Gcra(Rate::new(limit)),
            RateAlgorithm::SlidingWindow => Self::Sliding(Window::new(limit)),
        }
    }

    pub(crate) const fn soft(&self) -> &Soft {
        match self {
            Self::Gcra(rate) => &rate.soft,
            Self::Sliding(window) => &window.soft,
        }
    }

    /// Units per window.
    pub(crate) const fn requests(&self) -> u64 {
        match self {
            Self::Gcra(rate) => rate.requests,
            Self::Sliding(window) => window.requests,
        }
    }

    pub(crate) const fn window_seconds(&self) -> u64 {
        match self {
            Self::Gcra(rate) => rate.window_seconds,
            Self::Sliding(window) => window.seconds(),
        }
    }
}

/// What a limit remembers of its callers.
#[derive(Debug)]
pub(crate) enum Table {
    Gcra(Cells<Gcra>),
    Sliding(Cells<Sliding>),
}

impl Table {
    fn new(meter: &Meter, is_many: bool) -> Self {
        match (meter, is_many) {
            (Meter::Gcra(_), true) => Self::Gcra(Cells::many()),
            (Meter::Gcra(_), false) => Self::Gcra(Cells::one()),
            (Meter::Sliding(_), true) => Self::Sliding(Cells::many()),
            (Meter::Sliding(_), false) => Self::Sliding(Cells::one()),
        }
    }

    fn fits(&self, meter: &Meter, is_many: bool) -> bool {
        match (self, meter) {
            (Self::Gcra(cells), Meter::Gcra(_)) => cells.is_many() == is_many,
            (Self::Sliding(cells), Meter::Sliding(_)) => cells.is_many() == is_many,
            _ => false,
        }
    }
}

/// A limit with what it remembers.
#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    pub(crate) meter: Meter,
    when_away: WhenStoreIsAway,
    table: Arc<Table>,
}

impl Limiter {
    /// A limit of many callers or of all together, that goes on with what its predecessor remembered.
    pub(crate) fn new(
        limit: RateLimit,
        when_away: WhenStoreIsAway,
        is_many: bool,
        state: Option<&State>,
    ) -> Self {
        let meter = Meter::new(limit);
        let table = state
            .and_then(|state| Arc::clone(state).downcast::<Table>().ok())
            .filter(|table| table.fits(&meter, is_many))
            .unwrap_or_else(|| Arc::new(Table::new(&meter, is_many)));
        Self {
            meter,
            when_away,
            table,
        }
    }

    pub(crate) fn admit(&self, caller: u64, ask: &Ask) -> Decision {
        match (&self.meter, &*self.table) {
            (Meter::Gcra(rate), Table::Gcra(cells)) => {
                cells.find(caller, ask.moment).admit(rate, ask, self.when_away)
            }
            (Meter::Sliding(window), Table::Sliding(cells)) => {
                cells.find(caller, ask.moment).admit(window, ask, self.when_away)
            }
            _ => unreachable!("the table was made for the meter"),
        }
    }

    /// Admits a call of which it is known later only whether it counts; what it holds until then, 0 if nothing.
    pub(crate) fn hold(&self, caller: u64, ask: &Ask) -> (Decision, u64) {
        let ask = &Ask {
            is_held: true,
            ..*ask
        };
        match (&self.meter, &*self.table) {
            (Meter::Gcra(rate), Table::Gcra(cells)) => {
                cells.find(caller, ask.moment).ask(rate, ask, self.when_away)
            }
            (Meter::Sliding(window), Table::Sliding(cells)) => {
                cells.find(caller, ask.moment).ask(window, ask, self.when_away)
            }
            _ => unreachable!("the table was made for the meter"),
        }
    }

    /// Ends the holding of a call that counts, or of one that does not.
    pub(crate) fn settle(&self, caller: u64, held: u64, ask: &Ask, does_count: bool) {
        match (&self.meter, &*self.table) {
            (Meter::Gcra(_), Table::Gcra(cells)) => {
                cells.find(caller, ask.moment).settle(held, ask, does_count);
            }
            (Meter::Sliding(window), Table::Sliding(cells)) => {
                let cell = cells.find(caller, ask.moment);
                cell.settle(window, held, ask, does_count);
            }
            _ => unreachable!("the table was made for the meter"),
        }
    }

    pub(crate) fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(self.clone())
    }

    pub(crate) fn state(&self) -> State {
        Arc::clone(&self.table) as State
    }
}

impl Ledger for Limiter {
    fn untold(&self, now: Moment, tell: &mut dyn FnMut(u128, Said)) {
        match (&self.meter, &*self.table) {
            (_, Table::Gcra(cells)) => {
                for (caller, cell) in cells.each() {
                    if let Some(said) = spent(cell, now) {
                        tell(u128::from(caller), said);
                    }
                }
            }
            (Meter::Sliding(window), Table::Sliding(cells)) => {
                for (caller, cell) in cells.each() {
                    for said in counted(cell, window) {
                        tell(u128::from(caller), said);
                    }
                }
            }
            _ => {}
        }
    }

    fn hear(&self, caller: u128, said: Said, all: u64, now: Moment) {
        let caller = caller as u64;
        match &*self.table {
            Table::Gcra(cells) => {
                if let Some(cell) = cells.known(caller) {
                    hear_rate(cell, said, all, now);
                }
            }
            Table::Sliding(cells) => {
                if let Some(cell) = cells.known(caller) {
                    hear_window(cell, said, all);
                }
            }
        }
    }

    // Its cells are all looked through each time.
    fn unheard(&self, _: u128) {}
}

/// What a rate has to tell.
pub(crate) fn spent(cell: &Gcra, now: Moment) -> Option<Said> {
    let (untold_ns, ahead_ns) = cell.untold(now.steady_ns)?;
    Some(Said::Spent { untold_ns, ahead_ns })
}

/// What a window has to tell, of itself and of the one before.
pub(crate) fn counted(cell: &Sliding, window: &Window) -> impl Iterator<Item = Said> {
    let keep_seconds = 3 * window.seconds() + 60;
    let told = cell.untold().into_iter().flatten();
    told.filter(|(_, own)| *own > 0)
        .map(move |(window, own)| Said::Counted {
            kind: 'w',
            window,
            own,
            keep_seconds,
        })
}

pub(crate) fn hear_rate(cell: &Gcra, said: Said, all: u64, now: Moment) {
    if let Said::Spent { untold_ns, .. } = said {
        cell.hear(untold_ns, all, now.steady_ns);
    }
}

pub(crate) fn hear_window(cell: &Sliding, said: Said, all: u64) {
    if let Said::Counted { window, own, .. } = said {
        cell.hear((window, own), all);
    }
}

#[cfg(test)]
mod tests;
