//! What is known of a subject: a value under a name.

use std::fmt::{self, Write as _};

/// The value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text; also what stands for a number or a date where nothing else can, as in a query string.
    Text(&'a str),
    /// Several texts.
    List(&'a [&'a str]),
    /// A list or an object in JSON: its texts are those of a list, all of it is what logic sees.
    Json(&'a serde_json::Value),
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Boolean,
    List,
}

impl Kind {
    pub(crate) fn read(text: &str) -> Option<Self> {
        Some(match text {
            "text" => Self::Text,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "list" => Self::List,
            _ => return None,
        })
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

/// As people read it: texts in quotes.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(is) => write!(f, "{is}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(texts) => write!(f, "{texts:?}"),
            Self::Json(json) => write!(f, "{json}"),
        }
    }
}

impl<'a> Value<'a> {
    /// What JSON says; `null` is nothing that is known.
    pub fn of(json: &'a serde_json::Value) -> Option<Self> {
        use serde_json::Value as Json;
        Some(match json {
            Json::Null => return None,
            Json::Bool(is) => Self::Bool(*is),
            Json::Number(number) => Self::Number(number.as_f64()?),
            Json::String(text) => Self::Text(text),
            Json::Array(_) | Json::Object(_) => Self::Json(json),
        })
    }

    /// The texts of a list; none of anything else.
    pub(crate) fn texts(self) -> impl Iterator<Item = &'a str> {
        let (plain, json) = match self {
            Self::List(list) => (Some(list), None),
            Self::Json(serde_json::Value::Array(list)) => (None, Some(list)),
            _ => (None, None),
        };
        let plain = plain.into_iter().flatten().copied();
        plain.chain(json.into_iter().flatten().filter_map(serde_json::Value::as_str))
    }

    /// What it is; an object is nothing that conditions know.
    pub(crate) const fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::Bool(_) => Kind::Boolean,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            list if list.is_list() => Kind::List,
            _ => return None,
        })
    }

    /// How many entries it has, if it is a list.
    pub(crate) const fn entries(self) -> Option<usize> {
        match self {
            Self::List(list) => Some(list.len()),
            Self::Json(serde_json::Value::Array(list)) => Some(list.len()),
            _ => None,
        }
    }

    /// Whether it is a list.
    pub(crate) const fn is_list(self) -> bool {
        matches!(self, Self::List(_) | Self::Json(serde_json::Value::Array(_)))
    }

    /// The value as a number, if it is one or its text is.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            Self::Bool(_) | Self::List(_) | Self::Json(_) => None,
        }
    }

    /// Hands the value's text on: numbers as JSON writes them, booleans as `true` and `false`; a list has none.
    pub(crate) fn with_text<T>(&self, then: impl FnOnce(&str) -> T) -> Option<T> {
        match self {
            Self::Text(text) => Some(then(text)),
            _ => Some(then(Short::of(self)?.as_str())),
        }
    }
}

/// A short text on the stack.
#[derive(Default)]
struct Short {
    bytes: [u8; 32],
    length: usize,
}

impl Short {
    /// The text of what is none; numbers that are not so short are no identifiers.
    #[cold]
    fn of(value: &Value<'_>) -> Option<Self> {
        let mut text = Self::default();
        match value {
            Value::Bool(is) => write!(text, "{is}").ok()?,
            Value::Number(number) => write!(text, "{number}").ok()?,
            Value::Text(_) | Value::List(_) | Value::Json(_) => return None,
        }
        Some(text)
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
