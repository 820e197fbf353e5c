//! What `make gen` writes.

mod operations;
pub mod types;
