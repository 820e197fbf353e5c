//! Flags of GrowthBook: evaluated as its SDKs do it, read into ours, and written for its SDKs.
//!
//! [`Evaluator`] does over the payload what the SDKs do, exactly: it checks what is read and written, and answers in
//! GrowthBook's wire. Of what SDKs know, it leaves out what only code in a page can have (functions as conditions, `groups` and
//! `url` of experiments that were never in a payload) and look-around and references in regular expressions, which fit nobody.
//!
//! Source: GrowthBook's specification for SDKs, version 0.12, <https://docs.growthbook.io/lib/build-your-own>.

pub mod bucketing;
mod condition;
pub mod crypt;
mod evaluator;
mod experiment;
mod json;
pub(crate) mod pattern;
mod payload;
mod prune;
mod read;
mod reduce;
pub mod sticky;
#[cfg(test)]
mod tests;
pub mod url;
mod user;
mod version;
mod write;

pub use condition::fits;
pub use evaluator::{Evaluator, FeatureResult, Source};
pub use experiment::ExperimentResult;
pub use payload::{Payload, decrypted};
pub use prune::prune;
pub use read::read;
pub use reduce::{Labels, Prerequisites, Wanted, reduce};
pub use user::User;
pub use write::{OTHERWISE, experiment_key, own_key, write};
