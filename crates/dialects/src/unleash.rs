//! Flags of Unleash: the document that its clients get (`/api/client/features`), and its deltas.
//!
//! ```text
//! Document ─read─► Definitions ─Flags::compile─► evaluate ─Answer::of─► isEnabled and getVariant
//! ```
//!
//! **What a flag becomes.** `off` (`false`) is what those get for whom the feature is off, `on` (`true`) those for whom it is on
//! without a variant; each variant has its name, and its payload as a value. So one evaluation answers both `isEnabled` and
//! `getVariant` ([`Answer`]). A strategy becomes a rule, its roll-out a gate, its variants or the feature's parts in an
//! order; both keep Unleash's hash, so everybody keeps what they have. Parents become prerequisites.
//!
//! **What is known.** Fields of Unleash's context are called as ours ([`ATTRIBUTES`]), its properties as they are. The current
//! time is the evaluation's moment. Whoever asks says a random number as [`RANDOM`], in the place of which Unleash draws one,
//! and the name of the machine that asks as `hostname`.
//!
//! **What differs.** Versions may have a `v` in front, and numbers blanks around them; letters and digits in patterns are
//! Unicode's.

mod answer;
mod constraint;
mod document;
mod payload;
mod read;
mod strategy;
mod write;

pub use answer::{Answer, Variant, known_as};
pub use document::{Document, Payload};
pub use read::read;
pub use write::write;

/// Fields of Unleash's context, and what they are called with us.
pub const ATTRIBUTES: [(&str, &str); 5] = [
    ("userId", USER),
    ("sessionId", SESSION),
    ("remoteAddress", ADDRESS),
    ("environment", "environment"),
    ("appName", "app_name"),
];
/// The attribute in which whoever asks passes a random number.
pub const RANDOM: &str = "random";

const USER: &str = "user_id";
const SESSION: &str = "session_id";
const ADDRESS: &str = "remote_address";
const HOST: &str = "hostname";
const CURRENT_TIME: &str = "currentTime";

#[cfg(test)]
mod tests;
