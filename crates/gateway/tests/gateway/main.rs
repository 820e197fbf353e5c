//! The gateway on real sockets, with small upstreams in the test itself.

mod bench;
mod cancelling;
mod changing;
mod ending;
mod faults;
mod forwarding;
mod framing;
mod http2;
mod limits;
mod policies;
mod restarting;
mod timeouts;
mod tls;
