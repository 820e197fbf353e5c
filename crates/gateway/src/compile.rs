//! Compiles a snapshot into what requests are matched against: everything by index, nothing left to parse.

use std::collections::HashMap;
use std::fmt;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use domain::catalog::Stage;
use domain::id::{OperationId, RouteId, StreamRouteId, UpstreamId};
use domain::release::Importance;
use domain::routing::Connect;
use domain::snapshot::{self, FORMAT, Snapshot};
use domain::{Name, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use policy::shared::Ledger;
use policy::{Directory, Fault, Place, Policy, State};
use routing::{
    Answer as FixedAnswer, Mirroring, Miss, Operations, Redirection, Request, Rewriting, Splitting, Table,
};

use crate::course::{Kinds, Step};
use crate::listed::Watched;
use crate::metrics::Series;
use crate::mirror::{self, Comparing, Mirror};
use crate::split::{self, Side, Split};
use crate::streams::{self, Streams};
use crate::target;
use crate::tls::{Shelf, Unusable};

use self::asked::Flags;
use self::chain::{Alike, StateKey};
pub(crate) use self::upstream::Upstream;

mod asked;
mod chain;
mod upstream;

/// Why a snapshot cannot be served; the node keeps the one it has.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// It was written by another version.
    #[error("it has format {found}, this build reads {FORMAT}")]
    Format {
        /// The format of the snapshot.
        found: u32,
    },
    /// It is for another environment.
    #[error("it is for environment `{found}`, this node serves `{wanted}`")]
    Environment {
        /// The environment of the snapshot.
        found: Name,
        /// The node's.
        wanted: Name,
    },
    /// Keys or subscriptions do not fit together.
    #[error(transparent)]
    Consumers(#[from] policy::directory::Error),
    /// A route names an upstream that is not there.
    #[error("route {route} names {upstream}, which is not in the snapshot")]
    NoUpstream {
        /// The route.
        route: RouteId,
        /// What it names.
        upstream: UpstreamId,
    },
    /// A route names an upstream whose targets are no services of HTTP.
    #[error("route {route} names {upstream}, whose targets are at `tcp://`")]
    NoHttp {
        /// The route.
        route: RouteId,
        /// What it names.
        upstream: UpstreamId,
    },
    /// A stream route cannot be served.
    #[error("stream route {route}")]
    Stream {
        /// Which.
        route: StreamRouteId,
        /// What is wrong.
        #[source]
        source: streams::Invalid,
    },
    /// An upstream says what none may say.
    #[error("upstream {upstream} is not valid: {}", list(.faults))]
    Upstream {
        /// The upstream.
        upstream: UpstreamId,
        /// What is wrong.
        faults: Vec<routing::Fault>,
    },
    /// Something about an upstream cannot be done on this node.
    #[error("upstream {upstream}")]
    Target {
        /// The upstream.
        upstream: UpstreamId,
        /// What is wrong.
        #[source]
        source: target::Invalid,
    },
    /// Feature flags cannot be used.
    #[error(transparent)]
    Flags(#[from] flags::Refused),
    /// Routes do not fit together, or one is not valid.
    #[error(transparent)]
    Routes(#[from] routing::Invalid),
    /// What a route does is not valid.
    #[error("route {route} cannot do what it says: {}", list(.faults))]
    Action {
        /// The route.
        route: RouteId,
        /// What is wrong.
        faults: Vec<routing::Fault>,
    },
    /// A path that is forwarded has a variable that an operation does not have.
    #[error("route {route} rewrites with `{variable}`, which operation {operation} does not have")]
    Variable {
        /// The route.
        route: RouteId,
        /// Its variable.
        variable: String,
        /// The operation.
        operation: OperationId,
    },
    /// A method is not one.
    #[error("operation {operation} has method `{method}`")]
    Method {
        /// The operation.
        operation: OperationId,
        /// Its method.
        method: String,
    },
    /// A certificate cannot be shown.
    #[error("certificate {certificate}")]
    Certificate {
        /// Which.
        certificate: String,
        /// What is wrong.
        #[source]
        source: Unusable,
    },
    /// A policy is not known.
    #[error("route {route} has a policy `{kind}`, which this build does not know")]
    PolicyKind {
        /// The route.
        route: RouteId,
        /// What it names.
        kind: String,
    },
    /// A policy is for an audience, but one of its kind is for everybody.
    #[error("route {route} has a policy `{kind}` for an audience, which this kind cannot be")]
    NoAudience {
        /// The route.
        route: RouteId,
        /// The policy.
        kind: String,
    },
    /// The audience of a policy is not valid.
    #[error("route {route} has a policy `{kind}` for an audience that is not valid: {}", audience(.faults))]
    Audience {
        /// The route.
        route: RouteId,
        /// The policy.
        kind: String,
        /// What is wrong.
        faults: Vec<flags::FormFault>,
    },
    /// A policy's configuration is not valid.
    #[error("route {route} has a policy `{kind}` that is not valid: {}", list(.faults))]
    Policy {
        /// The route.
        route: RouteId,
        /// The policy.
        kind: String,
        /// What is wrong.
        faults: Vec<Fault>,
    },
}

fn audience(faults: &[flags::FormFault]) -> String {
    let each = faults
        .iter()
        .map(|fault| format!("{}: {}", fault.pointer, fault.detail));
    each.collect::<Vec<_>>().join("; ")
}

pub(crate) fn list(faults: &[impl fmt::Display]) -> String {
    faults
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// A snapshot ready to be served.
#[derive(Debug)]
pub struct Compiled {
    /// The snapshot's revision.
    pub revision: u64,
    /// When it was built.
    pub built_at: Timestamp,
    pub(crate) control_url: Box<str>,
    table: Table,
    pub(crate) routes: Vec<Route>,
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// Which connections pass unread.
    pub(crate) streams: Streams,
    upstream_places: HashMap<UpstreamId, usize>,
    pub(crate) directory: Directory,
    states: HashMap<StateKey, State>,
    /// What is counted of the variants of splits.
    variants: split::Known,
    mirrors: mirror::Known,
    /// How much the calls of an upstream's routes matter: a bit for each importance.
    importances: Vec<u8>,
    /// The same of all routes.
    own_importances: u8,
    /// What policies count together with other nodes, by a name that is the same on all of them.
    ledgers: Vec<(String, Arc<dyn Ledger>)>,
    /// Files that targets were read from.
    files: Vec<Watched>,
    /// Files that could not be used, where the targets that were read before go on.
    pub(crate) broken_files: Vec<String>,
    /// Feature flags, and who may ask for them.
    pub(crate) flags: Flags,
    /// The certificates by host; whoever compiles for a node puts them there.
    pub(crate) shelf: Shelf,
}

#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) place: Place,
    pub(crate) stage: Stage,
    /// What answers of an aging version carry.
    pub(crate) notices: Option<Box<HeaderMap>>,
    pub(crate) action: Action,
    pub(crate) importance: Importance,
    pub(crate) mirror: Option<Arc<Mirror>>,
    pub(crate) operations: Operations<Operation>,
    /// For requests that match no operation.
    pub(crate) chain: Arc<Chain>,
    /// Its place among those with figures of their own.
    pub(crate) series: Series,
}

/// What becomes of the requests of a route.
#[derive(Debug)]
pub(crate) enum Action {
    /// They go to an upstream, changed if so.
    Forward(To, Option<Box<Rewriting>>),
    /// They open tunnels to the upstream in this place.
    Tunnel(usize, Box<Connect>),
    Redirect(Box<Redirection>),
    Answer(Box<FixedAnswer>),
}

/// Where requests are forwarded to, by the places of upstreams.
#[derive(Debug)]
pub(crate) enum To {
    One(usize),
    Split(Box<Split>),
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: OperationId,
    /// The template of its path.
    pub(crate) template: Box<str>,
    pub(crate) chain: Arc<Chain>,
}

/// The policies of an operation in the order they run.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) policies: Vec<Arc<dyn Policy>>,
    /// What they are called, in the same order.
    pub(crate) steps: Vec<Step>,
    pub(crate) kinds: Kinds,
    /// Those from here on know the caller; the plan's limits come before them.
    pub(crate) decide_from: usize,
    pub(crate) body_bytes_max: u64,
    pub(crate) translates_grpc_web: bool,
}

/// What a path matched.
pub(crate) enum Matched<'a> {
    Operation {
        route: usize,
        operation: &'a Operation,
        rest: usize,
    },
    /// The route has the path with other methods, named for `Allow`.
    OtherMethods {
        route: usize,
        rest: usize,
        allow: String,
    },
    NoOperation {
        route: usize,
    },
    /// The route opens tunnels.
    Tunnel {
        route: usize,
    },
    /// The route does not forward, whatever its contract says.
    Answered {
        route: usize,
        rest: usize,
    },
    NoRoute,
}

impl Matched<'_> {
    const fn route(&self) -> Option<usize> {
        match *self {
            Self::Operation { route, .. }
            | Self::OtherMethods { route, .. }
            | Self::NoOperation { route }
            | Self::Tunnel { route }
            | Self::Answered { route, .. } => Some(route),
            Self::NoRoute => None,
        }
    }
}

