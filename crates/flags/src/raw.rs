//! JSON that is looked at once: texts stay where they were sent.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// For how many fields there is room in an object from the beginning, and for how many texts in a list.
const FIELDS: usize = 8;
const TEXTS: usize = 32;

/// A value of JSON. Whoever asks may say lists of texts alone, so of other lists only their fault is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    /// The place of the first entry that is no text, if there is one.
    List(Result<Vec<Cow<'a, str>>, usize>),
    Object(Vec<(Cow<'a, str>, Raw<'a>)>),
}

impl<'a> Raw<'a> {
    /// The fields of an object that is there already.
    pub(crate) fn fields(object: &'a Map<String, Value>) -> Vec<(Cow<'a, str>, Self)> {
        let fields = object.iter();
        fields
            .map(|(name, value)| (name.as_str().into(), value.into()))
            .collect()
    }

    /// A list of these entries.
    pub(crate) fn list(entries: impl Iterator<Item = Self>) -> Self {
        let texts = entries.enumerate().map(|(place, entry)| match entry {
            Self::Text(text) => Ok(text),
            _ => Err(place),
        });
        Self::List(texts.collect())
    }

    /// The text of what has one: numbers as JSON writes them, booleans as `true` and `false`.
    pub(crate) fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(is) => Some(if is { "true" } else { "false" }.into()),
            Self::Number(number) => Some(number.to_string().into()),
            Self::Null | Self::List(_) | Self::Object(_) => None,
        }
    }
}

impl<'a> From<&'a Value> for Raw<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(is) => Self::Bool(*is),
            Value::Number(number) => number.as_f64().map_or(Self::Null, Self::Number),
            Value::String(text) => Self::Text(text.as_str().into()),
            Value::Array(entries) => Self::list(entries.iter().map(Self::from)),
            Value::Object(fields) => Self::Object(Self::fields(fields)),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Raw<'de>, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Raw<'de>, E> {
        Ok(Raw::Bool(is))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw<'de>, E> {
        Ok(Raw::Number(number))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers of JSON are those of JavaScript"
    )]
    fn visit_i64<E>(self, number: i64) -> Result<Raw<'de>, E> {
        Ok(Raw::Number(number as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers of JSON are those of JavaScript"
    )]
    fn visit_u64<E>(self, number: u64) -> Result<Raw<'de>, E> {
        Ok(Raw::Number(number as f64))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Raw<'de>, E> {
        Ok(Raw::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw<'de>, E> {
        Ok(Raw::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Raw<'de>, A::Error> {
        let mut texts = Vec::with_capacity(TEXTS);
        while let Some(entry) = entries.next_element()? {
            let Raw::Text(text) = entry else {
                while entries.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Raw::List(Err(texts.len())));
            };
            texts.push(text);
        }
        Ok(Raw::List(Ok(texts)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Raw<'de>, A::Error> {
        let mut all = Vec::with_capacity(FIELDS);
        while let Some((Name(name), value)) = fields.next_entry()? {
            all.push((name, value));
        }
        Ok(Raw::Object(all))
    }
}

/// The name of a field.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
