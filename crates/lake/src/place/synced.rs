//! A directory as an object store whose answers mean: it is on the disk.
//!
//! `LocalFileSystem` leaves to the system when files are written. A batch leaves a node's log as soon as the lake
//! has committed it, so a commit must outlive a power failure: what is written is synced before it gets its name,
//! and the name before the answer.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use uuid::Uuid;

use events::fault;

const STORE: &str = "directory";

/// The file system, with files below a directory synced; paths are those from its root.
#[derive(Debug)]
pub(super) struct Synced {
    root: PathBuf,
    files: LocalFileSystem,
}

impl Synced {
    /// Takes a directory that is there, by its canonical path.
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            files: LocalFileSystem::new(),
        }
    }
}

impl fmt::Display for Synced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Synced({})", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for Synced {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if matches!(options.mode, PutMode::Update(_)) {
            return self.files.put_opts(location, payload, options).await;
        }
        let path = self.files.path_to_filesystem(location)?;
        let root = self.root.clone();
        let is_new = matches!(options.mode, PutMode::Create);
        blocking(location, move || write(&root, &path, &payload, is_new)).await?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(SyncedUpload {
            upload: self.files.put_multipart_opts(location, options).await?,
            root: self.root.clone(),
            path: self.files.path_to_filesystem(location)?,
            location: location.clone(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.files.rename_opts(from, to, options).await
    }
}

/// Parts of a file that is synced at its end.
#[derive(Debug)]
struct SyncedUpload {
    upload: Box<dyn MultipartUpload>,
    root: PathBuf,
    path: PathBuf,
    location: Path,
}

#[async_trait]
impl MultipartUpload for SyncedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.upload.complete().await?;
        let (root, path) = (self.root.clone(), self.path.clone());
        blocking(&self.location, move || {
            fault::point("lake.after_parts");
            File::open(&path)?.sync_all()?;
            sync_directories(&root, &path)
        })
        .await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

fn write(root: &FilePath, path: &FilePath, payload: &PutPayload, is_new: bool) -> io::Result<()> {
    let directory = path.parent().expect("locations are below the root");
    fs::create_dir_all(directory)?;
    // Names with a number behind `#` are those that `LocalFileSystem` does not list.
    let staged = path.with_file_name(format!("{}#{}", STORE, Uuid::now_v7().as_u128()));
    let written = (|| {
        let mut file = File::create_new(&staged)?;
        for part in payload {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fault::point("lake.before_name");
        if is_new {
            fs::hard_link(&staged, path)?;
        } else {
            fs::rename(&staged, path)?;
        }
        fault::point("lake.after_name");
        sync_directories(root, path)
    })();
    if is_new || written.is_err() {
        // If it cannot be removed, it is in nobody's way.
        let _ = fs::remove_file(&staged);
    }
    written
}

/// Syncs the directory of a file and those above it, up to the root: they may be new as well.
fn sync_directories(root: &FilePath, path: &FilePath) -> io::Result<()> {
    for directory in path.ancestors().skip(1) {
        File::open(directory)?.sync_all()?;
        if directory == root {
            break;
        }
    }
    Ok(())
}

async fn blocking(location: &Path, work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<()> {
    let result = tokio::task::spawn_blocking(work).await;
    result
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::AlreadyExists {
                path: location.to_string(),
                source: error.into(),
            },
            _ => Error::Generic {
                store: STORE,
                source: error.into(),
            },
        })
}

#[cfg(test)]
mod tests;
