//! Compiles a snapshot into what requests are matched against: everything by index, nothing left to parse.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use domain::catalog::Stage;
use domain::id::{OperationId, PolicyId, RouteId, UpstreamId};
use domain::snapshot::{self, FORMAT, Snapshot};
use domain::{Name, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use policy::{Directory, Fault, Phase, Place, Policy, State};

use crate::target;
use crate::tls::{Shelf, Unusable};
use crate::tree::Tree;

pub(crate) use self::upstream::Upstream;

mod upstream;

/// First path segments that belong to the node where no host is named.
const RESERVED: [&str; 3] = ["health", "metrics", ".well-known"];
const KEY_AUTH: &str = "key_auth";

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
    /// Something about an upstream cannot be done.
    #[error("upstream {upstream}")]
    Target {
        /// The upstream.
        upstream: UpstreamId,
        /// What is wrong.
        #[source]
        source: target::Invalid,
    },
    /// Two routes answer at one place.
    #[error("routes {first} and {second} have the same host and base path")]
    Twice {
        /// The one that comes first.
        first: RouteId,
        /// The other.
        second: RouteId,
    },
    /// A base path is not one, or begins with a segment that belongs to the node.
    #[error("route {route} has base path `{base_path}`, which cannot be served")]
    BasePath {
        /// The route.
        route: RouteId,
        /// Its base path.
        base_path: String,
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

fn list(faults: &[Fault]) -> String {
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
    hosts: HashMap<Box<str>, Vec<Base>>,
    any_host: Vec<Base>,
    pub(crate) routes: Vec<Route>,
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    upstream_places: HashMap<UpstreamId, usize>,
    pub(crate) directory: Directory,
    states: HashMap<StateKey, State>,
    /// The certificates by host; whoever compiles for a node puts them there.
    pub(crate) shelf: Shelf,
}

/// Where a route answers on its host; those of a host stand with the longest path first.
#[derive(Debug)]
struct Base {
    path: Box<str>,
    route: usize,
}

#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) place: Place,
    pub(crate) stage: Stage,
    /// What answers of an aging version carry.
    pub(crate) notices: HeaderMap,
    pub(crate) upstream: usize,
    tree: Tree<Operation>,
    /// For requests that match no operation.
    pub(crate) chain: Arc<Chain>,
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: OperationId,
    pub(crate) method: Method,
    pub(crate) chain: Arc<Chain>,
}

/// The policies of an operation in the order they run.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) policies: Vec<Arc<dyn Policy>>,
    /// Those from here on know the caller; the plan's limits come before them.
    pub(crate) decide_from: usize,
    pub(crate) body_bytes_max: u64,
}

/// What a policy's state belongs to: the policy, or the place of one without an id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum StateKey {
    Policy(PolicyId),
    Place(RouteId, Option<OperationId>, String),
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
        allow: String,
    },
    NoOperation {
        route: usize,
    },
    NoRoute,
}

/// Compiles a snapshot; counters and policy states of `previous` go on.
pub fn compile(
    snapshot: &Snapshot,
    environment: &Name,
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
    let mut compiled = Compiled {
        revision: snapshot.revision,
        built_at: snapshot.built_at,
        control_url: snapshot.control_url.trim_end_matches('/').into(),
        hosts: HashMap::new(),
        any_host: Vec::new(),
        routes: Vec::with_capacity(snapshot.routes.len()),
        upstreams: Vec::with_capacity(snapshot.upstreams.len()),
        upstream_places: HashMap::with_capacity(snapshot.upstreams.len()),
        directory: Directory::compile(snapshot, previous.map(|previous| &previous.directory))?,
        states: HashMap::new(),
        shelf: Shelf::default(),
    };
    for upstream in &snapshot.upstreams {
        let place = compiled.upstreams.len();
        compiled.upstream_places.insert(upstream.id, place);
        compiled.upstreams.push(upstream::compile(upstream, previous)?);
    }
    for route in &snapshot.routes {
        let upstream = *compiled
            .upstream_places
            .get(&route.upstream)
            .ok_or(Rejected::NoUpstream {
                route: route.id,
                upstream: route.upstream,
            })?;
        let index = compiled.routes.len();
        compiled.place(route, index)?;
        let compiled_route = compiled.compile_route(route, upstream, environment, previous)?;
        compiled.routes.push(compiled_route);
    }
    Ok(compiled)
}

