//! Policies: the configured steps that a call passes before it is forwarded and on its way back.
//!
//! Here belongs what decides about a call by its head alone: the trait [`Policy`], the list of [`kinds`], the
//! builtin policies, and the counters behind limits. No socket, no task and no clock: the gateway passes the
//! [`Moment`] in. Start with [`Policy`], then `builtin/key_auth.rs`.
//!
//! A policy is: a configuration type (its JSON Schema and its checks follow from it), a compiled struct, an
//! implementation of [`Policy`], one line in [`kinds`], and one file in `examples/policies`.

pub mod ask;
mod audience;
pub mod baggage;
pub mod builtin;
pub mod call;
mod caller;
mod cells;
mod chain;
pub mod directory;
pub mod effects;
pub mod gate;
pub mod gcra;
pub mod kind;
mod limiter;
pub mod quota;
pub mod shared;
pub mod sliding;
#[cfg(test)]
pub(crate) mod testing;
pub mod told;
pub mod verdict;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

pub use ask::Standing;
pub use audience::only_for;
pub use call::{Answer, Call, Consumer, Cost, Moment, Place};
pub use chain::{chain, is_single};
pub use directory::Directory;
pub use effects::Effects;
pub use kind::{Fault, Kind, kind, kinds};
pub use told::{Counted, Limits};
pub use verdict::{Refusal, Reply, Verdict};

/// What a compiled policy remembers between calls; handed on when a new snapshot replaces the old one.
pub type State = Arc<dyn Any + Send + Sync>;

/// When a policy runs; within a phase, policies run in the order of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before the caller is known, so that even refusals get what it adds to answers.
    First,
    /// Finds out who calls.
    Authenticate,
    /// Knows who calls.
    Decide,
}

/// One configured step, compiled ahead; shared by all cores.
///
/// Both hooks are synchronous and see heads only. A policy that lets a call pass allocates nothing.
pub trait Policy: Send + Sync + fmt::Debug {
    /// When it runs.
    fn phase(&self) -> Phase {
        Phase::Decide
    }

    /// Decides about a call and may change the head that will be forwarded.
    fn request<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        let _ = call;
        Verdict::Continue
    }

    /// Changes the head of an answer, the gateway's own answers included.
    fn response(&self, answer: &mut Answer<'_>) {
        let _ = answer;
    }

    /// Whether [`response`](Self::response) does anything.
    fn changes_answers(&self) -> bool {
        false
    }

    /// The feature flags that it tells of, in the order of its configuration.
    fn flags(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Answers a CORS preflight for one of the methods `allowed`; `None` if that is not its business.
    fn preflight(&self, headers: &http::HeaderMap, allowed: &str) -> Option<Reply> {
        let _ = (headers, allowed);
        None
    }

    /// How much of the request's body it lets pass, in bytes; it never needs to see the body itself.
    fn body_bytes_max(&self) -> Option<u64> {
        None
    }

    /// Whether calls of gRPC-Web are translated into gRPC and back.
    fn translates_grpc_web(&self) -> bool {
        false
    }

    /// What it counts together with other nodes.
    fn ledger(&self) -> Option<Arc<dyn shared::Ledger>> {
        None
    }

    /// What the policy compiled from the next snapshot should go on with.
    fn state(&self) -> Option<State> {
        None
    }
}
