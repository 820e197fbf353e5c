//! The upstream and the route of an import.

use domain::Name;
use domain::catalog::{Api, Version};
use domain::id::UpstreamId;
use domain::release::Importance;
use domain::routing::Match;
use domain::traffic::{BODY_BYTES_MAX_DEFAULT, Route, RouteSpec, Target, Upstream, UpstreamSpec};
use routing::rules;
use store::Arg;
use store::entity::{self, Condition};

use super::segment;
use super::step::{Import, refuse};
use crate::Error;
use crate::key::ENVIRONMENT_DEFAULT;
use crate::resource::{own, route};

impl Import<'_> {
    /// The service behind: the one asked for, the one that is there, or, when it is published, the document's first
    /// absolute server.
    pub(super) async fn upstream(
        &mut self,
        api: &Api,
        version: &Version,
    ) -> Result<Option<UpstreamId>, Error> {
        let asked = self.asked_url()?;
        if asked.is_none() && !self.spec.publish && self.current_route(version).await?.is_none() {
            // It is only to be stored; who declares routes apart from contracts must not find one in the way.
            return Ok(None);
        }
        let current = self.current_upstream(api, version).await?;
        let is_split = |route: Route| route.spec.split.is_some();
        let (url, current) = match (asked, current) {
            (None, Some(current)) => return Ok(Some(current.id)),
            (Some(_), Some(_)) if self.current_route(version).await?.is_some_and(is_split) => {
                return refuse(
                    "/upstream_url",
                    "combination_invalid",
                    "The route of this version sends calls to several upstreams.".to_owned(),
                    "Leave it out, and change the targets of the upstreams themselves.",
                );
            }
            (Some(url), current) => (url, current),
            (None, None) => {
                let mut servers = self.contract.servers.iter();
                match servers.find_map(|server| rules::target_url(server).ok()) {
                    Some(url) => (url, None),
                    None if self.spec.publish => {
                        return refuse(
                            "/upstream_url",
                            "upstream_missing",
                            "The document names no server with an absolute address.".to_owned(),
                            "Say where the service is, as `http://127.0.0.1:9000`.",
                        );
                    }
                    None => return Ok(None),
                }
            }
        };
        let targets = vec![Target::new(url)];
        let Some(current) = current else {
            return self.new_upstream(api, api.spec.name.clone(), targets).await;
        };
        if current.spec.targets == targets {
            return Ok(Some(current.id));
        }
        if !self.serves_others(&current, version).await? {
            return self.move_upstream(&current, targets).await;
        }
        // Another version is served by it and stays where it is.
        let title = format!("{}-{}", api.spec.name, version.spec.name);
        let name = Name::from_title(&title).unwrap_or_else(|| api.spec.name.clone());
        match own::by_name::<Upstream>(&mut self.tx, self.caller, name.as_str()).await? {
            Some(found) if found.spec.targets == targets => Ok(Some(found.id)),
            Some(found) => self.move_upstream(&found, targets).await,
            None => self.new_upstream(api, name, targets).await,
        }
    }

    fn asked_url(&self) -> Result<Option<String>, Error> {
        let Some(url) = &self.spec.upstream_url else {
            return Ok(None);
        };
        match rules::target_url(url) {
            Ok(url) => Ok(Some(url)),
            Err(detail) => refuse(
                "/upstream_url",
                "url_invalid",
                detail,
                "Write it as `http://127.0.0.1:9000/base`: scheme, host, and port and path if needed.",
            ),
        }
    }

    async fn current_upstream(&mut self, api: &Api, version: &Version) -> Result<Option<Upstream>, Error> {
        let route = self.current_route(version).await?;
        if let Some((_, upstream)) = route.and_then(|route| route.spec.upstreams().next()) {
            return Ok(entity::find_id::<Upstream>(&mut self.tx, upstream).await?);
        }
        own::by_name::<Upstream>(&mut self.tx, self.caller, api.spec.name.as_str()).await
    }

    async fn serves_others(&mut self, upstream: &Upstream, version: &Version) -> Result<bool, Error> {
        let routes = route::to(&mut self.tx, upstream.organization_id, upstream.id).await?;
        Ok(routes.iter().any(|route| route.spec.version_id != version.id))
    }

    async fn new_upstream(
        &mut self,
        api: &Api,
        name: Name,
        targets: Vec<Target>,
    ) -> Result<Option<UpstreamId>, Error> {
        let spec = UpstreamSpec::new(name, targets);
        let made = self
            .control
            .create_in::<Upstream>(&mut self.tx, self.caller, &api.workspace_id, spec, &[])
            .await?;
        Ok(Some(made.id))
    }

    async fn move_upstream(
        &mut self,
        upstream: &Upstream,
        targets: Vec<Target>,
    ) -> Result<Option<UpstreamId>, Error> {
        let spec = UpstreamSpec {
            targets,
            ..upstream.spec.clone()
        };
        self.control
            .replace_in(&mut self.tx, self.caller, upstream, spec, None)
            .await?;
        Ok(Some(upstream.id))
    }

    fn environment(&self) -> Name {
        let named = self.spec.environment.clone();
        named.unwrap_or_else(|| ENVIRONMENT_DEFAULT.parse().expect("a name"))
    }

    /// Of the routes that forward, the oldest without conditions, else the oldest.
    async fn current_route(&mut self, version: &Version) -> Result<Option<Route>, Error> {
        let of = [
            Condition::Is("version_id", Arg::text(version.id)),
            Condition::Is("environment", Arg::text(self.environment())),
        ];
        let mut routes = entity::all::<Route>(&mut self.tx, &of).await?;
        routes.retain(|route| route.spec.forwards());
        routes.sort_by_key(|route| !route.spec.matches.is_empty());
        Ok(routes.into_iter().next())
    }

    pub(super) async fn route(
        &mut self,
        api: &Api,
        version: &Version,
        upstream_id: UpstreamId,
    ) -> Result<Route, Error> {
        let asked = self.spec.base_path.clone();
        if let Some(current) = self.current_route(version).await? {
            let base_path = asked.unwrap_or_else(|| current.spec.base_path.clone());
            let spec = RouteSpec {
                upstream_id: Some(upstream_id).filter(|_| current.spec.split.is_none()),
                base_path,
                ..current.spec.clone()
            };
            if spec == current.spec {
                return Ok(current);
            }
            return self
                .control
                .replace_in(&mut self.tx, self.caller, &current, spec, None)
                .await;
        }
        let mut spec = RouteSpec {
            version_id: version.id,
            upstream_id: Some(upstream_id),
            environment: self.environment(),
            host: None,
            base_path: format!("/{}", api.spec.name),
            matches: Match::default(),
            priority: 0,
            split: None,
            redirect: None,
            answer: None,
            rewrite: None,
            connect: None,
            mirror: None,
            importance: Importance::default(),
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
            enabled: true,
            managed_by: None,
        };
        match asked {
            Some(base_path) => spec.base_path = base_path,
            None => {
                let occupants = route::occupants(&mut self.tx, &spec).await?;
                if occupants.first().is_some_and(|other| other.api_id == api.id) {
                    spec.base_path = format!("/{}/{}", api.spec.name, segment(&version.spec.name));
                }
            }
        }
        self.control
            .create_in::<Route>(&mut self.tx, self.caller, &(), spec, &[])
            .await
    }
}
