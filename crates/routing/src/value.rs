//! Compares one value: of a field, a parameter, a cookie, or a path.

use domain::code::sentence;
use domain::routing::{FieldKind, FieldMatch};
use expression::{COMPILED_BYTES_MAX, PATTERN_MAX};
use regex::bytes::{Regex, RegexBuilder};

use crate::fault::Faults;

/// The most characters of a value or expression.
const VALUE_MAX: usize = PATTERN_MAX;
/// What to do about a pattern.
pub(crate) const PATTERN_ADVICE: &str = "Write it in the syntax of RE2: no look-around, no back references.";

/// A condition on the values of one name.
#[derive(Debug)]
pub(crate) struct Test<N> {
    pub(crate) name: N,
    value: Value,
    not: bool,
}

#[derive(Debug)]
enum Value {
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Regex(Regex),
    Present,
}

impl<N> Test<N> {
    /// Compiles a condition whose name was read already.
    pub(crate) fn compile(name: N, field: &FieldMatch, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let value_pointer = format!("{pointer}/value");
        let value = match (field.kind, &field.value) {
            (FieldKind::Present | FieldKind::Absent, None) => Value::Present,
            (FieldKind::Present | FieldKind::Absent, Some(_)) => {
                faults.add(
                    value_pointer,
                    "value_unused",
                    "Whether something is there has no value to compare.",
                    "Leave `value` out, or choose `exact`, `prefix` or `regex`.",
                );
                return None;
            }
            (_, None) => {
                faults.add(
                    value_pointer,
                    "value_missing",
                    "There is nothing to compare with.",
                    "Give a `value`, or choose `present` or `absent`.",
                );
                return None;
            }
            (_, Some(text)) if !is_storable(text) => {
                faults.add(
                    value_pointer,
                    "field_invalid",
                    format!("It has a control character or more than {VALUE_MAX} characters."),
                    "Shorten it, or write control characters as an expression.",
                );
                return None;
            }
            (FieldKind::Exact, Some(text)) => Value::Exact(text.as_bytes().into()),
            (FieldKind::Prefix, Some(text)) => Value::Prefix(text.as_bytes().into()),
            (FieldKind::Regex, Some(text)) => Value::Regex(regex(text, &value_pointer, faults)?),
        };
        Some(Self {
            name,
            value,
            not: field.not != (field.kind == FieldKind::Absent),
        })
    }

    /// Whether the condition holds for the values that are there.
    pub(crate) fn holds<V: AsRef<[u8]>>(&self, mut values: impl Iterator<Item = V>) -> bool {
        self.not != values.any(|value| self.value.fits(value.as_ref()))
    }
}

impl Value {
    fn fits(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(text) => **text == *value,
            Self::Prefix(text) => value.starts_with(text),
            Self::Regex(regex) => regex.is_match(value),
            Self::Present => true,
        }
    }
}

fn is_storable(text: &str) -> bool {
    text.chars().count() <= VALUE_MAX && !text.chars().any(char::is_control)
}

/// Compiles an expression that has to fit from the beginning to the end.
///
/// It takes time linear in the text, whatever the text is: the crate has no back references and no look-around.
pub(crate) fn regex(text: &str, pointer: &str, faults: &mut Faults) -> Option<Regex> {
    // Alone first: `a)|(b` is none, even though it would become one between brackets.
    pattern(text, pointer, faults)?;
    let whole = RegexBuilder::new(&format!("^(?:{text})$"))
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build();
    told(whole.map_err(|_| "it is too large".to_owned()), pointer, faults)
}

/// Compiles an expression that may fit anywhere.
pub(crate) fn pattern(text: &str, pointer: &str, faults: &mut Faults) -> Option<regex::Regex> {
    told(expression::pattern(text), pointer, faults)
}

fn told<R>(compiled: Result<R, String>, pointer: &str, faults: &mut Faults) -> Option<R> {
    let clause = match compiled {
        Ok(compiled) => return Some(compiled),
        Err(clause) => clause,
    };
    faults.add(pointer, "regex_invalid", sentence(&clause), PATTERN_ADVICE);
    None
}
