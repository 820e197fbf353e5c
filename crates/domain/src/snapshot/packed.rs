//! A snapshot as it travels to a node and lies on its disk, with an HMAC-SHA256 over that.
//!
//! zstd, in frames that say how long their content is, of: JSON of everything but applications, subscriptions and keys,
//! these three in postcard's form, and how many bytes that form takes, as eight bytes with the least first. There are far
//! more of these than of anything else, and a node that starts has to have read them before it can answer.

use std::io;
use std::panic::resume_unwind;
use std::thread;

use aws_lc_rs::hmac;
use zstd::zstd_safe;

use super::{Application, Key, Snapshot, Subscription};
use crate::compact;

const MAC_BYTES: usize = 32;
const ZSTD_LEVEL: i32 = 3;
/// The most that a snapshot may have before it is compressed; one of 100,000 keys has about 20 MB.
const BYTES_MAX: usize = 1 << 30;

/// Why a snapshot could not be packed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was changed, or made with another token.
    #[error("the snapshot was not signed with this cluster's token")]
    Mac,
    /// It is larger than nodes read.
    #[error(
        "the snapshot has more than {bytes_max} bytes, which is more than nodes read; remove what no node needs any more"
    )]
    TooLarge {
        /// How many they read.
        bytes_max: usize,
    },
    /// It could not be compressed or decompressed.
    #[error("compressing or decompressing the snapshot")]
    Zstd(#[source] io::Error),
    /// What is inside is not a snapshot of this version.
    #[error("the snapshot cannot be read")]
    Content(#[source] serde_json::Error),
    /// What is inside has no applications, subscriptions and keys, or they cannot be read.
    #[error("the applications, subscriptions and keys of the snapshot cannot be read")]
    Callers(#[source] postcard::Error),
}

/// A snapshot that was packed under a cluster's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// What the module says, compressed.
    pub bytes: Vec<u8>,
    /// HMAC-SHA256 over the bytes.
    pub mac: Mac,
}

/// The signature of a packed snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mac([u8; MAC_BYTES]);

impl Packed {
    /// Packs a snapshot; takes a while for many keys.
    ///
    /// # Errors
    /// It is too large, or cannot be written.
    pub fn new(snapshot: &Snapshot, token: &[u8]) -> Result<Self, Error> {
        Self::within(BYTES_MAX, snapshot, token)
    }

    fn within(bytes_max: usize, snapshot: &Snapshot, token: &[u8]) -> Result<Self, Error> {
        let json = serde_json::to_vec(&snapshot.without_callers()).map_err(Error::Content)?;
        let json_bytes = json.len();
        let callers = (&snapshot.applications, &snapshot.subscriptions, &snapshot.keys);
        let mut all = postcard::to_extend(&callers, json).map_err(Error::Callers)?;
        let callers_bytes = (all.len() - json_bytes) as u64;
        all.extend_from_slice(&callers_bytes.to_le_bytes());
        bounded(all.len(), bytes_max)?;
        let bytes = zstd::bulk::compress(&all, ZSTD_LEVEL).map_err(Error::Zstd)?;
        let mac = hmac::sign(&key(token), &bytes);
        let mac = Mac(mac.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes"));
        Ok(Self { bytes, mac })
    }

    /// Checks who packed it and reads it.
    ///
    /// # Errors
    /// Somebody else packed it, or it is no snapshot of this version, or one that is too large.
    pub fn open(&self, token: &[u8]) -> Result<Snapshot, Error> {
        self.open_within(BYTES_MAX, token)
    }

    fn open_within(&self, bytes_max: usize, token: &[u8]) -> Result<Snapshot, Error> {
        hmac::verify(&key(token), &self.bytes, &self.mac.0).map_err(|_| Error::Mac)?;
        let bytes = content_bytes(&self.bytes);
        let bytes = bytes.ok_or_else(|| Error::Zstd(io::ErrorKind::InvalidData.into()))?;
        bounded(bytes, bytes_max)?;
        // At once, to where it stays: a decoder that is read from has a window of its own, and copies out of it.
        let all = zstd::bulk::decompress(&self.bytes, bytes).map_err(Error::Zstd)?;
        read(&all)
    }

    /// The signature and then the bytes, as they lie in a file.
    pub fn to_file(&self) -> [&[u8]; 2] {
        [&self.mac.0, &self.bytes]
    }

    /// What [`to_file`](Self::to_file) says; `None` if it is too short.
    pub fn from_file(mut file: Vec<u8>) -> Option<Self> {
        let mac = Mac(*file.first_chunk()?);
        file.drain(..MAC_BYTES);
        Some(Self { bytes: file, mac })
    }
}

impl std::fmt::Display for Mac {
    /// Hexadecimal, for a header.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        compact::write_hex(&self.0, f)
    }
}

impl std::str::FromStr for Mac {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        compact::read_hex(text).map(Self).ok_or(Error::Mac)
    }
}

/// How many bytes the frames of something compressed say that they have; what we compress always says so.
fn content_bytes(mut frames: &[u8]) -> Option<usize> {
    let mut bytes = 0_usize;
    while !frames.is_empty() {
        let said = zstd_safe::get_frame_content_size(frames).ok()??;
        bytes = bytes.checked_add(usize::try_from(said).ok()?)?;
        frames = frames.get(zstd_safe::find_frame_compressed_size(frames).ok()?..)?;
    }
    Some(bytes)
}

const fn bounded(bytes: usize, bytes_max: usize) -> Result<(), Error> {
    match bytes > bytes_max {
        true => Err(Error::TooLarge { bytes_max }),
        false => Ok(()),
    }
}

