//! The gateway on real sockets, with small upstreams in the test itself.

mod bench;
mod forwarding;
