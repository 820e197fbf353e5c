//! The data directory: made, private, and used by one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be made or written.
    #[error("the data directory {} (`data_dir`, --data-dir) cannot be used: {}", path.display(), reason(source))]
    Unusable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("the data directory {} is in use by another gateline; stop that one or take another with --data-dir", path.display())]
    InUse { path: PathBuf },
}

/// What is wrong with a folder, and what to do.
fn reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            "this user may not write there; take another, or run as the user it belongs to".to_owned()
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "it is a file, not a folder".to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem => "its file system can only be read".to_owned(),
        io::ErrorKind::StorageFull => "its disk is full".to_owned(),
        _ => source.to_string(),
    }
}

/// The data directory, ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked; the system takes the lock back when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is not there, and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, Error> {
        let unusable = |source| Error::Unusable {
            path: path.to_owned(),
            source,
        };
        private_folder(path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let unusable = |source| Error::Unusable {
            path: path.clone(),
            source,
        };
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"));
        let lock = lock.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path }),
            Err(TryLockError::Error(source)) => Err(Error::Unusable { path, source }),
        }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it, made if it is not there.
    pub(crate) fn sub(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        private_folder(&path).map_err(|source| Error::Unusable {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }
}

/// Writes a file that only we may read, in one step: whoever sees the file sees all of it.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::{Error, Folder, write_private};

    #[test]
    fn a_folder_has_one_user_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let folder = Folder::take(&path).unwrap();
        assert!(matches!(Folder::take(&path), Err(Error::InUse { .. })));
        drop(folder);
        assert!(Folder::take(&path).is_ok());
    }

    #[test]
    fn private_files_are_written_whole_and_for_us_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        write_private(&path, "1").unwrap();
        write_private(&path, "2").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "2");
        #[cfg(unix)]
        {
            let mode =
                std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
