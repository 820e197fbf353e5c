//! Routes: where a version is reachable.

use std::collections::BTreeSet;

use domain::Timestamp;
use domain::catalog::{Api, Operation, Version};
use domain::code::Code;
use domain::id::{ApiId, OrganizationId, RouteId, UpstreamId, VersionId, WorkspaceId};
use domain::traffic::{Route, RouteSpec, Upstream};
use routing::{Action, Conditions, Rewriting, rules};
use store::entity::{self, Condition, Read};
use store::{Arg, Tx};
use uuid::Uuid;

use super::fault::Faults;
use super::{New, Resource, audience, certificate, own, stream};
use crate::{Caller, Error};

/// The most routes of a host and base path.
const ROUTES_MAX: usize = 1000;

impl Resource for Route {
    type Spec = RouteSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: RouteSpec) -> Self {
        Self {
            id: RouteId::new(new.uuid),
            organization_id: new.organization,
            // Known once the version is; `check` sets it.
            api_id: ApiId::new(Uuid::nil()),
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &RouteSpec {
        &self.spec
    }

    fn with(&self, spec: RouteSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn workspace(&self, read: &mut (impl Read + Send)) -> Result<Option<WorkspaceId>, Error> {
        let version = [self.spec.version_id];
        let found = store::tenant::workspaces_of(read, self.organization_id, &version).await?;
        Ok(found.into_iter().next())
    }

    async fn reaches(
        &self,
        read: &mut (impl Read + Send),
        before: Option<&Self>,
    ) -> Result<Vec<WorkspaceId>, Error> {
        let known = |id: UpstreamId| {
            before.is_some_and(|before| before.spec.upstreams().any(|(_, known)| known == id))
        };
        let mut reached = Vec::new();
        for (_, id) in self.spec.upstreams().filter(|(_, id)| !known(*id)) {
            let own = [
                Condition::Is("id", Arg::text(id)),
                Condition::Is("organization_id", Arg::text(self.organization_id)),
            ];
            let upstream = entity::find::<Upstream>(read, &own).await?;
            reached.extend(upstream.map(|upstream| upstream.workspace_id));
        }
        Ok(reached)
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        // Of a route and the removal of its upstream, the later one has to see the other; of two routes as well.
        tx.lock_snapshot().await?;
        let mut faults = Faults::default();
        let spec = &mut self.spec;
        let version = own::by_id::<Version>(tx, caller, spec.version_id).await?;
        let version = faults.reference("/version_id", "version", version);
        for (pointer, id) in spec.upstreams() {
            let upstream = own::by_id::<Upstream>(tx, caller, id).await?;
            if let Some(upstream) = faults.reference(&pointer, "upstream", upstream)
                && upstream.spec.is_stream()
                && spec.connect.is_none()
            {
                faults.add(
                    &pointer,
                    "combination_invalid",
                    format!(
                        "The targets of `{}` are at `tcp://`: bytes pass there unread.",
                        upstream.spec.name
                    ),
                    "Name an upstream whose targets are at `http://` or `https://`, or use a stream route.",
                );
            }
        }
        let environment = own::has_environment(tx, caller, &spec.environment).await?;
        faults.reference("/environment", "environment", environment.then_some(()));
        match rules::place(spec.host.as_deref(), &spec.base_path) {
            Ok((host, base_path)) => (spec.host, spec.base_path) = (host, base_path),
            Err(found) => faults.found(found),
        }
        if let Err(found) = Conditions::compile(&spec.matches, (self.organization_id, &spec.base_path)) {
            faults.found(found);
        }
        if let Some(audience) = &spec.matches.audience {
            let named = ("/match/audience", audience);
            let environment = Some(&spec.environment);
            audience::exists(tx, self.organization_id, named, environment, &mut faults).await?;
        }
        let action = Action::compile(&*spec).map_err(|found| faults.found(found));
        if let Some(version) = &version {
            let operations = store::contract::operations(tx, version.id).await?;
            if let Ok(Action::Forward(rewriting)) = &action {
                methods(&operations, spec, &mut faults);
                variables(&operations, spec, rewriting.as_deref(), &mut faults);
            }
            self.api_id = version.api_id;
        }
        faults.finish()?;
        free(tx, caller, self).await?;
        certificate::not_served(tx, self, before).await
    }
}

/// Wants methods of a condition to be in the contract; a version without one may get them yet.
fn methods(operations: &[Operation], spec: &RouteSpec, faults: &mut Faults) {
    let known: BTreeSet<&str> = operations.iter().map(|operation| &*operation.method).collect();
    if known.is_empty() {
        return;
    }
    for (index, method) in spec.matches.methods.iter().enumerate() {
        // Preflights are answered without being in the contract, HEAD by what answers GET.
        let is_known = match &**method {
            "OPTIONS" => true,
            "HEAD" => known.contains("HEAD") || known.contains("GET"),
            other => known.contains(other),
        };
        if !is_known {
            let known: Vec<_> = known.iter().copied().collect();
            faults.add(
                &format!("/match/methods/{index}"),
                "method_unknown",
                format!(
                    "No operation of the version has it; there are {}.",
                    known.join(", ")
                ),
                "Leave it out, or import a contract that has it.",
            );
        }
    }
}

/// Wants the operations of a route to have the variables of the path that is forwarded.
fn variables(operations: &[Operation], spec: &RouteSpec, rewriting: Option<&Rewriting>, faults: &mut Faults) {
    let Some(rewriting) = rewriting else { return };
    let mut taken = operations
        .iter()
        .filter(|operation| spec.matches.takes_method(&operation.method));
    let missing = taken.find_map(|operation| Some((operation, rewriting.missing(&operation.path)?)));
    if let Some((operation, variable)) = missing {
        let Operation { method, path, .. } = operation;
        faults.add(
            "/rewrite/path",
            "variable_unknown",
            format!("`{{{variable}}}` is no parameter of the operation `{method} {path}`."),
            "Give the route a `match.path` of kind `template` that has it, or conditions that leave the operation out.",
        );
    }
}

/// Checks that the routes of a version still fit its operations, before a contract is taken.
pub(crate) async fn fit(tx: &mut Tx, version: VersionId, operations: &[Operation]) -> Result<(), Error> {
    let of = [Condition::Is("version_id", Arg::text(version))];
    for route in entity::all::<Route>(tx, &of).await? {
        let mut faults = Faults::default();
        if let Ok(Action::Forward(rewriting)) = Action::compile(&route.spec) {
            variables(operations, &route.spec, rewriting.as_deref(), &mut faults);
        }
        if let Err(Error::Refused { detail, .. }) = faults.finish() {
            let detail = format!("The route {} rewrites paths: {detail}", route.id);
            return Err(Error::refused(Code::Conflict, detail));
        }
    }
    Ok(())
}

/// Refuses with the route in the way, as far as the caller may see it.
///
/// A place belongs to one organization: with a condition of its own, another could take calls away from it.
async fn free(tx: &mut Tx, caller: &Caller, route: &Route) -> Result<(), Error> {
    if let Some(host) = &route.spec.host {
        stream::not_passed_on(tx, caller, &route.spec.environment, host, false).await?;
    }
    let mut others = occupants(tx, &route.spec).await?;
    others.retain(|other| other.id != route.id);
    let (environment, place) = (&route.spec.environment, place(&route.spec));
    let organization = caller.organization()?;
    if others.iter().any(|other| other.organization_id != organization) {
        let detail =
            format!("In `{environment}`, a route of another organization answers at `{place}` already.");
        return Err(Error::refused(Code::RouteTaken, detail));
    }
    // Those of tunnels and those of calls take nothing from each other.
    others.retain(|other| other.spec.connect.is_some() == route.spec.connect.is_some());
    if others.len() >= ROUTES_MAX {
        let detail = format!("In `{environment}`, {ROUTES_MAX} routes answer at `{place}` already.");
        return Err(Error::refused(Code::RouteTaken, detail));
    }
    let normal = route.spec.matches.normal();
    let same = others.iter().find(|other| other.spec.matches.normal() == normal);
    if let Some(other) = same {
        let with = if normal.is_empty() {
            ""
        } else {
            " under the same conditions"
        };
        let whose = whose(tx, other).await?;
        let detail = format!("In `{environment}`, {whose} answers at `{place}`{with} already.");
        return Err(Error::refused(Code::RouteTaken, detail));
    }
    if !route.spec.enabled {
        return Ok(());
    }
    others.retain(|other| other.spec.enabled);
    // Only one of them is without conditions: another one would have been refused above.
    let Some(all) = others
        .iter()
        .chain([route])
        .find(|one| one.spec.matches.is_empty())
    else {
        return Ok(());
    };
    let hidden = |one: &&Route| one.id != all.id && one.spec.priority < all.spec.priority;
    let detail = if all.id == route.id {
        let Some(other) = others.iter().find(hidden) else {
            return Ok(());
        };
        let whose = whose(tx, other).await?;
        format!("It takes every call at `{place}`, so {whose}, which has a lower priority, would get none.")
    } else if hidden(&route) {
        let whose = whose(tx, all).await?;
        format!("It would get no call: at `{place}`, {whose} takes all and has a higher priority.")
    } else {
        return Ok(());
    };
    Err(Error::refused(Code::RouteUnreachable, detail))
}

async fn whose(tx: &mut Tx, route: &Route) -> Result<String, Error> {
    let api = entity::find_id::<Api>(tx, route.api_id).await?;
    let api = api.map_or_else(String::new, |api| format!(" of the API `{}`", api.spec.name));
    Ok(format!("{}{api}", route.id))
}

fn place(spec: &RouteSpec) -> String {
    format!("{}{}", spec.host.as_deref().unwrap_or_default(), spec.base_path)
}

/// The routes of an organization that lead to an upstream, among others or alone.
pub(crate) async fn to(
    read: &mut (impl Read + Send),
    organization: OrganizationId,
    upstream: UpstreamId,
) -> Result<Vec<Route>, Error> {
    let own = [
        Condition::Is("organization_id", Arg::text(organization)),
        Condition::Mentions(upstream.to_string()),
    ];
    let mut routes = entity::all::<Route>(read, &own).await?;
    routes.retain(|route| route.spec.upstreams().any(|(_, id)| id == upstream));
    Ok(routes)
}

/// The routes that have the place, whoever they belong to, the oldest first.
pub(crate) async fn occupants(tx: &mut Tx, spec: &RouteSpec) -> Result<Vec<Route>, Error> {
    let conditions = [
        Condition::Is("environment", Arg::text(&spec.environment)),
        Condition::Is("host", Arg::text(spec.host.as_deref().unwrap_or_default())),
        Condition::Is("base_path", Arg::text(&spec.base_path)),
    ];
    Ok(entity::all(tx, &conditions).await?)
}
