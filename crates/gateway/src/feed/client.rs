//! A control plane in another process.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use domain::snapshot::PackedError;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::remote::{self, Answer, Asking, Remote};

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Why a call of the control plane failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be called.
    #[error("the control plane")]
    Call(#[from] remote::Error),
    /// The token has characters that a header cannot carry.
    #[error("the cluster token is not one line of visible characters")]
    Token,
    /// It answered something else than the protocol says.
    #[error("the control plane answered {status}")]
    Status {
        /// What it answered.
        status: StatusCode,
    },
    /// Its questions cannot be read.
    #[error("the control plane asks what this build does not understand")]
    Question(#[source] serde_json::Error),
    /// Its snapshot cannot be used.
    #[error(transparent)]
    Snapshot(#[from] PackedError),
}

/// A control plane in another process.
pub struct Control {
    remote: Remote,
    token: String,
    authorization: HeaderValue,
}

impl Control {
    /// Reads the address; `roots` are certificates (PEM) to trust instead of those of the web.
    pub fn new(url: &str, token: String, roots: Option<&Path>) -> Result<Self, Error> {
        let remote = Remote::new(url, roots, ANSWER_BYTES_MAX)?;
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Error::Token)?;
        authorization.set_sensitive(true);
        Ok(Self {
            remote,
            token,
            authorization,
        })
    }

    pub(super) const fn token(&self) -> &[u8] {
        self.token.as_bytes()
    }

    /// Makes one call.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        max: Duration,
    ) -> Result<Answer, Error> {
        let kind = if body.first() == Some(&b'{') {
            "application/json"
        } else {
            "application/octet-stream"
        };
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, self.authorization.clone()),
            (CONTENT_TYPE, HeaderValue::from_static(kind)),
        ]);
        let asking = Asking {
            method,
            path,
            headers,
            body,
        };
        Ok(self.remote.call(asking, max).await?)
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}
