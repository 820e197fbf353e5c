//! Documents for clients of other products, written off the way of calls.
//!
//! One is written at a time in a node, whoever asks and however many: on a thread that gives way, while cores serve others.
//! Whoever waits for a document is told when it is there and does not take a turn for it.

use std::sync::{Arc, Weak};

use flags::{Set, Sets, Words};
use tokio::sync::watch;
use tokio::task::{JoinError, spawn_blocking};

use crate::apart;

/// Where documents are written; all cores have the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Desk {
    /// Whether somebody writes.
    is_taken: watch::Sender<bool>,
}

/// The right to write, for one at a time.
struct Turn(watch::Sender<bool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Desk {
    /// Waits until a set is there in some words.
    pub(crate) async fn written(&self, set: &Arc<Set>, words: Words) {
        let writer = Arc::clone(set);
        self.done(|| set.is_written(words), move || writer.write(words))
            .await;
    }

    /// What of these sets will be asked for again, and is not there yet.
    pub(crate) fn wanted(sets: &Sets) -> Vec<(Weak<Set>, Words)> {
        let wanted = sets.iter().flat_map(|set| {
            let words = set.wanted().filter(|words| !set.is_written(*words));
            words.map(|words| (Arc::downgrade(set), words))
        });
        wanted.collect()
    }

    /// Writes what will be asked for again, unless its set is gone before its turn comes.
    pub(crate) async fn write_ahead(self, wanted: Vec<(Weak<Set>, Words)>) {
        for (set, words) in wanted {
            if let Some(set) = set.upgrade() {
                self.written(&set, words).await;
            }
        }
    }

    /// Does work when its turn comes; it is done even if whoever asked is gone.
    ///
    /// # Errors
    /// It has panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        loop {
            match self.turn() {
                Some(turn) => return in_turn(turn, work).await,
                None => self.free().await,
            }
        }
    }

    /// Waits until something is done, and does it if nobody else does.
    async fn done(&self, is_done: impl Fn() -> bool, work: impl FnOnce() + Send + 'static) {
        while !is_done() {
            match self.turn() {
                // What could not be done here is done by whoever needs it, and fails there.
                Some(turn) => return drop(in_turn(turn, work).await),
                None => self.free().await,
            }
        }
    }

    fn turn(&self) -> Option<Turn> {
        let take = |is_taken: &mut bool| !std::mem::replace(is_taken, true);
        let is_mine = self.is_taken.send_if_modified(take);
        is_mine.then(|| Turn(self.is_taken.clone()))
    }

    async fn free(&self) {
        // The sender is here, so that it cannot be gone.
        let _ = self.is_taken.subscribe().wait_for(|is_taken| !is_taken).await;
    }
}

async fn in_turn<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let work = move || {
        let _turn = turn;
        apart::run(work)
    };
    spawn_blocking(work).await
}

#[cfg(test)]
mod tests;
