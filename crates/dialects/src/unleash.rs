//! Flags of Unleash.
