//! The forms in which events come: JSON, lines of JSON, and CloudEvents 1.0 (structured, batch and binary mode).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::event::{Fields, Judge, Names};
use super::{Events, Facts, Refusal};

/// The most characters of an unknown field's name that are repeated.
const SHOWN_CHARS_MAX: usize = 80;

/// Whose words an event is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Own,
    Cloud,
}

impl Form {
    const fn names(self) -> Names {
        match self {
            Self::Own => Names {
                user: "/user_id",
                properties: "/properties",
            },
            Self::Cloud => Names {
                user: "/subject",
                properties: "/data",
            },
        }
    }
}

/// Reads a body, event by event.
pub(super) fn read(mut judge: Judge<'_>, facts: &Facts<'_>, body: &[u8]) -> Result<Events, Refusal> {
    let essence = facts.media_type.unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| essence.eq_ignore_ascii_case(name);
    let text = std::str::from_utf8(body).map_err(|error| Refusal::Malformed {
        detail: "it is not UTF-8".to_owned(),
        line: line_at(body, error.valid_up_to()),
        column: 1,
    })?;
    if !facts.attributes.is_empty() {
        if !(is("application/json") || body.is_empty()) {
            return Err(unknown(essence));
        }
        binary(&mut judge, &facts.attributes, text);
        return Ok(judge.finish());
    }
    // A page that leaves sends texts, because browsers ask nobody whether they may.
    if is("application/x-ndjson") {
        lines(&mut judge, text)?;
    } else if is("application/cloudevents+json") || is("application/cloudevents-batch+json") {
        document(&mut judge, text, Form::Cloud)?;
    } else if essence.is_empty() || is("application/json") || is("text/plain") {
        document(&mut judge, text, Form::Own)?;
    } else {
        return Err(unknown(essence));
    }
    Ok(judge.finish())
}

fn unknown(essence: &str) -> Refusal {
    Refusal::MediaType {
        found: essence.chars().take(SHOWN_CHARS_MAX).collect(),
    }
}

fn line_at(body: &[u8], place: usize) -> u32 {
    let before = &body[..place.min(body.len())];
    let lines = memchr::memchr_iter(b'\n', before).count() + 1;
    u32::try_from(lines).unwrap_or(u32::MAX)
}

fn document(judge: &mut Judge<'_>, text: &str, form: Form) -> Result<(), Refusal> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut is_over = false;
    let seed = Document {
        judge,
        form,
        is_over: &mut is_over,
    };
    let read = seed
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match read {
        Ok(()) => Ok(()),
        Err(_) if is_over => Err(Refusal::TooMany),
        Err(error) => Err(Refusal::Malformed {
            detail: error.to_string(),
            line: u32::try_from(error.line()).unwrap_or(u32::MAX),
            column: u32::try_from(error.column()).unwrap_or(u32::MAX),
        }),
    }
}

fn lines(judge: &mut Judge<'_>, text: &str) -> Result<(), Refusal> {
    for line in text.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
        if !judge.has_room() {
            return Err(Refusal::TooMany);
        }
        let mut deserializer = serde_json::Deserializer::from_str(line);
        let seed = Fieldwise { form: Form::Own };
        let read = seed
            .deserialize(&mut deserializer)
            .and_then(|fields| deserializer.end().map(|()| fields));
        match read {
            Ok(Some(fields)) => judge.take(&fields, Form::Own.names()),
            Ok(None) => judge.take_nonsense("event_invalid", "The line is not a JSON object.".to_owned()),
            Err(error) => judge.take_nonsense("json_malformed", format!("The line is not JSON: {error}.")),
        }
    }
    Ok(())
}

/// A CloudEvent whose attributes are headers and whose data is the body.
fn binary(judge: &mut Judge<'_>, attributes: &[(&str, &str)], body: &str) {
    let texts: Vec<_> = attributes
        .iter()
        .map(|(name, value)| (*name, serde_json::Value::from(decoded(value)).to_string()))
        .collect();
    let mut fields = Fields::default();
    for (name, value) in &texts {
        place(&mut fields, Name::of_cloud(name), value);
    }
    let body = body.trim();
    if !body.is_empty() {
        match serde_json::from_str::<&RawValue>(body) {
            Ok(data) => fields.properties = Some(data.get()),
            Err(error) => {
                judge.take_nonsense("json_malformed", format!("The body is not JSON: {error}."));
                return;
            }
        }
    }
    judge.take(&fields, Form::Cloud.names());
}

/// The text of a header, in which CloudEvents have other characters than those of ASCII as `%C3%A4`.
fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut text = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let code = bytes.get(place + 1..place + 3).filter(|_| bytes[place] == b'%');
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        text.push(code.unwrap_or(bytes[place]));
        place += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What a field is called.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Id,
    Kind,
    Time,
    User,
    Anonymous,
    Source,
    Properties,
    /// `specversion`, which is 1.0.
    Version,
    /// The list that a call may have around its events.
    Events,
    /// What CloudEvents may have and we do not keep.
    Ignored,
    Unknown(String),
}

