//! The remembered sign-in: one file in the user's settings folder, readable by the user only.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use serde::{Deserialize, Serialize};

use crate::Error;

const FILE: &str = "credentials.json";

/// What `gateline login` remembers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// The server.
    pub(crate) url: String,
    /// Sent with every call.
    pub(crate) access_token: String,
    /// Gets new tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    /// The organization chosen at sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) organization: Option<String>,
}

/// The file's folder: `$GATELINE_CONFIG_DIR`, else `gateline` in the XDG base directory for settings.
pub(crate) fn folder() -> Result<PathBuf, Error> {
    let variable = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("GATELINE_CONFIG_DIR")
        .or_else(|| variable("XDG_CONFIG_HOME").map(|folder| folder.join("gateline")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".config").join("gateline")))
        .ok_or(Error::NoHome)
}

/// What is remembered; nothing if there is no file.
pub(crate) fn read(folder: &Path) -> Result<Option<Credentials>, Error> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { path, source }),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| Error::Declared {
            path,
            line: u32::try_from(error.line()).ok(),
            reason: format!("{error}; `gateline login` writes it anew"),
        })
}

/// Remembers a sign-in, replacing the file in one step.
pub(crate) fn write(folder: &Path, credentials: &Credentials) -> Result<(), Error> {
    let path = folder.join(FILE);
    let failed = |source| Error::File {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let text = serde_json::to_string_pretty(credentials).expect("strings are JSON");
    let new = folder.join(format!(".{FILE}.{}", std::process::id()));
    private(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, &path))
        .map_err(failed)
}

/// Forgets the sign-in; says whether there was one.
pub(crate) fn remove(folder: &Path) -> Result<bool, Error> {
    let path = folder.join(FILE);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::File { path, source }),
    }
}

/// A new file that only the user may read.
fn private(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::{Credentials, read, remove, write};

    #[test]
    fn a_sign_in_is_remembered_privately_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("gateline");
        assert!(read(&folder).unwrap().is_none());
        let credentials = Credentials {
            url: "http://127.0.0.1:8081".to_owned(),
            access_token: "a".to_owned(),
            refresh_token: Some("r".to_owned()),
            organization: None,
        };
        write(&folder, &credentials).unwrap();
        assert!(read(&folder).unwrap() == Some(credentials));
        #[cfg(unix)]
        {
            let metadata = std::fs::metadata(folder.join("credentials.json")).unwrap();
            assert_eq!(
                std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777,
                0o600
            );
        }
        assert!(remove(&folder).unwrap() && !remove(&folder).unwrap());
    }
}
