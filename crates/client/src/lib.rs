//! A client of Gateline's control API.
//!
//! [`types`], the methods of [`Client`] and the table [`COLLECTIONS`] are generated from `spec/openapi.json`;
//! written by hand are only how a call travels ([`Client::send_json`] and its neighbours), how all resources are
//! treated alike ([`Collection`]), who the caller is ([`Session`]) and what can go wrong ([`Error`]). It knows no
//! file and prints nothing. A [`Call`] is for what is not in the document: a gateway, a call of one's own API.
//!
//! Calls go over hyper's pooled client with rustls and the system's certificates: what the workspace builds
//! anyway. A larger client library would add some forty crates for proxies, cookies and redirects, none of
//! which the API uses.

mod call;
mod collection;
mod error;
mod events;
mod generated;
mod session;
mod transport;

pub use call::{Call, segment};
pub use collection::{COLLECTIONS, Collection, etag};
pub use error::{Error, FieldError, Problem};
pub use events::{Event, Events};
pub use generated::types;
pub use session::{Session, Tokens};
pub use transport::{Client, Settings};

#[cfg(test)]
mod tests;
