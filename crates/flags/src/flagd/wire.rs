//! The messages of flagd's services in Protocol Buffers, and structs of any form.
//!
//! Version 2 of the evaluation tells a value that is there from one that is not; who speaks version 1 reads the same bytes.
//! Source: `flagd/evaluation/v1`, `v2` and `flagd/sync/v1` of <https://github.com/open-feature/flagd-schemas>.

use prost::Message;
use prost_types::value::Kind as Any;
use prost_types::{ListValue, Struct, Value as ProtoValue};
use serde_json::Value;

use crate::raw::Raw;

/// What is asked of one flag.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Resolve {
    #[prost(string, tag = "1")]
    pub(super) flag_key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) context: Option<Struct>,
}

/// What is asked of all flags.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ResolveAll {
    #[prost(message, optional, tag = "1")]
    pub(super) context: Option<Struct>,
}

/// What definitions are asked for.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Sync {
    #[prost(string, tag = "2")]
    pub(super) selector: String,
}

/// What somebody gets of a flag, whose value is of one kind.
macro_rules! resolved {
    ($name:ident, $kind:tt, $value:ty) => {
        #[derive(Clone, PartialEq, Message)]
        pub(super) struct $name {
            #[prost($kind, optional, tag = "1")]
            pub(super) value: Option<$value>,
            #[prost(string, tag = "2")]
            pub(super) reason: String,
            #[prost(string, optional, tag = "3")]
            pub(super) variant: Option<String>,
            #[prost(message, optional, tag = "4")]
            pub(super) metadata: Option<Struct>,
        }
    };
}

resolved!(Boolean, bool, bool);
resolved!(Text, string, String);
resolved!(Float, double, f64);
resolved!(Int, int64, i64);
resolved!(Object, message, Struct);

/// What somebody gets of a flag of any kind.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyFlag {
    #[prost(string, tag = "1")]
    pub(super) reason: String,
    #[prost(string, tag = "2")]
    pub(super) variant: String,
    #[prost(oneof = "AnyValue", tags = "3, 4, 5, 6")]
    pub(super) value: Option<AnyValue>,
    #[prost(message, optional, tag = "7")]
    pub(super) metadata: Option<Struct>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum AnyValue {
    #[prost(bool, tag = "3")]
    Bool(bool),
    #[prost(string, tag = "4")]
    Text(String),
    #[prost(double, tag = "5")]
    Number(f64),
    #[prost(message, tag = "6")]
    Object(Struct),
}

/// What somebody gets of all flags.
#[derive(Clone, PartialEq, Message)]
pub(super) struct All {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(super) flags: std::collections::BTreeMap<String, AnyFlag>,
    #[prost(message, optional, tag = "2")]
    pub(super) metadata: Option<Struct>,
}

/// Something that has happened.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    #[prost(string, tag = "1")]
    pub(super) kind: String,
    #[prost(message, optional, tag = "2")]
    pub(super) data: Option<Struct>,
}

/// All definitions.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Configuration {
    #[prost(string, tag = "1")]
    pub(super) flag_configuration: String,
}

/// What is known of definitions beside them.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Metadata {
    #[prost(message, optional, tag = "2")]
    pub(super) metadata: Option<Struct>,
}

/// A struct of an object; of anything else, none.
pub(super) fn object(value: &Value) -> Option<Struct> {
    let fields = value.as_object()?.iter();
    let fields = fields.map(|(name, value)| (name.clone(), any(value)));
    Some(Struct {
        fields: fields.collect(),
    })
}

fn any(value: &Value) -> ProtoValue {
    let kind = match value {
        Value::Null => Any::NullValue(0),
        Value::Bool(is) => Any::BoolValue(*is),
        Value::Number(number) => Any::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Any::StringValue(text.clone()),
        Value::Array(entries) => Any::ListValue(ListValue {
            values: entries.iter().map(any).collect(),
        }),
        Value::Object(_) => Any::StructValue(object(value).unwrap_or_default()),
    };
    ProtoValue { kind: Some(kind) }
}

/// The fields of a struct.
pub(super) fn fields(object: Struct) -> Raw<'static> {
    let fields = object.fields.into_iter();
    Raw::Object(fields.map(|(name, value)| (name.into(), raw(value))).collect())
}

fn raw(value: ProtoValue) -> Raw<'static> {
    match value.kind {
        None | Some(Any::NullValue(_)) => Raw::Null,
        Some(Any::BoolValue(is)) => Raw::Bool(is),
        Some(Any::NumberValue(number)) => Raw::Number(number),
        Some(Any::StringValue(text)) => Raw::Text(text.into()),
        Some(Any::ListValue(list)) => Raw::list(list.values.into_iter().map(raw)),
        Some(Any::StructValue(object)) => fields(object),
    }
}
