//! How a route brings a release to its clients: by part of them, to those who ask for it, all at once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::Name;
use crate::id::UpstreamId;
use crate::name::NameError;

/// Sends the calls of a route to several upstreams, by weight; who calls stays on one side.
///
/// The hash is the one of flags and experiments, of the key and what `by` says. When weights change, only as many
/// change their side as have to: a variant that alone grows loses nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The sides, 2 to 8.
    #[schema(min_items = 2, max_items = 8)]
    pub variants: Vec<Variant>,
    /// What callers are told apart by; a call that lacks it is told apart by its client's address.
    #[serde(default)]
    pub by: SplitBy,
    /// The header field or cookie that `by` means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub by_name: Option<String>,
    /// Gives the cookie that `by` means to clients that have none; none is given if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub give_cookie: Option<GivenCookie>,
    /// What is hashed with the caller: splits with the same key put a caller at the same place. The route's id if
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Name>,
    /// How a call names the variant that it wants; none can if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced_by: Option<ForcedBy>,
    /// A header field of answers that names the variant; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub answer_header: Option<String>,
}

/// One side of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// What it is called: in headers, figures and records. Unique in the split.
    pub name: VariantName,
    /// The service behind.
    pub upstream_id: UpstreamId,
    /// Its share in relation to the other variants: 0 to 10,000; one has more than 0.
    #[schema(maximum = 10_000)]
    pub weight: u32,
}

/// What callers are told apart by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// The application whose key the call carries.
    #[default]
    Application,
    /// Its subscription.
    Subscription,
    /// The value of the header field `by_name`.
    Header,
    /// The value of the cookie `by_name`.
    Cookie,
    /// The client's address; of IPv6 the first 64 bits.
    ClientAddress,
}

/// A cookie with a random value that the gateway gives to clients that have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GivenCookie {
    /// How long it lasts, in seconds: a minute to 400 days.
    #[schema(minimum = 60, maximum = 34_560_000)]
    pub max_age_seconds: u32,
    /// Below which path clients send it.
    #[schema(max_length = 500)]
    pub path: String,
    /// To which hosts clients send it; only to the one that gave it if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 253)]
    pub domain: Option<String>,
    /// Which calls of other sites have it.
    pub same_site: SameSite,
    /// Send it over TLS only.
    pub secure: bool,
    /// Keep it from scripts.
    pub http_only: bool,
}

impl Default for GivenCookie {
    fn default() -> Self {
        Self {
            max_age_seconds: 2_592_000,
            path: "/".to_owned(),
            domain: None,
            same_site: SameSite::default(),
            secure: true,
            http_only: true,
        }
    }
}

/// Which calls that other sites cause have a cookie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SameSite {
    /// None.
    Strict,
    /// Those by which a user goes from there to here.
    #[default]
    Lax,
    /// All; only with `secure`.
    None,
}

/// How a call names the variant that it wants; a name that no variant has changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForcedBy {
    /// By the value of this header field, which comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub header: Option<String>,
    /// By the value of this cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub cookie: Option<String>,
}

/// Sends copies of a route's calls to another upstream; callers neither wait for its answers nor see them.
///
/// Copies say `Gateline-Mirror: ?1`. Calls that become WebSockets are not copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The service that gets the copies.
    pub upstream_id: UpstreamId,
    /// How many of 10,000 calls are copied: 1 to 10,000.
    #[serde(default = "all")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub calls_per_10000: u32,
    /// Whose calls are copied, by the hash of splits: always those of the same callers. Any calls, by chance, if
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SplitBy>,
    /// The header field or cookie that `by` means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub by_name: Option<String>,
    /// The methods whose calls are copied, in capitals; those that change nothing (`GET`, `HEAD`, `OPTIONS`) if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub methods: Vec<String>,
    /// The largest body that is copied, in bytes: up to 1 MiB. A call whose body is larger is not.
    #[serde(default = "body_bytes_max")]
    #[schema(maximum = 1_048_576)]
    pub body_bytes_max: u32,
    /// Copies of a core under way at a time: 1 to 10,000. A call that would be one more is not copied.
    #[serde(default = "in_flight_max")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub in_flight_max: u32,
    /// Send `Authorization`, `Cookie` and the client's certificate on; API keys never are.
    #[serde(default)]
    pub send_credentials: bool,
    /// Compares the answers; they are thrown away unread if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Compare>,
}

