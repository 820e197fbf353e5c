//! Stream routes: connections that pass without being read.

use domain::Timestamp;
use domain::certificate::Certificate;
use domain::code::Code;
use domain::id::{StreamRouteId, WorkspaceId};
use domain::stream::{StreamRoute, StreamRouteSpec};
use domain::traffic::{Route, Upstream};
use routing::rules;
use store::entity::{self, Condition, Read};
use store::stream::{self, Holder};
use store::{Arg, Tx};

use super::fault::Faults;
use super::{New, Resource, api, own};
use crate::{Caller, Control, Error};

impl Resource for StreamRoute {
    type Spec = StreamRouteSpec;
    type Parent = WorkspaceId;
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, parent: &WorkspaceId, spec: StreamRouteSpec) -> Self {
        Self {
            id: StreamRouteId::new(new.uuid),
            organization_id: new.organization,
            workspace_id: *parent,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &StreamRouteSpec {
        &self.spec
    }

    fn with(&self, spec: StreamRouteSpec, now: Timestamp) -> Self {
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

    async fn reaches(
        &self,
        read: &mut (impl Read + Send),
        before: Option<&Self>,
    ) -> Result<Vec<WorkspaceId>, Error> {
        if before.is_some_and(|before| before.spec.upstream_id == self.spec.upstream_id) {
            return Ok(Vec::new());
        }
        let own = [
            Condition::Is("id", Arg::text(self.spec.upstream_id)),
            Condition::Is("organization_id", Arg::text(self.organization_id)),
        ];
        let upstream = entity::find::<Upstream>(read, &own).await?;
        Ok(upstream
            .into_iter()
            .map(|upstream| upstream.workspace_id)
            .collect())
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        // Of two that are saved at once, the later one has to see the other; of one and its upstream as well.
        tx.lock_snapshot().await?;
        let mut faults = Faults::default();
        let spec = &mut self.spec;
        let environment = own::has_environment(tx, caller, &spec.environment).await?;
        faults.reference("/environment", "environment", environment.then_some(()));
        let upstream = own::by_id::<Upstream>(tx, caller, spec.upstream_id).await?;
        if let Some(upstream) = faults.reference("/upstream_id", "upstream", upstream)
            && !upstream.spec.is_stream()
        {
            faults.add(
                "/upstream_id",
                "combination_invalid",
                format!("The targets of `{}` are services of HTTP.", upstream.spec.name),
                "Name an upstream whose targets are at `tcp://`, or use a route.",
            );
        }
        let bounds = (spec.idle_ms, spec.connections_max);
        faults.found(rules::stream(spec.port, &mut spec.hosts, bounds));
        faults.finish()?;
        if before.is_none() {
            api::workspace(tx, caller, self.workspace_id).await?;
        }
        free(tx, caller, self).await
    }

    async fn written(&self, _: &Control, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        Ok(stream::write_hosts(tx, self).await?)
    }
}

/// Refuses with what is in the way, as far as the caller may see it.
///
/// A host belongs to one organization, whether it is read or passed on: another could take its connections away.
async fn free(tx: &mut Tx, caller: &Caller, it: &StreamRoute) -> Result<(), Error> {
    let rest = it.spec.hosts.is_empty().then_some("");
    for host in it.spec.hosts.iter().map(String::as_str).chain(rest) {
        let holders = stream::holders(tx, &it.spec.environment, host).await?;
        let in_the_way = |holder: &&Holder| {
            holder.route != it.id
                && (holder.port == it.spec.port
                    || !host.is_empty() && holder.organization != it.organization_id)
        };
        if let Some(holder) = holders.iter().find(in_the_way) {
            let other = entity::find_id::<StreamRoute>(tx, holder.route).await?;
            let organization = caller.organization()?;
            let own = other.filter(|other| other.organization_id == organization);
            let whose = own.map_or_else(
                || "a stream route of another organization".to_owned(),
                |other| format!("the stream route `{}`", other.spec.name),
            );
            return Err(taken(it, host, &whose));
        }
        if !host.is_empty() {
            unread(tx, it, host).await?;
        }
    }
    Ok(())
}

/// Wants a host not to be another organization's, and not to have a certificate that would never be shown.
async fn unread(tx: &mut Tx, it: &StreamRoute, host: &str) -> Result<(), Error> {
    let conditions = [
        Condition::Is("environment", Arg::text(&it.spec.environment)),
        Condition::Is("host", Arg::text(host)),
    ];
    let routes = entity::all::<Route>(tx, &conditions).await?;
    if routes
        .iter()
        .any(|route| route.organization_id != it.organization_id)
    {
        return Err(taken(it, host, "a route of another organization"));
    }
    let Some(certificate) = store::certificate::of_host(tx, &it.spec.environment, host).await? else {
        return Ok(());
    };
    match entity::find_id::<Certificate>(tx, certificate).await? {
        Some(other) if other.organization_id != it.organization_id => {
            Err(taken(it, host, "a certificate of another organization"))
        }
        // At other ports it is shown.
        Some(other) if it.spec.port.is_none() => {
            let whose = format!(
                "the certificate `{}`, which would never be shown,",
                other.spec.name
            );
            Err(taken(it, host, &whose))
        }
        _ => Ok(()),
    }
}

fn taken(it: &StreamRoute, host: &str, whose: &str) -> Error {
    let port = it.spec.port.map_or_else(String::new, |port| format!(":{port}"));
    let what = if host.is_empty() { "what comes to" } else { "" };
    let place = format!("{what} `{host}{port}`").trim_start().to_owned();
    let detail = format!("In `{}`, {whose} has {place} already.", it.spec.environment);
    Error::refused(Code::HostTaken, detail)
}

/// Refuses if another organization passes connections to a host on without reading them.
pub(crate) async fn not_passed_on(
    tx: &mut Tx,
    caller: &Caller,
    environment: &domain::Name,
    host: &str,
    any_port: bool,
) -> Result<(), Error> {
    let organization = caller.organization()?;
    for holder in stream::holders(tx, environment, host).await? {
        if holder.organization != organization {
            let detail =
                format!("In `{environment}`, a stream route of another organization takes `{host}`.");
            return Err(Error::refused(Code::HostTaken, detail));
        }
        if any_port && holder.port.is_none() {
            let detail = format!(
                "In `{environment}`, connections to `{host}` pass unread at every port ({}).",
                holder.route
            );
            return Err(Error::refused(Code::HostTaken, detail));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
