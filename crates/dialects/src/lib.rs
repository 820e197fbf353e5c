//! Feature flags as other products write them: read into ours, and written from ours.
//!
//! A module for each product. Reading never guesses: what cannot be said in our words without giving somebody another
//! variant is refused, with the place and the reason. Pure: no I/O, no clock, no random source.

pub mod flagd;
pub mod growthbook;
pub mod launchdarkly;
pub mod unleash;
