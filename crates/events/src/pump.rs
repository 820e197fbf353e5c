//! The thread that empties the rings into the log.
//!
//! It commits what came since the last commit, at most once per interval, and sleeps without any timer while
//! nothing comes. A commit that fails is tried again with the same events until it succeeds; meanwhile the rings
//! fill, and their setting decides what happens to further calls.
//!
//! Tracked events ([`Intake`]) do not wait for the interval, because their senders wait for an answer: they are
//! committed at once, together with what the rings hold. If that fails three times, they are given up and their
//! senders told so; the rest is tried on without them.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::call::Event;
use crate::intake::{Group, Intake, Refused};
use crate::log::{Commit, Error, Log};
use crate::ring::{Drain, Recorder, RingFigures, Wake, WhenFull, ring_with};
use crate::sink::causes;
use crate::wire::EVENTS_MAX;

/// The wait after a first failed commit; it doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
/// The longest wait between two tries of a commit.
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// Tries of a commit once the pump is told to stop.
const LAST_TRIES: u32 = 5;
/// Tries of a commit with tracked events before their senders are told that it failed.
const TRACKED_TRIES: u32 = 3;

/// How records get to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PumpSettings {
    /// The least time between two commits, and so the most that a crash takes: 1 to 1000 ms.
    pub commit_interval: Duration,
    /// Places in each ring, about 220 bytes each.
    pub ring_capacity: usize,
    /// What happens when a ring is full.
    pub when_full: WhenFull,
}

impl Default for PumpSettings {
    fn default() -> Self {
        Self {
            commit_interval: Duration::from_millis(10),
            ring_capacity: 8192,
            when_full: WhenFull::Serve,
        }
    }
}

/// Some records could not be written before the end.
#[derive(Debug, thiserror::Error)]
#[error("{events} usage records could not be written")]
pub struct Unwritten {
    /// How many.
    pub events: u64,
    /// What the log said.
    #[source]
    pub source: Error,
}

/// The running thread. Dropped, it ends as with [`stop`](Self::stop).
#[derive(Debug)]
pub struct Pump {
    settings: PumpSettings,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<(), Unwritten>>>,
}

#[derive(Debug)]
struct Shared {
    wake: Arc<Wake>,
    intake: Option<Intake>,
    drains: Mutex<Vec<Drain>>,
    is_stopping: AtomicBool,
}

impl Pump {
    /// Starts the thread; fails only if the system has none to give.
    pub fn start(log: Arc<Log>, settings: PumpSettings) -> io::Result<Self> {
        Self::start_with(log, settings, None)
    }

    /// Starts the thread, which then commits tracked events as well; `intake` is in front of the same log.
    pub fn start_with(log: Arc<Log>, settings: PumpSettings, intake: Option<Intake>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            wake: intake.as_ref().map(Intake::wake).unwrap_or_default(),
            intake,
            drains: Mutex::default(),
            is_stopping: AtomicBool::new(false),
        });
        let interval = settings
            .commit_interval
            .clamp(Duration::from_millis(1), Duration::from_secs(1));
        let worker = Worker {
            log,
            shared: shared.clone(),
            interval,
            events: Vec::new(),
            is_unsettled: false,
        };
        let thread = std::thread::Builder::new()
            .name("usage-log".to_owned())
            .spawn(|| worker.run())?;
        shared.wake.register(thread.thread().clone());
        Ok(Self {
            settings,
            shared,
            thread: Some(thread),
        })
    }

    /// Makes the ring of another gateway core.
    pub fn recorder(&self) -> Recorder {
        let wake = self.shared.wake.clone();
        let (recorder, drain) = ring_with(self.settings.ring_capacity, self.settings.when_full, wake);
        self.shared.drains().push(drain);
        recorder
    }

    /// The sums over all rings.
    pub fn figures(&self) -> RingFigures {
        let mut sums = RingFigures::default();
        for drain in self.shared.drains().iter() {
            sums += drain.figures();
        }
        sums
    }

    /// Commits what the rings hold and ends the thread; blocks until then.
    ///
    /// Records that come later stay in their ring, so callers end their recorders' requests first.
    pub fn stop(mut self) -> Result<(), Unwritten> {
        self.finish()
    }

    fn finish(&mut self) -> Result<(), Unwritten> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.shared.is_stopping.store(true, Ordering::Release);
        self.shared.wake.force();
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(events = error.events, error = %error.source, "usage records are lost at the end");
        }
    }
}

impl Shared {
    fn drains(&self) -> std::sync::MutexGuard<'_, Vec<Drain>> {
        self.drains.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    fn are_empty(&self) -> bool {
        !self.is_tracking() && self.drains().iter().all(Drain::is_empty)
    }

    /// Whether tracked events wait.
    fn is_tracking(&self) -> bool {
        self.intake.as_ref().is_some_and(Intake::is_waiting)
    }
}

