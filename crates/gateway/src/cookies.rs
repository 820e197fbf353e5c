//! The one field `Cookie` of HTTP/1.1, which HTTP/2 and HTTP/3 may split.

use bytes::BytesMut;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Makes one field of several: RFC 9113 section 8.2.3, RFC 9114 section 4.2.1.
pub(crate) fn join(headers: &mut HeaderMap) {
    let mut parts = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (parts.next(), parts.next()) else {
        return;
    };
    let mut joined = BytesMut::from(first.as_bytes());
    for part in [second].into_iter().chain(parts) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(part.as_bytes());
    }
    let mut value = HeaderValue::from_maybe_shared(joined.freeze()).expect("made of values");
    value.set_sensitive(headers[COOKIE].is_sensitive());
    headers.insert(COOKIE, value);
}

#[cfg(test)]
mod tests {
    use http::header::COOKIE;
    use http::{HeaderMap, HeaderValue};

    use super::join;

    #[test]
    fn several_fields_become_one() {
        for (fields, expected) in [
            (&[][..], None),
            (&["a=1; b=2"], Some("a=1; b=2")),
            (&["a=1", "b=2; c=3", "d=4"], Some("a=1; b=2; c=3; d=4")),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(COOKIE, HeaderValue::from_static(field));
            }
            join(&mut headers);
            let all: Vec<_> = headers.get_all(COOKIE).iter().collect();
            assert_eq!(all, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
