//! Who still needs batches of the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Error, Log};

/// Keeps batches in the log until one of its sinks has them.
///
/// The log forgets what all of its holds have let go. One that is dropped holds on to what it held: a sink that is
/// not served at the moment must not lose anything.
#[derive(Debug)]
pub struct Hold {
    log: Arc<Log>,
    place: usize,
}

/// Up to which batch each sink of a log has everything.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<Marks>);

#[derive(Debug, Default)]
struct Marks {
    each: Vec<u64>,
    trimmed: u64,
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Keeps everything for one more sink; all holds of a log are made before the first one lets anything go.
    pub fn new(log: &Arc<Log>) -> Self {
        let mut marks = log.holds.lock();
        marks.each.push(0);
        Self {
            place: marks.each.len() - 1,
            log: Arc::clone(log),
        }
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Lets go what the sink has, up to a batch, that one included; trims the log if nobody else needs it.
    pub fn release(&self, through: u64) -> Result<(), Error> {
        let mut marks = self.log.holds.lock();
        marks.each[self.place] = through;
        let least = marks.each.iter().copied().min().unwrap_or(0);
        let least = least.min(self.log.last_sequence());
        if least > marks.trimmed {
            self.log.trim(least)?;
            marks.trimmed = least;
        }
        Ok(())
    }

    /// Holds nothing any more, until the next [`Self::release`].
    pub fn let_go(&self) -> Result<(), Error> {
        self.release(u64::MAX)
    }

    /// Batches that its sink does not have yet.
    pub fn waiting(&self) -> u64 {
        let mark = self.log.holds.lock().each[self.place];
        self.log.last_sequence().saturating_sub(mark)
    }
}
