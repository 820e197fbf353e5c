//! What `make gen` writes.

pub(crate) mod collections;
mod operations;
pub mod types;
