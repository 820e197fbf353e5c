//! The token by which a request asks a node to note everything about it: `gld_…`.
//!
//! An HMAC-SHA256 with a key that follows from the cluster's token, which control plane and nodes both have; so a
//! node checks it by itself. Written as four numbers of 128 bits (id, organization, route, expiry) and the MAC, each
//! 26 characters of base 32. The environment is under the MAC, but not in the text.

use aws_lc_rs::hmac;
use uuid::Uuid;

use crate::id::{DebugTokenId, OrganizationId, RouteId, SUFFIX_LEN, decode, encode};
use crate::{Name, Timestamp};

const PREFIX: &str = "gld_";
const LABEL: &[u8] = b"gateline debug tokens, 1";
/// Numbers in a token: what it says, and its MAC.
const SAID: usize = 4;
const NUMBERS: usize = SAID + 2;

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// Its id.
    pub id: DebugTokenId,
    /// Whose APIs it is good for.
    pub organization: OrganizationId,
    /// The only route it is good for; all of the organization's if absent.
    pub route: Option<RouteId>,
    /// When it stops to be good, in seconds since 1970.
    pub expires_at: u64,
}

/// Writes and reads the tokens of a cluster.
pub struct DebugKey(hmac::Key);

impl DebugKey {
    /// The key of a cluster.
    pub fn of(cluster_token: &str) -> Self {
        let token = hmac::Key::new(hmac::HMAC_SHA256, cluster_token.as_bytes());
        let derived = hmac::sign(&token, LABEL);
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// Writes a token for an environment.
    pub fn write(&self, environment: &Name, claims: &Claims) -> String {
        let said = [
            claims.id.uuid().as_u128(),
            claims.organization.uuid().as_u128(),
            claims.route.map_or(0, |route| route.uuid().as_u128()),
            u128::from(claims.expires_at),
        ];
        let mac = hmac::sign(&self.0, &message(environment, &said));
        let mac = mac.as_ref().chunks_exact(16).map(number);
        said.into_iter()
            .chain(mac)
            .fold(PREFIX.to_owned(), |text, number| text + &encode(number))
    }

    /// What a token for this environment says, if it was written with this key and is good yet.
    pub fn read(&self, environment: &Name, text: &[u8], now: Timestamp) -> Option<Claims> {
        let text = std::str::from_utf8(text).ok()?.strip_prefix(PREFIX)?;
        if text.len() != NUMBERS * SUFFIX_LEN || !text.is_ascii() {
            return None;
        }
        let mut numbers = [0; NUMBERS];
        for (index, number) in numbers.iter_mut().enumerate() {
            *number = decode(&text[index * SUFFIX_LEN..(index + 1) * SUFFIX_LEN])?;
        }
        let (said, mac) = numbers.split_at(SAID);
        let mac = [mac[0].to_be_bytes(), mac[1].to_be_bytes()].concat();
        hmac::verify(&self.0, &message(environment, said), &mac).ok()?;
        let expires_at = u64::try_from(said[3]).ok()?;
        let is_good = i64::try_from(expires_at).is_ok_and(|expires_at| now.as_seconds() < expires_at);
        is_good.then(|| Claims {
            id: DebugTokenId::new(Uuid::from_u128(said[0])),
            organization: OrganizationId::new(Uuid::from_u128(said[1])),
            route: (said[2] != 0).then(|| RouteId::new(Uuid::from_u128(said[2]))),
            expires_at,
        })
    }
}

/// What is signed: the numbers, then the environment.
fn message(environment: &Name, said: &[u128]) -> Vec<u8> {
    let numbers = said.iter().flat_map(|number| number.to_be_bytes());
    numbers.chain(environment.as_str().bytes()).collect()
}

fn number(bytes: &[u8]) -> u128 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u128::from(*byte))
}

impl std::fmt::Debug for DebugKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DebugKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Claims, DebugKey, PREFIX, SUFFIX_LEN};
    use crate::id::{DebugTokenId, OrganizationId, RouteId};
    use crate::{Name, Timestamp};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn claims(route: Option<u128>) -> Claims {
        Claims {
            id: DebugTokenId::new(Uuid::from_u128(1)),
            organization: OrganizationId::new(Uuid::from_u128(u128::MAX)),
            route: route.map(|route| RouteId::new(Uuid::from_u128(route))),
            expires_at: 1000,
        }
    }

    #[test]
    fn a_token_says_what_was_written_until_it_expires() {
        let (key, environment): (_, Name) = (DebugKey::of("token"), "sandbox".parse().unwrap());
        for claims in [claims(None), claims(Some(7))] {
            let text = key.write(&environment, &claims);
            assert_eq!(key.read(&environment, text.as_bytes(), at(999)), Some(claims));
            assert_eq!(key.read(&environment, text.as_bytes(), at(1000)), None);
        }
    }

    #[test]
    fn a_token_of_another_cluster_or_environment_says_nothing() {
        let (key, environment): (_, Name) = (DebugKey::of("token"), "sandbox".parse().unwrap());
        let text = key.write(&environment, &claims(Some(7)));
        let other = DebugKey::of("other");
        assert_eq!(other.read(&environment, text.as_bytes(), at(0)), None);
        let production = "production".parse().unwrap();
        assert_eq!(key.read(&production, text.as_bytes(), at(0)), None);
    }

    #[test]
    fn no_character_of_a_token_can_be_changed() {
        let (key, environment): (_, Name) = (DebugKey::of("token"), "sandbox".parse().unwrap());
        let text = key.write(&environment, &claims(Some(7)));
        for place in 0..text.len() {
            for byte in *b"0z!\xff" {
                let mut changed = text.clone().into_bytes();
                if std::mem::replace(&mut changed[place], byte) != byte {
                    assert_eq!(key.read(&environment, &changed, at(0)), None, "{place}");
                }
            }
        }
        for length in [0, 1, PREFIX.len(), PREFIX.len() + SUFFIX_LEN, text.len() - 1] {
            assert_eq!(key.read(&environment, &text.as_bytes()[..length], at(0)), None);
        }
        assert_eq!(key.read(&environment, format!("{text}0").as_bytes(), at(0)), None);
    }
}
