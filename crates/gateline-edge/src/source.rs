//! Snapshots from a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use domain::Snapshot;
use gateway::feed::Feeder;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Why a file gives no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be read.
    #[error("{}", .path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// It is no snapshot.
    #[error("{} is not a snapshot", .path.display())]
    Content {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}

/// Reads a snapshot; one without a revision of its own gets `revision`.
pub(crate) fn read(path: &Path, revision: u64) -> Result<Snapshot, Error> {
    gateway::apart::run(|| read_here(path, revision))
}

fn read_here(path: &Path, revision: u64) -> Result<Snapshot, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let mut snapshot: Snapshot = serde_json::from_slice(&bytes).map_err(|source| Error::Content {
        path: path.to_owned(),
        source,
    })?;
    // Whoever writes files by hand does not count.
    snapshot.revision = snapshot.revision.max(revision);
    Ok(snapshot)
}

/// Reads the file again whenever it changes.
///
/// One that is half written or wrong is rejected, and what was served goes on until it changes again.
pub(crate) async fn follow(path: PathBuf, feeder: Feeder) {
    let mut seen = stamp(&path);
    loop {
        tokio::time::sleep(LOOK).await;
        let now = stamp(&path);
        if now == seen || now.is_none() {
            continue;
        }
        seen = now;
        let revision = feeder.revision() + 1;
        match read(&path, revision) {
            // Whether it was rejected says the node; there is no copy to keep.
            Ok(snapshot) => drop(feeder.offer(Arc::new(snapshot)).await),
            Err(error) => feeder.unreadable(revision, &error),
        }
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