struct Worker {
    log: Arc<Log>,
    shared: Arc<Shared>,
    interval: Duration,
    events: Vec<Event>,
    /// Whether tracked events that were given up may be in the log all the same.
    is_unsettled: bool,
}

impl Worker {
    fn run(mut self) -> Result<(), Unwritten> {
        let result = self.run_until_stopped();
        if let Some(intake) = &self.shared.intake {
            intake.close();
            intake.fail(Group::default(), Refused::Closed);
        }
        result
    }

    fn run_until_stopped(&mut self) -> Result<(), Unwritten> {
        loop {
            let is_stopping = self.shared.is_stopping();
            self.fill();
            let group = self.shared.intake.as_ref().map(Intake::take).unwrap_or_default();
            if self.events.is_empty() && group.is_empty() {
                if is_stopping {
                    self.settle();
                    return Ok(());
                }
                self.sleep_until_woken();
                continue;
            }
            let started = Instant::now();
            self.commit(group)?;
            let is_backlog = self.events.len() == EVENTS_MAX;
            self.events.clear();
            if !is_backlog {
                self.wait_until(started + self.interval, || self.shared.is_tracking());
            }
        }
    }

    fn fill(&mut self) {
        for drain in self.shared.drains().iter() {
            while self.events.len() < EVENTS_MAX
                && let Some(event) = drain.pop()
            {
                self.events.push(event);
            }
        }
    }

    fn commit(&mut self, group: Group) -> Result<(), Unwritten> {
        let mut group = Some(group).filter(|group| !group.is_empty());
        let mut wait = BACKOFF_MIN;
        let mut tries = 0;
        let mut last_tries = 0;
        loop {
            let tracked = group.as_ref();
            let written = self.log.commit(&Commit {
                calls: &self.events,
                tracked: tracked.map_or(&[], |group| &group.sections),
                at_us: tracked.map_or(0, |group| group.at_us),
                unseen_through: tracked.map_or(0, |group| group.unseen_through),
            });
            let error = match written {
                Ok(sequence) => {
                    self.succeed(group, sequence);
                    break;
                }
                Err(error) => error,
            };
            tries += 1;
            if tries == 1 {
                tracing::error!(error = %causes(&error), events = self.events.len(),
                    "usage records cannot be written; they are kept and tried again");
            }
            // A full log stays full for a while, and nothing of the events is in it.
            let is_full = matches!(error, Error::Full { .. });
            if group.is_none() || tries >= TRACKED_TRIES || is_full {
                // An earlier try may have got there all the same.
                self.is_unsettled |= group.is_some() && (tries > 1 || !is_full);
                self.fail(group.take(), is_full);
                if self.events.is_empty() {
                    return Ok(());
                }
            }
            if self.shared.is_stopping() {
                last_tries += 1;
                if last_tries == LAST_TRIES {
                    return Err(self.give_up(error));
                }
            }
            self.wait_until(Instant::now() + wait, || false);
            wait = (wait * 2).min(BACKOFF_MAX);
        }
        if tries > 0 {
            tracing::warn!(tries, "usage records are written again");
        }
        Ok(())
    }

    fn succeed(&mut self, group: Option<Group>, sequence: u64) {
        self.is_unsettled = self.is_unsettled && self.log.settle().is_err();
        if let (Some(group), Some(intake)) = (group, &self.shared.intake) {
            intake.succeed(group, sequence);
        }
    }

    /// Tells a group, and whoever waits behind it, that nothing of them is taken.
    fn fail(&mut self, group: Option<Group>, is_full: bool) {
        let Some(intake) = &self.shared.intake else { return };
        let why = if is_full {
            Refused::Busy
        } else {
            Refused::Unwritten
        };
        intake.fail(group.unwrap_or_default(), why);
        self.settle();
    }

    /// Takes away what was given up, if it is in the log.
    fn settle(&mut self) {
        if self.is_unsettled && self.events.is_empty() {
            self.is_unsettled = self.log.settle().is_err();
        }
    }

    fn give_up(&self, source: Error) -> Unwritten {
        let waiting: u64 = self
            .shared
            .drains()
            .iter()
            .map(|drain| drain.figures().pending)
            .sum();
        Unwritten {
            events: self.events.len() as u64 + waiting,
            source,
        }
    }

    fn sleep_until_woken(&self) {
        self.shared.wake.announce_sleep();
        if self.shared.are_empty() && !self.shared.is_stopping() {
            std::thread::park();
        }
        self.shared.wake.awake();
    }

    /// Waits for a moment, until the pump is told to stop, or until it is needed earlier.
    fn wait_until(&self, moment: Instant, is_needed: impl Fn() -> bool) {
        while !self.shared.is_stopping()
            && !is_needed()
            && let Some(rest) = moment.checked_duration_since(Instant::now())
            && !rest.is_zero()
        {
            std::thread::park_timeout(rest);
        }
    }
}

#[cfg(test)]
mod tests;
