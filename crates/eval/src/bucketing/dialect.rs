//! Where units stand as other products put them in order, so that what was made there keeps its assignments.

use sha1::{Digest as _, Sha1};

use super::{Bucketing, Murmur32};
use crate::definition::Dialect;

/// What Unleash begins hashes for variants with; those of roll-outs begin with 0.
const UNLEASH_VARIANTS: u32 = 86_028_157;
/// The greatest number of fifteen hexadecimal digits.
const FIFTEEN_DIGITS: u64 = (1 << 60) - 1;

/// Puts units in order: a native one by its hash, others in as many places as their dialect has.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    Native(Bucketing),
    Other(Box<Other>),
}

/// Another product's order.
#[derive(Debug, Clone)]
pub(crate) struct Other {
    way: Way,
    places: u32,
}

#[derive(Debug, Clone)]
enum Way {
    /// The hash of the key and a colon.
    Unleash(Murmur32),
    GrowthbookV1(Box<str>),
    /// The hash of the key.
    GrowthbookV2(Fnv32),
    /// The key and a point.
    Launchdarkly(Sha1),
}

impl Order {
    /// The order of a gate.
    pub(crate) fn of_gate(dialect: Dialect, key: &str) -> Self {
        Self::new(dialect, key, 0, dialect.places().unwrap_or(100))
    }

    /// The order of parts that have so much weight together.
    pub(crate) fn of_parts(dialect: Dialect, key: &str, weight: u32) -> Self {
        Self::new(
            dialect,
            key,
            UNLEASH_VARIANTS,
            dialect.places().unwrap_or(weight).max(1),
        )
    }

    fn new(dialect: Dialect, key: &str, seed: u32, places: u32) -> Self {
        let way = match dialect {
            Dialect::Native => return Self::Native(Bucketing::new(key)),
            Dialect::Unleash => {
                let mut hash = Murmur32::new(seed);
                hash.update(key.as_bytes());
                hash.update(b":");
                Way::Unleash(hash)
            }
            Dialect::GrowthbookV1 => Way::GrowthbookV1(key.into()),
            Dialect::GrowthbookV2 => Way::GrowthbookV2(Fnv32::default().and(key)),
            Dialect::Launchdarkly => Way::Launchdarkly(Sha1::new_with_prefix(key).chain_update(".")),
        };
        Self::Other(Box::new(Other { way, places }))
    }

    /// Whether it is ours.
    pub(crate) const fn is_native(&self) -> bool {
        matches!(self, Self::Native(_))
    }

    /// In how many places it puts units; hashes, if it is ours.
    pub(crate) fn places(&self) -> u64 {
        match self {
            Self::Native(_) => 1 << 32,
            Self::Other(other) => other.places.into(),
        }
    }

    /// Where a unit stands, from 0.
    pub(crate) fn of(&self, unit: &str) -> u32 {
        match self {
            Self::Native(bucketing) => bucketing.of(unit.as_bytes()),
            Self::Other(other) => other.of(unit),
        }
    }

    /// Where those stand who are not known, if they stand anywhere.
    pub(crate) const fn of_nobody(&self) -> Option<u32> {
        match self {
            Self::Other(other) if matches!(other.way, Way::Launchdarkly(_)) => Some(0),
            _ => None,
        }
    }

    /// Whether a rule is not for whom it does not know.
    pub(crate) const fn leaves_nobody(&self) -> bool {
        match self {
            Self::Other(other) => matches!(other.way, Way::GrowthbookV1(_) | Way::GrowthbookV2(_)),
            Self::Native(_) => false,
        }
    }
}

impl Other {
    fn of(&self, unit: &str) -> u32 {
        match &self.way {
            Way::Unleash(hash) => {
                let mut hash = *hash;
                hash.update(unit.as_bytes());
                hash.finish() % self.places
            }
            Way::GrowthbookV1(key) => Fnv32::default().and(unit).and(key).0 % self.places,
            Way::GrowthbookV2(hash) => hash.and(unit).again() % self.places,
            Way::Launchdarkly(hash) => {
                let digest = hash.clone().chain_update(unit).finalize();
                let first = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
                let place = u128::from(first >> 4) * u128::from(self.places) / u128::from(FIFTEEN_DIGITS);
                u32::try_from(place).map_or(0, |place| place.min(self.places - 1))
            }
        }
    }
}

impl Dialect {
    /// In how many places it puts units, if that is always the same.
    pub(crate) const fn places(self) -> Option<u32> {
        match self {
            Self::Native | Self::Unleash => None,
            Self::GrowthbookV1 => Some(1000),
            Self::GrowthbookV2 => Some(10_000),
            Self::Launchdarkly => Some(100_000),
        }
    }
}

/// FNV-1a, 32 bits, of a text's UTF-16 units, as `GrowthBook` has it from JavaScript.
///
/// Source: Fowler, Noll, Vo, <http://www.isthe.com/chongo/tech/comp/fnv/>.
#[derive(Debug, Clone, Copy)]
struct Fnv32(u32);

impl Default for Fnv32 {
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl Fnv32 {
    fn and(self, text: &str) -> Self {
        Self(
            text.encode_utf16()
                .fold(self.0, |hash, unit| Self::step(hash, u32::from(unit))),
        )
    }

    /// The hash of the hash, written as a decimal number.
    fn again(self) -> u32 {
        let mut digits = [0; 10];
        let mut rest = self.0;
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = u32::from(b'0') + rest % 10;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        digits[first..]
            .iter()
            .fold(Self::default().0, |hash, digit| Self::step(hash, *digit))
    }

    const fn step(hash: u32, unit: u32) -> u32 {
        (hash ^ unit).wrapping_mul(0x0100_0193)
    }
}

#[cfg(test)]
mod tests;
