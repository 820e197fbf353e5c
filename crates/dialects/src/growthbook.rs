//! Flags of GrowthBook.
