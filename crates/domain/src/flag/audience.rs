//! For whom a route or a policy is, in the words of flags and segments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FlagKey;

/// The most flags, and the most segments, of an audience.
pub const AUDIENCE_MAX: usize = 16;
/// The most attributes that are taken from a call.
pub const SOURCES_MAX: usize = 20;

/// Those for whom something is: all that is named has to hold for them.
///
/// Flags and segments are those of the organization, in the environment in which the call arrives. One that is not there
/// holds for nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// Flags that have to give what is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub flags: Vec<AudienceFlag>,
    /// Segments that they have to be in, or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub segments: Vec<AudienceSegment>,
    /// Where in the call it stands what flags and segments ask about. `method`, `host`, `path` and `remote_address` are
    /// known of every call; once it is known who calls, `application_id`, `organization_id` (the caller's),
    /// `subscription_id`, `plan` and `key_id` are as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub attributes: Vec<AttributeSource>,
}

/// What a flag has to give.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AudienceFlag {
    /// The flag's key.
    pub key: FlagKey,
    /// One of these variants; if empty, that it is on: `true` of a boolean flag, of others any variant but that of `off`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub variants: Vec<String>,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AudienceSegment {
    /// The segment's key.
    pub key: FlagKey,
    /// Turns it round: those who are not in it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not: bool,
}

/// Where in a call an attribute stands. Clients say what they want there, unless somebody before the gateway vouches for it.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct AttributeSource {
    /// What flags and segments call it: `user_id`.
    #[schema(min_length = 1, max_length = 200)]
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// In what it stands.
    pub from: AttributePlace,
    /// The name of the header field, the parameter or the cookie; that of the attribute if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    #[schemars(length(min = 1, max = 200))]
    pub field: Option<String>,
}

impl AttributeSource {
    /// The name of the header field, the parameter or the cookie.
    pub fn field(&self) -> &str {
        self.field.as_deref().unwrap_or(&self.name)
    }
}

/// What of a call has attributes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AttributePlace {
    /// A header field; the first line if it came in several.
    Header,
    /// A query parameter, percent-decoded; the first if it came several times.
    Query,
    /// A cookie.
    Cookie,
}

impl Audience {
    /// How many flags and segments it names.
    pub fn conditions(&self) -> usize {
        self.flags.len() + self.segments.len()
    }

    /// The same in the one way in which audiences are written to be compared.
    pub(crate) fn normal(mut self) -> Self {
        for flag in &mut self.flags {
            flag.variants.sort_unstable();
            flag.variants.dedup();
        }
        self.flags
            .sort_unstable_by(|one, other| (&one.key, &one.variants).cmp(&(&other.key, &other.variants)));
        self.flags.dedup();
        self.segments
            .sort_unstable_by(|one, other| (&one.key, one.not).cmp(&(&other.key, other.not)));
        self.segments.dedup();
        for source in &mut self.attributes {
            let mut field = source.field().to_owned();
            if source.from == AttributePlace::Header {
                field.make_ascii_lowercase();
            }
            source.field = Some(field);
        }
        self.attributes.sort_unstable();
        self
    }
}

const fn is_false(value: &bool) -> bool {
    !*value
}
