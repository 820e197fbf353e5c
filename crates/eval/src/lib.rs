//! Which variant a unit gets: flags, and the one hash that flags, experiments and split routes have in common.
//!
//! ```text
//! Definitions ─Flags::compile─► Flags ─evaluate(flag, Subject)─► variant, value, reason
//! ```
//!
//! Pure: no I/O, no clock and no random source; what is not known of a subject is said by whoever asks, the moment
//! included. Evaluating takes no memory and ends soon: patterns match in linear time, prerequisites and segments lead in
//! no circles and to few others. Start with [`Flags`]; what can be written down is in [`definition`], how units are spread in
//! [`bucketing`], how rules are changed whose units keep what they have in [`sticky`].

pub mod bucketing;
mod condition;
pub mod definition;
mod flags;
#[cfg(feature = "logic")]
pub mod logic;
mod problem;
mod semver;
pub mod sticky;
mod subject;
mod value;

pub use definition::Definitions;
pub use flags::{Evaluation, Flags, Handle, Reason, Step};
pub use problem::Problem;
pub use subject::Subject;
pub use value::Value;