/// Compiles a snapshot; counters and policy states of `previous` go on.
pub fn compile(
    snapshot: &Snapshot,
    environment: &Name,
    previous: Option<&Compiled>,
) -> Result<Compiled, Rejected> {
    compile_at(snapshot, (environment, None), previous)
}

/// The same on a node that has a directory with files of targets.
pub(crate) fn compile_at(
    snapshot: &Snapshot,
    (environment, targets_directory): (&Name, Option<&Path>),
    previous: Option<&Compiled>,
) -> Result<Compiled, Rejected> {
    if snapshot.format != FORMAT {
        return Err(Rejected::Format {
            found: snapshot.format,
        });
    }
    if snapshot.environment != *environment {
        return Err(Rejected::Environment {
            found: snapshot.environment.clone(),
            wanted: environment.clone(),
        });
    }
    // The two know nothing of each other, and a node that starts waits for both.
    let (compiled, directory) = thread::scope(|scope| {
        let directory =
            scope.spawn(|| Directory::compile(snapshot, previous.map(|previous| &previous.directory)));
        (
            compile_routes(snapshot, (environment, targets_directory), previous),
            directory.join(),
        )
    });
    let mut compiled = compiled?;
    compiled.directory = directory.unwrap_or_else(|panic| resume_unwind(panic))?;
    Ok(compiled)
}

