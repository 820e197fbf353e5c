//! The thread that empties the rings into the log (being filled in).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::log::Log;
use crate::ring::{Drain, Recorder, RingFigures, Wake, WhenFull, ring_with};

/// How records get to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PumpSettings {
    /// The least time between two commits: 1 to 1000 ms.
    pub commit_interval: Duration,
    /// Places in each ring.
    pub ring_capacity: usize,
    /// What happens when a ring is full.
    pub when_full: WhenFull,
}

impl Default for PumpSettings {
    fn default() -> Self {
        Self {
            commit_interval: Duration::from_millis(10),
            ring_capacity: 16_384,
            when_full: WhenFull::Serve,
        }
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Pump {
    settings: PumpSettings,
    wake: Arc<Wake>,
    drains: Arc<Mutex<Vec<Drain>>>,
}

impl Pump {
    /// Starts the thread.
    pub fn start(log: Arc<Log>, settings: PumpSettings) -> std::io::Result<Self> {
        let _ = log;
        Ok(Self {
            settings,
            wake: Arc::default(),
            drains: Arc::default(),
        })
    }

    /// Makes the ring of another gateway core.
    pub fn recorder(&self) -> Recorder {
        let (recorder, drain) = ring_with(
            self.settings.ring_capacity,
            self.settings.when_full,
            self.wake.clone(),
        );
        self.drains
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(drain);
        recorder
    }

    /// The sums over all rings.
    pub fn figures(&self) -> RingFigures {
        RingFigures::default()
    }

    /// Commits what the rings hold and ends the thread.
    pub fn stop(self) {}
}
