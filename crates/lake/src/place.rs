//! Where tables are kept: a directory, or a prefix of an S3-compatible store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use url::Url;

use self::synced::Synced;

mod synced;

/// How an S3-compatible store is reached; everything absent is looked for as AWS' own tools do.
#[derive(Clone, Default)]
pub struct S3Options {
    /// The address of a store that is not AWS: `https://…`, or `http://…` in a network that is trusted.
    pub endpoint: Option<String>,
    /// The region; stores that have none take any.
    pub region: Option<String>,
    /// The id of the key.
    pub access_key_id: Option<String>,
    /// The key.
    pub secret_access_key: Option<String>,
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Why a place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not a URL of a kind that is known.
    #[error("`{url}` is neither `file:///…` nor `s3://bucket/prefix`")]
    Url {
        /// The text.
        url: String,
    },
    /// The directory cannot be made.
    #[error("the directory {} cannot be made", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The options do not go together.
    #[error("the store cannot be used")]
    Store(#[from] object_store::Error),
}

/// A place for tables.
#[derive(Clone)]
pub struct Place {
    url: Url,
    store: Arc<dyn ObjectStore>,
}

impl Place {
    /// Reads `file:///…` or `s3://bucket/prefix`; makes the directory, asks no store.
    pub fn new(url: &str, options: &S3Options) -> Result<Self, Error> {
        let unknown = || Error::Url { url: url.to_owned() };
        let parsed = Url::parse(url).map_err(|_| unknown())?;
        if parsed.query().is_some() || parsed.fragment().is_some() || !parsed.username().is_empty() {
            return Err(unknown());
        }
        match parsed.scheme() {
            "file" => Self::directory(&parsed.to_file_path().map_err(|()| unknown())?),
            "s3" => Self::bucket(parsed, options),
            _ => Err(unknown()),
        }
    }

    /// A directory; it is made if it is not there.
    pub fn directory(path: &Path) -> Result<Self, Error> {
        let made = std::fs::create_dir_all(path).and_then(|()| path.canonicalize());
        let path = made.map_err(|source| Error::Directory {
            path: path.to_owned(),
            source,
        })?;
        let url = Url::from_directory_path(&path).expect("canonical paths are absolute");
        let store = Arc::new(Synced::new(path));
        Ok(Self { url, store })
    }

    fn bucket(mut url: Url, options: &S3Options) -> Result<Self, Error> {
        let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
        let bucket = bucket.ok_or_else(|| Error::Url { url: url.to_string() })?;
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            // Two committers must not both write a version of the table.
            .with_conditional_put(S3ConditionalPut::ETagMatch);
        if let Some(region) = &options.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &options.endpoint {
            builder = builder
                .with_endpoint(endpoint.trim_end_matches('/'))
                .with_allow_http(endpoint.starts_with("http://"));
        }
        if let (Some(id), Some(key)) = (&options.access_key_id, &options.secret_access_key) {
            builder = builder.with_access_key_id(id).with_secret_access_key(key);
        }
        let store = Arc::new(builder.build()?);
        url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
        Ok(Self { url, store })
    }

    /// A place whose store is given, for tests that let stores fail.
    #[cfg(test)]
    pub(crate) fn of(url: Url, store: Arc<dyn ObjectStore>) -> Self {
        Self { url, store }
    }

    /// The URL, with a slash at its end.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The store as a whole: paths in it are those of URLs.
    pub(crate) fn root(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The URL of something in the place.
    pub(crate) fn inner(&self, name: &str) -> Url {
        self.url
            .join(name)
            .expect("names of tables are segments of paths")
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the store says of itself is not under our control, so it is not asked.
        f.debug_tuple("Place").field(&self.url.as_str()).finish()
    }
}
