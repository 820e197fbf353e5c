//! Which variant a unit gets: the one hash that flags, experiments and split routes have in common.
//!
//! Pure: no I/O, no clock, no random source, and no memory is taken once it is set up. What a unit is (an application,
//! a user, a cookie) and what variants mean is said by whoever asks. Start with [`bucketing`].

pub mod bucketing;
