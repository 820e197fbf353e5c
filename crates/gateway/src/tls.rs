//! TLS on both sides: certificates, roots, protocols.

mod files;
mod handshake;
mod out;
mod shelf;
mod shown;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::settings::Certificate;

pub(crate) use files::{Files, LOOK, Stamp, stamp};
pub(crate) use handshake::{greet, shake};
pub(crate) use out::{Out, Outward};
pub(crate) use shelf::Shelf;
pub use shelf::Unusable;
pub use shown::Sealing;
pub(crate) use shown::{Asks, ClientCertificate, Kit, Shown};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no certificate or key in PEM", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// A file holds something else than it should.
    #[error("{}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: pki::Error,
    },
    /// A certificate, its key or its authorities.
    #[error(transparent)]
    Pki(pki::Error),
    /// Certificate and key do not fit together.
    #[error("the certificate cannot be used")]
    Certificate(#[source] rustls::Error),
    /// Certificates of clients cannot be checked against the authorities.
    #[error("the authorities for clients cannot be used")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
    /// No development certificate could be made.
    #[error("making a development certificate")]
    Development(#[source] rcgen::Error),
}

/// The development certificate in a directory; made when it is missing.
///
/// It is for `localhost` and the loopback addresses and signed by nobody, so no client trusts it by itself.
pub fn development(directory: &Path) -> Result<Certificate, Error> {
    let certificate = Certificate {
        chain: directory.join("development.pem"),
        key: directory.join("development.key"),
    };
    if certificate.chain.exists() && certificate.key.exists() {
        return Ok(certificate);
    }
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    fs::create_dir_all(directory).map_err(file(directory))?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(Error::Development)?;
    // The key first: with both files there, the pair is whole.
    crate::disk::write_secret(&certificate.key, made.signing_key.serialize_pem().as_bytes())
        .map_err(file(&certificate.key))?;
    fs::write(&certificate.chain, made.cert.pem()).map_err(file(&certificate.chain))?;
    Ok(certificate)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = |source| Error::Pem {
        path: path.to_owned(),
        source,
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(pem)?.collect();
    match certificates.map_err(pem)? {
        none if none.is_empty() => Err(pem(rustls_pki_types::pem::Error::NoItemsFound)),
        certificates => Ok(certificates),
    }
}