/// How answers of a mirror are compared with those that callers get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Compare {
    /// How many of 10,000 copied calls are compared: 1 to 10,000.
    #[schema(minimum = 1, maximum = 10_000)]
    pub calls_per_10000: u32,
    /// Header fields that may differ, besides those that always do (`Date`, `Age`, `Via`, `Server`, …).
    #[schema(max_items = 50)]
    pub ignore_headers: Vec<String>,
    /// JSON Pointers (RFC 6901) to parts of bodies that may differ; `*` stands for any name or index.
    #[schema(max_items = 50)]
    pub ignore_json_pointers: Vec<String>,
    /// The largest body that is compared, in bytes: up to 1 MiB. Of a larger one only the head is.
    #[schema(maximum = 1_048_576)]
    pub body_bytes_max: u32,
    /// Slower by more than this, in percent of the time of the caller's answer, is a difference; 0 for any time.
    #[schema(maximum = 100_000)]
    pub slower_percent: u32,
    /// Slower by less than this, in milliseconds, is none: up to a minute.
    #[schema(maximum = 60_000)]
    pub slower_min_ms: u32,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            calls_per_10000: all(),
            ignore_headers: Vec::new(),
            ignore_json_pointers: Vec::new(),
            body_bytes_max: body_bytes_max(),
            slower_percent: 0,
            slower_min_ms: 10,
        }
    }
}

const fn all() -> u32 {
    10_000
}

const fn body_bytes_max() -> u32 {
    65_536
}

const fn in_flight_max() -> u32 {
    64
}

/// How much the calls of a route matter when an upstream has more to do than it may have (`concurrency`).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    /// They are refused first.
    Sheddable,
    /// As calls do.
    #[default]
    Default,
    /// They are refused last.
    Critical,
}

impl Importance {
    /// Whether nothing was said.
    pub fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

/// The name of a variant: a [`Name`] of at most 32 characters, so that records of calls can hold it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariantName([u8; VariantName::LEN_MAX]);

impl VariantName {
    /// The most characters of a variant's name.
    pub const LEN_MAX: usize = 32;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0);
        std::str::from_utf8(&self.0[..end.unwrap_or(Self::LEN_MAX)]).expect("names are ASCII")
    }
}

impl FromStr for VariantName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let name: Name = text.parse()?;
        let mut bytes = [0; Self::LEN_MAX];
        match bytes.get_mut(..name.as_str().len()) {
            Some(place) => place.copy_from_slice(name.as_str().as_bytes()),
            None => {
                return Err(NameError {
                    text: text.to_owned(),
                    wanted: "the name of a variant: use a name of at most 32 characters",
                });
            }
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for VariantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for VariantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for VariantName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for VariantName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        if text.len() > Self::LEN_MAX {
            let detail = format!("a variant's name has at most {} characters", Self::LEN_MAX);
            return Err(serde::de::Error::custom(detail));
        }
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for VariantName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"))
            .examples(["green"])
            .into()
    }
}

impl ToSchema for VariantName {}

#[cfg(test)]
mod tests {
    use super::VariantName;

    #[test]
    fn names_of_variants_are_short() {
        for text in ["a", "green-2", &"x".repeat(32)] {
            let name: VariantName = text.parse().unwrap();
            assert_eq!((name.as_str(), name.to_string()), (text, text.to_owned()));
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<VariantName>(&json).unwrap(), name);
        }
        for text in ["", "Green", "-a", "a b", &"x".repeat(33)] {
            assert!(text.parse::<VariantName>().is_err(), "{text}");
            assert!(
                serde_json::from_value::<VariantName>(text.into()).is_err(),
                "{text}"
            );
        }
    }
}
