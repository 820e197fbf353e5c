//! What nodes that count together tell each other.
//!
//! Each node counts by itself, so that no call waits. Now and then it tells a store what it has counted since, and
//! hears what all together have. A rate is shared as time: how many nanoseconds calls have taken, and how far all
//! nodes together are ahead of now. Windows and quotas are shared as counts per node, told as they are and not as
//! what was added, so that telling twice changes nothing and a store that forgot everything learns it again.

use crate::call::Moment;

/// What a limit has to tell of one of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Of a rate.
    Spent {
        /// Nanoseconds that calls took and that were not told yet.
        untold_ns: u64,
        /// How far ahead of now the limit is, as far as this node knows.
        ahead_ns: u64,
    },
    /// Of a window or a period.
    Counted {
        /// Which kind of window: `w`, or `h`, `d`, `m` for a quota's hour, day and month.
        kind: char,
        /// Its number since 1970.
        window: u64,
        /// All units that this node counted in it.
        own: u64,
        /// Seconds after which nobody asks for it any more.
        keep_seconds: u64,
    },
}

/// Counters that several nodes share.
pub trait Ledger: Send + Sync + std::fmt::Debug {
    /// Names every caller about whom there is something to tell; each is told of again until it was [heard](Self::hear).
    fn untold(&self, now: Moment, tell: &mut dyn FnMut(u128, Said));

    /// Takes what all nodes together have counted: nanoseconds ahead of `now`, or units.
    fn hear(&self, caller: u128, said: Said, all: u64, now: Moment);

    /// What was told of a caller did not reach the others.
    fn unheard(&self, caller: u128);
}

#[cfg(test)]
mod tests;
