//! Tracked events: what kinds there are, who may record them, and how many came.
//!
//! An event type belongs to an organization and holds in all its environments. An SDK key belongs to an
//! organization and one environment; it asks for flags and records events from a server, or from browsers and apps, where everybody
//! can read it. Events themselves are in `events`.

mod name;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::consumer::KeyState;
use crate::id::{EventTypeId, OrganizationId, SdkKeyId};
use crate::limit::CallRate;
use crate::{Name, Timestamp};

pub use name::EventTypeName;

/// Whether events of a type are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventTypeState {
    /// Events are taken.
    #[default]
    Active,
    /// New events are refused; what was counted stays.
    Archived,
}

impl EventTypeState {
    /// Whether events are taken.
    pub const fn is_active(&self) -> bool {
        matches!(self, Self::Active)
    }
}

/// The editable part of an [`EventType`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTypeSpec {
    /// Unique in the organization; what events say in `type`. Cannot be changed.
    pub name: EventTypeName,
    /// What people read.
    #[schema(max_length = 200)]
    pub title: String,
    /// When it happens, and what its properties mean.
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub description: String,
    /// JSON Schema (draft 2020-12 unless it names another) that `properties` must satisfy; anything goes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Map<String, Value>>,
    /// Whether events are taken.
    #[serde(default)]
    pub state: EventTypeState,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

/// A kind of events that users cause, as `purchase`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventType {
    /// Its id.
    pub id: EventTypeId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: EventTypeSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// What is shown beside an event type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventTypeUse {
    /// The hour in which the newest counted event came in, in any environment. Absent if none ever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// Events that came in during this and the 23 hours before it, in all environments.
    pub events_last_day: i64,
}

/// How wide the spans are that events are summed up by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventTypeInterval {
    /// Hours.
    #[default]
    Hour,
    /// Days in UTC.
    Day,
}

/// Events of one type that came in during one span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventTypeCount {
    /// When the span begins.
    pub begin: Timestamp,
    /// The environment's name.
    pub environment: Name,
    /// The events.
    pub events: i64,
    /// What they carried: names, ids and properties, in bytes.
    pub bytes: i64,
}

/// How many events of a type came in, span by span; spans without any are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventTypeUsage {
    /// The type.
    pub event_type_id: EventTypeId,
    /// From this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub to: Timestamp,
    /// How wide the spans are.
    pub interval: EventTypeInterval,
    /// All events of the time.
    pub events: i64,
    /// What they carried, in bytes.
    pub bytes: i64,
    /// The spans, in the order of time and environment.
    pub counts: Vec<EventTypeCount>,
}

/// Who holds an SDK key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SdkKeyKind {
    /// A server: nobody else gets to see it. Browsers are not told that they may use it.
    Server,
    /// A browser or app, where everybody can read it: it records events, and is told values of flags that are for
    /// clients.
    Client,
}

/// The editable part of an [`SdkKey`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SdkKeySpec {
    /// Who holds it. Cannot be changed.
    pub kind: SdkKeyKind,
    /// Where it is valid: the environment's name. Cannot be changed.
    pub environment: Name,
    /// What people read.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub title: String,
    /// Whose pages may use a client key, as `https://shop.example` or `https://*.shop.example`; any if empty. Only
    /// for client keys.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub origins: Vec<String>,
    /// Whether SDKs of GrowthBook get features encrypted with the key's `payload_key`. Only for keys of servers; cannot be
    /// changed.
    #[serde(default)]
    pub encrypt_payload: bool,
    /// How many calls may come with it, of whatever kind; each node counts by itself. As many as come if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<CallRate>,
    /// When it stops to be valid; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// An SDK key as it is listed: without its secret, which is shown once when it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SdkKey {
    /// Its id.
    pub id: SdkKeyId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The editable part; only title, origins, rate limit and expiry can be changed.
    #[serde(flatten)]
    pub spec: SdkKeySpec,
    /// Whether it is valid.
    pub state: KeyState,
    /// The beginning of the key, enough to recognise it: `gl_sandbox_01jd9zk5…`.
    pub hint: String,
    /// The key that replaced it, after a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<SdkKeyId>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// What is shown beside an SDK key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SdkKeyUse {
    /// The hour in which events were last recorded with it, as far as they are counted. Absent if none ever were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

/// An SDK key that was just made: the only time that its text is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IssuedSdkKey {
    /// What is kept.
    #[serde(flatten)]
    pub info: SdkKey,
    /// The whole text, for `X-API-Key`.
    #[schema(examples("gl_production_01jd9zk5v8e7rbxq3m6t4n2w0c_…"))]
    pub key: String,
    /// What features are encrypted with, if they are: 128 bits in base 64, the `decryptionKey` of SDKs of GrowthBook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_key: Option<String>,
}

/// An event as it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackedEvent {
    /// Its type: the name of an active event type of the organization.
    pub r#type: String,
    /// What it is recognised by when it is sent again; made by us if absent, and then it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    pub id: Option<String>,
    /// When it happened; now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The user it is about. This or `anonymous_id` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub user_id: Option<String>,
    /// The browser or device it is about, before somebody has signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub anonymous_id: Option<String>,
    /// What is to be known of it; satisfies the schema of the type, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub properties: Option<Map<String, Value>>,
}

/// Whom events are about: by either of the two ids, or by one of them alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventUnit {
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub user_id: Option<String>,
    /// The browser or device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub anonymous_id: Option<String>,
}

/// Events that are sent together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackedEvents {
    /// At most 10 000.
    #[schema(max_items = 10000)]
    pub events: Vec<TrackedEvent>,
}

/// An event that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventError {
    /// Its place in what was sent, from 0.
    pub index: u32,
    /// The stable name of what is wrong, as `event_type_unknown`.
    pub code: String,
    /// JSON Pointer (RFC 6901) to the place in the event.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub suggestion: String,
}

/// What became of events that were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventReceipt {
    /// Events that are on the disk now and were not before.
    pub accepted: u64,
    /// Events that are on the disk since an earlier call, or that stand in this one twice.
    pub duplicates: u64,
    /// Events that were not taken; absent if all were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors_total: u64,
    /// Why, of the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<EventError>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The most entries of [`EventReceipt::errors`].
pub const EVENT_ERRORS_MAX: usize = 100;
