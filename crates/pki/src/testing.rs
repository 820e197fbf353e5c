//! Certificates and TLS configurations for tests: authorities that sign, pairs that nobody else knows.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    SanType,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// A certificate with its key, in PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub chain: String,
    /// Its private key.
    pub key: String,
}

impl Pair {
    /// One that signs itself, for these DNS names and addresses.
    pub fn of(names: &[&str]) -> Self {
        Self::made(&params(names))
    }

    /// One that holds from the first day of a year to the first day of another.
    pub fn lasting(names: &[&str], years: std::ops::Range<i32>) -> Self {
        let mut params = params(names);
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        Self::made(&params)
    }

    /// What an ACME server looks for (RFC 8737).
    pub fn proof(host: &str) -> Self {
        let mut params = params(&[host]);
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(&[7; 32])];
        Self::made(&params)
    }

    fn made(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().expect("the system has randomness");
        Self {
            chain: params.self_signed(&key).expect("the parameters are valid").pem(),
            key: key.serialize_pem(),
        }
    }

    /// The certificate as it goes over the wire.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.chain.as_bytes()).expect("made as PEM")
    }

    /// The key as libraries want it.
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("made as PEM")
    }

    /// Writes both to files.
    ///
    /// # Panics
    /// If that fails.
    pub fn write(&self, chain: &Path, key: &Path) {
        fs::write(chain, &self.chain).expect("the directory is there");
        fs::write(key, &self.key).expect("the directory is there");
    }
}

/// Who signs certificates.
#[derive(Debug)]
pub struct Authority {
    /// Its own certificate in PEM.
    pub root: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Whom a certificate is for.
#[derive(Debug, Clone, Default)]
pub struct Subject<'a> {
    /// The common name; none if empty.
    pub common_name: &'a str,
    /// The organization; none if empty.
    pub organization: &'a str,
    /// DNS names and addresses.
    pub names: &'a [&'a str],
    /// URIs, as SPIFFE ids.
    pub uris: &'a [&'a str],
    /// Mail addresses.
    pub emails: &'a [&'a str],
}

impl Authority {
    /// An authority that nobody trusts yet.
    pub fn new(common_name: &str) -> Self {
        let mut params = params(&[]);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("the system has randomness");
        let root = params.self_signed(&key).expect("the parameters are valid").pem();
        Self {
            root,
            issuer: Issuer::new(params, key),
        }
    }

    /// Signs a certificate for somebody.
    pub fn sign(&self, subject: &Subject<'_>) -> Pair {
        let mut params = params(subject.names);
        params.distinguished_name = DistinguishedName::new();
        let parts = [
            (DnType::OrganizationName, subject.organization),
            (DnType::CommonName, subject.common_name),
        ];
        for (kind, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
            params.distinguished_name.push(kind, value);
        }
        let text = |text: &&str| (*text).try_into().expect("ASCII");
        let uris = subject.uris.iter().map(|uri| SanType::URI(text(uri)));
        let emails = subject
            .emails
            .iter()
            .map(|email| SanType::Rfc822Name(text(email)));
        params.subject_alt_names.extend(uris.chain(emails));
        let key = KeyPair::generate().expect("the system has randomness");
        let signed = params.signed_by(&key, &self.issuer);
        Pair {
            chain: signed.expect("the parameters are valid").pem(),
            key: key.serialize_pem(),
        }
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).expect("the names are valid")
}

/// The provider of all TLS here.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

/// A client that trusts everybody, shows a certificate or none, and speaks these protocols (ALPN).
pub fn client(shown: Option<&Pair>, protocols: &[&str]) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some(pair) => builder
            .with_client_auth_cert(vec![pair.der()], pair.key_der())
            .expect("made as a pair"),
    };
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// Trusts everybody: tests look at what was shown.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ED25519,
            SignatureScheme::RSA_PSS_SHA256,
        ]
    }
}
