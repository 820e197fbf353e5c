//! Values as JavaScript compares and writes them: what the SDKs do is said in its words.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value as Json};

/// An object's fields, read as leniently as the SDKs read them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Json>);

impl<'a> Fields<'a> {
    /// Of an object; of anything else there are none.
    pub(super) fn of(value: &'a Json) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// A field that is there and not one of `null`, `false`, `0` and `""`.
    pub(super) fn some(&self, name: &str) -> Option<&'a Json> {
        self.0.get(name).filter(|value| is_truthy(value))
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.some(name)?.as_str()
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.as_f64()
    }

    /// A list.
    pub(super) fn list(&self, name: &str) -> Option<&'a [Json]> {
        self.0.get(name)?.as_array().map(Vec::as_slice)
    }

    /// An object.
    pub(super) fn object(&self, name: &str) -> Option<Fields<'a>> {
        Self::of(self.0.get(name)?)
    }

    /// Whether it is there and not one of `null`, `false`, `0` and `""`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.some(name).is_some()
    }
}

/// Whether a condition of JavaScript would take it for true.
pub(super) fn is_truthy(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(is) => *is,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(_) | Json::Object(_) => true,
    }
}

/// Whether two values are the same (`===`); lists and objects are the same as nothing.
pub(super) fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(one), Json::Bool(other)) => one == other,
        (Json::Number(one), Json::Number(other)) => one.as_f64() == other.as_f64(),
        (Json::String(one), Json::String(other)) => one == other,
        _ => false,
    }
}

/// Whether two values have the same content.
pub(super) fn is_equal(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_equal(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| {
                    let found = other.get(key);
                    found.is_some_and(|found| is_equal(value, found))
                })
        }
        _ => is_same(one, other),
    }
}

/// Which of two comes first; only two numbers or two texts have an order.
pub(super) fn order(one: &Json, other: &Json) -> Option<Ordering> {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        (Json::String(one), Json::String(other)) => Some(order_of_texts(one, other)),
        _ => None,
    }
}

/// Texts are ordered by their units of UTF-16.
pub(super) fn order_of_texts(one: &str, other: &str) -> Ordering {
    one.encode_utf16().cmp(other.encode_utf16())
}

/// What is at a path `a.b.0`; `null` where nothing is.
pub(super) fn at<'a>(root: &'a Json, path: &str) -> Cow<'a, Json> {
    let mut here = root;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let next = match here {
            Json::Object(fields) => fields.get(part),
            Json::Array(items) if part == "length" && parts.peek().is_none() => {
                return Cow::Owned(Json::from(items.len()));
            }
            Json::Array(items) => index(part).and_then(|place| items.get(place)),
            _ => None,
        };
        match next {
            Some(next) => here = next,
            None => return Cow::Owned(Json::Null),
        }
    }
    Cow::Borrowed(here)
}

/// A place in a list as the name of a field: no sign, no zero in front.
fn index(part: &str) -> Option<usize> {
    let place: usize = part.parse().ok()?;
    (place.to_string() == part).then_some(place)
}

/// What says which unit it is, as it is hashed: a text that is not empty, or a number that is not 0.
pub(super) fn unit(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => (!text.is_empty()).then(|| text.clone()),
        Json::Number(number) => {
            let number = number
                .as_f64()
                .filter(|number| *number != 0.0 && number.is_finite())?;
            Some(number_text(number))
        }
        _ => None,
    }
}

/// A number as JavaScript writes it (ECMA-262, Number::toString): the fewest digits that mean it, with an exponent
/// from 1e21 on and below 1e-6.
pub(super) fn number_text(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let magnitude = number.abs();
    if !number.is_finite() || (1e-6..1e21).contains(&magnitude) {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{at, number_text};

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        let table = [
            (1.0, "1"),
            (-1.5, "-1.5"),
            (-0.0, "0"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.23e-18, "1.23e-18"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e21, "-1.5e+21"),
            (9_007_199_254_740_993.0, "9007199254740992"),
        ];
        for (number, text) in table {
            assert_eq!(number_text(number), text);
        }
    }

    #[test]
    fn paths_lead_through_objects_and_lists() {
        let root = json!({ "a": { "b": [{ "c": 1 }, 2] }, "a.b": 3, "t": "text" });
        let table = [
            ("a.b.0.c", json!(1)),
            ("a.b.1", json!(2)),
            ("a.b.01", json!(null)),
            ("a.b.length", json!(2)),
            ("t.length", json!(null)),
            ("a.b.length.x", json!(null)),
            ("", json!(null)),
        ];
        for (path, wanted) in table {
            assert_eq!(*at(&root, path), wanted, "{path}");
        }
    }
}
