//! What is known of whom a question is about.

use std::borrow::Cow;

use domain::code::sentence;
use serde_json::{Map, Value};

use crate::raw::Raw;

/// The most attributes of one question.
pub const ATTRIBUTES_MAX: usize = 200;
/// The most flags that are asked for by their keys.
const FLAGS_MAX: usize = 1000;
/// How deep attributes may be nested in a context.
const CONTEXT_DEPTH_MAX: usize = 8;
/// What OpenFeature calls the unit.
pub(crate) const TARGETING_KEY: &str = "targetingKey";
/// What flags of ours usually call it.
const USER_ID: &str = "user_id";
/// The parameter of a query that is no attribute: the SDK key.
const KEY: &str = "key";

/// What is known of somebody: values under names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes<'a>(Vec<(Cow<'a, str>, Attribute<'a>)>);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute<'a> {
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Cow<'a, str>>),
}

/// A question about several flags.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question<'a> {
    /// What is known of whom it is about.
    pub attributes: Attributes<'a>,
    /// The flags that are asked for; all if absent.
    pub flags: Option<Vec<Cow<'a, str>>>,
}

/// Why a question cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionFault {
    /// It is no JSON.
    #[error("the body is not JSON: {0}")]
    Syntax(String),
    /// It is JSON of another form.
    #[error("{}", first(.0))]
    Form(Vec<FormFault>),
}

/// What is wrong with the form of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormFault {
    /// JSON Pointer to it.
    pub pointer: String,
    /// Stable name of what is wrong.
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// What to do.
    pub suggestion: &'static str,
}

fn first(faults: &[FormFault]) -> String {
    let first = faults.first();
    first.map_or_else(String::new, |first| match first.pointer.as_str() {
        // The whole body.
        "" => first.detail.clone(),
        pointer => format!("{pointer}: {}", first.detail),
    })
}

impl QuestionFault {
    /// What is wrong first, in a sentence.
    pub fn detail(&self) -> String {
        sentence(&self.to_string())
    }

    /// All that is wrong, place by place.
    pub fn into_faults(self) -> Vec<FormFault> {
        let detail = self.detail();
        match self {
            Self::Form(faults) => faults,
            Self::Syntax(_) => vec![FormFault {
                pointer: String::new(),
                code: "json_malformed",
                detail,
                suggestion: "Send one JSON value in UTF-8.",
            }],
        }
    }

    fn form(
        pointer: impl Into<String>,
        code: &'static str,
        detail: String,
        suggestion: &'static str,
    ) -> Self {
        Self::Form(vec![FormFault {
            pointer: pointer.into(),
            code,
            detail,
            suggestion,
        }])
    }

    fn too_many(pointer: &str, count: usize) -> Self {
        let detail = format!("There are {count} attributes; at most {ATTRIBUTES_MAX} are taken.");
        Self::form(
            pointer,
            "field_out_of_range",
            detail,
            "Send those that flags ask for.",
        )
    }
}

impl<'a> Question<'a> {
    /// Reads `{"attributes": {…}, "flags": ["…"]}`; both may be absent, as the whole may.
    ///
    /// # Errors
    /// What is wrong first, with its place.
    pub fn read(body: &'a [u8]) -> Result<Self, QuestionFault> {
        let mut question = Self::default();
        if body.is_empty() {
            return Ok(question);
        }
        for (name, value) in object(body)? {
            match (&*name, value) {
                (_, Raw::Null) => {}
                ("attributes", Raw::Object(fields)) => {
                    question.attributes = Attributes::from_fields(fields, "/attributes")?;
                }
                ("flags", Raw::List(keys)) => question.flags = Some(flag_keys(keys)?),
                ("attributes" | "flags", _) => {
                    let detail = format!("`{name}` is of another kind.");
                    let suggestion = "Send an object of attributes, and a list of flags' keys.";
                    return Err(QuestionFault::form(
                        format!("/{name}"),
                        "field_invalid",
                        detail,
                        suggestion,
                    ));
                }
                _ => {
                    let name: String = name.chars().take(100).collect();
                    let detail = format!("There is no field `{name}`.");
                    let suggestion = "Send `attributes`, and `flags` where several are asked for.";
                    let pointer = format!("/{}", part(&name));
                    return Err(QuestionFault::form(pointer, "unknown_field", detail, suggestion));
                }
            }
        }
        Ok(question)
    }
}

