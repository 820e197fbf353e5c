//! HTTP/1 on both sides of the gateway: [`server`] speaks with a client, [`line`] with an upstream.
//!
//! Neither has a task besides the call that it is for: the call polls the sockets, heads are read where they lie in
//! the buffer, and what is written goes out in as few writes as can be. Sources: RFC 9112, RFC 9110.

use bytes::BytesMut;

mod answer;
mod coming;
#[cfg(any(test, fuzzing))]
pub(crate) mod foreign;
mod head;
mod input;
pub(crate) mod line;
mod outgoing;
pub(crate) mod request;
pub(crate) mod said;
pub(crate) mod server;

pub(crate) use head::Head;
pub(crate) use line::{Fault, Line};

fn write_field(out: &mut BytesMut, name: &str, value: impl AsRef<[u8]>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_ref());
    out.extend_from_slice(b"\r\n");
}
