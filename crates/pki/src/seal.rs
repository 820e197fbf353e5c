//! Private keys on their way to nodes.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Error;

const LABEL: &[u8] = b"gateline private keys of certificates, 1";

/// Seals private keys for snapshots: AES-256-GCM with a key that follows from the cluster's token.
///
/// Whoever has a snapshot without the token has no key in it; whoever has the token could ask for the snapshot.
pub struct SealKey(RandomizedNonceKey);

impl SealKey {
    /// The key of a cluster.
    pub fn of(cluster_token: &str) -> Self {
        let token = hmac::Key::new(hmac::HMAC_SHA256, cluster_token.as_bytes());
        let derived = hmac::sign(&token, LABEL);
        let key = RandomizedNonceKey::new(&AES_256_GCM, derived.as_ref());
        Self(key.expect("HMAC-SHA256 gives the 32 bytes that AES-256 takes"))
    }

    /// Seals a text; only opened again with the same `context`, as the id of the certificate.
    pub fn seal(&self, context: &str, plain: &str) -> Result<String, Error> {
        let mut sealed = plain.as_bytes().to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut sealed)
            .map_err(|_| Error::Sealed)?;
        Ok(STANDARD.encode([nonce.as_ref().as_slice(), &sealed].concat()))
    }

    /// Opens what [`seal`](Self::seal) made.
    pub fn open(&self, context: &str, sealed: &str) -> Result<String, Error> {
        let bytes = STANDARD.decode(sealed).map_err(|_| Error::Sealed)?;
        let (nonce, rest) = bytes.split_at_checked(NONCE_LEN).ok_or(Error::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Sealed)?;
        let mut rest = rest.to_vec();
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut rest)
            .map_err(|_| Error::Sealed)?;
        String::from_utf8(plain.to_vec()).map_err(|_| Error::Sealed)
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(…)")
    }
}
