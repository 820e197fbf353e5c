//! The wire of flagd's providers: evaluation (`flagd.evaluation.v1`, `v2`) and definitions (`flagd.sync.v1`).
//!
//! ```text
//! path ─Method::of─► Method; body ─Asked::read─► Asked ─Set::evaluate─► Evaluated ─told─► body
//! ```
//!
//! Messages are in Protocol Buffers, as gRPC has them, or in JSON, as pages send them by Connect ([`Format`]). Who carries
//! them is not this module's business. What a flag means in flagd's words is in [`dialects::flagd`].
//! Source: <https://github.com/open-feature/flagd-schemas>, <https://connectrpc.com/docs/protocol>.

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use dialects::flagd::Fractional;
use domain::Timestamp;
use prost::Message as _;
use serde_json::{Map, Value, json};

use crate::attributes::{Attributes, QuestionFault, TARGETING_KEY, object};
use crate::ofrep::Found;
use crate::raw::Raw;
use crate::set::{Asker, Seen, Set};

mod wire;

const EVALUATION: [&str; 2] = ["/flagd.evaluation.v1.Service/", "/flagd.evaluation.v2.Service/"];
const SYNC: &str = "/flagd.sync.v1.FlagSyncService/";
/// Whole numbers up to here are told apart by `f64`.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// What somebody gets of a flag whose value is of this kind.
    Resolve(Kind),
    /// What somebody gets of all flags.
    ResolveAll,
    /// To be told when flags change: a stream.
    Events,
    /// All definitions, now and whenever they change: a stream.
    Sync,
    /// All definitions.
    Fetch,
    /// What is known of the definitions beside them.
    Metadata,
}

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A text.
    Text,
    /// A number.
    Float,
    /// A whole number.
    Int,
    /// An object.
    Object,
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Protocol Buffers.
    Binary,
    /// Their form in JSON.
    Json,
}

/// A question as it was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Asked<'a> {
    /// The flag's key; empty if it is about all.
    pub flag: Cow<'a, str>,
    /// What is known of whom it is about.
    pub attributes: Attributes<'a>,
    /// Which definitions are asked for; here it is the SDK key, which providers can send nowhere else.
    pub selector: Cow<'a, str>,
}

/// The value of a flag is of another kind than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value of the flag is of another kind")]
pub struct OtherKind;

impl Method {
    /// The method that a path names.
    pub fn of(path: &str) -> Option<Self> {
        let evaluation = EVALUATION.iter().find_map(|service| path.strip_prefix(service));
        if let Some(name) = evaluation {
            return Some(match name {
                "ResolveBoolean" => Self::Resolve(Kind::Boolean),
                "ResolveString" => Self::Resolve(Kind::Text),
                "ResolveFloat" => Self::Resolve(Kind::Float),
                "ResolveInt" => Self::Resolve(Kind::Int),
                "ResolveObject" => Self::Resolve(Kind::Object),
                // The second version has none, but who asks for it means this.
                "ResolveAll" => Self::ResolveAll,
                "EventStream" => Self::Events,
                _ => return None,
            });
        }
        Some(match path.strip_prefix(SYNC)? {
            "SyncFlags" => Self::Sync,
            "FetchAllFlags" => Self::Fetch,
            "GetMetadata" => Self::Metadata,
            _ => return None,
        })
    }

    /// Whether it is answered by several messages, one after the other.
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Events | Self::Sync)
    }

    /// Whether definitions are asked for, which have rules.
    pub const fn is_about_rules(self) -> bool {
        matches!(self, Self::Sync | Self::Fetch)
    }
}

impl<'a> Asked<'a> {
    /// Reads a question.
    ///
    /// # Errors
    /// It is of another form, or there are too many attributes.
    pub fn read(method: Method, format: Format, body: &'a [u8]) -> Result<Self, QuestionFault> {
        match format {
            Format::Binary => Self::binary(method, body),
            Format::Json => Self::json(method, body),
        }
    }

    fn binary(method: Method, body: &[u8]) -> Result<Self, QuestionFault> {
        let unread = |error: prost::DecodeError| QuestionFault::Syntax(error.to_string());
        let mut asked = Self::default();
        let context = match method {
            Method::Resolve(_) => {
                let resolve = wire::Resolve::decode(body).map_err(unread)?;
                asked.flag = resolve.flag_key.into();
                resolve.context
            }
            Method::ResolveAll => wire::ResolveAll::decode(body).map_err(unread)?.context,
            Method::Sync | Method::Fetch => {
                asked.selector = wire::Sync::decode(body).map_err(unread)?.selector.into();
                None
            }
            Method::Events | Method::Metadata => None,
        };
        let context = context.map_or(Raw::Null, wire::fields);
        asked.attributes = Attributes::of_object(context, "context", TARGETING_KEY)?;
        Ok(asked)
    }

