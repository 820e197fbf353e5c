//! Answers before the answer (1xx) on their way to clients that are not told them by their connection.

use std::cell::RefCell;
use std::collections::VecDeque;

use http::{HeaderMap, StatusCode};

/// The most that wait for their client; further ones are left out.
const WAITING_MAX: usize = 16;

/// What of a request's interim answers is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Interims(RefCell<VecDeque<(StatusCode, HeaderMap)>>);

impl Interims {
    /// Says one, unless the client does not even take the ones before it.
    pub(crate) fn say(&self, status: StatusCode, headers: HeaderMap) {
        let mut waiting = self.0.borrow_mut();
        if waiting.len() < WAITING_MAX {
            waiting.push_back((status, headers));
        }
    }
}

#[cfg(feature = "http3")]
impl Interims {
    /// Takes the next one to be written.
    pub(crate) fn next(&self) -> Option<(StatusCode, HeaderMap)> {
        self.0.borrow_mut().pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}
