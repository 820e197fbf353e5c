//! Who calls: from the bearer token or the cookie of a request to a [`Caller`].

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use control::auth::{About, Csrf};
use control::{Caller, Error};
use domain::Code;
use http::{HeaderMap, header};

use crate::app::App;
use crate::endpoint::{Access, Endpoint};

/// The name of the web session's cookie.
pub(crate) const COOKIE: &str = "gateline_session";
/// The header that proves that a request with a cookie comes from our pages.
const CSRF: &str = "x-csrf-token";
/// The header that names the organization that a call is about.
pub(crate) const ORGANIZATION: &str = "x-gateline-organization";

/// What a caller showed to prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Nothing.
    None,
    /// An access token.
    Bearer,
    /// The cookie of a web session.
    Cookie(String),
}

/// Finds out who calls an endpoint.
///
/// A bearer token comes first: a program that sends one does not depend on what cookies a browser adds. A cookie
/// counts only with the CSRF token and from our own pages when the request changes something.
pub(crate) async fn identify(
    app: &App,
    endpoint: &Endpoint,
    headers: &HeaderMap,
    about: &About,
) -> Result<(Caller, Credential), Error> {
    if endpoint.access == Access::Open {
        return Ok((Caller::anonymous(about.request_id.clone()), Credential::None));
    }
    // In a box: calls that nobody signs in for are spared what it needs.
    Box::pin(identify_shown(app, endpoint, headers, about)).await
}

async fn identify_shown(
    app: &App,
    endpoint: &Endpoint,
    headers: &HeaderMap,
    about: &About,
) -> Result<(Caller, Credential), Error> {
    let anonymous = || Caller::anonymous(about.request_id.clone());
    if let Some(token) = bearer(headers)? {
        let caller = app.control.authenticate_bearer(token, about).await?;
        return Ok((caller, Credential::Bearer));
    }
    if let Some(cookie) = cookie(headers) {
        let csrf = if endpoint.changes() {
            from_our_pages(app, headers)?;
            Csrf::Token(headers.get(CSRF).and_then(|value| value.to_str().ok()))
        } else {
            Csrf::Safe
        };
        return match app.control.authenticate_session(cookie, csrf, about).await {
            Ok(caller) => Ok((caller, Credential::Cookie(cookie.to_owned()))),
            // Whoever may call without signing in may also call with a session that has ended.
            Err(error)
                if endpoint.access == Access::Optional && error.code() == Code::AuthenticationRequired =>
            {
                Ok((anonymous(), Credential::None))
            }
            Err(error) => Err(error),
        };
    }
    match endpoint.access {
        Access::SignedIn => Err(Error::refused(
            Code::AuthenticationRequired,
            "The request came without an access token.",
        )),
        Access::Optional | Access::Open => Ok((anonymous(), Credential::None)),
    }
}

/// Refuses a browser's request that another site's page has sent.
///
/// Browsers name the page's origin in `Origin` with every request that is not a GET or HEAD; programs send none.
pub(crate) fn from_our_pages(app: &App, headers: &HeaderMap) -> Result<(), Error> {
    let Some(origin) = headers
        .get(header::ORIGIN)
        .map(|value| value.to_str().unwrap_or_default())
    else {
        return Ok(());
    };
    let settings = &app.settings;
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // A browser sets `Host` itself, so a page of another site cannot make the two the same.
    let is_own = origin == settings.control_url
        || settings.cors_origins.iter().any(|known| known == origin)
        || origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority == host);
    if is_own {
        return Ok(());
    }
    let detail = format!("The page at `{origin}` is not one of ours.");
    Err(Error::refused(Code::CsrfRejected, detail))
}

/// The access token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let value = value.to_str().unwrap_or_default();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Error::refused(
            Code::TokenInvalid,
            "`Authorization` is not of the form `Bearer <token>`.",
        )),
    }
}

/// The value of the web session's cookie.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    all.flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && !value.is_empty())
        .map(|(_, value)| value)
}

/// Name and password of `Authorization: Basic` (RFC 7617), as OAuth2 clients send theirs.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
