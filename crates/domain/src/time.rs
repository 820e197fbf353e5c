//! Moments with microseconds, as the store keeps them.

use std::fmt;
use std::time::Duration;

/// A moment in UTC with microseconds: RFC 3339 in JSON, a `BIGINT` in the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Microseconds in an hour.
pub const HOUR_MICROS: i64 = 3_600_000_000;

impl Timestamp {
    /// Takes microseconds since 1970-01-01T00:00:00Z; clamped to the years −9999 to 9999.
    pub fn from_micros(micros: i64) -> Self {
        // The last second is not all there: what is beyond its beginning cannot be read again.
        let (min, max) = (
            jiff::Timestamp::MIN.as_microsecond(),
            jiff::Timestamp::MAX.as_second() * 1_000_000,
        );
        Self(micros.clamp(min, max))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The beginning of the hour in UTC.
    pub fn hour(self) -> Self {
        Self::from_micros(self.0 - self.0.rem_euclid(HOUR_MICROS))
    }

    /// This moment and a while.
    #[must_use]
    pub fn after(self, while_: Duration) -> Self {
        Self::from_micros(
            self.0
                .saturating_add(i64::try_from(while_.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// The moment a while ago.
    #[must_use]
    pub fn before(self, while_: Duration) -> Self {
        Self::from_micros(
            self.0
                .saturating_sub(i64::try_from(while_.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// The same moment for calendar arithmetic.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).expect("clamped when made")
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(moment: jiff::Timestamp) -> Self {
        Self::from_micros(moment.as_microsecond())
    }
}

impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(Self::from)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_jiff(), f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::DateTime,
            )))
            .examples(["2026-11-20T12:00:00.000001Z"])
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn the_ends_of_the_calendar_can_be_written_and_read() {
        for micros in [i64::MIN, i64::MAX] {
            let moment = Timestamp::from_micros(micros);
            assert_eq!(moment.to_string().parse::<Timestamp>().ok(), Some(moment));
        }
        for text in ["9999-12-30T21:59:59.999999Z", "9999-12-30T22:00:00.5Z"] {
            let last: Timestamp = text.parse().unwrap();
            assert_eq!(last.to_string().parse::<Timestamp>().ok(), Some(last));
        }
    }

    #[test]
    fn moments_are_written_with_microseconds_and_read_back() {
        let moment = Timestamp::from_micros(1_763_640_000_000_001);
        assert_eq!(moment.to_string(), "2025-11-20T12:00:00.000001Z");
        assert_eq!(moment.to_string().parse::<Timestamp>().ok(), Some(moment));
        assert_eq!(moment.hour().to_string(), "2025-11-20T12:00:00Z");
        assert_eq!(
            Timestamp::from_micros(-1).hour().to_string(),
            "1969-12-31T23:00:00Z"
        );
    }
}
