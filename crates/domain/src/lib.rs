//! The words of Gateline as plain, validated data: ids, entities, error codes and the [`Snapshot`].
//!
//! Here belongs what several crates must agree on. No I/O, no clock, no random source, no SQL and no HTTP:
//! those live in `store`, `control`, `api` and `gateway`. Start with [`catalog`] for what a producer
//! publishes, [`consumer`] for who calls it, and [`snapshot`] for what a gateway node runs on.
//!
//! Every entity is its editable part (`…Spec`: the body of a create call, of a declarative file, and what a
//! merge patch is applied to) together with what the server adds (`id`, owner, times, `revision`).

pub mod alert;
pub mod analytics;
pub mod audit;
pub mod catalog;
pub mod catalogue;
pub mod certificate;
pub mod code;
mod compact;
pub mod consumer;
pub mod debug;
pub mod explain;
pub mod finding;
pub mod flag;
pub mod id;
pub mod identity;
pub mod import;
pub mod invitation;
pub mod key;
pub mod lake;
pub mod limit;
pub mod live;
pub mod name;
pub mod node;
pub mod notice;
pub mod offer;
pub mod page;
pub mod recent;
pub mod release;
pub mod report;
pub mod rollup;
pub mod routing;
pub mod session;
pub mod sketch;
pub mod snapshot;
pub mod stream;
pub mod time;
pub mod tracking;
pub mod traffic;
pub mod upstream;
pub mod usage;
pub mod work;

pub use code::Code;
pub use name::Name;
pub use snapshot::Snapshot;
pub use time::Timestamp;