impl<'a> Question<'a> {
    /// The attributes of a question about one flag.
    ///
    /// # Errors
    /// It names flags.
    pub fn of_one(self) -> Result<Attributes<'a>, QuestionFault> {
        if self.flags.is_some() {
            let detail = "There is no field `flags`: the flag stands in the path.".to_owned();
            return Err(QuestionFault::form(
                "/flags",
                "unknown_field",
                detail,
                "Leave it out.",
            ));
        }
        Ok(self.attributes)
    }
}

fn flag_keys(keys: Result<Vec<Cow<'_, str>>, usize>) -> Result<Vec<Cow<'_, str>>, QuestionFault> {
    let keys = keys.map_err(|place| {
        let detail = "It is not the key of a flag.".to_owned();
        QuestionFault::form(format!("/flags/{place}"), "field_invalid", detail, "Send texts.")
    })?;
    if keys.len() > FLAGS_MAX {
        let detail = format!(
            "There are {} flags; at most {FLAGS_MAX} are asked for by name.",
            keys.len()
        );
        return Err(QuestionFault::form(
            "/flags",
            "field_out_of_range",
            detail,
            "Leave `flags` out to ask for all.",
        ));
    }
    Ok(keys)
}

impl<'a> Attributes<'a> {
    /// Attributes that all are texts, as they stand in a query; `key` is none.
    ///
    /// # Errors
    /// There are too many.
    pub fn from_query(query: &'a str) -> Result<Self, QuestionFault> {
        Self::from_parameters(form_urlencoded::parse(query.as_bytes()))
    }

    /// The same of a query that was read already.
    ///
    /// # Errors
    /// There are too many.
    pub fn from_pairs(pairs: &'a [(String, String)]) -> Result<Self, QuestionFault> {
        let pairs = pairs.iter();
        Self::from_parameters(pairs.map(|(name, text)| (name.as_str().into(), text.as_str().into())))
    }

    fn from_parameters(
        parameters: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Result<Self, QuestionFault> {
        let all: Vec<_> = parameters
            .filter(|(name, _)| name != KEY)
            .take(ATTRIBUTES_MAX + 1)
            .map(|(name, text)| (name, Attribute::Text(text)))
            .collect();
        if all.len() > ATTRIBUTES_MAX {
            return Err(QuestionFault::too_many("", all.len()));
        }
        Ok(Self(all))
    }

    /// Attributes as they stand in a body: texts, numbers, booleans and lists of texts; `null` is not there.
    ///
    /// # Errors
    /// What is none of these, with its place below `/attributes`.
    pub fn from_json(attributes: &'a Map<String, Value>) -> Result<Self, QuestionFault> {
        Self::from_fields(Raw::fields(attributes), "/attributes")
    }

    fn from_fields(fields: Vec<(Cow<'a, str>, Raw<'a>)>, at: &str) -> Result<Self, QuestionFault> {
        if fields.len() > ATTRIBUTES_MAX {
            return Err(QuestionFault::too_many(at, fields.len()));
        }
        let mut all = Vec::with_capacity(fields.len());
        let mut faults = Vec::new();
        for (name, value) in fields {
            match attribute(value) {
                Ok(None) => {}
                Ok(Some(value)) => all.push((name, value)),
                Err(()) => faults.push(FormFault {
                    pointer: format!("{at}/{}", part(&name)),
                    code: "field_invalid",
                    detail: "It is neither a text, a number, a boolean nor a list of texts.".to_owned(),
                    suggestion: "Send what is inside as attributes of their own.",
                }),
            }
        }
        match faults.is_empty() {
            true => Ok(Self(all)),
            false => Err(QuestionFault::Form(faults)),
        }
    }

    /// Attributes as they stand in a body `{"context": {…}}` of OpenFeature.
    ///
    /// `targetingKey` is `user_id` as well, unless that is there too. What is nested is there under its path,
    /// `company.name`; what no flag can read (lists of other things than texts) is left out.
    ///
    /// # Errors
    /// Why it cannot be read: it is no JSON, no object, or there are too many.
    pub fn from_context(body: &'a [u8]) -> Result<Self, QuestionFault> {
        Self::nested(body, "context", TARGETING_KEY)
    }

    /// The same of an object with another name, where `unit` is what the unit is called.
    pub(crate) fn nested(body: &'a [u8], object_name: &str, unit: &str) -> Result<Self, QuestionFault> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let mut fields = object(body)?.into_iter();
        let context = fields.rfind(|(name, _)| name == object_name);
        Self::of_object(
            context.map_or(Raw::Null, |(_, context)| context),
            object_name,
            unit,
        )
    }

    /// The same of a context that was read already; `null` says nothing.
    pub(crate) fn of_object(context: Raw<'a>, object_name: &str, unit: &str) -> Result<Self, QuestionFault> {
        let mut all = Vec::new();
        match context {
            Raw::Null => return Ok(Self(all)),
            Raw::Object(fields) => flatten(fields, "", 0, &mut all)?,
            _ => {
                let detail = format!("`{object_name}` is not an object.");
                return Err(QuestionFault::form(
                    format!("/{object_name}"),
                    "field_invalid",
                    detail,
                    "Send an object.",
                ));
            }
        }
        let find = |wanted: &str| all.iter().rfind(|(name, _)| name == wanted);
        if let (Some((_, unit)), None) = (find(unit), find(USER_ID)) {
            all.push((USER_ID.into(), unit.clone()));
        }
        Ok(Self(all))
    }

    /// Attributes that all are texts.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn from_texts(texts: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Result<Self, QuestionFault> {
        Self::from_parameters(texts.into_iter())
    }

    /// Notes one more, unless it is there.
    pub(crate) fn put_number(&mut self, name: &'static str, number: f64) {
        if self.text(name).is_none() {
            self.0.push((name.into(), Attribute::Number(number)));
        }
    }

    /// Notes one more.
    pub(crate) fn put_text(&mut self, name: &'a str, text: Cow<'a, str>) {
        self.0.push((name.into(), Attribute::Text(text)));
    }

    /// The text of an attribute, as units are told apart by it.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, value) = self.0.iter().rfind(|(known, _)| known == name)?;
        match value {
            Attribute::Bool(is) => Some(if *is { "true" } else { "false" }.into()),
            Attribute::Number(number) => Some(number.to_string().into()),
            Attribute::Text(text) => Some(Cow::Borrowed(text)),
            Attribute::List(_) => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Attribute<'a>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// The lists among them, in their order, as they are handed on.
    pub(crate) fn lists(&self) -> Vec<Vec<&str>> {
        let lists = self.0.iter().filter_map(|(_, value)| match value {
            Attribute::List(texts) => Some(texts.iter().map(|text| &**text).collect()),
            _ => None,
        });
        lists.collect()
    }
}

pub(crate) fn object(body: &[u8]) -> Result<Vec<(Cow<'_, str>, Raw<'_>)>, QuestionFault> {
    // Checked once for all texts, which is quicker than each.
    let text = str::from_utf8(body).map_err(|error| QuestionFault::Syntax(error.to_string()))?;
    match serde_json::from_str(text) {
        Ok(Raw::Object(fields)) => Ok(fields),
        Ok(_) => {
            let detail = "The body is not an object.".to_owned();
            Err(QuestionFault::form(
                "",
                "field_invalid",
                detail,
                "Send a JSON object.",
            ))
        }
        Err(error) => Err(QuestionFault::Syntax(error.to_string())),
    }
}

fn flatten<'a>(
    fields: Vec<(Cow<'a, str>, Raw<'a>)>,
    path: &str,
    depth: usize,
    all: &mut Vec<(Cow<'a, str>, Attribute<'a>)>,
) -> Result<(), QuestionFault> {
    for (name, value) in fields {
        let name = match path {
            "" => name,
            path => format!("{path}{name}").into(),
        };
        match value {
            Raw::Object(fields) if depth < CONTEXT_DEPTH_MAX => {
                flatten(fields, &format!("{name}."), depth + 1, all)?;
            }
            value => all.extend(attribute(value).ok().flatten().map(|value| (name, value))),
        }
        if all.len() > ATTRIBUTES_MAX {
            return Err(QuestionFault::too_many("/context", all.len()));
        }
    }
    Ok(())
}

/// `None` if there is nothing, an error if no flag can read it.
fn attribute(value: Raw<'_>) -> Result<Option<Attribute<'_>>, ()> {
    Ok(Some(match value {
        Raw::Null => return Ok(None),
        Raw::Bool(is) => Attribute::Bool(is),
        Raw::Number(number) => Attribute::Number(number),
        Raw::Text(text) => Attribute::Text(text),
        Raw::List(Ok(texts)) => Attribute::List(texts),
        Raw::List(Err(_)) | Raw::Object(_) => return Err(()),
    }))
}

/// A part of a JSON Pointer (RFC 6901).
fn part(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
