//! Names that stand in URLs, files and keys.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A lower-case name of 1 to 63 letters, digits and inner hyphens, as in a DNS label (RFC 1123).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Name(Box<str>);

/// Says why a text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a name: use 1 to 63 lower-case letters, digits and hyphens, no hyphen first or last"
)]
pub struct ParseError {
    /// The beginning of what was given.
    pub text: String,
}

impl Name {
    /// The most characters a name may have.
    pub const LEN_MAX: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes the nearest name of a title (`Pet Store (v2)` gives `pet-store-v2`); `None` if nothing is left.
    pub fn from_title(title: &str) -> Option<Self> {
        let mut text = String::new();
        for character in title.chars().map(|character| character.to_ascii_lowercase()) {
            if text.len() == Self::LEN_MAX {
                break;
            }
            if character.is_ascii_alphanumeric() {
                text.push(character);
            } else if !text.is_empty() && !text.ends_with('-') {
                text.push('-');
            }
        }
        text.trim_end_matches('-').parse().ok()
    }
}

impl FromStr for Name {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid = (1..=Self::LEN_MAX).contains(&text.len())
            && text.bytes().all(known)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(ParseError {
                text: text.chars().take(80).collect(),
            })
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": PATTERN })
    }
}

impl utoipa::PartialSchema for Name {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some(PATTERN))
            .examples(["pet-store"])
            .into()
    }
}

impl utoipa::ToSchema for Name {}

const PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn titles_become_names() {
        let table = [
            (
                "Swagger Petstore - OpenAPI 3.0",
                Some("swagger-petstore-openapi-3-0"),
            ),
            ("  Ünïcode  ", Some("n-code")),
            ("日本", None),
            ("", None),
        ];
        for (title, expected) in table {
            assert_eq!(
                Name::from_title(title).as_ref().map(Name::as_str),
                expected,
                "{title}"
            );
        }
        assert_eq!(
            Name::from_title(&"ab ".repeat(40)).map(|name| name.as_str().len()),
            Some(62)
        );
    }

    #[test]
    fn only_labels_are_names() {
        for good in ["a", "0", "pet-store", &"x".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ä", &"x".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}
