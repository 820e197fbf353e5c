//! HTTP/3 with clients: QUIC is quinn's, what is said over it is read here.
//!
//! As with HTTP/1, nothing passes that two readers could take for different things: what a general library gives us has
//! lost already in which order and how often fields came, and whether a name had capitals. So frames, field sections
//! and the rules about them are ours. Source: RFC 9114; RFC 9204 without its dynamic table.
//!
//! The way of a connection: `ports.rs` (sockets) → `endpoint.rs` (a core's socket) → `choose.rs` (TLS) → `server.rs` →
//! `coming.rs` (a request), `exchange.rs` (its answer; `joined.rs` where that is a tunnel) → `handle.rs`, the same as for
//! every protocol.

mod choose;
mod coming;
mod control;
mod endpoint;
mod exchange;
#[cfg(fuzzing)]
pub(crate) mod foreign;
mod frame;
mod head;
mod huffman;
mod joined;
mod ports;
mod qpack;
mod server;

pub(crate) use choose::Choosing;
pub(crate) use coming::Coming;
pub(crate) use endpoint::{Seat, quic};
pub(crate) use ports::{Port, Ports};