    fn json(method: Method, body: &'a [u8]) -> Result<Self, QuestionFault> {
        let mut asked = Self::default();
        if body.is_empty() {
            return Ok(asked);
        }
        let mut context = Raw::Null;
        for (name, value) in object(body)? {
            match (&*name, method, value) {
                ("flagKey" | "flag_key", Method::Resolve(_), Raw::Text(key)) => asked.flag = key,
                ("context", Method::Resolve(_) | Method::ResolveAll, value) => context = value,
                ("selector", Method::Sync | Method::Fetch, Raw::Text(selector)) => asked.selector = selector,
                // As with Protocol Buffers, what is not known is left alone.
                _ => {}
            }
        }
        asked.attributes = Attributes::of_object(context, "context", TARGETING_KEY)?;
        Ok(asked)
    }
}

/// What somebody gets of a flag; a value of `null` is left to whoever asks.
///
/// # Errors
/// Its value is of another kind.
pub fn told(kind: Kind, format: Format, found: &Found<'_>) -> Result<Vec<u8>, OtherKind> {
    let value = found.value;
    if value.is_some_and(|value| !is_of(kind, value)) {
        return Err(OtherKind);
    }
    let metadata = metadata(found);
    if format == Format::Json {
        return Ok(in_json(kind, value, (found, metadata)));
    }
    // The same but for the value.
    macro_rules! write {
        ($message:ident, $value:expr) => {
            wire::$message {
                value: value.and_then($value),
                reason: found.reason.to_owned(),
                variant: Some(found.variant.to_owned()),
                metadata: wire::object(&metadata),
            }
            .encode_to_vec()
        };
    }
    Ok(match kind {
        Kind::Boolean => write!(Boolean, Value::as_bool),
        Kind::Text => write!(Text, |value: &Value| value.as_str().map(str::to_owned)),
        Kind::Float => write!(Float, Value::as_f64),
        Kind::Int => write!(Int, whole),
        Kind::Object => write!(Object, wire::object),
    })
}

fn is_of(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Boolean => value.is_boolean(),
        Kind::Text => value.is_string(),
        Kind::Float => value.is_number(),
        Kind::Int => whole(value).is_some(),
        Kind::Object => value.is_object(),
    }
}

/// A number without a part behind the point.
#[expect(clippy::cast_possible_truncation, reason = "it is whole and not too large")]
fn whole(value: &Value) -> Option<i64> {
    let of_float =
        |number: f64| (number.fract() == 0.0 && number.abs() <= WHOLE_MAX).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(of_float))
}

fn metadata(found: &Found<'_>) -> Value {
    serde_json::to_value(&found.metadata).unwrap_or_default()
}

fn in_json(kind: Kind, value: Option<&Value>, (found, metadata): (&Found<'_>, Value)) -> Vec<u8> {
    let mut told = json!({ "reason": found.reason, "variant": found.variant, "metadata": metadata });
    if let Some(value) = value {
        // 64 bits are a text in the JSON of Protocol Buffers.
        told["value"] = match kind {
            Kind::Int => whole(value).unwrap_or_default().to_string().into(),
            _ => value.clone(),
        };
    }
    told.to_string().into_bytes()
}

/// What somebody gets of all flags; those whose value is a list or `null` cannot be told.
pub fn all_told(
    set: Option<&Set>,
    (asker, format): (Asker, Format),
    attributes: &Attributes<'_>,
    now: Timestamp,
) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(set) = set {
        set.each(asker, (None, attributes), now, |found| {
            all.push(Found::from(found));
        });
    }
    match format {
        Format::Binary => {
            let flags = all.iter().filter_map(|found| {
                let flag = wire::AnyFlag {
                    reason: found.reason.to_owned(),
                    variant: found.variant.to_owned(),
                    value: Some(any(found.value?)?),
                    metadata: wire::object(&metadata(found)),
                };
                Some((found.key.to_owned(), flag))
            });
            let (flags, metadata) = (flags.collect(), None);
            wire::All { flags, metadata }.encode_to_vec()
        }
        Format::Json => {
            let flags = all.iter().filter_map(|found| {
                let value = found.value?;
                let name = match value {
                    Value::Bool(_) => "boolValue",
                    Value::Number(_) => "doubleValue",
                    Value::String(_) => "stringValue",
                    Value::Object(_) => "objectValue",
                    Value::Null | Value::Array(_) => return None,
                };
                let mut flag =
                    json!({ "reason": found.reason, "variant": found.variant, "metadata": metadata(found) });
                flag[name] = value.clone();
                Some((found.key.to_owned(), flag))
            });
            let flags: Map<String, Value> = flags.collect();
            json!({ "flags": flags }).to_string().into_bytes()
        }
    }
}

