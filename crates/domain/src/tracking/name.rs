//! Names of event types.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// What an event type is called: 1 to 100 letters, digits, `_`, `-`, `.` and `:`, the first one a letter.
///
/// Wider than [`Name`](crate::Name), because these names stand in other people's code: `order_completed`,
/// `page.viewed`, `com.example.order:paid`. Upper and lower case differ.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct EventTypeName(Box<str>);

/// Says why a text is not an [`EventTypeName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not the name of an event type: use 1 to 100 letters, digits, `_`, `-`, `.` and `:`, a letter first"
)]
pub struct NameError {
    /// The beginning of what was given.
    pub text: String,
}

const PATTERN: &str = "^[A-Za-z][A-Za-z0-9_.:-]{0,99}$";

impl EventTypeName {
    /// The most characters.
    pub const LEN_MAX: usize = 100;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for EventTypeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventTypeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        let valid = (1..=Self::LEN_MAX).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphabetic()
            && text.bytes().all(known);
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(NameError {
                text: text.chars().take(80).collect(),
            })
        }
    }
}

impl fmt::Display for EventTypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventTypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for EventTypeName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for EventTypeName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some(PATTERN))
            .examples(["purchase"])
            .into()
    }
}

impl utoipa::ToSchema for EventTypeName {}

#[cfg(test)]
mod tests {
    use super::EventTypeName;

    #[test]
    fn names_are_those_that_programs_use_for_events() {
        for good in [
            "a",
            "purchase",
            "page.viewed",
            "com.example:Paid-2_b",
            &"x".repeat(100),
        ] {
            assert_eq!(good.parse::<EventTypeName>().unwrap().as_str(), good);
        }
        for bad in ["", "1a", ".a", "_a", "a b", "a/b", "ä", "a\n", &"x".repeat(101)] {
            assert!(bad.parse::<EventTypeName>().is_err(), "{bad}");
        }
    }
}
