//! The built web pages: console, portal and API reference, embedded in the program.
//!
//! `npm run build` in `web/` writes `web/dist`; whatever is there when this crate is compiled is in the binary.
//! Without it the crate compiles all the same and answers with a page that says how to build. What does not belong
//! here: HTTP. [`file`] gives bytes and the facts that headers are made of; the `api` crate sends them.

mod file;

#[cfg(test)]
mod tests;

pub use file::{Encoding, File, file};

/// The `Content-Security-Policy` of every page served from here.
///
/// Scripts, fonts, connections and frames come from our own origin only, and no script stands in a page. Styles may
/// stand in the page, because the API reference and the editor write theirs at run time; a style cannot run code.
/// Images may be anywhere on HTTPS, because descriptions of APIs (CommonMark) show logos and badges.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: https:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
