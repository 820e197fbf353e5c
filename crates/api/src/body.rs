//! The body of a request: of a type that the endpoint takes, and not larger than it allows.

use axum::body::Body;
use bytes::Bytes;
use control::Error;
use domain::Code;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::endpoint::{Endpoint, Typed};

/// Reads the body; empty if the endpoint takes none.
///
/// # Errors
/// `media_type_unsupported`, `body_too_large`, `request_timeout` if the connection breaks off.
pub(crate) async fn read(endpoint: &Endpoint, headers: &HeaderMap, body: Body) -> Result<Bytes, Error> {
    let Some(declared) = &endpoint.body else {
        return Ok(Bytes::new());
    };
    let too_large = || {
        let detail = format!("At most {} bytes are taken here.", declared.bytes_max);
        Error::refused(Code::BodyTooLarge, detail)
    };
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > declared.bytes_max as u64) {
        return Err(too_large());
    }
    let limited = Limited::new(body, declared.bytes_max);
    let bytes = limited.collect().await.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            too_large()
        } else {
            Error::refused(Code::RequestTimeout, "The body broke off.")
        }
    })?;
    let bytes = bytes.to_bytes();
    if bytes.is_empty() && !declared.required {
        return Ok(bytes);
    }
    let is_looked_at = match declared.typed {
        Typed::Always => true,
        Typed::IfSaid => headers.contains_key(header::CONTENT_TYPE),
        Typed::Never => false,
    };
    if is_looked_at {
        check_type(declared.types, headers)?;
    }
    Ok(bytes)
}

fn check_type(types: &[&str], headers: &HeaderMap) -> Result<(), Error> {
    let sent = headers
        .get(header::CONTENT_TYPE)
        .map_or("", |value| value.to_str().unwrap_or_default());
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if types.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    let known = types.join("`, `");
    let detail = if essence.is_empty() {
        format!("`Content-Type` is missing; `{known}` is taken here.")
    } else {
        format!("`{essence}` is not taken here, but `{known}`.")
    };
    Err(Error::refused(Code::MediaTypeUnsupported, detail))
}
