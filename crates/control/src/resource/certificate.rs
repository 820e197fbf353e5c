//! Certificates that gateways show.

use domain::certificate::{Acme, Certificate, CertificateSpec, ClientAuth, OrderState, Pem};
use domain::code::Code;
use domain::id::{CertificateId, WorkspaceId};
use domain::traffic::Route;
use domain::{Name, Timestamp};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use store::entity::{self, Read};
use store::{Tx, certificate};
use url::Url;

use super::fault::Faults;
use super::{New, Resource, api, own, stream};
use crate::secret::Secrets;
use crate::{Caller, Control, Error};
use routing::{certificate_serves, normal_host};

/// The most hosts of a certificate.
const HOSTS_MAX: usize = 100;
/// The most mail addresses of an account at an ACME server.
const CONTACTS_MAX: usize = 10;
/// The most characters of a URL or mail address.
const TEXT_MAX: usize = 2000;
/// The most bytes of a private key in PEM.
const KEY_BYTES_MAX: usize = 64 * 1024;

/// What is kept apart from the row: nothing that shows the row can show it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Material {
    /// The certificates in PEM, the hosts' own first.
    pub(crate) chain: String,
    /// The private key in PEM.
    pub(crate) key: String,
}

impl Material {
    /// Seals it for the database.
    pub(crate) fn seal(&self, secrets: &Secrets, id: CertificateId) -> Result<Vec<u8>, Error> {
        let text = serde_json::to_vec(self).map_err(|error| Error::internal("sealing a key", error))?;
        secrets.seal(id.to_string().as_bytes(), &text)
    }

    /// Opens what was sealed; `None` if it was sealed with other secrets.
    pub(crate) fn open(secrets: &Secrets, id: CertificateId, sealed: &[u8]) -> Option<Self> {
        let text = secrets.unseal(id.to_string().as_bytes(), sealed)?;
        serde_json::from_slice(&text).ok()
    }
}