impl Compiled {
    fn upstream(&self, id: UpstreamId) -> Option<&Arc<Upstream>> {
        self.upstream_places.get(&id).map(|place| &self.upstreams[*place])
    }

    /// Finds the operation of a request; `host` without port, in lower case.
    pub(crate) fn find(&self, host: &str, method: &Method, path: &str) -> Matched<'_> {
        // A route of all paths leaves the node's own to it.
        let is_ours = || RESERVED.contains(&path.split('/').nth(1).unwrap_or_default());
        let any_host = self
            .any_host
            .iter()
            .filter(|base| !base.path.is_empty() || !is_ours());
        let bases = self.hosts.get(host).into_iter().flatten().chain(any_host);
        let Some(base) = bases.into_iter().find(|base| is_below(path, &base.path)) else {
            return Matched::NoRoute;
        };
        let route = base.route;
        let rest = base.path.len();
        let tree = &self.routes[route].tree;
        let operation = tree.find(&path[rest..], |operations| {
            let exact = operations.iter().find(|operation| operation.method == *method);
            // Whoever answers GET answers HEAD: RFC 9110 section 9.3.2.
            let head = || {
                operations
                    .iter()
                    .find(|operation| *method == Method::HEAD && operation.method == Method::GET)
            };
            exact.or_else(head)
        });
        if let Some(operation) = operation {
            return Matched::Operation {
                route,
                operation,
                rest,
            };
        }
        let allow = self.allowed(route, &path[rest..]);
        if allow.is_empty() {
            Matched::NoOperation { route }
        } else {
            Matched::OtherMethods { route, allow }
        }
    }

    /// The methods of a path, for `Allow`; empty if no operation has it.
    fn allowed(&self, route: usize, path: &str) -> String {
        let mut allow = String::new();
        let mut add = |method: &Method| {
            if !allow.split(", ").any(|known| known == method.as_str()) {
                let comma = if allow.is_empty() { "" } else { ", " };
                let _ = write!(allow, "{comma}{method}");
            }
        };
        let none: Option<()> = self.routes[route].tree.find(path, |operations| {
            for operation in operations {
                add(&operation.method);
                if operation.method == Method::GET {
                    add(&Method::HEAD);
                }
            }
            None
        });
        debug_assert!(none.is_none(), "nothing is taken");
        allow
    }

    fn place(&mut self, route: &snapshot::Route, index: usize) -> Result<(), Rejected> {
        let base_path = route.base_path.trim_end_matches('/');
        let first = base_path.split('/').nth(1).unwrap_or_default();
        let is_path = base_path.is_empty() || base_path.starts_with('/');
        if !is_path || (route.host.is_none() && RESERVED.contains(&first)) {
            return Err(Rejected::BasePath {
                route: route.id,
                base_path: route.base_path.clone(),
            });
        }
        let bases = match &route.host {
            Some(host) => self.hosts.entry(host.to_ascii_lowercase().into()).or_default(),
            None => &mut self.any_host,
        };
        if let Some(other) = bases.iter().find(|base| *base.path == *base_path) {
            return Err(Rejected::Twice {
                first: self.routes[other.route].place.route,
                second: route.id,
            });
        }
        let place = bases.partition_point(|base| base.path.len() >= base_path.len());
        bases.insert(
            place,
            Base {
                path: base_path.into(),
                route: index,
            },
        );
        Ok(())
    }

    fn compile_route(
        &mut self,
        route: &snapshot::Route,
        upstream: usize,
        environment: &Name,
        previous: Option<&Self>,
    ) -> Result<Route, Rejected> {
        let mut policies = Vec::with_capacity(route.policies.len());
        for policy in &route.policies {
            policies.push((policy, self.compile_policy(route, policy, previous)?));
        }
        let chain = Arc::new(chain(route, None, &policies));
        let mut tree = Tree::default();
        for operation in &route.operations {
            let has_own = route
                .policies
                .iter()
                .any(|policy| policy.operation == Some(operation.id));
            let chain = if has_own {
                Arc::new(self::chain(route, Some(operation.id), &policies))
            } else {
                Arc::clone(&chain)
            };
            let method = Method::from_bytes(operation.method.as_bytes()).map_err(|_| Rejected::Method {
                operation: operation.id,
                method: operation.method.clone(),
            })?;
            tree.insert(
                &operation.path,
                Operation {
                    id: operation.id,
                    method,
                    chain,
                },
            );
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
            notices: notices(route),
            upstream,
            tree,
            chain,
        })
    }

    fn compile_policy(
        &mut self,
        route: &snapshot::Route,
        policy: &snapshot::Policy,
        previous: Option<&Self>,
    ) -> Result<Arc<dyn Policy>, Rejected> {
        let kind = policy::kind(&policy.kind).ok_or_else(|| Rejected::PolicyKind {
            route: route.id,
            kind: policy.kind.clone(),
        })?;
        let key = match policy.id {
            Some(id) => StateKey::Policy(id),
            None => StateKey::Place(route.id, policy.operation, policy.kind.clone()),
        };
        // A policy of an API runs on each of its routes and counts once for all of them.
        let state = self
            .states
            .get(&key)
            .or_else(|| previous?.states.get(&key))
            .cloned();
        let compiled = kind
            .compile(&policy.config, state.as_ref())
            .map_err(|faults| Rejected::Policy {
                route: route.id,
                kind: policy.kind.clone(),
                faults,
            })?;
        if let Some(state) = compiled.state() {
            self.states.insert(key, state);
        }
        Ok(compiled)
    }
}

