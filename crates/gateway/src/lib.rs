//! The data plane: takes requests, checks them against a snapshot, passes them on, and records them.
//!
//! Here belongs whatever lies on the way of a request, and what brings snapshots to it and records away. No
//! database, no use case: those are `store` and `control`. A node runs an immutable [`Snapshot`]; a change is a
//! new one, compiled before it is used, and one that does not compile leaves the old one in place.
//!
//! Start with `handle.rs`, the way of a request step by step. Around it: `serve.rs` (a core and its
//! connections), `h1.rs` (HTTP/1 on both sides), `http2.rs` and `h3.rs` (HTTP/2 and HTTP/3 with clients), `compile.rs` (a snapshot by index), `pool.rs` and `exchange.rs`
//! (upstreams), `tunnel.rs` (what is no HTTP any more), `refusal.rs` (our own answers), [`disk`] and [`feed`] (how
//! a node gets snapshots without the control plane in its process).
//!
//! Each core is a thread with its own runtime, listening socket, upstream connections and records; cores share
//! the compiled snapshot and the counters in it, nothing else. So no request waits for a lock or another core.

mod activation;
pub mod apart;
mod balance;
mod body;
mod brake;
mod causes;
mod compile;
mod conn;
mod cookies;
mod core;
mod course;
mod deadline;
mod desk;
pub mod disk;
mod ease;
mod exchange;
pub mod feed;
mod forward;
mod framing;
#[cfg(fuzzing)]
pub mod fuzzing;
mod group;
mod grpc;
mod grpc_web;
mod guard;
mod h1;
#[cfg(feature = "http3")]
mod h3;
mod handle;
mod handover;
mod health;
mod http2;
mod interim;
mod intray;
mod last_good;
mod listed;
mod listen;
mod local;
mod metrics;
mod mirror;
mod named;
mod node;
mod passage;
mod patience;
mod place;
mod pool;
mod proxies;
mod proxy_protocol;
mod reach;
mod recent;
mod refusal;
mod remote;
mod replay;
mod resolve;
mod rewound;
mod serve;
pub mod settings;
mod socket;
mod spare;
mod split;
mod start;
mod streams;
mod target;
mod targets;
mod ticket;
pub mod tls;
pub mod together;
mod traces;
mod tunnel;
mod watch;
mod websocket;
mod window;

pub use activation::activated;
pub use compile::{Compiled, Rejected, compile};
pub use handover::{Error as HandoverError, Inheritance, offer};
pub use listen::Changed;
pub use node::{Rejection, Status, Teller};
pub use proxies::{Network, NotANetwork, Says};
pub use recent::Memory;
pub use remote::Error as RemoteError;
pub use settings::Settings;
pub use start::{Addresses, Error, Gateway, Records, start, start_after};
pub use streams::Invalid as InvalidStream;
pub use target::Invalid;
pub use tls::Sealing;
pub use traces::{Error as TracesError, Sampler, Traces};

#[cfg(doc)]
use domain::Snapshot;