impl Resource for Certificate {
    type Spec = CertificateSpec;
    type Parent = WorkspaceId;
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, parent: &WorkspaceId, spec: CertificateSpec) -> Self {
        Self {
            id: CertificateId::new(new.uuid),
            organization_id: new.organization,
            workspace_id: *parent,
            spec,
            facts: None,
            order: None,
            sealed: None,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &CertificateSpec {
        &self.spec
    }

    fn with(&self, spec: CertificateSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn workspace(&self, _: &mut (impl Read + Send)) -> Result<Option<WorkspaceId>, Error> {
        Ok(Some(self.workspace_id))
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        let environment = own::has_environment(tx, caller, &self.spec.environment).await?;
        faults.reference("/environment", "environment", environment.then_some(()));
        hosts(&mut faults, &mut self.spec.hosts);
        if let Some(auth) = &self.spec.client_auth {
            client_auth(&mut faults, auth);
        }
        match (&self.spec.pem, &mut self.spec.acme) {
            (Some(_), None) => self.check_pem(&mut faults, before),
            (None, Some(acme)) => {
                acme_server(&mut faults, acme, &self.spec.hosts);
                self.order(before);
            }
            _ => faults.add(
                "/pem",
                "field_missing",
                "Exactly one of `pem` and `acme` says where the certificate comes from.",
                "Give one of them, and null for the other one if it is there.",
            ),
        }
        faults.finish_as(Code::CertificateInvalid)?;
        if before.is_none() {
            api::workspace(tx, caller, self.workspace_id).await?;
        }
        free(tx, caller, self).await?;
        unserved(tx, self, before).await
    }

    fn keep_secrets(&mut self, secrets: &Secrets) -> Result<(), Error> {
        if let Some(pem) = &mut self.spec.pem
            && let Some(key) = pem.private_key.take()
        {
            let chain = pem.chain.clone();
            self.sealed = Some(Material { chain, key }.seal(secrets, self.id)?);
        }
        Ok(())
    }

    async fn written(&self, _: &Control, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        certificate::write_hosts(tx, self).await?;
        if let Some(sealed) = &self.sealed {
            certificate::write_key(tx, self.id, sealed.clone()).await?;
        }
        match &self.order {
            None => certificate::unschedule(tx, self.id).await?,
            Some(order) if order.next_at == Some(self.updated_at) => {
                certificate::schedule(tx, self, self.updated_at).await?;
            }
            // Nothing about the order was changed; perhaps somebody works on it.
            Some(_) => {}
        }
        Ok(())
    }
}

/// What is checked of one that was made elsewhere.
trait CheckPem {
    fn check_pem(&mut self, faults: &mut Faults, before: Option<&Certificate>);
    fn order(&mut self, before: Option<&Certificate>);
}

impl CheckPem for Certificate {
    /// Wants chain, key and hosts to fit together, and the certificate to hold now.
    fn check_pem(&mut self, faults: &mut Faults, before: Option<&Certificate>) {
        self.order = None;
        let Some(pem) = &self.spec.pem else { return };
        let chain = match pki::chain(&pem.chain) {
            Ok(chain) => chain,
            Err(error) => return fault(faults, "/pem/chain", &error),
        };
        let Some(facts) = pki::facts(&chain[0]) else {
            return;
        };
        let is_kept = pem.private_key.is_none();
        let known = before.and_then(|before| before.facts.as_ref());
        if !is_kept {
            check_key(faults, pem, chain);
        } else if known.is_none_or(|known| known.public_key_sha256 != facts.public_key_sha256) {
            faults.add(
                "/pem/private_key",
                "field_missing",
                "There is no private key for this certificate yet.",
                "Give the private key that belongs to its public key.",
            );
        }
        let now = self.updated_at;
        if facts.not_after <= now || facts.not_before > now {
            let detail = format!("It holds from {} to {}.", facts.not_before, facts.not_after);
            let advice = "Give a certificate that holds now.";
            faults.add("/pem/chain", "certificate_expired", detail, advice);
        }
        for (index, host) in self.spec.hosts.iter().enumerate() {
            if !pki::covers(&facts.names, host) {
                let detail = format!(
                    "The certificate is not for `{host}` but for {}.",
                    facts.names.join(", ")
                );
                let advice = "Remove the host, or give a certificate with this alternative name.";
                faults.add(&format!("/hosts/{index}"), "host_not_covered", detail, advice);
            }
        }
        self.facts = Some(facts);
    }

    /// Orders one, unless what is there is as it should be.
    fn order(&mut self, before: Option<&Certificate>) {
        let is_as_before = before.is_some_and(|before| {
            before.spec.acme.as_ref().map(|acme| &acme.directory_url)
                == self.spec.acme.as_ref().map(|acme| &acme.directory_url)
                && before.spec.environment == self.spec.environment
        });
        let covers = self
            .facts
            .as_ref()
            .is_some_and(|facts| self.spec.hosts.iter().all(|host| pki::covers(&facts.names, host)));
        if is_as_before && covers {
            return;
        }
        self.order = Some(OrderState {
            next_at: Some(self.updated_at),
            failures: 0,
            error: None,
        });
    }
}

fn check_key(faults: &mut Faults, pem: &Pem, chain: Vec<CertificateDer<'static>>) {
    let text = pem.private_key.as_deref().unwrap_or_default();
    if text.len() > KEY_BYTES_MAX {
        let detail = format!("It has more than {KEY_BYTES_MAX} bytes.");
        return faults.add("/pem/private_key", "field_too_long", detail, "Give one key.");
    }
    if let Err(error) = pki::key(text).and_then(|key| pki::pair(chain, key)) {
        fault(faults, "/pem/private_key", &error);
    }
}

/// Says what is wrong with a text in PEM; never what stands in it.
fn fault(faults: &mut Faults, pointer: &str, error: &pki::Error) {
    let mut detail = error.to_string();
    if let Some(first) = detail.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    faults.add(
        pointer,
        "certificate_invalid",
        format!("{detail}."),
        "Give PEM text as a certificate authority or `openssl` writes it.",
    );
}

fn hosts(faults: &mut Faults, hosts: &mut [String]) {
    faults.count("/hosts", hosts.len(), 1, HOSTS_MAX);
    for index in 0..hosts.len().min(HOSTS_MAX) {
        let pointer = format!("/hosts/{index}");
        let (wildcard, name) = match hosts[index].strip_prefix("*.") {
            Some(name) => ("*.", name),
            None => ("", hosts[index].as_str()),
        };
        match normal_host(name) {
            Ok(normal) if !normal.contains('*') && (wildcard.is_empty() || normal.contains('.')) => {
                hosts[index] = format!("{wildcard}{normal}");
            }
            Ok(_) => faults.add(
                &pointer,
                "host_invalid",
                "No certificate has such a wildcard.",
                "Write one `*.` and at least two labels after it.",
            ),
            Err(detail) => faults.add(
                &pointer,
                "host_invalid",
                detail,
                "Write a DNS name without port, as `api.example.com` or `*.example.com`.",
            ),
        }
        if hosts[..index].contains(&hosts[index]) {
            faults.add(
                &pointer,
                "field_twice",
                "The host stands there twice.",
                "Remove one.",
            );
        }
    }
}

fn client_auth(faults: &mut Faults, auth: &ClientAuth) {
    if let Err(error) = pki::authorities(&auth.authorities) {
        fault(faults, "/client_auth/authorities", &error);
    }
}

fn acme_server(faults: &mut Faults, acme: &mut Acme, hosts: &[String]) {
    match Url::parse(acme.directory_url.trim()) {
        Ok(url) if url.scheme() == "https" && url.host().is_some() && url.as_str().len() <= TEXT_MAX => {
            acme.directory_url = url.into();
        }
        _ => faults.add(
            "/acme/directory_url",
            "url_invalid",
            "It is no URL of an ACME directory.",
            "Write it as `https://acme-v02.api.letsencrypt.org/directory`.",
        ),
    }
    if !acme.terms_agreed {
        faults.add(
            "/acme/terms_agreed",
            "terms_not_agreed",
            "Nothing can be ordered before you agree to the server's terms of service.",
            "Read them and set it to true.",
        );
    }
    faults.count("/acme/contacts", acme.contacts.len(), 0, CONTACTS_MAX);
    for (index, contact) in acme.contacts.iter().take(CONTACTS_MAX).enumerate() {
        let is_address = contact.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && normal_host(host).is_ok() && !contact.contains([' ', ',', '?', ':', '*'])
        });
        if !is_address || !contact.is_ascii() || contact.len() > TEXT_MAX {
            faults.add(
                &format!("/acme/contacts/{index}"),
                "field_invalid",
                "It is not a mail address.",
                "Write it as `ops@example.com`.",
            );
        }
    }
    if let Some(authorities) = &acme.authorities
        && let Err(error) = pki::authorities(authorities)
    {
        fault(faults, "/acme/authorities", &error);
    }
    for (index, host) in hosts
        .iter()
        .enumerate()
        .filter(|(_, host)| host.starts_with("*."))
    {
        let detail = format!("ACME servers give no certificate for `{host}` without a challenge over DNS.");
        let advice = "Name the hosts one by one, or bring a certificate as `pem`.";
        faults.add(&format!("/hosts/{index}"), "host_invalid", detail, advice);
    }
}

