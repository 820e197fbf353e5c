//! Access tokens: signed, checked, and the published key.

use domain::id::{OrganizationId, SessionId};
use domain::{Code, Timestamp};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Who our tokens are for.
const AUDIENCE: &str = "gateline";

/// Signs and reads access tokens: JWT (RFC 7519) with EdDSA over Ed25519.
pub(crate) struct Signer {
    header: Header,
    signing: EncodingKey,
    reading: DecodingKey,
    validation: Validation,
    issuer: String,
    keys: JwkSet,
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The control plane that made it. Not checked: its address may change, its key does not.
    pub(crate) iss: String,
    pub(crate) aud: String,
    /// The id of a user or client.
    pub(crate) sub: String,
    /// Seconds.
    pub(crate) exp: i64,
    /// Seconds.
    pub(crate) iat: i64,
    pub(crate) jti: String,
    /// The organization that calls are about unless they say another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) org: Option<OrganizationId>,
    /// The session it belongs to; with it ends the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<SessionId>,
}

impl Signer {
    pub(crate) fn new(key: &[u8], issuer: &str) -> Result<Self, Error> {
        let failed = |error| Error::internal("reading the signing key", error);
        let signing = EncodingKey::from_ed_der(key);
        let mut jwk = Jwk::from_encoding_key(&signing, Algorithm::EdDSA).map_err(failed)?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(failed)?;
        jwk.common.key_id = Some(id.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let reading = DecodingKey::from_jwk(&jwk).map_err(failed)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(id);
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "sub", "aud"]);
        // Checked below against our own clock.
        validation.validate_exp = false;
        Ok(Self {
            header,
            signing,
            reading,
            validation,
            issuer: issuer.to_owned(),
            keys: JwkSet { keys: vec![jwk] },
        })
    }

    /// The claims that every token has.
    pub(crate) fn claims(&self, subject: String, id: String, now: Timestamp, seconds: u64) -> Claims {
        let iat = now.as_seconds();
        Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: subject,
            exp: iat.saturating_add_unsigned(seconds),
            iat,
            jti: id,
            org: None,
            sid: None,
        }
    }

    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, Error> {
        jsonwebtoken::encode(&self.header, claims, &self.signing)
            .map_err(|error| Error::internal("signing a token", error))
    }

    /// Reads a token that we have signed and that has not expired.
    pub(crate) fn read(&self, token: &str, now: Timestamp) -> Result<Claims, Error> {
        let claims: Claims = jsonwebtoken::decode(token, &self.reading, &self.validation)
            .map_err(|_| invalid())?
            .claims;
        if claims.exp <= now.as_seconds() {
            return Err(Error::refused(
                Code::TokenExpired,
                "The access token has expired.",
            ));
        }
        Ok(claims)
    }

    /// The public keys (RFC 7517).
    pub(crate) fn keys(&self) -> &JwkSet {
        &self.keys
    }
}

pub(crate) fn invalid() -> Error {
    Error::refused(
        Code::TokenInvalid,
        "The access token is not one of ours, was changed, or was revoked.",
    )
}
