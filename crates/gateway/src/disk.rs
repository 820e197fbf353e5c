//! The copy of the snapshot on disk, by which a node starts while the control plane is away.
//!
//! Like on the wire it is zstd of JSON with an HMAC-SHA256 under the cluster's token, here in front of it: a
//! file that was changed, or belongs to another cluster, is not served.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::hmac;
use domain::Snapshot;

const MAC_BYTES: usize = 32;
const ZSTD_LEVEL: i32 = 3;
/// A snapshot of 100,000 keys takes about 40 MB.
const JSON_BYTES_MAX: usize = 1 << 30;

/// Why a snapshot could not be packed, unpacked, saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written.
    #[error("reading or writing the copy of the snapshot")]
    File(#[source] io::Error),
    /// It was changed, or made with another token.
    #[error("the snapshot was not signed with this cluster's token")]
    Mac,
    /// What is inside is not a snapshot of this version.
    #[error("the snapshot cannot be read")]
    Content(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A snapshot as it travels: zstd of JSON.
pub fn pack(snapshot: &Snapshot) -> Result<Vec<u8>, Error> {
    let json = serde_json::to_vec(snapshot).map_err(|error| Error::Content(error.into()))?;
    zstd::bulk::compress(&json, ZSTD_LEVEL).map_err(Error::File)
}

/// The HMAC-SHA256 of a packed snapshot.
pub fn sign(packed: &[u8], token: &[u8]) -> [u8; MAC_BYTES] {
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, token), packed);
    mac.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
}

/// Checks and reads a packed snapshot.
pub fn unpack(packed: &[u8], mac: &[u8], token: &[u8]) -> Result<Snapshot, Error> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token);
    hmac::verify(&key, packed, mac).map_err(|_| Error::Mac)?;
    let decoder = zstd::stream::read::Decoder::new(packed).map_err(Error::File)?;
    let bounded = io::Read::take(decoder, JSON_BYTES_MAX as u64);
    serde_json::from_reader(io::BufReader::new(bounded)).map_err(|error| Error::Content(error.into()))
}

/// Replaces the copy; after a crash either the old one or the new one is there.
pub fn save(path: &Path, packed: &[u8], mac: &[u8; MAC_BYTES]) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let temporary = path.with_extension("new");
    let write = || {
        fs::create_dir_all(directory)?;
        let mut file = secret(&temporary)?;
        file.write_all(mac)?;
        file.write_all(packed)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(Error::File)
}

/// Reads the copy; `None` if there is none.
pub fn load(path: &Path, token: &[u8]) -> Result<Option<Snapshot>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::File(error)),
    };
    let (mac, packed) = bytes.split_at_checked(MAC_BYTES).ok_or(Error::Mac)?;
    unpack(packed, mac, token).map(Some)
}

/// Writes a file that only its owner may read.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = secret(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn secret(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use domain::Snapshot;

    use super::{Error, load, pack, save, sign, unpack};

    #[test]
    fn a_copy_comes_back_and_a_changed_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateway/snapshot");
        assert!(load(&path, b"token").unwrap().is_none());
        let snapshot = Snapshot::empty("sandbox".parse().unwrap());
        let packed = pack(&snapshot).unwrap();
        save(&path, &packed, &sign(&packed, b"token")).unwrap();
        assert_eq!(load(&path, b"token").unwrap().unwrap(), snapshot);
        assert!(matches!(load(&path, b"other"), Err(Error::Mac)));
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(load(&path, b"token"), Err(Error::Mac)));
    }

    #[test]
    fn what_is_signed_but_no_snapshot_is_refused() {
        let packed = zstd::bulk::compress(br#"{"format":1}"#, 1).unwrap();
        assert!(matches!(
            unpack(&packed, &sign(&packed, b"t"), b"t"),
            Err(Error::Content(_))
        ));
        assert!(unpack(b"no zstd", &sign(b"no zstd", b"t"), b"t").is_err());
    }
}