/// Reads what is decompressed, its two parts at the same time.
fn read(all: &[u8]) -> Result<Snapshot, Error> {
    let (json, callers) = parts(all).ok_or(Error::Callers(postcard::Error::DeserializeUnexpectedEnd))?;
    let (snapshot, callers) = thread::scope(|scope| {
        let callers = scope.spawn(|| postcard::from_bytes(callers));
        let snapshot = serde_json::from_slice(json);
        (snapshot, callers.join())
    });
    let callers: (Vec<Application>, Vec<Subscription>, Vec<Key>) = callers
        .unwrap_or_else(|panic| resume_unwind(panic))
        .map_err(Error::Callers)?;
    let (applications, subscriptions, keys) = callers;
    Ok(Snapshot {
        applications,
        subscriptions,
        keys,
        ..snapshot.map_err(Error::Content)?
    })
}

/// The JSON and the callers; `None` if they are not where they are said to be.
fn parts(all: &[u8]) -> Option<(&[u8], &[u8])> {
    let (parts, callers_bytes) = all.split_last_chunk()?;
    let callers_bytes = usize::try_from(u64::from_le_bytes(*callers_bytes)).ok()?;
    Some(parts.split_at(parts.len().checked_sub(callers_bytes)?))
}

fn key(token: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, token)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Error, Mac, Packed};
    use crate::{Snapshot, key};

    /// A snapshot with an application and two keys.
    fn snapshot() -> Snapshot {
        let id = |prefix: &str, last: char| format!("{prefix}_01h455vb4pex5vsknk084sn02{last}");
        let key = |last, ends: Option<&str>| {
            json!({ "id": id("key", last), "hash": key::hash(ends.unwrap_or_default().as_bytes()),
                    "application": id("app", 'q'), "state": "revoked", "expires_at": ends })
        };
        let application = json!({ "id": id("app", 'q'), "organization": id("org", 'q') });
        let subscription = json!({ "id": id("sub", 'q'), "application": id("app", 'q'), "product": id("prd", 'q'),
                                   "plan": id("pln", 'q'), "state": "active" });
        Snapshot {
            revision: 7,
            applications: vec![serde_json::from_value(application).unwrap()],
            subscriptions: vec![serde_json::from_value(subscription).unwrap()],
            keys: [key('q', None), key('r', Some("2026-01-02T03:04:05Z"))]
                .map(|key| serde_json::from_value(key).unwrap())
                .into(),
            ..Snapshot::empty("sandbox".parse().unwrap())
        }
    }

    #[test]
    fn a_snapshot_comes_back_and_a_changed_one_does_not() {
        let snapshot = snapshot();
        let packed = Packed::new(&snapshot, b"token").unwrap();
        let file = packed.to_file().concat();
        let read = Packed::from_file(file.clone()).unwrap();
        assert_eq!(read.open(b"token").unwrap(), snapshot);
        assert!(matches!(read.open(b"other"), Err(Error::Mac)));
        assert_eq!(packed.mac.to_string().parse::<Mac>().unwrap(), packed.mac);
        let mut changed = file.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(matches!(
            Packed::from_file(changed).unwrap().open(b"token"),
            Err(Error::Mac)
        ));
        assert!(Packed::from_file(file[..31].to_vec()).is_none());
        for text in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_is_neither_packed_nor_opened() {
        let snapshot = snapshot();
        let is_too_large = |error| matches!(error, Error::TooLarge { .. });
        let size = (1..)
            .find(|size| Packed::within(*size, &snapshot, b"token").is_ok())
            .unwrap();
        let smaller = Packed::within(size - 1, &snapshot, b"token");
        assert!(is_too_large(smaller.unwrap_err()));
        let packed = Packed::within(size, &snapshot, b"token").unwrap();
        assert_eq!(packed.open_within(size, b"token").unwrap(), snapshot);
        assert!(is_too_large(packed.open_within(size - 1, b"token").unwrap_err()));
    }

    /// Something compressed, signed.
    fn sign(bytes: Vec<u8>) -> Packed {
        let mac = aws_lc_rs::hmac::sign(&super::key(b"t"), &bytes);
        let mac = Mac(mac.as_ref().try_into().unwrap());
        Packed { bytes, mac }
    }

    #[test]
    fn a_snapshot_may_come_in_several_frames() {
        let snapshot = snapshot();
        let whole = Packed::new(&snapshot, b"t").unwrap().bytes;
        let all = zstd::bulk::decompress(&whole, 1 << 20).unwrap();
        let frames = all
            .chunks(100)
            .flat_map(|part| zstd::bulk::compress(part, 1).unwrap());
        let mut frames: Vec<u8> = frames.collect();
        assert_eq!(sign(frames.clone()).open(b"t").unwrap(), snapshot);
        frames.pop();
        assert!(matches!(sign(frames).open(b"t"), Err(Error::Zstd(_))));
    }

    #[test]
    fn what_is_signed_but_no_snapshot_is_refused() {
        let open = |bytes: &[u8]| sign(zstd::bulk::compress(bytes, 1).unwrap()).open(b"t");
        let no_snapshot = open(b"{\"format\":1}\0\0\0\x03\0\0\0\0\0\0\0");
        assert!(matches!(no_snapshot, Err(Error::Content(_))));
        for callers in [
            &b""[..],
            b"{}",
            b"{}\x03\0\0\0\0\0\0\0",
            b"{}\xff\xff\xff\xff\xff\xff\xff\xff",
            b"{}\x01\x03\x02\0\0\0\0\0\0\0",
        ] {
            assert!(matches!(open(callers), Err(Error::Callers(_))), "{callers:?}");
        }
        assert!(sign(b"no zstd".to_vec()).open(b"t").is_err());
    }
}
