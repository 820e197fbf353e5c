//! The positioned tree that both formats are read into.

use std::borrow::Cow;

use serde_json::{Number, Value as Json};

use crate::report::Place;

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    pub(crate) place: Place,
    pub(crate) value: Value<'a>,
}

/// A value; numbers keep their text, so that `version: 1.10` is not read as 1.1.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// Parses as a JSON number.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Map<'a>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    pub(crate) key: Cow<'a, str>,
    /// Where the key begins.
    pub(crate) place: Place,
    pub(crate) node: Node<'a>,
}

/// Entries in the order of the document, every key once.
#[derive(Debug, Clone)]
pub(crate) struct Map<'a> {
    entries: Vec<Entry<'a>>,
    /// Indices sorted by key; empty for short ones, which are searched faster from the front.
    sorted: Vec<u32>,
}

const SHORT: usize = 12;

/// For what is missing.
pub(crate) static EMPTY: Map<'static> = Map {
    entries: Vec::new(),
    sorted: Vec::new(),
};

impl<'a> Map<'a> {
    /// A mapping, or the indices of the first two entries with the same key.
    pub(crate) fn new(mut entries: Vec<Entry<'a>>) -> Result<Self, (Vec<Entry<'a>>, usize, usize)> {
        entries.shrink_to_fit();
        if entries.len() <= SHORT {
            for later in 1..entries.len() {
                if let Some(earlier) = (0..later).find(|&earlier| entries[earlier].key == entries[later].key)
                {
                    return Err((entries, earlier, later));
                }
            }
            return Ok(Self {
                entries,
                sorted: Vec::new(),
            });
        }
        // The limit on nodes is far below u32::MAX; a larger index would only be a wrong place in a search.
        let mut sorted: Vec<u32> = (0..u32::try_from(entries.len()).unwrap_or(u32::MAX)).collect();
        sorted.sort_by(|&a, &b| entries[a as usize].key.cmp(&entries[b as usize].key));
        let twice = sorted
            .windows(2)
            .filter(|pair| entries[pair[0] as usize].key == entries[pair[1] as usize].key)
            .map(|pair| (pair[0] as usize, pair[1] as usize))
            .min_by_key(|&(_, later)| later);
        match twice {
            Some((earlier, later)) => Err((entries, earlier, later)),
            None => Ok(Self { entries, sorted }),
        }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry<'a>> {
        if self.sorted.is_empty() {
            return self.entries.iter().find(|entry| entry.key == key);
        }
        let at = self
            .sorted
            .binary_search_by(|&index| self.entries[index as usize].key.as_ref().cmp(key))
            .ok()?;
        self.entries.get(self.sorted[at] as usize)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Entry<'a>> {
        self.entries.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn into_entries(self) -> Vec<Entry<'a>> {
        self.entries
    }
}

impl<'a> Node<'a> {
    pub(crate) fn map(&self) -> Option<&Map<'a>> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Node<'a>]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The text of a text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a text or as a number was written.
    pub(crate) fn written(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Number(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        matches!(self.value, Value::Bool(true))
    }

    /// The target of a reference object.
    pub(crate) fn reference(&self) -> Option<&str> {
        self.map()?.get("$ref")?.text()
    }

    /// The child that a step of a JSON Pointer leads to.
    pub(crate) fn step(&self, step: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(map) => map.get(step),
            Value::List(list) => list.get(step.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// The value as JSON.
    pub(crate) fn into_json(self) -> Json {
        match self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(value),
            Value::Number(text) => Json::Number(number(&text)),
            Value::Text(text) => Json::String(text.into_owned()),
            Value::List(list) => Json::Array(list.into_iter().map(Node::into_json).collect()),
            Value::Map(map) => Json::Object(
                map.into_entries()
                    .into_iter()
                    .map(|entry| (entry.key.into_owned(), entry.node.into_json()))
                    .collect(),
            ),
        }
    }
}

/// The number that a JSON number's text stands for; integers beyond 64 bits become the nearest double.
fn number(text: &str) -> Number {
    if let Ok(value) = text.parse::<u64>() {
        return value.into();
    }
    if let Ok(value) = text.parse::<i64>() {
        return value.into();
    }
    let value: f64 = text.parse().unwrap_or_default();
    let finite = if value.is_finite() {
        value
    } else {
        f64::MAX.copysign(value)
    };
    Number::from_f64(finite).unwrap_or_else(|| 0.into())
}