/// Puts together the policies of an operation, or of requests that match none.
///
/// Of several `key_auth` the most special one holds: the operation's, then the API's, then the one that every
/// route has. A route without any gets one, so that nothing is open by accident.
fn chain(
    route: &snapshot::Route,
    operation: Option<OperationId>,
    policies: &[(&snapshot::Policy, Arc<dyn Policy>)],
) -> Chain {
    let applies = |policy: &snapshot::Policy| policy.operation.is_none() || policy.operation == operation;
    let rank = |policy: &snapshot::Policy| (policy.operation.is_some(), policy.id.is_some());
    let mut chosen: Vec<Arc<dyn Policy>> = Vec::new();
    let mut key_auth: Option<&(&snapshot::Policy, Arc<dyn Policy>)> = None;
    for entry in policies.iter().filter(|(policy, _)| applies(policy)) {
        if entry.0.kind != KEY_AUTH {
            chosen.push(Arc::clone(&entry.1));
        } else if key_auth.is_none_or(|known| rank(entry.0) >= rank(known.0)) {
            key_auth = Some(entry);
        }
    }
    chosen.push(key_auth.map_or_else(default_key_auth, |(_, policy)| Arc::clone(policy)));
    chosen.sort_by_key(|policy| policy.phase());
    let decide_from = chosen.partition_point(|policy| policy.phase() < Phase::Decide);
    let body_bytes_max = chosen
        .iter()
        .filter_map(|policy| policy.body_bytes_max())
        .fold(route.body_bytes_max, u64::min);
    Chain {
        policies: chosen,
        decide_from,
        body_bytes_max,
    }
}

fn default_key_auth() -> Arc<dyn Policy> {
    let kind = policy::kind(KEY_AUTH).expect("a builtin");
    kind.compile(&serde_json::Value::Object(serde_json::Map::new()), None)
        .expect("every field has a default")
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

fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
