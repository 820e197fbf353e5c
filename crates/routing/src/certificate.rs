//! Conditions on the certificate that a client has shown.

use domain::certificate::{Facts, dn};
use domain::routing::{
    CERTIFICATE_FIELDS, CertificateKind, CertificateMatch, FieldKind, FieldMatch, certificate_value,
};

use crate::conditions::{Miss, tests};
use crate::fault::Faults;
use crate::value::Test;

const POINTER: &str = "/match/client_certificate/fields";
/// The digits of SHA-256.
const DIGEST_DIGITS: usize = 64;

/// What a client has to have shown.
#[derive(Debug)]
pub(crate) struct Shown {
    kind: CertificateKind,
    fields: Vec<Test<Part>>,
}

/// What a certificate says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Subject,
    CommonName,
    Issuer,
    /// The alternative names that begin so.
    Name(&'static str),
    Serial,
    Fingerprint,
    PublicKey,
}

impl Shown {
    pub(crate) fn compile(certificate: &CertificateMatch, faults: &mut Faults) -> Self {
        if certificate.kind == CertificateKind::Absent && !certificate.fields.is_empty() {
            faults.add(
                POINTER,
                "value_unused",
                "A certificate that is not there says nothing.",
                "Leave `fields` out, or choose `present`.",
            );
        }
        let mut fields = certificate.fields.clone();
        for (index, field) in fields.iter_mut().enumerate() {
            if let Some(detail) = fault(field) {
                faults.add(
                    format!("{POINTER}/{index}/value"),
                    "field_invalid",
                    detail,
                    "Write it as `openssl x509 -noout -subject -nameopt RFC2253 -fingerprint -sha256` does.",
                );
            }
            field.value = field.value.as_ref().map(|value| certificate_value(field, value));
        }
        Self {
            kind: certificate.kind,
            fields: tests(&fields, POINTER, part, faults),
        }
    }

    pub(crate) fn check(&self, shown: Option<&Facts>) -> Result<(), Miss> {
        let facts = match (self.kind, shown) {
            (CertificateKind::Absent, None) => return Ok(()),
            (CertificateKind::Present, Some(facts)) => facts,
            _ => return Err(Miss::Certificate),
        };
        for (index, test) in self.fields.iter().enumerate() {
            if !test.name.holds(test, facts) {
                return Err(Miss::CertificateField(index));
            }
        }
        Ok(())
    }
}

impl Part {
    fn holds(self, test: &Test<Self>, facts: &Facts) -> bool {
        let one = match self {
            Self::Subject => Some(&facts.subject),
            Self::CommonName => facts.common_name.as_ref(),
            Self::Issuer => Some(&facts.issuer),
            Self::Serial => Some(&facts.serial),
            Self::Fingerprint => Some(&facts.fingerprint_sha256),
            Self::PublicKey => Some(&facts.public_key_sha256),
            Self::Name(kind) => {
                let names = facts.names.iter();
                return test.holds(names.filter_map(|name| name.strip_prefix(kind)));
            }
        };
        test.holds(one.into_iter())
    }
}

/// What a condition cannot be compared with.
fn fault(field: &FieldMatch) -> Option<&'static str> {
    let value = field.value.as_deref()?;
    match (field.name.as_str(), field.kind) {
        ("subject" | "issuer", FieldKind::Exact) => dn::canonical(value)
            .is_none()
            .then_some("It is not a distinguished name, as `CN=api.example.com,O=Example`."),
        ("fingerprint_sha256" | "public_key_sha256", FieldKind::Exact) => {
            let digits = certificate_value(field, value);
            let is_digest =
                digits.len() == DIGEST_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            (!is_digest).then_some("It is not SHA-256 in hexadecimal: 64 digits.")
        }
        _ => None,
    }
}

fn part(name: &str) -> Result<Part, &'static str> {
    Ok(match name {
        "subject" => Part::Subject,
        "common_name" => Part::CommonName,
        "issuer" => Part::Issuer,
        "dns" => Part::Name("dns:"),
        "email" => Part::Name("email:"),
        "uri" => Part::Name("uri:"),
        "ip" => Part::Name("ip:"),
        "serial" => Part::Serial,
        "fingerprint_sha256" => Part::Fingerprint,
        "public_key_sha256" => Part::PublicKey,
        _ => {
            debug_assert!(!CERTIFICATE_FIELDS.contains(&name), "all fields are known here");
            return Err(
                "No certificate says this; there are subject, common_name, issuer, dns, email, uri, ip, serial, \
                 fingerprint_sha256 and public_key_sha256.",
            );
        }
    })
}

#[cfg(test)]
mod tests;
