//! The secrets of an installation: what signs tokens, seals answers and lets nodes in.
//!
//! They are files of mode 0600 in a directory of mode 0700, made at the first start. Several control-plane
//! nodes on one PostgreSQL need the same files; without them tokens and cursors of one node mean nothing to
//! another. Losing them ends every session and makes the ends of the audit chains unprovable.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{constant_time, hmac, rand, signature};

use crate::Error;

const SIGNING_KEY: &str = "jwt-ed25519.pk8";
const MAC_KEY: &str = "cursor.key";
const CLUSTER_TOKEN: &str = "cluster.token";
const KEY_LEN: usize = 32;

/// What a MAC is for; two purposes never share a MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Cursors of paged lists.
    Cursor,
    /// CSRF tokens of web sessions.
    Csrf,
    /// Refresh tokens.
    Refresh,
    /// The record of an audit chain's end.
    AuditHead,
    /// Fingerprints of request bodies for idempotency keys.
    Fingerprint,
    /// The key that stored answers are sealed with.
    Seal,
    /// The keys that webhooks are signed with.
    Webhook,
    /// What ids of tracked events are hashed with.
    EventIds,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Cursor => b"cursor\0",
            Self::Csrf => b"csrf\0",
            Self::Refresh => b"refresh\0",
            Self::AuditHead => b"audit-head\0",
            Self::Fingerprint => b"fingerprint\0",
            Self::Seal => b"seal\0",
            Self::Webhook => b"webhook\0",
            Self::EventIds => b"event-ids\0",
        }
    }
}

/// The secrets, in memory.
pub struct Secrets {
    signing: Vec<u8>,
    mac: hmac::Key,
    seal: RandomizedNonceKey,
    cluster: String,
}

impl Secrets {
    /// Reads the secrets in a directory and makes those that are missing.
    ///
    /// # Errors
    /// [`Error::Internal`] if a file cannot be read or written, or does not hold what it should.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        private_directory(directory)
            .map_err(|error| Error::internal("making the directory of secrets", error))?;
        let read = |name: &str, make: fn() -> Result<Vec<u8>, Error>| {
            let path = directory.join(name);
            read_or_make(&path, make)
        };
        let cluster = read(CLUSTER_TOKEN, || Ok(token("glc_")?.into_bytes()))?;
        let cluster = String::from_utf8(cluster)
            .map_err(|error| Error::internal("reading the cluster token", error))?;
        Self::from_parts(
            read(SIGNING_KEY, signing_key)?,
            &read(MAC_KEY, mac_key)?,
            cluster.trim(),
        )
    }

    /// Makes secrets that live as long as the process, for tests and for trying out.
    pub fn ephemeral() -> Result<Self, Error> {
        Self::from_parts(signing_key()?, &mac_key()?, &token("glc_")?)
    }

    fn from_parts(signing: Vec<u8>, mac: &[u8], cluster: &str) -> Result<Self, Error> {
        if mac.len() != KEY_LEN || cluster.len() < KEY_LEN {
            return Err(Error::Internal("a secret is too short".to_owned(), None));
        }
        let mac = hmac::Key::new(hmac::HMAC_SHA256, mac);
        let derived = hmac::sign(&mac, Purpose::Seal.label());
        let seal = RandomizedNonceKey::new(&AES_256_GCM, derived.as_ref()).map_err(|_| unspecified())?;
        Ok(Self {
            signing,
            mac,
            seal,
            cluster: cluster.to_owned(),
        })
    }

    /// What nodes send as `Authorization: Bearer`, and what snapshots are signed with.
    pub fn cluster_token(&self) -> &str {
        &self.cluster
    }

    /// The Ed25519 key as PKCS #8.
    pub(crate) fn signing_key(&self) -> &[u8] {
        &self.signing
    }

    /// HMAC-SHA256 over the purpose and the message.
    pub fn mac(&self, purpose: Purpose, message: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(purpose.label());
        context.update(message);
        let mut mac = [0; 32];
        mac.copy_from_slice(context.sign().as_ref());
        mac
    }

    /// Whether a MAC is right, in constant time.
    pub fn verify(&self, purpose: Purpose, message: &[u8], mac: &[u8]) -> bool {
        same(&self.mac(purpose, message), mac)
    }

    /// Encrypts what is stored for a while and may hold secrets (AES-256-GCM); bound to `context`.
    pub(crate) fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .seal
            .seal_in_place_append_tag(Aad::from(context), &mut sealed)
            .map_err(|_| unspecified())?;
        let mut text = nonce.as_ref().to_vec();
        text.extend(sealed);
        Ok(text)
    }

    /// Decrypts what [`seal`](Self::seal) made; `None` if it was changed or made with other secrets.
    pub(crate) fn unseal(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut rest = rest.to_vec();
        let plain = self
            .seal
            .open_in_place(nonce, Aad::from(context), &mut rest)
            .ok()?;
        Some(plain.to_vec())
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// Whether two texts are the same, in constant time for equal lengths.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// Random bytes from the system's cryptographic source.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| unspecified())?;
    Ok(bytes)
}

/// A new secret of 256 bits that is sent over the wire, in URL-safe letters.
pub(crate) fn token(prefix: &str) -> Result<String, Error> {
    use base64::Engine as _;

    let bytes: [u8; KEY_LEN] = random()?;
    Ok(format!(
        "{prefix}{}",
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    ))
}

fn unspecified() -> Error {
    Error::Internal("the cryptographic library failed".to_owned(), None)
}

fn signing_key() -> Result<Vec<u8>, Error> {
    let pair = signature::Ed25519KeyPair::generate().map_err(|_| unspecified())?;
    let document = pair.to_pkcs8v1().map_err(|_| unspecified())?;
    Ok(document.as_ref().to_vec())
}

fn mac_key() -> Result<Vec<u8>, Error> {
    Ok(random::<KEY_LEN>()?.to_vec())
}

fn private_directory(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
}

fn read_or_make(path: &Path, make: fn() -> Result<Vec<u8>, Error>) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::internal(&format!("keeping the secret {}", path.display()), error);
    if !path.try_exists().map_err(failed)? {
        match write_private(path, &make()?, false) {
            // Another process was faster; its secret is as good.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(failed)?,
        }
    }
    if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "a secret could be read by others; its mode is 0600 again");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    }
    fs::read(path).map_err(failed)
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8], replace: bool) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory.join(format!(".{name}.{}", uuid::Uuid::now_v7()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    let done = if replace {
        fs::rename(&temporary, path)
    } else {
        // A link, unlike a rename, fails if somebody else has made the file.
        let linked = fs::hard_link(&temporary, path);
        fs::remove_file(&temporary)?;
        linked
    };
    done?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
