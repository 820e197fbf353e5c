//! Keys of feature flags.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// What programs call a feature flag: 1 to 100 letters, digits, `_`, `-`, `.` and `~`, the first one a letter or digit.
///
/// As wide as what LaunchDarkly and Unleash allow, so that flags keep their keys when they come from there. Upper and
/// lower case differ.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct FlagKey(Box<str>);

/// Says why a text is not a [`FlagKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not the key of a flag: use 1 to 100 letters, digits, `_`, `-`, `.` and `~`, a letter or digit first"
)]
pub struct KeyError {
    /// The beginning of what was given.
    pub text: String,
}

const PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_.~-]{0,99}$";

impl FlagKey {
    /// The most characters.
    pub const LEN_MAX: usize = 100;

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FlagKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.~".contains(&byte);
        let valid = (1..=Self::LEN_MAX).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text.bytes().all(known);
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(KeyError {
                text: text.chars().take(80).collect(),
            })
        }
    }
}

impl fmt::Display for FlagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FlagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for FlagKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for FlagKey {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some(PATTERN))
            .examples(["new-checkout"])
            .into()
    }
}

impl utoipa::ToSchema for FlagKey {}

#[cfg(test)]
mod tests {
    use super::FlagKey;

    #[test]
    fn keys_are_those_of_other_products_too() {
        for good in ["a", "1", "new-checkout", "shop.New_Checkout~2", &"x".repeat(100)] {
            assert_eq!(good.parse::<FlagKey>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".a", "~", "a b", "a/b", "ä", "a\n", &"x".repeat(101)] {
            assert!(bad.parse::<FlagKey>().is_err(), "{bad}");
        }
    }
}
