//! Encrypted payloads: AES-CBC with a key of 128 bits, as `base64(iv).base64(text)`.
//!
//! It hides features from who has no key. It does not prove who wrote them.

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::hkdf;
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What an encryption begins with; unforeseeable, and used once.
pub type Iv = [u8; 16];

/// Why something cannot be encrypted or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The key is not 16 bytes in base 64.
    Key,
    /// It is not of the form `base64(iv).base64(text)`.
    Form,
    /// It was encrypted with another key, or changed since.
    Text,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key => "The key is not 16 bytes in base 64.",
            Self::Form => {
                "What is encrypted has the form `iv.text`, both in base 64; the first is of 16 bytes."
            }
            Self::Text => "It was encrypted with another key, or changed since.",
        })
    }
}

impl std::error::Error for Error {}

/// A key in base 64 that follows from a secret, and is another one for each name (HKDF-SHA-256, RFC 5869).
pub fn derived(secret: &[u8], name: &[&[u8]]) -> String {
    let mut key = [0; 16];
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
    let expanded = secret.expand(name, hkdf::HKDF_SHA256);
    let expanded = expanded.expect("SHA-256 is shorter than the longest key");
    let mut long = [0; 32];
    expanded.fill(&mut long).expect("it is as long as SHA-256");
    key.copy_from_slice(&long[..16]);
    STANDARD.encode(key)
}

/// Encrypts a text with a key in base 64.
///
/// # Errors
/// The key is none.
pub fn encrypt(text: &str, key: &str, iv: Iv) -> Result<String, Error> {
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(unbound(key)?).map_err(|_| Error::Key)?;
    let mut bytes = text.as_bytes().to_vec();
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(&mut bytes, context)
        .map_err(|_| Error::Key)?;
    Ok(format!("{}.{}", STANDARD.encode(iv), STANDARD.encode(bytes)))
}

/// Reads what was encrypted with a key in base 64.
///
/// # Errors
/// The key is none or another, or the text has another form.
pub fn decrypt(encrypted: &str, key: &str) -> Result<String, Error> {
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(unbound(key)?).map_err(|_| Error::Key)?;
    let (iv, text) = encrypted.split_once('.').ok_or(Error::Form)?;
    let bytes = |text: &str| STANDARD.decode(text).map_err(|_| Error::Form);
    let iv = Iv::try_from(bytes(iv)?).map_err(|_| Error::Form)?;
    let mut text = bytes(text)?;
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let plain = key.decrypt(&mut text, context).map_err(|_| Error::Text)?;
    String::from_utf8(plain.to_vec()).map_err(|_| Error::Text)
}

fn unbound(key: &str) -> Result<UnboundCipherKey, Error> {
    let key = STANDARD.decode(key).map_err(|_| Error::Key)?;
    UnboundCipherKey::new(&AES_128, &key).map_err(|_| Error::Key)
}
