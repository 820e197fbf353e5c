//! What the control plane remembers: one SQL text for SQLite and PostgreSQL.
//!
//! Here belongs every SQL statement of the control plane and nothing that decides who may do what (that is
//! `control`). A [`Store`] reads, a [`Tx`] reads and writes; both speak to either database. Resources with an
//! editable part go through [`entity`]: the row's `body` is the entity as JSON and the truth, the other columns
//! are copies of what is unique, joined or sorted by. Start reading there, then [`migrate`].

pub mod alert;
pub mod audit;
pub mod certificate;
pub mod contract;
mod db;
pub mod entity;
mod error;
pub mod failure;
pub mod flag;
pub mod idempotency;
pub mod link;
pub mod live;
pub mod migrate;
pub mod node;
pub mod notice;
pub mod offer;
pub mod question;
pub mod quota;
pub mod report;
pub mod rollup;
pub mod session;
pub mod snapshot;
pub mod stream;
pub mod tenant;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tracking;
pub mod usage;
pub mod work;

pub use db::{Arg, Row, Store, Tx};
pub use error::Error;

#[cfg(test)]
mod tests;
