//! Upstreams and their targets.

use std::net::IpAddr;
use std::path::{Component, Path};

use domain::Timestamp;
use domain::id::{UpstreamId, WorkspaceId};
use domain::stream::StreamRoute;
use domain::traffic::{Resolve, Target, Upstream, UpstreamSpec};
use domain::upstream::STREAM_SCHEME;
use store::entity::{self, Condition, Read};
use store::{Arg, Tx};
use url::{Host, Url};

use super::fault::{Faults, in_use};
use super::{New, Resource, api, route};
use crate::{Caller, Error};

mod rules;

/// The most targets of an upstream.
const TARGETS_MAX: usize = 64;
/// The most characters of the path of a file.
const FILE_MAX: usize = 500;
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
        match &self.spec.targets_file {
            None => targets(&mut faults, &mut self.spec.targets),
            Some(file) => listed(&mut faults, file, &self.spec.targets),
        }
        rules::check(&mut faults, &self.spec);
        faults.finish()?;
        match before {
            None => api::workspace(tx, caller, self.workspace_id).await?,
            Some(before) if before.spec.is_stream() != self.spec.is_stream() => {
                // Whoever uses it could not go on.
                tx.lock_snapshot().await?;
                in_use(&users(tx, before).await?)?;
            }
            Some(_) => {}
        }
        Ok(())
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        // A route that is saved at the same time is seen here, or does not see the upstream any more.
        tx.lock_snapshot().await?;
        in_use(&users(tx, self).await?)
    }
}

/// The routes of either kind that lead to an upstream.
async fn users(tx: &mut Tx, upstream: &Upstream) -> Result<Vec<String>, Error> {
    let routes = route::to(tx, upstream.organization_id, upstream.id).await?;
    let using = [Condition::Is("upstream_id", Arg::text(upstream.id))];
    let streams = entity::all::<StreamRoute>(tx, &using).await?;
    let routes = routes
        .iter()
        .map(|route| format!("route {} ({})", route.id, route.spec.base_path));
    let streams = streams
        .iter()
        .map(|stream| format!("stream route `{}`", stream.spec.name));
    Ok(routes.chain(streams).collect())
}

/// Wants a file below the nodes' directory, and no other targets beside it.
fn listed(faults: &mut Faults, file: &str, targets: &[Target]) {
    let is_below = Path::new(file)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if file.is_empty() || file.len() > FILE_MAX || !is_below || file.chars().any(char::is_control) {
        faults.add(
            "/targets_file",
            "field_invalid",
            "It is no path below a directory.",
            "Write where the file is below the nodes' `gateway.targets_directory`, as `shop.yaml`.",
        );
    }
    if !targets.is_empty() {
        faults.add(
            "/targets",
            "combination_invalid",
            "The targets stand in a file.",
            "Leave them out, or leave `targets_file` out.",
        );
    }
}

fn targets(faults: &mut Faults, targets: &mut [Target]) {
    faults.count("/targets", targets.len(), 1, TARGETS_MAX);
    let streams = targets
        .iter()
        .filter(|target| target.url.trim().starts_with(STREAM_SCHEME));
    if !matches!(streams.count(), count if count == 0 || count == targets.len()) {
        faults.add(
            "/targets",
            "combination_invalid",
            "Some are at `tcp://`, others are not.",
            "Make one upstream for stream routes and another one for routes.",
        );
    }
    for (index, target) in targets.iter_mut().take(TARGETS_MAX).enumerate() {
        let pointer = format!("/targets/{index}/url");
        match target_url(&target.url) {
            Ok(url) => target.url = url,
            Err(detail) => faults.add(
                &pointer,
                "url_invalid",
                detail,
                "Write it as `http://127.0.0.1:9000/base`: scheme, host, and port and path if needed; for stream routes as `tcp://127.0.0.1:5432`.",
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
    // What is at `tcp://` is a name to this reader, whatever it is.
    let is_address = |host: &str| host.parse::<IpAddr>().is_ok();
    match (target.resolve, url.host()?) {
        (Resolve::System, _) => None,
        (_, Host::Domain(host)) if is_address(host) => Some((
            "Its host is an address, which is not looked up.",
            "Remove it, or write a name.",
        )),
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
    let is_stream = url.scheme() == "tcp";
    if !is_stream && !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` is not spoken to upstreams.", url.scheme()));
    }
    if is_stream && (url.port().is_none() || !matches!(url.path(), "" | "/")) {
        return Err("At `tcp://` there are a host and a port, and no path.".to_owned());
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
        Some(Host::Domain(host)) if !host.chars().all(is_of_name) || (is_stream && host.len() > 253) => {
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