impl Name {
    fn of_own(name: &str) -> Self {
        match name {
            "type" => Self::Kind,
            "id" => Self::Id,
            "time" => Self::Time,
            "user_id" => Self::User,
            "anonymous_id" => Self::Anonymous,
            "properties" => Self::Properties,
            "events" => Self::Events,
            name => Self::Unknown(name.chars().take(SHOWN_CHARS_MAX).collect()),
        }
    }

    fn of_cloud(name: &str) -> Self {
        match name {
            "type" => Self::Kind,
            "id" => Self::Id,
            "source" => Self::Source,
            "time" => Self::Time,
            "subject" => Self::User,
            "anonymousid" => Self::Anonymous,
            "data" => Self::Properties,
            "specversion" => Self::Version,
            "data_base64" => Self::Unknown(name.to_owned()),
            _ => Self::Ignored,
        }
    }
}

/// Puts a value where it belongs; what does not belong anywhere is noted.
fn place<'a>(fields: &mut Fields<'a>, name: Name, value: &'a str) {
    let mut fault = |pointer: String, code, detail: String| {
        fields.fault.get_or_insert((pointer, code, detail));
    };
    let field = match name {
        Name::Ignored => return,
        Name::Version => {
            if value != "\"1.0\"" {
                fault(
                    "/specversion".to_owned(),
                    "field_invalid",
                    "It is not 1.0.".to_owned(),
                );
            }
            return;
        }
        Name::Events => {
            let detail = "`events` stands alone, around events.".to_owned();
            fault("/events".to_owned(), "field_unknown", detail);
            return;
        }
        Name::Unknown(name) => {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            fault(pointer, "field_unknown", format!("`{name}` is not known."));
            return;
        }
        Name::Id => &mut fields.id,
        Name::Kind => &mut fields.kind,
        Name::Time => &mut fields.time,
        Name::User => &mut fields.user,
        Name::Anonymous => &mut fields.anonymous,
        Name::Source => &mut fields.source,
        Name::Properties => &mut fields.properties,
    };
    if field.is_some() {
        let detail = "A field stands there twice.".to_owned();
        fields.fault.get_or_insert((String::new(), "field_twice", detail));
    } else if value != "null" {
        *field = Some(value);
    }
}

/// Reads the name of a field.
struct NameSeed {
    form: Form,
}

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name, E> {
        Ok(match self.form {
            Form::Own => Name::of_own(name),
            Form::Cloud => Name::of_cloud(name),
        })
    }
}

/// The rest of an object, whose first name was read.
fn fields_after<'de, A: MapAccess<'de>>(
    map: &mut A,
    form: Form,
    first: Option<Name>,
) -> Result<Fields<'de>, A::Error> {
    let mut fields = Fields::default();
    let mut next = first;
    while let Some(name) = next {
        let value: &'de RawValue = map.next_value()?;
        place(&mut fields, name, value.get());
        next = map.next_key_seed(NameSeed { form })?;
    }
    Ok(fields)
}

/// Reads one event; `None` if it is no object.
struct Fieldwise {
    form: Form,
}

impl<'de> DeserializeSeed<'de> for Fieldwise {
    type Value = Option<Fields<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What is read where an object was wanted.
macro_rules! nonsense {
    ($($visit:ident: $type:ty),*; $what:expr) => {
        $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok($what(self))
        })*

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($what(self))
        }
    };
    ($what:expr) => {
        nonsense!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str; $what);
    };
}

impl<'de> Visitor<'de> for Fieldwise {
    type Value = Option<Fields<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let first = map.next_key_seed(NameSeed { form: self.form })?;
        fields_after(&mut map, self.form, first).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    nonsense!(|_| None);
}

/// Reads a whole body: an event, a list of them, or an object around a list.
struct Document<'j, 'x> {
    judge: &'j mut Judge<'x>,
    form: Form,
    is_over: &'j mut bool,
}

impl Document<'_, '_> {
    fn take(&mut self, fields: Option<&Fields<'_>>) {
        match fields {
            Some(fields) => self.judge.take(fields, self.form.names()),
            None => self
                .judge
                .take_nonsense("event_invalid", "It is not a JSON object.".to_owned()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event or a list of events")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let form = self.form;
        let first = map.next_key_seed(NameSeed { form })?;
        if first == Some(Name::Events) {
            map.next_value_seed(List { document: self })?;
            return match map.next_key::<IgnoredAny>()? {
                None => Ok(()),
                Some(_) => Err(A::Error::custom("nothing may stand beside `events`")),
            };
        }
        let fields = fields_after(&mut map, form, first)?;
        self.take(Some(&fields));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        loop {
            if !self.judge.has_room() {
                let is_more = entries.next_element::<IgnoredAny>()?.is_some();
                *self.is_over = is_more;
                return if is_more {
                    Err(A::Error::custom("too many events"))
                } else {
                    Ok(())
                };
            }
            let seed = Fieldwise { form: self.form };
            let Some(fields) = entries.next_element_seed(seed)? else {
                return Ok(());
            };
            self.take(fields.as_ref());
        }
    }

    nonsense!(|mut document: Self| document.take(None));
}

/// The list in an object around it.
struct List<'j, 'x> {
    document: Document<'j, 'x>,
}

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self.document)
    }
}
