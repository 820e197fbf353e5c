//! Says where a request would go, and why.

use std::sync::Arc;

use domain::catalog::Stage;
use domain::certificate::Facts;
use domain::code::Code;
use domain::explain::{ExplainSpec, ExplainedOperation, ExplainedPolicy, Explanation, Outcome, TriedRoute};
use domain::id::{OperationId, OrganizationId, UpstreamId};
use domain::release::Variant;
use domain::snapshot::{self, Route};
use domain::traffic::Upstream;
use http::HeaderMap;
use routing::Splitting;
use routing::explain::{End, Explained};
use store::entity;

use crate::key::ENVIRONMENT_DEFAULT;
use crate::resource::fault::Faults;
use crate::resource::own;
use crate::{Caller, Control, Error};

impl Control {
    /// Says which route a request would take, with the code by which gateways find it.
    ///
    /// Of routes of other organizations it tells that there is one, no more.
    ///
    /// # Errors
    /// `request_invalid` for what is no request, or one that gateways refuse before they look for a route;
    /// `conflict` if the routes cannot be served as they are.
    pub async fn explain_route(&self, caller: &Caller, spec: &ExplainSpec) -> Result<Explanation, Error> {
        let organization = caller.organization()?;
        self.access().check(caller, "explain_route", organization, None)?;
        let default = || ENVIRONMENT_DEFAULT.parse().expect("a name");
        let environment = spec.environment.clone().unwrap_or_else(default);
        let mut faults = Faults::default();
        let mut tx = self.store().begin_read().await?;
        let is_known = own::has_environment(&mut tx, caller, &environment).await?;
        faults.reference("/environment", "environment", is_known.then_some(()));
        let certificate = spec.client_certificate.as_deref();
        let certificate = certificate.and_then(|pem| shown(pem, &mut faults));
        faults.finish()?;
        drop(tx);
        let routes = self.build_routes(&environment).await?;
        let sets = self.flag_sets().await?.as_on_nodes(&environment);
        let explained = routing::explain::explain(&routes, spec, certificate.as_ref(), (&sets, self.now()))
            .map_err(refusal)?;
        let mut explanation = Explanation {
            environment,
            outcome: Outcome::RouteNotFound,
            detail: String::new(),
            tried: tried(&routes, &explained, organization),
            route_id: None,
            api_id: None,
            operation: None,
            status: None,
            location: None,
            upstream_id: None,
            upstream_url: None,
            upstream_host: None,
            policies: Vec::new(),
        };
        let taken = explained.tried.last().filter(|(_, miss)| miss.is_none());
        match taken.map(|(index, _)| &routes[*index]) {
            None => {
                explanation.status = Some(Code::RouteNotFound.status());
                explanation.detail =
                    "No route takes it; the gateway answers 404 `route_not_found`, or a page of \
                    its own at `/health/…` and `/metrics`."
                        .to_owned();
            }
            Some(route) if route.organization != organization => {
                explanation.outcome = Outcome::OtherOrganization;
                explanation.detail = "A route of another organization answers there.".to_owned();
            }
            Some(route) => {
                explanation.route_id = Some(route.id);
                explanation.api_id = Some(route.api);
                self.end(route, (explained, spec), &mut explanation).await?;
            }
        }
        Ok(explanation)
    }

    async fn end(
        &self,
        route: &Route,
        (explained, spec): (Explained, &ExplainSpec),
        to: &mut Explanation,
    ) -> Result<(), Error> {
        let api = &route.api_name;
        match explained.end {
            End::Redirect { status, location } => {
                to.outcome = Outcome::Redirected;
                to.detail =
                    format!("The route sends the client to `{location}` with {status}; no policy runs.");
                (to.status, to.location) = (Some(status), Some(location));
            }
            End::Answer(status) => {
                to.outcome = Outcome::Answered;
                to.status = Some(status);
                to.detail = format!("The route answers {status}; no policy runs.");
            }
            End::OtherPorts => {
                to.outcome = Outcome::ConnectRefused;
                to.status = Some(Code::ConnectRefused.status());
                to.detail = "The route takes it, but opens tunnels to other ports.".to_owned();
            }
            End::NoOperation => {
                to.outcome = Outcome::OperationNotFound;
                to.status = Some(Code::OperationNotFound.status());
                to.detail = format!("The route takes it, but `{api}` has no operation with this path.");
            }
            End::OtherMethods(allow) => {
                to.outcome = Outcome::MethodNotAllowed;
                to.status = Some(Code::MethodNotAllowed.status());
                to.detail = format!("The path has {allow}. A CORS preflight is answered by a policy `cors`.");
            }
            End::Forward { .. } | End::Tunnel if route.stage == Stage::Retired => {
                to.outcome = Outcome::Retired;
                to.status = Some(Code::ApiRetired.status());
                to.detail = format!("This version of `{api}` is not served any more.");
            }
            End::Tunnel => self.tunnel(route, to).await?,
            End::Forward {
                operation,
                path,
                host,
            } => {
                let (_, query) = explained.target;
                to.outcome = Outcome::Forwarded;
                to.operation = route
                    .operations
                    .iter()
                    .find(|known| known.id == operation)
                    .map(named);
                to.policies = policies(route, Some(operation))?;
                to.upstream_host = host;
                let chosen = chosen(route, spec);
                to.upstream_id = route.upstream.or(chosen.map(|variant| variant.upstream_id));
                let target = self.first_target(to.upstream_id).await?;
                to.upstream_url = target.map(|target| {
                    let question = if query.is_empty() { "" } else { "?" };
                    format!("{}{path}{question}{query}", target.trim_end_matches('/'))
                });
                to.detail = forwarded(route, chosen, to.upstream_url.as_deref());
            }
            End::NoRoute => unreachable!("a route took it"),
        }
        Ok(())
    }
}

