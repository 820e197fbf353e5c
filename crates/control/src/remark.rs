//! What is worth knowing of things that are valid.

use domain::certificate::Certificate;
use domain::finding::{Finding, Severity};
use domain::routing::CertificateKind;
use domain::traffic::{Route, RouteSpec};
use store::entity::{self, Condition, Read};
use store::{Arg, certificate};

use crate::{Control, Error};

impl Control {
    /// What is worth knowing of a route beside that it is valid.
    pub async fn remarks(&self, route: &Route) -> Result<Vec<Finding>, Error> {
        let asked = route.spec.matches.client_certificate.as_ref();
        if asked.is_none_or(|asked| asked.kind == CertificateKind::Absent) {
            return Ok(Vec::new());
        }
        let asks = match route.spec.host.as_deref().filter(|host| !host.starts_with("*.")) {
            Some(host) => asks_at(&mut self.store(), &route.spec, host).await?,
            None => asks_anywhere(&mut self.store(), route).await?,
        };
        Ok((!asks).then(never_asked).into_iter().collect())
    }
}

/// Whether the certificate of a host asks clients for theirs.
async fn asks_at(read: &mut impl Read, spec: &RouteSpec, host: &str) -> Result<bool, Error> {
    let wildcard = host.split_once('.').map(|(_, parent)| format!("*.{parent}"));
    for host in [Some(host.to_owned()), wildcard].into_iter().flatten() {
        let Some(id) = certificate::of_host(read, &spec.environment, &host).await? else {
            continue;
        };
        let found = entity::find_id::<Certificate>(read, id).await?;
        return Ok(found.is_some_and(|found| found.spec.client_auth.is_some()));
    }
    Ok(false)
}

/// Whether any certificate of the organization does, for hosts that the route may answer at.
async fn asks_anywhere(read: &mut (impl Read + Send), route: &Route) -> Result<bool, Error> {
    let own = [
        Condition::Is("organization_id", Arg::text(route.organization_id)),
        Condition::Is("environment", Arg::text(&route.spec.environment)),
    ];
    let suffix = route.spec.host.as_deref().and_then(|host| host.strip_prefix('*'));
    let certificates = entity::all::<Certificate>(read, &own).await?;
    let mut asking = certificates.iter().filter(|one| one.spec.client_auth.is_some());
    Ok(asking.any(|one| {
        let mut hosts = one.spec.hosts.iter();
        hosts.any(|host| suffix.is_none_or(|suffix| host.ends_with(suffix)))
    }))
}

fn never_asked() -> Finding {
    Finding {
        severity: Severity::Warning,
        code: "client_certificate_never_asked".to_owned(),
        pointer: "/match/client_certificate".to_owned(),
        line: 0,
        column: 0,
        detail: "No certificate for the route's host asks clients for theirs, so no call has one.".to_owned(),
        suggestion:
            "Give the host's certificate `client_auth`; where nodes show a certificate of their own, their \
                     setting `gateway.client_certificates` does the same."
                .to_owned(),
    }
}
