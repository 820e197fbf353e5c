//! Who calls with an SDK key: programs of the organization's own, and pages and apps of its users.

use std::sync::Arc;

use control::Error;
use domain::Code;
use domain::code::sentence;
use domain::tracking::SdkKeyKind;
use events::ingest::{Directory, Key};
use flags::Asker;
use http::header;

use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::parameter::{Parameter, text};

/// The holder of a key that is valid.
pub(crate) struct Holder {
    /// All keys and event types.
    pub(crate) directory: Arc<Directory>,
    /// The key.
    pub(crate) key: Arc<Key>,
}

impl Holder {
    /// Who asks for flags.
    pub(crate) fn asker(&self) -> Asker {
        Asker::Key(self.key.kind)
    }
}

impl Endpoint {
    /// Takes an SDK key, which [`identify`] looks at.
    pub(crate) fn takes_sdk_key(self) -> Self {
        self.takes(Parameter::header("X-API-Key", "The SDK key.", text(200)))
            .takes(Parameter::query(
                "key",
                "The SDK key, if it cannot be sent in a header.",
                text(200),
            ))
            .refuses(&[
                Code::SdkKeyMissing,
                Code::SdkKeyInvalid,
                Code::OriginRefused,
                Code::RateLimited,
                Code::StoreUnavailable,
            ])
    }
}

/// Finds out whose key it is: in `X-API-Key`, in `Authorization`, or as `key` in the query.
///
/// A page that calls with a key for pages may read the answer from then on, whatever that is.
///
/// # Errors
/// `sdk_key_missing`, `sdk_key_invalid`, `origin_refused` if the page that calls may not use it, `rate_limited`.
pub(crate) async fn identify(call: &Call) -> Result<Holder, Error> {
    identify_by(call, text_of(call)?).await
}

/// The same by the key's text, wherever it stands.
///
/// # Errors
/// `sdk_key_invalid`, `origin_refused` if the page that calls may not use it, `rate_limited`.
pub(crate) async fn identify_by(call: &Call, text: &str) -> Result<Holder, Error> {
    let directory = call.control().directory().await?;
    let key = directory
        .key(text, call.control().now())
        .map_err(|fault| Error::refused(Code::SdkKeyInvalid, sentence(&fault.to_string())))?;
    let origin = call.headers.get(header::ORIGIN);
    let shown = origin.map(|origin| origin.to_str().unwrap_or("?"));
    if !key.admits(shown) {
        let detail = format!("The key is not for pages of `{}`.", shown.unwrap_or("no origin"));
        return Err(Error::refused(Code::OriginRefused, detail));
    }
    if let Some(origin) = origin.filter(|_| key.kind == SdkKeyKind::Client) {
        call.page.get_or_init(|| origin.clone());
    }
    call.control().admit_call(key)?;
    Ok(Holder {
        key: Arc::clone(key),
        directory,
    })
}

/// The text of the key, wherever it stands.
pub(crate) fn text_of(call: &Call) -> Result<&str, Error> {
    // Clients of Unleash send it without a scheme.
    let bearer = || match call.header(header::AUTHORIZATION)?.split_once(' ') {
        Some((scheme, token)) => scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()),
        None => call.header(header::AUTHORIZATION),
    };
    let found = call
        .header("x-api-key")
        .or_else(bearer)
        .or_else(|| call.query("key"));
    found
        .filter(|key| !key.is_empty())
        .ok_or_else(|| Error::refused(Code::SdkKeyMissing, "The request came without an SDK key."))
}
