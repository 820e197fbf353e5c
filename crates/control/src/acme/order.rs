//! One order at an ACME server, from the account to the certificate.

use std::time::Duration;

use aws_lc_rs::digest;
use domain::certificate::{Acme, AcmeChallenge, Certificate};
use domain::snapshot::Challenge;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use pki::SealKey;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use store::certificate;

use super::{Failure, http};
use crate::resource::certificate::Material;
use crate::{Control, Error};

/// How long the server has for its checks and for the certificate, each.
const PATIENCE: Duration = Duration::from_secs(90);

impl Control {
    /// Orders a certificate; chain and key when the server has signed it.
    pub(super) async fn order(&self, certificate: &Certificate, acme: &Acme) -> Result<Material, Failure> {
        let account = self.account(certificate, acme).await?;
        let hosts = certificate.spec.hosts.iter().cloned();
        let identifiers: Vec<_> = hosts.map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
        let retries = RetryPolicy::new().timeout(PATIENCE);
        if order.state().status == OrderStatus::Pending {
            let challenges = self.challenges(&mut order, acme.challenge).await?;
            self.publish(certificate, &challenges).await?;
            answer(&mut order, acme.challenge).await?;
            let ready = order.poll_ready(&retries).await;
            if !matches!(ready, Ok(OrderStatus::Ready)) {
                return Err(why(&mut order, ready.err()).await);
            }
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&retries).await?;
        Ok(Material { chain, key })
    }

    /// The organization's account at the server; opened with the first order.
    async fn account(&self, certificate: &Certificate, acme: &Acme) -> Result<Account, Failure> {
        let organization = certificate.organization_id;
        let name = account_name(acme);
        let context = format!("acme-account {organization} {name}");
        let http = || http::Client::new(acme.authorities.as_deref());
        if let Some(sealed) = certificate::account(&mut self.store(), organization, &name).await?
            && let Some(text) = self.secrets().unseal(context.as_bytes(), &sealed)
        {
            let credentials: AccountCredentials = serde_json::from_slice(&text)
                .map_err(|error| Error::internal("reading the credentials of an account", error))?;
            let builder = Account::builder_with_http(Box::new(http()?));
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contacts: Vec<_> = acme
            .contacts
            .iter()
            .map(|address| format!("mailto:{address}"))
            .collect();
        let contacts: Vec<_> = contacts.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contacts,
            terms_of_service_agreed: acme.terms_agreed,
            only_return_existing: false,
        };
        let builder = Account::builder_with_http(Box::new(http()?));
        let (account, credentials) = builder.create(&new, acme.directory_url.clone(), None).await?;
        let text = serde_json::to_vec(&credentials)
            .map_err(|error| Error::internal("writing the credentials of an account", error))?;
        let sealed = self.secrets().seal(context.as_bytes(), &text)?;
        let mut tx = self.store().begin().await?;
        certificate::write_account(&mut tx, organization, &name, sealed).await?;
        tx.commit().await?;
        Ok(account)
    }

    /// What the server will look for.
    async fn challenges(&self, order: &mut Order, kind: AcmeChallenge) -> Result<Vec<Challenge>, Failure> {
        let seal = SealKey::of(self.secrets().cluster_token());
        let mut challenges = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let host = authorization.identifier().to_string();
            let challenge = authorization.challenge(kind_of(kind));
            let challenge = challenge.ok_or_else(|| Failure::NoChallenge { host: host.clone() })?;
            let authorization = challenge.key_authorization();
            challenges.push(match kind {
                AcmeChallenge::Http01 => Challenge::Http {
                    host,
                    token: challenge.token.clone(),
                    key_authorization: authorization.as_str().to_owned(),
                },
                AcmeChallenge::TlsAlpn01 => {
                    let (chain, key) =
                        proof(&host, authorization.digest().as_ref()).map_err(Failure::Check)?;
                    let sealed = seal.seal(&host, &key);
                    Challenge::TlsAlpn {
                        sealed_key: sealed.map_err(|error| Error::internal("sealing a key", error))?,
                        chain,
                        host,
                    }
                }
            });
        }
        Ok(challenges)
    }
}

/// Asks the server to look.
async fn answer(order: &mut Order, kind: AcmeChallenge) -> Result<(), Failure> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Pending
            && let Some(mut challenge) = authorization.challenge(kind_of(kind))
        {
            challenge.set_ready().await?;
        }
    }
    Ok(())
}

/// What the server says of the hosts that it did not find to be ours.
async fn why(order: &mut Order, error: Option<instant_acme::Error>) -> Failure {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        // What was kept is from before the check.
        if authorization.refresh().await.is_err() {
            break;
        }
        let host = authorization.identifier().to_string();
        let problems = authorization
            .challenges
            .iter()
            .filter_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problems.into_iter().next() {
            let detail = problem.detail.clone().unwrap_or_else(|| problem.to_string());
            return Failure::Challenge { host, detail };
        }
    }
    error.map_or(Failure::Late, Failure::Server)
}

const fn kind_of(kind: AcmeChallenge) -> ChallengeType {
    match kind {
        AcmeChallenge::Http01 => ChallengeType::Http01,
        AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
    }
}

/// A certificate that proves to the server that a host is ours: RFC 8737 section 3.
fn proof(host: &str, digest: &[u8]) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new([host.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// What tells accounts of an organization apart.
fn account_name(acme: &Acme) -> String {
    let text = format!("{}\n{}", acme.directory_url, acme.contacts.join("\n"));
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
