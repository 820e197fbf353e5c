//! Names that people choose and programs write: what they have in common, and those that stand in URLs, files and keys.

use std::borrow::Cow;

/// Says why a text is not a name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct NameError {
    /// The beginning of what was given.
    pub text: String,
    /// What it should be, and of what.
    pub wanted: &'static str,
}

/// Makes a type of texts of at most so many bytes, all of them ASCII, that have a certain form.
macro_rules! name_type {
    (
        $(#[$doc:meta])* $name:ident { bytes_max: $max:literal, is: $is:expr, wanted: $wanted:literal, pattern: $pattern:literal,
        example: $example:literal }
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub struct $name(Box<str>);

        impl $name {
            /// The most characters.
            pub const LEN_MAX: usize = $max;
            /// Its form as a regular expression (ECMA-262).
            pub const PATTERN: &'static str = $pattern;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::name::NameError;

            fn from_str(text: &str) -> Result<Self, $crate::name::NameError> {
                let is: fn(&[u8]) -> bool = $is;
                if (1..=Self::LEN_MAX).contains(&text.len()) && is(text.as_bytes()) {
                    return Ok(Self(text.into()));
                }
                Err($crate::name::NameError {
                    text: text.chars().take(80).collect(),
                    wanted: $wanted,
                })
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(Self::PATTERN))
                    .examples([$example])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

pub(crate) use name_type;

name_type! {
    /// A lower-case name of 1 to 63 letters, digits and inner hyphens, as in a DNS label (RFC 1123).
    Name {
        bytes_max: 63,
        is: |text| {
            let known = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
            text.iter().all(known) && !text.starts_with(b"-") && !text.ends_with(b"-")
        },
        wanted: "a name: use 1 to 63 lower-case letters, digits and hyphens, no hyphen first or last",
        pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        example: "pet-store"
    }
}

impl Name {
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

impl schemars::JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": Self::PATTERN })
    }
}

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
