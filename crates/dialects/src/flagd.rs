//! Flags of flagd.
