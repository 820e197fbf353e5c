//! Revisions as entity tags (RFC 9110 §8.8.3): `"3"` is the third state of a resource.

use control::Error;
use domain::Code;
use http::{HeaderValue, header};
use sha2::{Digest as _, Sha256};

use crate::call::Call;

/// The tag of a revision.
pub(crate) fn tag(revision: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{revision}\"")).expect("digits in quotes are a header value")
}

/// The tag of an answer by what it says.
pub(crate) fn of_content(body: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(body);
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{hex}\"")).expect("digits in quotes are a header value")
}

/// The revision of a tag in `If-Match`.
///
/// # Errors
/// `precondition_failed` for a tag that was never given out, weak ones and lists included: none of them can be
/// what the resource has now.
pub(crate) fn revision(tag: &str) -> Result<i64, Error> {
    let digits = tag
        .trim()
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        let detail = "`If-Match` is not an `ETag` of this resource; one looks like `\"3\"`.";
        Error::refused(Code::PreconditionFailed, detail)
    })
}

/// Whether the client has this state already.
pub(crate) fn is_known(call: &Call, tag: &HeaderValue) -> bool {
    let Some(known) = call.header(header::IF_NONE_MATCH) else {
        return false;
    };
    let Ok(tag) = tag.to_str() else { return false };
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.trim() == "*" || known.split(',').any(|one| bare(one) == bare(tag))
}
