//! Where things are reachable.

use domain::catalog::Version;
use domain::id::{VersionId, WorkspaceId};
use domain::identity::Workspace;
use domain::traffic::Route;
use store::Arg;
use store::entity::{self, Condition};
use url::Url;

use crate::{Caller, Control, Error};

impl Control {
    /// The public address of a route: what stands before the contract's paths, without a slash at the end.
    ///
    /// A route with a host is reachable at the gateway's port under that name.
    pub fn route_url(&self, route: &Route) -> String {
        let gateway = self.settings().gateway_url.trim_end_matches('/');
        let base = route.spec.base_path.trim_end_matches('/');
        let host = route.spec.host.as_deref();
        let named = host.and_then(|host| {
            let mut url = Url::parse(gateway).ok()?;
            url.set_host(Some(host)).ok()?;
            Some(url.as_str().trim_end_matches('/').to_owned())
        });
        format!("{}{base}", named.as_deref().unwrap_or(gateway))
    }

    /// The workspace of the caller's organization that is meant when a call names none: the only one that they
    /// have a role in, if they have none in the organization; else `default`, or the oldest.
    ///
    /// # Errors
    /// `not_found` if the organization has none.
    pub async fn default_workspace(&self, caller: &Caller) -> Result<WorkspaceId, Error> {
        if let (None, [(only, _)]) = (caller.roles.organization, &caller.roles.workspaces[..]) {
            return Ok(*only);
        }
        let of = [Condition::Is(
            "organization_id",
            Arg::text(caller.organization()?),
        )];
        let workspaces = entity::all::<Workspace>(&mut self.store(), &of).await?;
        let named = workspaces
            .iter()
            .find(|workspace| workspace.spec.name.as_str() == "default");
        let found = named.or(workspaces.first());
        found
            .map(|workspace| workspace.id)
            .ok_or_else(|| Error::not_found("workspace"))
    }

    /// The enabled routes that forward to a version, those without conditions first, then the oldest.
    pub(crate) async fn routes_of(&self, version: VersionId) -> Result<Vec<Route>, Error> {
        let of = [Condition::Is("version_id", Arg::text(version))];
        let mut routes = entity::all::<Route>(&mut self.store(), &of).await?;
        routes.retain(|route| route.spec.enabled && route.spec.forwards());
        routes.sort_by_key(|route| !route.spec.matches.is_empty());
        Ok(routes)
    }

    /// A version that the caller may see and call, with one of its enabled routes if there is any: of the
    /// organization itself, or, even for somebody who has not signed in, in a public product.
    ///
    /// # Errors
    /// `not_found` for everything else, drafts of others included.
    pub async fn published_version(
        &self,
        caller: &Caller,
        id: VersionId,
    ) -> Result<(Version, Option<Route>), Error> {
        let version = self.visible_version(caller, id).await?;
        let route = self.routes_of(id).await?.into_iter().next();
        Ok((version, route))
    }
}
