//! A client of Gateline's control API.
//!
//! [`types`] and the methods of [`Client`] are generated from `spec/openapi.json`; written by hand are only how
//! a call travels ([`Client::send_json`] and its neighbours), who the caller is ([`Session`]) and what can go
//! wrong ([`Error`]). It knows no file and prints nothing.
//!
//! Calls go over hyper's pooled client with rustls and the system's certificates: what the workspace builds
//! anyway. A larger client library would add some forty crates for proxies, cookies and redirects, none of
//! which the API uses.

mod call;
mod error;
mod generated;
mod session;
mod transport;

pub use call::{Call, segment};
pub use error::{Error, FieldError, Problem};
pub use generated::types;
pub use session::{Session, Tokens};
pub use transport::{Client, Settings};

#[cfg(test)]
mod tests;
