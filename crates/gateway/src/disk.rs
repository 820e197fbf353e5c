//! The copy of the snapshot on disk, by which a node starts while the control plane is away.
//!
//! It is [signed](domain::snapshot::Packed) as on the wire: a file that was changed, or belongs to another
//! cluster, is not served.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use domain::Snapshot;
use domain::snapshot::{Packed, PackedError};

/// Why a copy could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written.
    #[error("reading or writing the copy of the snapshot")]
    File(#[source] io::Error),
    /// What it holds is not this cluster's, or not a snapshot.
    #[error("the copy of the snapshot is not usable")]
    Content(#[from] PackedError),
}

/// Replaces the copy; after a crash either the old one or the new one is there.
pub fn save(path: &Path, packed: &Packed) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let temporary = path.with_extension("new");
    let write = || {
        fs::create_dir_all(directory)?;
        let mut file = secret(&temporary)?;
        for part in packed.to_file() {
            file.write_all(part)?;
        }
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
    let packed = Packed::from_file(bytes).ok_or(PackedError::Mac)?;
    Ok(Some(packed.open(token)?))
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
    use domain::snapshot::{Packed, PackedError};

    use super::{Error, load, save};

    #[test]
    fn a_copy_comes_back_and_a_changed_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateway/snapshot");
        assert!(load(&path, b"token").unwrap().is_none());
        let snapshot = Snapshot::empty("sandbox".parse().unwrap());
        save(&path, &Packed::new(&snapshot, b"token").unwrap()).unwrap();
        assert_eq!(load(&path, b"token").unwrap().unwrap(), snapshot);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(
            load(&path, b"token"),
            Err(Error::Content(PackedError::Mac))
        ));
    }
}
