//! What is known of whom a question is about.

use domain::{Code, Timestamp};
use eval::{Flags, Subject};
use serde_json::{Map, Value};

use crate::resource::fault::part;
use crate::{Error, FieldError};

/// The most attributes of one question.
const ATTRIBUTES_MAX: usize = 200;

/// How deep attributes may be nested in a context.
const CONTEXT_DEPTH_MAX: usize = 8;
/// What OpenFeature calls the unit.
const TARGETING_KEY: &str = "targetingKey";
/// What flags of ours usually call it.
const USER_ID: &str = "user_id";

/// What is known of whom a question is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(Vec<(String, Attribute)>);

#[derive(Debug, Clone, PartialEq)]
enum Attribute {
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<String>),
}

impl Attributes {
    /// Attributes that all are texts, as they stand in a query.
    ///
    /// # Errors
    /// `parameter_invalid` if there are too many.
    pub fn from_texts(texts: &[(String, String)]) -> Result<Self, Error> {
        if texts.len() > ATTRIBUTES_MAX {
            let detail = format!("At most {ATTRIBUTES_MAX} attributes are taken.");
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
        let all = texts.iter();
        Ok(Self(
            all.map(|(name, text)| (name.clone(), Attribute::Text(text.clone())))
                .collect(),
        ))
    }

    /// Attributes as they stand in a body: texts, numbers, booleans and lists of texts; `null` is not there.
    ///
    /// # Errors
    /// `request_invalid` with the place of what is none of these.
    pub fn from_json(attributes: &Map<String, Value>) -> Result<Self, Error> {
        let mut all = Vec::with_capacity(attributes.len().min(ATTRIBUTES_MAX));
        let mut faults = Vec::new();
        if attributes.len() > ATTRIBUTES_MAX {
            let detail = format!(
                "There are {} attributes; at most {ATTRIBUTES_MAX} are taken.",
                attributes.len()
            );
            let suggestion = "Send those that flags ask for.";
            faults.push(FieldError::new(
                "/attributes",
                "field_out_of_range",
                detail,
                suggestion,
            ));
        }
        for (name, value) in attributes.iter().take(ATTRIBUTES_MAX) {
            match attribute(value) {
                Ok(None) => {}
                Ok(Some(value)) => all.push((name.clone(), value)),
                Err(()) => {
                    let pointer = format!("/attributes/{}", part(name));
                    let detail = "It is neither a text, a number, a boolean nor a list of texts.";
                    let suggestion = "Send what is inside as attributes of their own.";
                    faults.push(FieldError::new(&pointer, "field_invalid", detail, suggestion));
                }
            }
        }
        match faults.first() {
            None => Ok(Self(all)),
            Some(first) => {
                let detail = format!("{}: {}", first.pointer, first.detail);
                Err(Error::fields(Code::RequestInvalid, detail, faults))
            }
        }
    }

    /// Attributes as they stand in an evaluation context of OpenFeature.
    ///
    /// `targetingKey` is `user_id` as well, unless that is there too. What is nested is there under its path,
    /// `company.name`; what no flag can read (lists of other things than texts) is left out.
    ///
    /// # Errors
    /// Why it cannot be read: there are too many.
    pub fn from_context(context: &Map<String, Value>) -> Result<Self, String> {
        let mut all = Vec::new();
        flatten(context, "", 0, &mut all)?;
        let find = |wanted: &str| all.iter().find(|(name, _)| name == wanted);
        if let (Some((_, unit)), None) = (find(TARGETING_KEY), find(USER_ID)) {
            all.push((USER_ID.to_owned(), unit.clone()));
        }
        Ok(Self(all))
    }

    /// The text of an attribute, as units are told apart by it.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        match value {
            Attribute::Bool(is) => Some(is.to_string()),
            Attribute::Number(number) => Some(number.to_string()),
            Attribute::Text(text) => Some(text.clone()),
            Attribute::List(_) => None,
        }
    }
}

fn flatten(
    fields: &Map<String, Value>,
    path: &str,
    depth: usize,
    all: &mut Vec<(String, Attribute)>,
) -> Result<(), String> {
    for (name, value) in fields {
        let name = format!("{path}{name}");
        match value {
            Value::Object(fields) if depth < CONTEXT_DEPTH_MAX => {
                flatten(fields, &format!("{name}."), depth + 1, all)?;
            }
            value => all.extend(attribute(value).ok().flatten().map(|value| (name, value))),
        }
        if all.len() > ATTRIBUTES_MAX {
            return Err(format!("At most {ATTRIBUTES_MAX} attributes are taken."));
        }
    }
    Ok(())
}

fn attribute(value: &Value) -> Result<Option<Attribute>, ()> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(is) => Attribute::Bool(*is),
        Value::Number(number) => Attribute::Number(number.as_f64().ok_or(())?),
        Value::String(text) => Attribute::Text(text.clone()),
        Value::Array(entries) => {
            let texts = entries.iter().map(|entry| entry.as_str().map(str::to_owned));
            Attribute::List(texts.collect::<Option<_>>().ok_or(())?)
        }
        Value::Object(_) => return Err(()),
    }))
}

impl Attributes {
    /// The lists among them, in their order, as they are handed on.
    pub(super) fn lists(&self) -> Vec<Vec<&str>> {
        let lists = self.0.iter().filter_map(|(_, value)| match value {
            Attribute::List(texts) => Some(texts.iter().map(String::as_str).collect()),
            _ => None,
        });
        lists.collect()
    }

    /// Somebody of whom this is known, as compiled flags take them; `lists` are those of [`lists`](Self::lists).
    pub(super) fn subject<'a>(
        &'a self,
        flags: &Flags,
        lists: &'a [Vec<&'a str>],
        now: Timestamp,
    ) -> Subject<'a> {
        let mut subject = flags.subject(now.as_micros());
        let mut lists = lists.iter();
        for (name, value) in &self.0 {
            let value = match value {
                Attribute::Bool(is) => eval::Value::Bool(*is),
                Attribute::Number(number) => eval::Value::Number(*number),
                Attribute::Text(text) => eval::Value::Text(text),
                Attribute::List(_) => eval::Value::List(lists.next().map_or(&[], Vec::as_slice)),
            };
            flags.put(&mut subject, name, value);
        }
        subject
    }
}
