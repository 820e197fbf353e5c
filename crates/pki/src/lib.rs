//! Certificates and private keys: reading them, checking that they fit together, and sealing keys on their way.
//!
//! Here belongs what the control plane must check when a certificate is saved and a node when it serves it, so that
//! both say the same. No sockets, no files, no clock. Start with [`read`](fn@read) for a chain and its key,
//! [`facts`] for what a certificate says, and [`SealKey`] for how keys reach nodes.

mod seal;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest;
use domain::Timestamp;
use domain::certificate::Facts;
use domain::certificate::dn::{self, Attribute, Value};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::asn1_rs::{BmpString, ToDer as _, UniversalString};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

pub use seal::SealKey;

/// The most bytes of a chain or a list of authorities in PEM.
pub const PEM_BYTES_MAX: usize = 256 * 1024;
/// The most certificates of a chain or a list of authorities.
pub const CERTIFICATES_MAX: usize = 100;

/// Why a certificate or a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text holds no certificate.
    #[error("there is no certificate in PEM (`-----BEGIN CERTIFICATE-----`)")]
    NoCertificate,
    /// The text holds too many certificates or is too long.
    #[error("there are more than {CERTIFICATES_MAX} certificates or {PEM_BYTES_MAX} bytes")]
    TooMuch,
    /// The text is broken.
    #[error("the PEM text cannot be read")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// A certificate is broken.
    #[error("certificate {place} of the text is not one of X.509")]
    Certificate {
        /// Its place, counted from 1.
        place: usize,
    },
    /// The text holds no private key, or one that is locked with a password.
    #[error("there is no unencrypted private key in PEM (PKCS #8, PKCS #1 or SEC 1)")]
    NoKey,
    /// The private key is of a kind that is not used for TLS here, or broken.
    #[error("the private key cannot be used")]
    Key(#[source] rustls::Error),
    /// Certificate and key are not a pair.
    #[error("the private key does not belong to the first certificate")]
    Pair(#[source] rustls::Error),
    /// An authority cannot be one.
    #[error("an authority cannot be used")]
    Authority(#[source] rustls::Error),
    /// What was sealed cannot be opened.
    #[error("the private key was sealed with another cluster token, or for something else")]
    Sealed,
}

/// Reads a chain in PEM, its own certificate first; each must parse as X.509.
pub fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    if pem.len() > PEM_BYTES_MAX {
        return Err(Error::TooMuch);
    }
    let mut chain = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        if chain.len() == CERTIFICATES_MAX {
            return Err(Error::TooMuch);
        }
        let certificate = certificate.map_err(Error::Pem)?;
        parsed(&certificate).ok_or(Error::Certificate {
            place: chain.len() + 1,
        })?;
        chain.push(certificate);
    }
    if chain.is_empty() {
        return Err(Error::NoCertificate);
    }
    Ok(chain)
}

/// Reads a private key in PEM.
pub fn key(pem: &str) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| Error::NoKey)
}

/// Reads a chain and its private key, and checks that they are a pair.
pub fn read(chain_pem: &str, key_pem: &str) -> Result<Arc<CertifiedKey>, Error> {
    pair(chain(chain_pem)?, key(key_pem)?)
}

/// Checks that a chain and a private key are a pair.
pub fn pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, Error> {
    let pair = unchecked(chain, key)?;
    pair.keys_match().map_err(Error::Pair)?;
    Ok(Arc::new(pair))
}

/// Reads what proves to an ACME server that a host is ours (RFC 8737).
///
/// That it is a pair is not checked: its critical extension is one that `webpki` refuses to read.
pub fn read_proof(chain_pem: &str, key_pem: &str) -> Result<Arc<CertifiedKey>, Error> {
    unchecked(chain(chain_pem)?, key(key_pem)?).map(Arc::new)
}

fn unchecked(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, Error> {
    let signing = default_provider().key_provider.load_private_key(key);
    Ok(CertifiedKey::new(chain, signing.map_err(Error::Key)?))
}

/// Reads authorities that the other side's certificate is checked against.
pub fn authorities(pem: &str) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(pem)? {
        roots.add(certificate).map_err(Error::Authority)?;
    }
    Ok(roots)
}

/// What a certificate says of itself; `None` if it is not one of X.509.
pub fn facts(der: &[u8]) -> Option<Facts> {
    let certificate = parsed(der)?;
    let moment = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    let validity = certificate.validity();
    Some(Facts {
        subject: dn::write(&parts(certificate.subject())),
        common_name: common_name(certificate.subject()),
        issuer: dn::write(&parts(certificate.issuer())),
        serial: certificate.raw_serial_as_string(),
        names: names(&certificate),
        fingerprint_sha256: sha256(der),
        public_key_sha256: sha256(certificate.public_key().raw),
        not_before: moment(validity.not_before.timestamp()),
        not_after: moment(validity.not_after.timestamp()),
    })
}

/// Whether one of these names (as [`Facts::names`] has them) is good for a host; `*.` stands for one label.
pub fn covers(names: &[String], host: &str) -> bool {
    let dns = names.iter().filter_map(|name| name.strip_prefix("dns:"));
    dns.into_iter().any(|name| {
        let name = name.trim_end_matches('.');
        if name.eq_ignore_ascii_case(host) {
            return true;
        }
        let parent = host.split_once('.').filter(|(label, _)| *label != "*");
        match (name.strip_prefix("*."), parent) {
            (Some(suffix), Some((_, parent))) => suffix.eq_ignore_ascii_case(parent),
            _ => false,
        }
    })
}

fn parsed(der: &[u8]) -> Option<X509Certificate<'_>> {
    match parse_x509_certificate(der) {
        Ok(([], certificate)) => Some(certificate),
        _ => None,
    }
}

/// The parts of a name, in the order of the certificate.
fn parts(name: &X509Name<'_>) -> Vec<Vec<Attribute>> {
    let attribute = |found: &AttributeTypeAndValue<'_>| Attribute {
        kind: found.attr_type().to_id_string(),
        value: match text(found) {
            Some(text) => Value::Text(text),
            None => Value::Encoded(found.attr_value().to_der_vec().unwrap_or_default()),
        },
    };
    name.iter_rdn()
        .map(|part| part.iter().map(attribute).collect())
        .collect()
}

/// The common name of a name; of several the last one, which is the most exact.
fn common_name(name: &X509Name<'_>) -> Option<String> {
    name.iter_common_name().last().and_then(text)
}

/// The value of an attribute as text, however it is encoded; `None` if it is none.
fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    if let Ok(text) = attribute.as_str() {
        return Some(text.to_owned());
    }
    let value = attribute.attr_value();
    let wide = BmpString::try_from(value).map(|text| text.string());
    wide.or_else(|_| UniversalString::try_from(value).map(|text| text.string()))
        .ok()
}

/// The alternative names, each with its kind, so that no kind can pass for another.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let named = extension.value.general_names.iter();
    named
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(format!("dns:{}", name.to_ascii_lowercase())),
            GeneralName::URI(uri) => Some(format!("uri:{uri}")),
            GeneralName::RFC822Name(address) => Some(format!("email:{address}")),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| format!("ip:{address}")),
            _ => None,
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

fn sha256(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
