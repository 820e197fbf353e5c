//! What a limit is asked, and what it says.

use domain::limit::{Mode, OverLimit, WhenStoreIsAway};

use crate::call::Moment;

/// Nanoseconds in a second.
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// Whether several nodes count together at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// This node has no store; it counts by itself.
    #[default]
    Alone,
    /// The store has answered lately.
    Together,
    /// It has not; so many nodes, this one included, were there last.
    Away {
        /// At least 1.
        nodes: u32,
    },
}

/// What a limit is asked about a call.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Now.
    pub moment: Moment,
    /// What the call costs.
    pub units: u32,
    /// Whether others count as well.
    pub standing: Standing,
    /// It is known later only whether the call counts; until then its units are held.
    pub is_held: bool,
}

/// How much of a limit a node may give away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// All of it.
    Whole,
    /// One part of so many.
    Part(u32),
    /// Whatever is asked for.
    Open,
    /// Nothing.
    Closed,
}

impl Ask {
    /// Whether what is counted has to be told to others.
    pub(crate) fn is_shared(&self) -> bool {
        self.standing != Standing::Alone
    }

    pub(crate) const fn share(&self, when: WhenStoreIsAway) -> Share {
        let Standing::Away { nodes } = self.standing else {
            return Share::Whole;
        };
        match when {
            WhenStoreIsAway::LocalShare => Share::Part(nodes),
            WhenStoreIsAway::Local => Share::Whole,
            WhenStoreIsAway::Open => Share::Open,
            WhenStoreIsAway::Closed => Share::Closed,
        }
    }
}

/// What a limit says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The call passes.
    Pass {
        /// Units that may still come at once.
        remaining: u64,
        /// Seconds until the whole limit is there again.
        reset_seconds: u64,
        /// Set if the call is over the limit by its soft measure: nanoseconds until it would not be.
        over_ns: Option<u64>,
    },
    /// The call was not counted.
    Refuse {
        /// Seconds after which one call may come: at least 1.
        retry_seconds: u64,
    },
    /// Nobody can tell; the policy wants calls refused then.
    Unknown,
}

impl Decision {
    /// What a limit says that does not hold at the moment.
    pub(crate) fn opened(self) -> Self {
        match self {
            Self::Refuse { retry_seconds } => Self::Pass {
                remaining: 0,
                reset_seconds: retry_seconds,
                over_ns: None,
            },
            decision => decision,
        }
    }
}

/// What becomes of calls over a limit, compiled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Soft {
    pub(crate) mode: Mode,
    from_percent: u64,
    delay_max_ns: u64,
}

impl Soft {
    pub(crate) fn new(over: OverLimit) -> Self {
        Self {
            mode: over.mode,
            from_percent: u64::from(over.from_percent.clamp(1, 100)),
            delay_max_ns: u64::from(over.delay_ms_max) * 1_000_000,
        }
    }

    /// The units of a limit from which on calls are over it by the soft measure.
    pub(crate) fn units(&self, limit: u64) -> u64 {
        match self.from_percent {
            100 => limit,
            percent => (u128::from(limit) * u128::from(percent)).div_ceil(100) as u64,
        }
    }

    /// Whether calls pass however far they are over.
    pub(crate) const fn passes_all(&self) -> bool {
        self.from_percent == 100 && matches!(self.mode, Mode::Warn | Mode::Degrade)
    }

    /// How long a call may have to wait beyond the whole limit.
    pub(crate) const fn beyond_ns(&self) -> u64 {
        match self.mode {
            Mode::SlowDown if self.from_percent == 100 => self.delay_max_ns,
            _ => 0,
        }
    }

    /// How long a call waits that is over by so much.
    pub(crate) fn delay_ns(&self, over_ns: u64) -> u64 {
        match self.mode {
            Mode::SlowDown => over_ns.min(self.delay_max_ns),
            _ => 0,
        }
    }
}
