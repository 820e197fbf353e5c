//! Live streams: calls as they are counted, and sums as they change.
//!
//! The counter tells the [`hub`] what it has committed, so what one sees is counted. A [`Tail`] gives one listener the
//! calls that fit its [`filter`]; a [`Watch`] gives the answer to a question about sums whenever it is another one.
//! Both are for the edge to send on; whether their owner may still see them, it asks from time to time.

mod filter;
mod hub;
mod tail;
mod topic;

use std::sync::Arc;

use domain::Code;
use domain::id::OrganizationId;
use domain::live::StatusPattern;

use crate::{Caller, Control, Error};

pub(crate) use hub::Hub;
pub use tail::{Tail, TailQuery, Told};
pub(crate) use topic::Topics;
pub use topic::{Watch, WatchQuery};

/// Which calls are asked about; everything that is given must fit.
#[derive(Debug, Clone, Default)]
pub struct LiveFilters {
    /// This API: id or name.
    pub api: Option<String>,
    /// This application: id or name.
    pub application: Option<String>,
    /// This operation: id or name.
    pub operation: Option<String>,
    /// One of these statuses; any if empty.
    pub statuses: Vec<StatusPattern>,
    /// The code with which the gateway answered.
    pub refusal: Option<Code>,
}

/// What kind of stream a right is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Single calls.
    Calls,
    /// Sums.
    Sums,
}

impl Stream {
    const fn action(self) -> &'static str {
        match self {
            Self::Calls => "tail_calls",
            Self::Sums => "watch_analytics",
        }
    }
}

impl Control {
    /// Checks that a caller may see a stream of their organization, when it begins and again while it lasts.
    ///
    /// # Errors
    /// `not_found` if they may not.
    pub fn check_stream(&self, caller: &Caller, stream: Stream) -> Result<OrganizationId, Error> {
        let organization = caller.organization()?;
        let access = &self.inner.access;
        access.check(caller, stream.action(), organization, None)?;
        Ok(organization)
    }

    /// How many live streams are open.
    pub fn streams(&self) -> u64 {
        self.inner.hub.streams()
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.inner.hub
    }
}

#[cfg(test)]
mod tests;
