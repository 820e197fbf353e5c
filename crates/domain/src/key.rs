//! The written form of API keys and SDK keys: `gl_<environment>_<id>_<secret><checksum>`.
//!
//! `id` is the 26 characters of the key's id without its prefix, `secret` 32 characters of base 62 (190 bits),
//! `checksum` 6 characters of base 62: the CRC-32 (ISO-HDLC) of everything before it. A secret scanner can so
//! tell a key from a look-alike without asking us. Only [`hash`] of the whole text is stored.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Name;
use crate::compact::{self, Compact};
use crate::id;

/// What every key begins with.
pub const PREFIX: &str = "gl_";
/// The most characters a key has.
pub const LEN_MAX: usize = PREFIX.len() + Name::LEN_MAX + 1 + 26 + 1 + SECRET_LEN + CHECKSUM_LEN;
/// Random bytes that [`write`] wants; each becomes one character of the secret.
pub const SECRET_LEN: usize = 32;
const CHECKSUM_LEN: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a well-formed key says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The environment's name.
    pub environment: &'a str,
    /// The key's id.
    pub id: Uuid,
}

/// Writes a new key; each character of the secret is one of `random`, modulo 62.
///
/// `random` must come from a cryptographic source. Bytes from 248 on would favour some characters, so callers
/// pass bytes below 248 only; others are refused with `None`.
pub fn write(environment: &Name, id: Uuid, random: [u8; SECRET_LEN]) -> Option<String> {
    let mut text = format!("{PREFIX}{environment}_{}_", id::encode(id.as_u128()));
    for byte in random {
        if byte >= 248 {
            return None;
        }
        text.push(char::from(BASE62[usize::from(byte % 62)]));
    }
    let checksum = checksum(text.as_bytes());
    text.extend(checksum.map(char::from));
    Some(text)
}

/// Reads a key's parts; `None` if it is not well formed or its checksum is wrong.
pub fn parse(text: &str) -> Option<Parts<'_>> {
    let (before, checksum_given) = text.split_at_checked(text.len().checked_sub(CHECKSUM_LEN)?)?;
    let mut parts = before.strip_prefix(PREFIX)?.split('_');
    let (environment, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = parts.next().is_none()
        && secret.len() == SECRET_LEN
        && secret.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && checksum(before.as_bytes()) == checksum_given.as_bytes();
    if !whole || environment.parse::<Name>().is_err() {
        return None;
    }
    let id = Uuid::from_u128(id::decode(id)?);
    Some(Parts { environment, id })
}

/// The SHA-256 under which a key is stored and looked up.
///
/// Keys carry 190 random bits, so a slow hash would only slow the gateway. Looking the hash up takes the same
/// time for a key that exists and one that does not.
pub fn hash(text: &[u8]) -> Hash {
    Hash(Sha256::digest(text).into())
}

/// What [`hash`] makes of a key; written as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(
    /// The SHA-256.
    pub [u8; 32],
);

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's hash is 64 hexadecimal digits")]
pub struct HashError;

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        compact::write_hex(&self.0, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        compact::read_hex(text).map(Self).ok_or(HashError)
    }
}

impl Compact for Hash {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        compact::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        compact::deserialize(deserializer)
    }
}

/// The beginning of a key, enough to recognise it in a list.
pub fn hint(environment: &Name, id: Uuid) -> String {
    format!("{PREFIX}{environment}_{}…", &id::encode(id.as_u128())[..12])
}

fn checksum(text: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut rest = crc32fast::hash(text);
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::{Hash, LEN_MAX, parse, write};
    use crate::Name;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use uuid::Uuid;

    #[test]
    fn hashes_are_64_hexadecimal_digits() {
        let text = "0a".repeat(32);
        let hash: Hash = text.parse().unwrap();
        assert_eq!((hash, hash.to_string()), (Hash([10; 32]), text));
        for wrong in ["", "07", &"0g".repeat(32), &"07".repeat(33), &"é".repeat(32)] {
            assert!(wrong.parse::<Hash>().is_err(), "{wrong}");
        }
        let bytes = postcard::to_allocvec(&hash).unwrap();
        assert_eq!((bytes.len(), postcard::from_bytes(&bytes)), (33, Ok(hash)));
    }

    fn sample() -> (Name, Uuid, String) {
        let environment: Name = "sandbox".parse().unwrap();
        let id = Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057);
        let text = write(&environment, id, [7; 32]).unwrap();
        (environment, id, text)
    }

    #[test]
    fn keys_say_environment_and_id() {
        let (environment, id, text) = sample();
        assert!(
            text.starts_with("gl_sandbox_01h455vb4pex5vsknk084sn02q_77777777"),
            "{text}"
        );
        assert!(text.len() <= LEN_MAX);
        let parts = parse(&text).unwrap();
        assert_eq!((parts.environment, parts.id), (environment.as_str(), id));
    }

    #[test]
    fn biased_bytes_are_refused() {
        let (environment, id, _) = sample();
        assert_eq!(write(&environment, id, [248; 32]), None);
    }

    #[test]
    fn every_single_wrong_character_is_noticed() {
        let (_, _, text) = sample();
        for place in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'x' { b'y' } else { b'x' };
            assert_eq!(parse(std::str::from_utf8(&wrong).unwrap()), None, "place {place}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>()) {
            prop_assert!(parse(&text).is_none());
            let prefixed = format!("gl_{text}");
            prop_assert_eq!(parse(&prefixed), None);
        }
    }
}