/// Refuses with the certificate in the way, if it is one that the caller may see.
async fn free(tx: &mut Tx, caller: &Caller, it: &Certificate) -> Result<(), Error> {
    // Of two that are saved at once, the later one has to see the other.
    tx.lock_snapshot().await?;
    let environment: &Name = &it.spec.environment;
    for host in &it.spec.hosts {
        stream::not_passed_on(tx, caller, environment, host, true).await?;
        let other = certificate::of_host(tx, environment, host).await?;
        let Some(other) = other.filter(|other| *other != it.id) else {
            continue;
        };
        let other = entity::find_id::<Certificate>(tx, other).await?;
        let organization = caller.organization()?;
        let own = other.filter(|other| other.organization_id == organization);
        let whose = own.map_or_else(
            || "A certificate of another organization".to_owned(),
            |other| format!("The certificate `{}`", other.spec.name),
        );
        let detail = format!("{whose} is shown for `{host}` in `{environment}` already.");
        return Err(Error::refused(Code::HostTaken, detail));
    }
    Ok(())
}

/// Refuses hosts that are added where another organization has a route or a certificate.
///
/// Who says what is shown for a host and asked of its clients can keep all of them away. A host that was there is
/// not looked at: what others have saved since must not hold a change of something else up.
async fn unserved(tx: &mut Tx, it: &Certificate, before: Option<&Certificate>) -> Result<(), Error> {
    let environment = &it.spec.environment;
    let known = before.filter(|before| before.spec.environment == *environment);
    let known = known.map_or(&[][..], |before| before.spec.hosts.as_slice());
    if it.spec.hosts.iter().all(|host| known.contains(host)) {
        return Ok(());
    }
    let (own, routed) = certificate::hosts_routed(tx, environment, it.organization_id).await?;
    let shown = certificate::hosts_of_others(tx, environment, it.organization_id).await?;
    let mut faults = Faults::default();
    for (index, host) in it.spec.hosts.iter().enumerate() {
        let what = if known.contains(host) {
            continue;
        } else if routed.iter().any(|route| holds(route, &own, host)) {
            "a route of another organization takes calls for"
        } else if shown.iter().any(|other| share_names(host, other)) {
            "a certificate of another organization is shown for"
        } else {
            continue;
        };
        taken(&mut faults, &format!("/hosts/{index}"), (environment, what, host));
    }
    faults.finish_as(Code::HostTaken)
}