/// Compiles all but callers.
fn compile_routes(
    snapshot: &Snapshot,
    (environment, targets_directory): (&Name, Option<&Path>),
    previous: Option<&Compiled>,
) -> Result<Compiled, Rejected> {
    let mut compiled = Compiled {
        revision: snapshot.revision,
        built_at: snapshot.built_at,
        control_url: snapshot.control_url.trim_end_matches('/').into(),
        table: Table::compile(&snapshot.routes, previous.map(|previous| &previous.table))?,
        routes: Vec::with_capacity(snapshot.routes.len()),
        upstreams: Vec::with_capacity(snapshot.upstreams.len()),
        streams: Streams::default(),
        upstream_places: HashMap::with_capacity(snapshot.upstreams.len()),
        directory: Directory::default(),
        states: HashMap::new(),
        variants: HashMap::new(),
        mirrors: HashMap::new(),
        importances: vec![0; snapshot.upstreams.len()],
        own_importances: (snapshot.routes.iter()).fold(0, |all, route| all | 1 << route.importance as u8),
        ledgers: Vec::new(),
        files: Vec::new(),
        broken_files: Vec::new(),
        flags: Flags::compile(snapshot, previous.map(|previous| &previous.flags))?,
        shelf: Shelf::default(),
    };
    for upstream in &snapshot.upstreams {
        let place = compiled.upstreams.len();
        compiled.upstream_places.insert(upstream.id, place);
        let upstream = upstream::compile(upstream, previous, (targets_directory, &mut compiled))?;
        compiled.upstreams.push(upstream);
    }
    let upstream = |id: UpstreamId| {
        let place = *compiled.upstream_places.get(&id)?;
        Some((place, compiled.upstreams[place].is_stream))
    };
    let streams = Streams::compile(snapshot, upstream, previous.map(|previous| &previous.streams));
    compiled.streams = streams.map_err(|(route, source)| Rejected::Stream { route, source })?;
    let mut alike = Alike::default();
    for route in &snapshot.routes {
        let compiled_route = compiled.compile_route(route, environment, (previous, &mut alike))?;
        compiled.routes.push(compiled_route);
    }
    Ok(compiled)
}

