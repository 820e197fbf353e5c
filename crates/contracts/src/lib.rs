//! Contracts: reading OpenAPI documents, with a place and advice for whatever is wrong.

mod finding;

pub use finding::{Finding, Severity};
