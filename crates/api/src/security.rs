//! Headers that keep browsers from doing what we do not want.

use axum::response::Response;
use http::{HeaderName, HeaderValue, header};

use crate::Settings;

/// For answers that are data: a browser that shows one as a page runs and loads nothing.
const DATA_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// Sets them; what an answer has already (pages have a policy of their own) stays.
pub(crate) fn mark(settings: &Settings, response: &mut Response) {
    let mut set = |name: HeaderName, value: HeaderValue| {
        response.headers_mut().entry(name).or_insert(value);
    };
    set(header::CONTENT_SECURITY_POLICY, DATA_POLICY);
    set(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    set(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    set(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if settings.is_secure() {
        let two_years = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        set(header::STRICT_TRANSPORT_SECURITY, two_years);
    }
}
