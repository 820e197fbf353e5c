//! Which trace a request belongs to: W3C Trace Context.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::core::Ids;

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// How long what is known of `traceparent` is; later versions may say more behind it.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;
/// What of `tracestate` is kept with a span.
const STATE_BYTES_MAX: usize = 512;

/// What a caller says of its span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) trace: u128,
    pub(crate) span: u64,
    pub(crate) is_sampled: bool,
}

impl Parent {
    /// Reads `traceparent`; two of them, or one that is not valid, are none.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next()?;
        match values.next() {
            None => Self::parse(value.as_bytes()),
            Some(_) => None,
        }
    }

    /// Reads the value: level 1, sections 3.2.2 and 3.2.4.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let version = u8::try_from(hex(&known[..2])?).ok()?;
        let is_whole = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest[0] == b'-',
        };
        if !is_whole || [2, 35, 52].iter().any(|place| known[*place] != b'-') {
            return None;
        }
        let (trace, span) = (hex(&known[3..35])?, u64::try_from(hex(&known[36..52])?).ok()?);
        let flags = u8::try_from(hex(&known[53..])?).ok()?;
        (trace != 0 && span != 0).then_some(Self {
            trace,
            span,
            is_sampled: flags & SAMPLED != 0,
        })
    }
}

/// A number in hexadecimal without capitals.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// The place of a request's span in its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) trace: u128,
    pub(crate) span: u64,
    /// 0 for the first span of a trace.
    pub(crate) parent: u64,
    /// What others say of the trace.
    pub(crate) state: String,
}

impl Context {
    /// Of the first span of a trace.
    pub(super) fn root(trace: u128, ids: &Ids) -> Self {
        Self {
            trace,
            span: ids.random().max(1),
            parent: 0,
            state: String::new(),
        }
    }

    /// Of a span within a caller's.
    pub(super) fn child(parent: &Parent, headers: &HeaderMap, ids: &Ids) -> Self {
        let states = headers.get_all(TRACESTATE).iter();
        let states = states.filter_map(|state| state.to_str().ok());
        let mut state = states.collect::<Vec<_>>().join(",");
        if state.len() > STATE_BYTES_MAX {
            state.clear();
        }
        Self {
            trace: parent.trace,
            span: ids.random().max(1),
            parent: parent.span,
            state,
        }
    }

    /// `traceparent` for a request within the span with this id.
    pub(crate) fn header(&self, span: u64) -> HeaderValue {
        let text = format!("00-{:032x}-{span:016x}-01", self.trace);
        HeaderValue::from_str(&text).expect("visible ASCII")
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Context, Parent, TRACEPARENT};
    use crate::core::Ids;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_parent_is_read_as_the_recommendation_says() {
        let good = [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7-fe"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7-ff"), true),
            // Later versions may say more.
            (format!("cc-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01-what-is-this"), true),
        ];
        for (text, is_sampled) in good {
            let expected = Parent {
                trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
                span: 0x00f0_67aa_0ba9_02b7,
                is_sampled,
            };
            assert_eq!(Parent::parse(text.as_bytes()), Some(expected), "{text}");
        }
        let bad = [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("0-{TRACE}-00f067aa0ba902b7-001"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01.more"),
            format!("00-{TRACE}-00f067aa0ba902b7-0"),
            format!("00-{TRACE}-00f067aa0ba902b7-0g"),
            format!("00_{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-0000000000000000-01"),
            format!(" 00-{TRACE}-00f067aa0ba902b7-01"),
        ];
        for text in bad {
            assert_eq!(Parent::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn two_parents_are_none() {
        let value = HeaderValue::from_str(&format!("00-{TRACE}-00f067aa0ba902b7-01")).unwrap();
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, value.clone());
        assert!(Parent::read(&headers).is_some());
        headers.append(TRACEPARENT, value);
        assert_eq!(Parent::read(&headers), None);
    }

    #[test]
    fn what_is_sent_on_is_read_again() {
        let context = Context::root(7, &Ids::new());
        let parent = Parent::parse(context.header(9).as_bytes()).unwrap();
        assert_eq!((parent.trace, parent.span, parent.is_sampled), (7, 9, true));
    }
}