fn any(value: &Value) -> Option<wire::AnyValue> {
    Some(match value {
        Value::Bool(is) => wire::AnyValue::Bool(*is),
        Value::Number(number) => wire::AnyValue::Number(number.as_f64()?),
        Value::String(text) => wire::AnyValue::Text(text.clone()),
        Value::Object(_) => wire::AnyValue::Object(wire::object(value)?),
        Value::Null | Value::Array(_) => return None,
    })
}

/// The `fractional` of a provider, as far as it can be told from what it calls itself.
///
/// The newest one of Python (0.6) hashes CBOR, that of Node (0.16) the text alone; both say nothing but their gRPC. Who is
/// taken for the newer one is left without splits of ours, and whoever has them hands them out as we do.
pub fn fractional(user_agent: &str) -> Fractional {
    match user_agent.starts_with("grpc-python") {
        true => Fractional::V3,
        false => Fractional::V2,
    }
}

/// All definitions, for providers that evaluate by themselves.
pub fn definitions(set: Option<&Set>, fractional: Fractional, format: Format) -> Vec<u8> {
    let document = set.map_or(NOTHING, |set| &*set.flagd(fractional).document);
    let flag_configuration = String::from_utf8_lossy(document).into_owned();
    match format {
        Format::Binary => wire::Configuration { flag_configuration }.encode_to_vec(),
        Format::Json => json!({ "flagConfiguration": flag_configuration })
            .to_string()
            .into_bytes(),
    }
}

/// The definitions where there are no flags.
const NOTHING: &[u8] = br#"{"flags":{}}"#;

/// What is known of the definitions beside them: nothing, which some providers want to be told.
pub fn no_metadata(format: Format) -> Vec<u8> {
    let metadata = Some(prost_types::Struct::default());
    match format {
        Format::Binary => wire::Metadata { metadata }.encode_to_vec(),
        Format::Json => json!({ "metadata": {} }).to_string().into_bytes(),
    }
}

/// The event that begins a stream.
pub fn ready(format: Format) -> Vec<u8> {
    event("provider_ready", None, format)
}

/// The event that says nothing has happened.
pub fn sign_of_life(format: Format) -> Vec<u8> {
    event("keep_alive", None, format)
}

/// The event that flags have changed: providers forget what they know of those that it names.
pub fn changed((before, after): (Option<&Seen>, Option<&Seen>), asker: Asker, format: Format) -> Vec<u8> {
    let same_segments = before.map(|set| set.segments) == after.map(|set| set.segments);
    let mut known = seen(before, asker);
    let mut flags = Map::new();
    for (key, definition) in seen(after, asker) {
        let kind = match known.remove(key) {
            None => "write",
            Some(former) if same_segments && former == definition => continue,
            Some(_) => "update",
        };
        flags.insert(key.to_owned(), json!({ "type": kind }));
    }
    let gone = known
        .into_keys()
        .map(|key| (key.to_owned(), json!({ "type": "delete" })));
    flags.extend(gone);
    event("configuration_change", Some(&json!({ "flags": flags })), format)
}

fn seen(set: Option<&Seen>, asker: Asker) -> BTreeMap<&str, u128> {
    let flags = set.into_iter().flat_map(|set| &set.flags);
    let seen = flags.filter(|flag| asker.sees(flag.client_side));
    seen.map(|flag| (&*flag.key, flag.definition)).collect()
}

fn event(kind: &str, data: Option<&Value>, format: Format) -> Vec<u8> {
    match format {
        Format::Binary => wire::Event {
            kind: kind.to_owned(),
            data: data.and_then(wire::object),
        }
        .encode_to_vec(),
        Format::Json => match data {
            Some(data) => json!({ "type": kind, "data": data }).to_string().into_bytes(),
            None => json!({ "type": kind }).to_string().into_bytes(),
        },
    }
}

#[cfg(test)]
mod tests;