/// Whether another organization's route takes calls for a host: not those that go to the own route of just that host,
/// which is nearer than a wildcard.
fn holds(route: &str, own: &[String], host: &str) -> bool {
    let is_nearer = route.starts_with('*') && !host.starts_with('*') && own.iter().any(|own| own == host);
    certificate_serves(host, route) && !is_nearer
}

/// Refuses a route at a host, unless it was there, that another organization's certificate is shown for.
pub(crate) async fn not_served(tx: &mut Tx, route: &Route, before: Option<&Route>) -> Result<(), Error> {
    let spec = &route.spec;
    let is_known = before
        .is_some_and(|before| before.spec.host == spec.host && before.spec.environment == spec.environment);
    let Some(host) = spec.host.as_deref().filter(|_| !is_known) else {
        return Ok(());
    };
    let shown = certificate::hosts_of_others(tx, &spec.environment, route.organization_id).await?;
    let mut faults = Faults::default();
    if shown.iter().any(|other| certificate_serves(other, host)) {
        let what = "a certificate of another organization is shown for";
        taken(&mut faults, "/host", (&spec.environment, what, host));
    }
    faults.finish_as(Code::HostTaken)
}

fn taken(faults: &mut Faults, pointer: &str, (environment, what, host): (&Name, &str, &str)) {
    faults.add(
        pointer,
        "host_taken",
        format!("In `{environment}`, {what} `{host}`."),
        "Name a host that is yours alone.",
    );
}

/// Whether some name is one of both hosts, as certificates have them.
fn share_names(one: &str, other: &str) -> bool {
    let below = |name: &str, wildcard: &str| !name.starts_with('*') && certificate_serves(wildcard, name);
    one == other || below(one, other) || below(other, one)
}

#[cfg(test)]
mod tests;