impl Compiled {
    /// Whether targets stand in files.
    pub(crate) const fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Whether a file of targets looks different than when it was read.
    pub(crate) fn has_changed_files(&self) -> bool {
        self.files.iter().any(Watched::has_changed)
    }

    /// What is counted together with other nodes, by a name that is the same on all of them.
    pub(crate) fn ledgers(&self) -> impl Iterator<Item = (&str, &dyn Ledger)> {
        let policies = self
            .ledgers
            .iter()
            .map(|(name, ledger)| (name.as_str(), &**ledger));
        std::iter::once(("plan", &self.directory as &dyn Ledger)).chain(policies)
    }

    fn upstream(&self, id: UpstreamId) -> Option<&Arc<Upstream>> {
        self.upstream_places.get(&id).map(|place| &self.upstreams[*place])
    }

    /// The route with that id.
    pub(crate) fn route(&self, id: RouteId) -> Option<&Route> {
        self.routes.iter().find(|route| route.place.route == id)
    }

    /// Finds the operation of a request.
    ///
    /// `missed` is called for routes that it does not fit, with the condition that does not hold.
    pub(crate) fn find(&self, request: &Request<'_>, mut missed: impl FnMut(usize, Miss)) -> Matched<'_> {
        let found = self.table.walk(request, &mut |candidate| {
            let checked = candidate.check(request);
            if let Err(miss) = checked {
                missed(candidate.route, miss);
            }
            checked.is_ok()
        });
        let Some(found) = found else {
            return Matched::NoRoute;
        };
        let (route, rest) = (found.route, found.base);
        match self.routes[route].action {
            Action::Forward(..) => {}
            Action::Tunnel(..) => return Matched::Tunnel { route },
            _ => return Matched::Answered { route, rest },
        }
        let (operations, path) = (&self.routes[route].operations, &request.path[rest..]);
        if let Some(operation) = operations.find(request.method, path) {
            return Matched::Operation {
                route,
                operation,
                rest,
            };
        }
        let allow = operations.allowed(path);
        if allow.is_empty() {
            Matched::NoOperation { route }
        } else {
            Matched::OtherMethods { route, rest, allow }
        }
    }

    fn compile_route(
        &mut self,
        route: &snapshot::Route,
        environment: &Name,
        (previous, alike): (Option<&Self>, &mut Alike),
    ) -> Result<Route, Rejected> {
        let action = self.action(route, previous)?;
        let mirror = match &route.mirror {
            Some(mirror) => Some(Arc::new(self.mirror(route, mirror, previous)?)),
            None => None,
        };
        let mut policies = Vec::with_capacity(route.policies.len());
        for policy in &route.policies {
            policies.push((policy, self.compile_policy(route, policy, (previous, alike))?));
        }
        let chain = alike.chain(chain::of(route, None, &policies));
        let mut operations = Operations::default();
        for operation in &route.operations {
            let has_own = route
                .policies
                .iter()
                .any(|policy| policy.operation == Some(operation.id));
            let chain = if has_own {
                alike.chain(chain::of(route, Some(operation.id), &policies))
            } else {
                Arc::clone(&chain)
            };
            let method = Method::from_bytes(operation.method.as_bytes()).map_err(|_| Rejected::Method {
                operation: operation.id,
                method: operation.method.clone(),
            })?;
            let compiled = Operation {
                id: operation.id,
                template: template(route, &action, operation)?,
                chain,
            };
            operations.insert(method, &operation.path, compiled);
        }
        Ok(Route {
            place: Place {
                route: route.id,
                organization: route.organization,
                api: route.api,
                api_name: route.api_name.clone(),
                version: route.version,
                environment: environment.clone(),
            },
            stage: route.stage,
            notices: Some(notices(route))
                .filter(|notices| !notices.is_empty())
                .map(Box::new),
            action,
            importance: route.importance,
            mirror,
            operations,
            chain,
            series: Series::default(),
        })
    }

    fn action(&mut self, route: &snapshot::Route, previous: Option<&Self>) -> Result<Action, Rejected> {
        let invalid = |faults| Rejected::Action {
            route: route.id,
            faults,
        };
        Ok(match routing::Action::compile(route).map_err(invalid)? {
            routing::Action::Redirect(redirection) => Action::Redirect(redirection),
            routing::Action::Answer(answer) => Action::Answer(answer),
            routing::Action::Tunnel(connect) => {
                let upstream = route.upstream.expect("what opens tunnels has an upstream");
                Action::Tunnel(self.place(route, upstream, route.importance)?, connect)
            }
            routing::Action::Forward(rewriting) => {
                let to = match (&route.split, route.upstream) {
                    (Some(split), _) => To::Split(Box::new(self.split(route, split, previous)?)),
                    (None, upstream) => {
                        let upstream = upstream.expect("what is forwarded has an upstream");
                        To::One(self.place(route, upstream, route.importance)?)
                    }
                };
                Action::Forward(to, rewriting)
            }
        })
    }

    fn split(
        &mut self,
        route: &snapshot::Route,
        split: &domain::release::Split,
        previous: Option<&Self>,
    ) -> Result<Split, Rejected> {
        let splitting = Splitting::compile(split, &route.id.to_string());
        let splitting = splitting.map_err(|faults| Rejected::Action {
            route: route.id,
            faults,
        })?;
        let splitting = Arc::new(splitting);
        let mut sides = Vec::with_capacity(split.variants.len());
        for (place, variant) in split.variants.iter().enumerate() {
            let upstream = self.place(route, variant.upstream_id, route.importance)?;
            let key = (route.id, variant.name);
            let figures = previous.and_then(|previous| previous.variants.get(&key));
            let figures = figures.cloned().unwrap_or_default();
            self.variants.insert(key, Arc::clone(&figures));
            let (place, split) = ((route.id, place), Arc::clone(&splitting));
            let side = Side::new(place, variant.name, split, upstream, figures);
            sides.push(Arc::new(side));
        }
        Ok(Split {
            splitting,
            sides: sides.into(),
        })
    }

    fn mirror(
        &mut self,
        route: &snapshot::Route,
        mirror: &domain::release::Mirror,
        previous: Option<&Self>,
    ) -> Result<Mirror, Rejected> {
        let mirroring = Mirroring::compile(mirror, &route.id.to_string());
        let mirroring = mirroring.map_err(|faults| Rejected::Action {
            route: route.id,
            faults,
        })?;
        let figures = previous.and_then(|previous| previous.mirrors.get(&route.id));
        let figures = figures.cloned().unwrap_or_default();
        self.mirrors.insert(route.id, Arc::clone(&figures));
        Ok(Mirror {
            route: route.id,
            upstream: self.place(route, mirror.upstream_id, Importance::Sheddable)?,
            mirroring,
            body_bytes_max: mirror.body_bytes_max as usize,
            in_flight_max: mirror.in_flight_max,
            sends_credentials: mirror.send_credentials,
            compare: mirror.compare.as_ref().map(|compare| Comparing {
                rules: Arc::new(mirror::Rules::new(compare)),
                share: compare.calls_per_10000,
                body_bytes_max: compare.body_bytes_max as usize,
            }),
            figures,
        })
    }

    /// The mirrors of all routes.
    pub(crate) fn mirrors(&self) -> impl Iterator<Item = &Mirror> {
        self.routes.iter().filter_map(|route| route.mirror.as_deref())
    }

    /// The place of an upstream, and that calls of such an importance go there.
    fn place(
        &mut self,
        route: &snapshot::Route,
        upstream: UpstreamId,
        importance: Importance,
    ) -> Result<usize, Rejected> {
        let place = self.upstream_places.get(&upstream).copied();
        let place = place.ok_or(Rejected::NoUpstream {
            route: route.id,
            upstream,
        })?;
        if self.upstreams[place].is_stream && route.connect.is_none() {
            return Err(Rejected::NoHttp {
                route: route.id,
                upstream,
            });
        }
        self.importances[place] |= 1 << importance as u8;
        Ok(place)
    }

    /// The part of what an upstream may have at a time that calls of an importance may take, in percent: each greater
    /// one that there is keeps a fifth for itself.
    pub(crate) fn share(&self, upstream: usize, importance: Importance) -> u32 {
        share(self.importances[upstream], importance)
    }

    /// The same of what the node itself may have at a time; what reaches no route matters as calls do.
    pub(crate) fn own_share(&self, matched: &Matched<'_>) -> u32 {
        let route = matched.route().map(|route| &self.routes[route]);
        let importance = route.map_or(Importance::default(), |route| route.importance);
        share(self.own_importances, importance)
    }

    /// The variants of all splits.
    pub(crate) fn sides(&self) -> impl Iterator<Item = &Arc<Side>> {
        self.routes.iter().flat_map(|route| match &route.action {
            Action::Forward(To::Split(split), _) => &*split.sides,
            _ => &[],
        })
    }
}

fn share(importances: u8, importance: Importance) -> u32 {
    let greater = importances >> (importance as u8 + 1);
    100 - 20 * greater.count_ones()
}

/// The path template of an operation, if the path that is forwarded has variables.
fn template(
    route: &snapshot::Route,
    action: &Action,
    operation: &snapshot::Operation,
) -> Result<Box<str>, Rejected> {
    let template = operation.path.as_str().into();
    let Action::Forward(_, Some(rewriting)) = action else {
        return Ok(template);
    };
    match rewriting.missing(&operation.path) {
        // One that the route does not take needs none of them.
        Some(variable) if route.matches.takes_method(&operation.method) => Err(Rejected::Variable {
            route: route.id,
            variable: variable.to_owned(),
            operation: operation.id,
        }),
        _ => Ok(template),
    }
}

/// `Deprecation` (RFC 9745) and `Sunset` (RFC 8594) of a version.
fn notices(route: &snapshot::Route) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(at) = route.deprecated_at.filter(|_| route.stage == Stage::Deprecated) {
        let value = HeaderValue::from_str(&format!("@{}", at.as_seconds())).expect("digits");
        headers.insert(HeaderName::from_static("deprecation"), value);
    }
    if let Some(at) = route.sunset_at
        && let Ok(value) = HeaderValue::from_str(&http_date(at))
    {
        headers.insert(HeaderName::from_static("sunset"), value);
    }
    headers
}

/// A date as `Sun, 06 Nov 1994 08:49:37 GMT`: RFC 9110 section 5.6.7.
fn http_date(at: Timestamp) -> String {
    let since = std::time::Duration::from_secs(u64::try_from(at.as_seconds()).unwrap_or(0));
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
}

#[cfg(test)]
mod tests;
