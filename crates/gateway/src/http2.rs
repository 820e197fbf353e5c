//! HTTP/2 with clients: frames, streams and flow control are the crate `h2`'s, what is said over them is ours.
//!
//! A general server stands between a call and its stream: hyper's takes one answer per request, so nothing can be said
//! before it (1xx), and asks for a body only when its stream may send, so nobody sees that a client takes nothing. The
//! module is not called `h2`, so that the crate can be.
//!
//! The way of a connection: `server.rs` (its streams, how it ends) → `exchange.rs` (a request and its answer; `coming.rs`
//! is the request's body, `joined.rs` a stream that became a tunnel) → `handle.rs`, the same as for every protocol.

mod coming;
mod exchange;
mod joined;
mod server;

pub(crate) use coming::Coming;
pub(crate) use server::serve;
