//! Typed ids: a visible prefix and a UUIDv7, written as a TypeID (`api_01jd9z…`).
//!
//! The 128 bits follow the prefix as 26 characters of Crockford's base 32 in lower case, so that ids sort by
//! the time they were made. In forms that nobody reads they are 16 bytes. Source: RFC 9562 (UUIDv7), TypeID 0.3.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::compact::{self, Compact};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters after the prefix.
pub const SUFFIX_LEN: usize = 26;
/// The value of each character, 32 for those that are not in [`ALPHABET`]; a snapshot holds 100,000 ids.
const VALUES: [u8; 256] = {
    let mut values = [32; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        values[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

/// Says why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text does not begin with the prefix of this kind of id.
    #[error("an id that begins with `{expected}_` was expected")]
    Prefix {
        /// The prefix, without the underscore.
        expected: &'static str,
    },
    /// What follows the prefix is not 26 characters of base 32 within 128 bits.
    #[error("`{expected}_` must be followed by 26 characters of lower-case base 32")]
    Suffix {
        /// The prefix, without the underscore.
        expected: &'static str,
    },
}

/// Writes 128 bits as 26 characters of Crockford's base 32.
pub fn encode(bits: u128) -> String {
    encode_bytes(bits).map(char::from).iter().collect()
}

/// Writes 128 bits as [`encode`] does, without memory of its own.
pub fn encode_bytes(bits: u128) -> [u8; SUFFIX_LEN] {
    let mut text = [0; SUFFIX_LEN];
    let (pairs, _) = text.as_chunks_mut();
    for (pair, place) in pairs.iter_mut().zip((0..SUFFIX_LEN / 2).rev()) {
        *pair = PAIRS[(bits >> (10 * place)) as usize % PAIRS.len()];
    }
    text
}

/// Two characters each, for ten bits: every call and every assignment writes an id.
static PAIRS: [[u8; 2]; 1024] = {
    let mut pairs = [[0; 2]; 1024];
    let mut bits = 0;
    while bits < pairs.len() {
        pairs[bits] = [ALPHABET[bits >> 5], ALPHABET[bits & 31]];
        bits += 1;
    }
    pairs
};

/// Reads 26 characters of Crockford's base 32; `None` if there are others or more than 128 bits.
pub fn decode(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    // 26 digits hold 130 bits, so the first one may only be 0 to 7.
    if bytes.len() != SUFFIX_LEN || bytes[0] > b'7' {
        return None;
    }
    bytes.iter().try_fold(0_u128, |bits, byte| {
        let digit = VALUES[usize::from(*byte)];
        (digit < 32).then_some((bits << 5) | u128::from(digit))
    })
}

/// A UUID of what was hashed (version 8).
pub(crate) fn hashed(hash: Sha256) -> Uuid {
    let digest = hash.finalize();
    let (head, _) = digest.split_first_chunk().expect("SHA-256 has 32 bytes");
    uuid::Builder::from_custom_bytes(*head).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What the written form begins with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id of a UUID; callers pass a version 7.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The written form, which is ASCII.
            pub fn encoded(self) -> [u8; concat!($prefix, "_").len() + SUFFIX_LEN] {
                const BEFORE: &str = concat!($prefix, "_");
                let mut text = [0; BEFORE.len() + SUFFIX_LEN];
                let (before, suffix) = text.split_at_mut(BEFORE.len());
                before.copy_from_slice(BEFORE.as_bytes());
                suffix.copy_from_slice(&encode_bytes(self.0.as_u128()));
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // At once: there are many, and what is written to would grow twice.
                f.write_str(str::from_utf8(&self.encoded()).expect("ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                let suffix = text
                    .strip_prefix(concat!($prefix, "_"))
                    .ok_or(ParseError::Prefix { expected: $prefix })?;
                let bits = decode(suffix).ok_or(ParseError::Suffix { expected: $prefix })?;
                Ok(Self(Uuid::from_u128(bits)))
            }
        }

        impl Compact for $name {
            fn bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                compact::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                compact::deserialize(deserializer)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$")))
                    .examples([concat!($prefix, "_01jd9zk5v8e7rbxq3m6t4n2w0c")])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

ids! {
    /// A tenant.
    OrganizationId = "org";
    /// A team's area in an organization.
    WorkspaceId = "ws";
    /// Sandbox, staging, production: keys and routes differ per environment.
    EnvironmentId = "env";
    /// A person who can sign in.
    UserId = "usr";
    /// A person's role in an organization or workspace.
    MembershipId = "mem";
    /// A role that is waiting for somebody to take it.
    InvitationId = "inv";
    /// A machine that signs in with OAuth2 client credentials.
    ClientId = "cli";
    /// One sign-in of a user, with its refresh token or cookie.
    SessionId = "ses";
    /// A named interface.
    ApiId = "api";
    /// One contract of an API, with a lifecycle stage.
    VersionId = "ver";
    /// One stored contract document.
    ContractId = "ctr";
    /// One method and path of a version.
    OperationId = "opn";
    /// The service behind.
    UpstreamId = "ups";
    /// One configured address of an upstream: a hash of both (UUID version 8).
    TargetId = "tgt";
    /// How a request finds a version.
    RouteId = "rte";
    /// How a connection that is not read finds a service.
    StreamRouteId = "str";
    /// One configured step of the request path.
    PolicyId = "pol";
    /// What the gateway shows to clients of some hosts.
    CertificateId = "crt";
    /// A bundle of API versions offered to consumers.
    ProductId = "prd";
    /// Limits, quotas and price of one offer.
    PlanId = "pln";
    /// A consumer's program.
    ApplicationId = "app";
    /// An application's use of a product under a plan.
    SubscriptionId = "sub";
    /// An API key.
    KeyId = "key";
    /// A key that asks for feature flags and records events.
    SdkKeyId = "sdk";
    /// A kind of tracked events.
    EventTypeId = "evt";
    /// A switch whose state differs from one user to the next.
    FeatureFlagId = "flg";
    /// What somebody has said about a flag.
    FlagCommentId = "fcm";
    /// A change of a flag that waits for somebody's yes.
    FlagChangeRequestId = "fcr";
    /// A reusable audience of flags.
    SegmentId = "seg";
    /// Which variant of a flag a unit gets: a hash of both (UUID version 8).
    AssignmentId = "asg";
    /// What must not be.
    AlertRuleId = "alr";
    /// Somebody who is told of alerts.
    AlertChannelId = "alc";
    /// A time in which nobody is told.
    AlertSilenceId = "als";
    /// Something that is so and must not be.
    AlertId = "alt";
    /// A notification.
    NoticeId = "ntc";
    /// A report that is sent from time to time.
    ReportScheduleId = "rps";
    /// A report of an organization's own.
    ReportDefinitionId = "rpd";
    /// One entry of the audit chain.
    AuditId = "aud";
    /// One piece of long work.
    WorkId = "op";
    /// A gateway node.
    NodeId = "node";
    /// A token by which a request asks to be explained.
    DebugTokenId = "dbg";
    /// One call, event or request.
    RequestId = "req";
}

#[cfg(test)]
mod tests;
