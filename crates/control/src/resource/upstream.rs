//! Upstreams and their targets.

use domain::Timestamp;
use domain::id::{UpstreamId, WorkspaceId};
use domain::traffic::{Resolve, Target, Upstream, UpstreamSpec};
use store::Tx;
use store::entity::Read;
use url::{Host, Url};

use super::fault::{Faults, in_use};
use super::{New, Resource, api, route};
use crate::{Caller, Error};

mod rules;

/// The most targets of an upstream.
const TARGETS_MAX: usize = 64;
/// The most characters of a target's URL.
const URL_MAX: usize = 2000;
/// The greatest weight of a target.
const WEIGHT_MAX: u32 = 1000;
/// The greatest number of a target's priority.
const PRIORITY_MAX: u8 = 9;

impl Resource for Upstream {
    type Spec = UpstreamSpec;
    type Parent = WorkspaceId;
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, parent: &WorkspaceId, spec: UpstreamSpec) -> Self {
        Self {
            id: UpstreamId::new(new.uuid),
            organization_id: new.organization,
            workspace_id: *parent,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &UpstreamSpec {
        &self.spec
    }

    fn with(&self, spec: UpstreamSpec, now: Timestamp) -> Self {
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
        targets(&mut faults, &mut self.spec.targets);
        rules::check(&mut faults, &self.spec);
        faults.finish()?;
        if before.is_none() {
            api::workspace(tx, caller, self.workspace_id).await?;
        }
        Ok(())
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        // A route that is saved at the same time is seen here, or does not see the upstream any more.
        tx.lock_snapshot().await?;
        let routes = route::to(tx, self.organization_id, self.id).await?;
        let users: Vec<_> = routes
            .iter()
            .map(|route| format!("route {} ({})", route.id, route.spec.base_path))
            .collect();
        in_use(&users)
    }
}

fn targets(faults: &mut Faults, targets: &mut [Target]) {
    faults.count("/targets", targets.len(), 1, TARGETS_MAX);
    for (index, target) in targets.iter_mut().take(TARGETS_MAX).enumerate() {
        let pointer = format!("/targets/{index}/url");
        match target_url(&target.url) {
            Ok(url) => target.url = url,
            Err(detail) => faults.add(
                &pointer,
                "url_invalid",
                detail,
                "Write it as `http://127.0.0.1:9000/base`: scheme, host, and port and path if needed.",
            ),
        }
        faults.range(&format!("/targets/{index}/weight"), target.weight, 1, WEIGHT_MAX);
        if let Some((detail, suggestion)) = wrong_name(target) {
            faults.add(
                &format!("/targets/{index}/resolve"),
                "combination_invalid",
                detail,
                suggestion,
            );
        }
        let priority = format!("/targets/{index}/priority");
        faults.range(&priority, target.priority, 0, PRIORITY_MAX);
    }
}

/// Why the host of a target's URL cannot be looked up as it says, if so, and what to do.
fn wrong_name(target: &Target) -> Option<(&'static str, &'static str)> {
    let url = Url::parse(&target.url).ok()?;
    match (target.resolve, url.host()?) {
        (Resolve::System, _) => None,
        (_, Host::Ipv4(_) | Host::Ipv6(_)) => Some((
            "Its host is an address, which is not looked up.",
            "Remove it, or write a name.",
        )),
        (Resolve::Srv, _) if url.port().is_some() => Some((
            "The records of a service say the port.",
            "Remove the port from the URL.",
        )),
        _ => None,
    }
}

/// The normal form of a target's URL, without a slash at the end; or what is wrong with it.
pub(crate) fn target_url(text: &str) -> Result<String, String> {
    if text.len() > URL_MAX {
        return Err(format!("It has more than {URL_MAX} characters."));
    }
    let url = Url::parse(text.trim()).map_err(|error| format!("It is not a URL: {error}."))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` is not spoken to upstreams.", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "Credentials do not belong into it: everybody who may read it would see them.".to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("A query or fragment has no meaning in it.".to_owned());
    }
    match url.host() {
        None => return Err("It has no host.".to_owned()),
        Some(Host::Domain("")) => return Err("Its host is empty.".to_owned()),
        Some(Host::Domain(host)) if !host.chars().all(is_of_name) => {
            return Err("Its host is not a name.".to_owned());
        }
        Some(_) => {}
    }
    if url.port() == Some(0) {
        return Err("Port 0 cannot be connected to.".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Underscores are in no host name (RFC 1123), but in names that container networks give.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._".contains(character)
}