impl Control {
    async fn tunnel(&self, route: &Route, to: &mut Explanation) -> Result<(), Error> {
        to.outcome = Outcome::Tunnel;
        to.policies = policies(route, None)?;
        to.upstream_id = route.upstream;
        to.upstream_url = self.first_target(route.upstream).await?;
        let target = to
            .upstream_url
            .as_ref()
            .map_or_else(|| "the service behind".to_owned(), |url| format!("`{url}`"));
        to.detail = format!("It is joined with {target}, if the policies let it pass.");
        Ok(())
    }

    /// The URL of an upstream's first target.
    async fn first_target(&self, upstream: Option<UpstreamId>) -> Result<Option<String>, Error> {
        let Some(id) = upstream else { return Ok(None) };
        let upstream = entity::find_id::<Upstream>(&mut self.store(), id).await?;
        let targets = upstream.map(|upstream| upstream.spec.targets);
        Ok(targets.and_then(|targets| targets.into_iter().next().map(|target| target.url)))
    }
}

/// What becomes of a request that is forwarded, in words.
fn forwarded(route: &Route, chosen: Option<&Variant>, url: Option<&str>) -> String {
    let to = url.map_or_else(String::new, |url| format!(" to `{url}`"));
    match (chosen, &route.split) {
        (Some(variant), _) => {
            let name = variant.name;
            format!("It gets the variant `{name}` and is forwarded{to}, if the policies let it pass.")
        }
        (None, Some(split)) => {
            let shares = split.variants.iter();
            let shares = shares.map(|one| format!("`{}` ({})", one.name, one.weight));
            let shares = shares.collect::<Vec<_>>().join(", ");
            format!(
                "It is forwarded, if the policies let it pass; who calls decides to which variant: {shares}."
            )
        }
        (None, None) => format!("It is forwarded{to}, if the policies let it pass."),
    }
}

/// The variant of a split that the head of a request decides on.
fn chosen<'a>(route: &'a Route, spec: &ExplainSpec) -> Option<&'a Variant> {
    let split = route.split.as_ref()?;
    let splitting = Splitting::compile(split, &route.id.to_string()).ok()?;
    let fields = spec.headers.iter();
    let fields = fields.filter_map(|line| Some((line.name.parse().ok()?, line.value.parse().ok()?)));
    let headers: HeaderMap = fields.collect();
    split.variants.get(splitting.choose_by_head(&headers)?)
}

/// What a certificate says that is given as text.
fn shown(pem: &str, faults: &mut Faults) -> Option<Facts> {
    let found = pki::chain(pem).ok().and_then(|chain| pki::facts(&chain[0]));
    if found.is_none() {
        faults.add(
            "/client_certificate",
            "certificate_invalid",
            "There is no certificate in PEM.",
            "Give the text that begins with `-----BEGIN CERTIFICATE-----`.",
        );
    }
    found
}

fn refusal(error: routing::explain::Error) -> Error {
    match error {
        routing::explain::Error::Request(found) => {
            let mut faults = Faults::default();
            faults.found(found);
            match faults.finish() {
                Err(error) => error,
                Ok(()) => Error::refused(Code::RequestInvalid, "This is not a request."),
            }
        }
        // Whose route it is may not be told.
        routing::explain::Error::Routes(detail) => {
            tracing::error!(detail, "the routes cannot be served");
            let detail =
                "The routes of this environment cannot be served as they are; gateways keep what they have.";
            Error::refused(Code::Conflict, detail)
        }
    }
}

fn tried(routes: &[Route], explained: &Explained, organization: OrganizationId) -> Vec<TriedRoute> {
    let shown = |(index, miss): &(usize, Option<routing::Miss>)| {
        let route = &routes[*index];
        let own = (route.organization == organization).then_some(route);
        TriedRoute {
            route_id: own.map(|route| route.id),
            host: own.and_then(|route| route.host.clone()),
            base_path: own.map(|route| match &*route.base_path {
                "" => "/".to_owned(),
                base_path => base_path.to_owned(),
            }),
            priority: own.map(|route| route.priority),
            fits: miss.is_none(),
            missed: miss.filter(|_| own.is_some()).map(|miss| miss.to_string()),
        }
    };
    explained.tried.iter().map(shown).collect()
}

fn named(operation: &snapshot::Operation) -> ExplainedOperation {
    ExplainedOperation {
        id: operation.id,
        method: operation.method.clone(),
        path: operation.path.clone(),
    }
}

/// The policies that run, by the code that puts them in order in gateways.
fn policies(route: &Route, operation: Option<OperationId>) -> Result<Vec<ExplainedPolicy>, Error> {
    let mut compiled: Vec<(&snapshot::Policy, Arc<dyn policy::Policy>)> = Vec::new();
    for policy in &route.policies {
        let kind = policy::kind(&policy.kind).map(|kind| kind.compile(&policy.config, None));
        let made = kind.and_then(Result::ok).and_then(|made| match &policy.audience {
            Some(audience) => policy::only_for(made, audience).ok(),
            None => Some(made),
        });
        let Some(made) = made else {
            let detail = format!("The policy `{}` of the route cannot be run.", policy.kind);
            return Err(Error::refused(Code::PolicyInvalid, detail));
        };
        compiled.push((policy, made));
    }
    let ordered = policy::chain(&compiled, operation);
    let shown = ordered.iter().map(|(policy, _)| ExplainedPolicy {
        id: policy.id,
        kind: policy.kind.clone(),
        for_audience: policy.audience.is_some(),
    });
    Ok(shown.collect())
}
