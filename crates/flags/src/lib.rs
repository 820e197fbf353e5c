//! Asking for feature flags: what is known of somebody in, what they get out.
//!
//! ```text
//! snapshot::FlagSet ─Sets::compile─► Sets ─get(organization, environment)─► Set ─ask(attributes)─► Evaluation as JSON
//! ```
//!
//! Everything that answers for flags shares this: the control plane, which compiles the sets of all environments, and
//! nodes, which get theirs with the snapshot. Here belong the forms of questions and answers, ours and those of OFREP;
//! what a flag gives is decided by [`eval`]. Pure: no socket, no database, no clock.
//!
//! Start with [`Sets`]; questions are in [`Attributes`], OpenFeature's words in [`ofrep`], those of routes and policies about
//! the calls that pass in [`Asking`].

mod answer;
mod attributes;
mod audience;
mod calls;
pub mod changes;
mod counts;
pub mod flagd;
pub mod growthbook;
pub mod ofrep;
mod raw;
mod segment;
mod set;
mod sets;
pub mod unleash;

pub use answer::{Evaluated, RuleName, tag};
pub use attributes::{ATTRIBUTES_MAX, Attributes, FormFault, Question, QuestionFault};
pub use audience::{Audience, Outside, Sources};
pub use calls::{Ask, Asking, Caller, Exposed, Facts, Head};
pub use counts::{Counts, Given};
pub use dialects::Finding;
pub use eval::Reason;
pub use set::{Asker, Missing, Seen, Set, Words, Written};
pub use sets::{Refused, Sets};
