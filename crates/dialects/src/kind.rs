//! What attributes are, and what values are called, where other products are stricter than we are.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::Fault;

/// Values that a flag may have.
pub(crate) const VARIANTS_MAX: usize = 100;
/// What variants are called whose values are no names.
const UNNAMED: &str = "value";

/// What an attribute is, as far as conditions say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// One text, or a list of them.
    TextOrTexts,
    Texts,
    Number,
    Bool,
}

impl Kind {
    /// What is of both kinds.
    fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::TextOrTexts, other @ (Self::Text | Self::Texts)) => Some(other),
            (one @ (Self::Text | Self::Texts), Self::TextOrTexts) => Some(one),
            (one, other) => (one == other).then_some(one),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Text | Self::TextOrTexts => "a text",
            Self::Texts => "a list",
            Self::Number => "a number",
            Self::Bool => "a boolean",
        }
    }
}

/// What attributes are: with us `1` and `"1"` are the same, so an attribute that is compared with both elsewhere cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    compared: BTreeMap<String, Kind>,
    /// Of which kinds attributes are asked whether they are.
    asked: BTreeMap<String, Vec<Kind>>,
}

impl Kinds {
    /// Notes as what an attribute is compared.
    pub(crate) fn put(&mut self, attribute: &str, kind: Kind, at: &str) -> Result<(), Fault> {
        for asked in self.asked.get(attribute).into_iter().flatten() {
            mixed(attribute, (kind, *asked), at)?;
        }
        let known = self.compared.entry(attribute.to_owned()).or_insert(kind);
        *known = mixed(attribute, (kind, *known), at)?;
        Ok(())
    }

    /// Notes that an attribute is asked whether it is of a kind: it may be of several, but is not compared as another one then.
    pub(crate) fn ask(&mut self, attribute: &str, kind: Kind, at: &str) -> Result<(), Fault> {
        if let Some(known) = self.compared.get(attribute) {
            mixed(attribute, (kind, *known), at)?;
        }
        let asked = self.asked.entry(attribute.to_owned()).or_default();
        if !asked.contains(&kind) {
            asked.push(kind);
        }
        Ok(())
    }
}

/// What is of both kinds, or that nothing is.
fn mixed(attribute: &str, (kind, known): (Kind, Kind), at: &str) -> Result<Kind, Fault> {
    known.and(kind).ok_or_else(|| {
        let detail = format!(
            "`{attribute}` is compared as {} here and as {} elsewhere; what is `1` and what is `\"1\"` is the same here.",
            kind.name(),
            known.name()
        );
        Fault::new(at, "kinds_mixed", detail)
    })
}

/// What a variant with a value is called: as its value, if that can be a name that nobody else has.
pub(crate) fn variant_name(value: &Json, place: usize, is_free: impl Fn(&str) -> bool) -> String {
    let own = match value {
        Json::Null => Some("null".to_owned()),
        Json::Bool(true) => Some("on".to_owned()),
        Json::Bool(false) => Some("off".to_owned()),
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Array(_) | Json::Object(_) => None,
    };
    let own = own.filter(|name| is_name(name) && is_free(name));
    let mut numbered = (place + 1..).map(|number| format!("{UNNAMED}-{number}"));
    own.or_else(|| numbered.find(|name| is_free(name)))
        .unwrap_or_default()
}

/// Whether a text can be the name of a variant.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=64).contains(&text.len())
        && text.bytes().all(is_plain)
        && text
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
}
