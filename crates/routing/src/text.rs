//! A segment of a path or a label, told from others without a look at its letters.

use std::cmp::Ordering;

/// Bytes of a text that stand beside its length.
const BYTES: usize = 7;

/// A text's length and first bytes, in one word.
///
/// The letters of a text lie somewhere else in memory. With many routes, that place is in no cache, and looking there
/// costs more than all the rest of the comparison; this stands beside what is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(u64);

impl Mark {
    pub(crate) fn of(text: &str) -> Self {
        let mut word = [0; 8];
        let known = text.len().min(BYTES);
        word[..known].copy_from_slice(&text.as_bytes()[..known]);
        word[BYTES] = u8::try_from(text.len()).unwrap_or(u8::MAX);
        Self(u64::from_le_bytes(word))
    }
}

/// A text with its mark.
#[derive(Debug)]
pub(crate) struct Text {
    mark: Mark,
    text: Box<str>,
}

impl Text {
    /// Whether it is this text, which has that mark.
    pub(crate) fn is(&self, mark: Mark, text: &str) -> bool {
        self.order(mark, text) == Ordering::Equal
    }

    /// Orders it before or behind a text that has that mark; not as in a dictionary.
    pub(crate) fn order(&self, mark: Mark, text: &str) -> Ordering {
        self.mark.cmp(&mark).then_with(|| {
            if text.len() <= BYTES {
                Ordering::Equal
            } else {
                (*self.text).cmp(text)
            }
        })
    }

    pub(crate) fn into_text(self) -> Box<str> {
        self.text
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self {
            mark: Mark::of(text),
            text: text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{Mark, Text};

    proptest! {
        /// It is equal to nothing but itself, and an order has no circles: one of two is before the other.
        #[test]
        fn a_text_is_the_same_as_itself_only(one in "[ab\u{0}é]{0,12}", other in "[ab\u{0}é]{0,12}") {
            let (first, second) = (Text::from(one.as_str()), Text::from(other.as_str()));
            prop_assert_eq!(first.is(Mark::of(&other), &other), one == other);
            let there = first.order(Mark::of(&other), &other);
            prop_assert_eq!(there, second.order(Mark::of(&one), &one).reverse());
            prop_assert_eq!(there == Ordering::Equal, one == other);
        }
    }

    #[test]
    fn lengths_that_a_byte_does_not_hold_are_told_apart_by_the_text() {
        let (one, other) = ("a".repeat(255), "a".repeat(256));
        assert!(!Text::from(one.as_str()).is(Mark::of(&other), &other));
        assert!(Text::from(other.as_str()).is(Mark::of(&other), &other));
    }
}
