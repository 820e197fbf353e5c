//! The gateway on real sockets, with small upstreams in the test itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audience;
mod balancing;
mod bench;
mod cancelling;
mod certificates;
mod changing;
mod connecting;
mod ending;
mod explaining;
mod faults;
mod fields;
mod flags;
mod flags_of_others;
mod forwarding;
mod framing;
mod grpc;
mod haproxy;
mod health;
mod http2;
mod http2_streams;
mod http2_upstreams;
#[cfg(feature = "http3")]
mod http3;
mod last_good;
mod limiting;
mod limits;
mod listed;
mod listeners;
mod mirroring;
mod names;
mod observing;
mod policies;
mod proxied;
mod rejected;
mod releasing;
mod resilience;
mod restarting;
mod routing;
mod streams;
mod timeouts;
mod tls;
mod tls_out;
mod tracking;
mod websocket;
