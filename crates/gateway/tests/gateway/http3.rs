//! HTTP/3 with clients: an independent client for what is right, and one that says exactly what it is told for what
//! is wrong.

mod bench;
mod connecting;
mod malformed;
mod serving;
