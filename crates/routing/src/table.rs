//! Hosts, base paths and the routes on them.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use domain::certificate::Facts;
use domain::id::{OrganizationId, RouteId};
use domain::routing::Match;
use domain::snapshot::Route;
use flags::Ask;
use http::{HeaderMap, Method};
use memchr::memchr;

use crate::RESERVED;
use crate::conditions::{Conditions, Miss};
use crate::fault::Fault;
use crate::rules;
use crate::text::{Mark, Text};
use crate::tree::decode;

/// From this number on, what follows in a path is looked up by hash instead of one by one.
const FEW: usize = 8;

/// What of a request decides where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The host without port, in lower case; empty if none is named.
    pub host: &'a str,
    /// The host as it was named, with its port.
    pub authority: &'a [u8],
    /// The whole path as it was sent.
    pub path: &'a str,
    /// The query without its question mark.
    pub query: &'a str,
    /// The header fields as they were sent.
    pub headers: &'a HeaderMap,
    /// What the certificate says that the client has shown, if it has.
    pub certificate: Option<&'a Facts>,
    /// Who says what flags give; nobody if absent.
    pub flags: Option<&'a dyn Ask>,
}

/// Why routes cannot be served together.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// Its place or its conditions are not valid.
    #[error("route {route} is not valid: {}", list(.faults))]
    Route {
        /// The route.
        route: RouteId,
        /// What is wrong.
        faults: Vec<Fault>,
    },
    /// Two routes take the same requests.
    #[error("routes {first} and {second} have the same host, base path and conditions")]
    Twice {
        /// The one that comes first.
        first: RouteId,
        /// The other.
        second: RouteId,
    },
}

fn list(faults: &[Fault]) -> String {
    faults
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// The routes of a snapshot by host and base path.
#[derive(Debug, Default)]
pub struct Table {
    calls: Hosts,
    /// Those that take `CONNECT`, and nothing else.
    tunnels: Hosts,
    /// What was compiled, for the table that follows this one.
    compiled: HashMap<RouteId, Known>,
}

/// Routes by host.
#[derive(Debug, Default)]
struct Hosts {
    exact: HashMap<Box<str>, Node>,
    /// By what follows `*.`.
    wildcards: HashMap<Box<str>, Node>,
    any: Node,
}

/// Conditions with what they were compiled from.
#[derive(Debug, Clone)]
struct Known {
    organization: OrganizationId,
    matches: Match,
    base_path: Box<str>,
    conditions: Arc<Conditions>,
}

impl Known {
    fn is_of(&self, route: &Route) -> bool {
        self.organization == route.organization
            && self.matches == route.matches
            && *self.base_path == *route.base_path
    }
}

/// A path as it was sent.
#[derive(Debug, Clone, Copy)]
struct Sent<'a> {
    text: &'a str,
    /// Whether a percent sign is in it.
    is_encoded: bool,
}

/// A place in a path: what stands on it, and what may follow.
#[derive(Debug, Default)]
struct Node {
    children: Children,
    /// In the order in which they are tried.
    entries: Vec<Entry>,
}

#[derive(Debug)]
enum Children {
    Few(Vec<(Text, Node)>),
    Many(HashMap<Box<str>, Node>),
}

#[derive(Debug)]
struct Entry {
    route: usize,
    conditions: Option<Arc<Conditions>>,
}

/// A route whose host and base path a request fits.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its place in the list that the table was made from.
    pub route: usize,
    /// How many bytes of the path, as it was sent, the base path takes.
    pub base: usize,
    conditions: Option<&'a Conditions>,
}

impl Candidate<'_> {
    /// Checks the route's further conditions.
    pub fn check(&self, request: &Request<'_>) -> Result<(), Miss> {
        self.conditions
            .map_or(Ok(()), |conditions| conditions.check(request))
    }
}

impl Table {
    /// Puts routes in order; conditions that `previous` has compiled are taken from it.
    pub fn compile(routes: &[Route], previous: Option<&Self>) -> Result<Self, Invalid> {
        let mut table = Self::default();
        for (index, route) in routes.iter().enumerate() {
            let conditions = table.conditions(route, previous)?;
            let node = table.node(route)?;
            node.entries.push(Entry {
                route: index,
                conditions,
            });
        }
        for node in table.calls.roots_mut().chain(table.tunnels.roots_mut()) {
            node.sort(routes)?;
        }
        Ok(table)
    }

    /// Finds the route that takes a request.
    pub fn find<'a>(&'a self, request: &Request<'_>) -> Option<Candidate<'a>> {
        self.walk(request, &mut |candidate| candidate.check(request).is_ok())
    }

    /// Offers the routes whose host and base path a request fits, in the order in which they are tried, until
    /// `take` takes one.
    pub fn walk<'a>(
        &'a self,
        request: &Request<'_>,
        take: &mut impl FnMut(Candidate<'a>) -> bool,
    ) -> Option<Candidate<'a>> {
        let path = Sent {
            text: request.path,
            is_encoded: memchr(b'%', request.path.as_bytes()).is_some(),
        };
        let hosts = if *request.method == Method::CONNECT {
            &self.tunnels
        } else {
            &self.calls
        };
        if let Some(found) = hosts
            .exact
            .get(request.host)
            .and_then(|node| node.walk(path, 0, take))
        {
            return Some(found);
        }
        if !hosts.wildcards.is_empty() {
            let mut rest = request.host;
            while let Some((_, suffix)) = rest.split_once('.') {
                let node = hosts.wildcards.get(suffix);
                if let Some(found) = node.and_then(|node| node.walk(path, 0, take)) {
                    return Some(found);
                }
                rest = suffix;
            }
        }
        hosts.any.walk(path, 0, &mut |candidate| {
            // A route of all paths leaves the node's own to it.
            (candidate.base > 0 || !is_ours(path.text)) && take(candidate)
        })
    }

    fn conditions(
        &mut self,
        route: &Route,
        previous: Option<&Self>,
    ) -> Result<Option<Arc<Conditions>>, Invalid> {
        if route.matches.is_empty() {
            return Ok(None);
        }
        let known = previous
            .and_then(|previous| previous.compiled.get(&route.id))
            .filter(|known| known.is_of(route));
        let known = match known {
            Some(known) => known.clone(),
            None => {
                let invalid = |faults| Invalid::Route {
                    route: route.id,
                    faults,
                };
                let conditions = Conditions::compile(&route.matches, (route.organization, &route.base_path))
                    .map_err(invalid)?;
                Known {
                    organization: route.organization,
                    matches: route.matches.clone(),
                    base_path: route.base_path.as_str().into(),
                    conditions: Arc::new(conditions),
                }
            }
        };
        let conditions = Arc::clone(&known.conditions);
        self.compiled.insert(route.id, known);
        Ok(Some(conditions))
    }

    /// The place of a route.
    fn node(&mut self, route: &Route) -> Result<&mut Node, Invalid> {
        // The builder of snapshots writes no base path as nothing.
        let base_path = Some(&*route.base_path).filter(|base_path| !base_path.is_empty());
        let place = rules::place(route.host.as_deref(), base_path.unwrap_or("/"));
        let (host, base_path) = place.map_err(|faults| Invalid::Route {
            route: route.id,
            faults,
        })?;
        let hosts = if route.connect.is_some() {
            &mut self.tunnels
        } else {
            &mut self.calls
        };
        let mut node = match host.as_deref() {
            None => &mut hosts.any,
            Some(host) => match host.strip_prefix("*.") {
                Some(suffix) => hosts.wildcards.entry(suffix.into()).or_default(),
                None => hosts.exact.entry(host.into()).or_default(),
            },
        };
        for segment in base_path.trim_end_matches('/').split('/').skip(1) {
            node = node.children.enter(segment);
        }
        Ok(node)
    }
}

impl Hosts {
    fn roots_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.exact
            .values_mut()
            .chain(self.wildcards.values_mut())
            .chain([&mut self.any])
    }
}

impl Node {
    /// Offers what stands below first; `at` is where the path goes on.
    fn walk<'a>(
        &'a self,
        path: Sent<'_>,
        at: usize,
        take: &mut impl FnMut(Candidate<'a>) -> bool,
    ) -> Option<Candidate<'a>> {
        if let Some(rest) = path.text.get(at..).and_then(|rest| rest.strip_prefix('/')) {
            let end = memchr(b'/', rest.as_bytes()).unwrap_or(rest.len());
            // `/%73hop` is `/shop` to services (RFC 3986 section 6.2.2.2), so it is to the routes before them.
            let segment = if path.is_encoded {
                decode(&rest[..end])
            } else {
                Cow::Borrowed(&rest[..end])
            };
            let child = self.children.get(&segment);
            let found = child.and_then(|child| child.walk(path, at + 1 + end, take));
            if found.is_some() {
                return found;
            }
        }
        self.entries
            .iter()
            .map(|entry| Candidate {
                route: entry.route,
                base: at,
                conditions: entry.conditions.as_deref(),
            })
            .find(|candidate| take(*candidate))
    }

    /// Puts the routes of each place in order; no two of them take the same requests.
    fn sort(&mut self, routes: &[Route]) -> Result<(), Invalid> {
        self.entries.sort_by_key(|entry| order(&routes[entry.route]));
        if self.entries.len() > 1 {
            let mut known = HashMap::with_capacity(self.entries.len());
            for entry in &self.entries {
                let route = &routes[entry.route];
                if let Some(first) = known.insert(route.matches.normal(), route.id) {
                    return Err(Invalid::Twice {
                        first,
                        second: route.id,
                    });
                }
            }
        }
        self.children.nodes_mut().try_for_each(|child| child.sort(routes))
    }
}

/// Orders the routes of one host and base path.
fn order(route: &Route) -> impl Ord + use<> {
    (
        Reverse(route.priority),
        Reverse(route.matches.conditions()),
        route.id,
    )
}

impl Default for Children {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Children {
    fn get(&self, segment: &str) -> Option<&Node> {
        match self {
            Self::Few(few) => {
                let mark = Mark::of(segment);
                few.iter()
                    .find(|(known, _)| known.is(mark, segment))
                    .map(|(_, node)| node)
            }
            Self::Many(many) => many.get(segment),
        }
    }

    fn enter(&mut self, segment: &str) -> &mut Node {
        let mark = Mark::of(segment);
        if let Self::Few(few) = self
            && few.len() >= FEW
            && !few.iter().any(|(known, _)| known.is(mark, segment))
        {
            let few = std::mem::take(few).into_iter();
            *self = Self::Many(few.map(|(known, node)| (known.into_text(), node)).collect());
        }
        match self {
            Self::Few(few) => {
                let index = few.iter().position(|(known, _)| known.is(mark, segment));
                let index = index.unwrap_or_else(|| {
                    few.push((Text::from(segment), Node::default()));
                    few.len() - 1
                });
                &mut few[index].1
            }
            Self::Many(many) => many.entry(segment.into()).or_default(),
        }
    }

    fn nodes_mut(&mut self) -> Box<dyn Iterator<Item = &mut Node> + '_> {
        match self {
            Self::Few(few) => Box::new(few.iter_mut().map(|(_, node)| node)),
            Self::Many(many) => Box::new(many.values_mut()),
        }
    }
}

/// Whether a path is the node's own where no host is named.
fn is_ours(path: &str) -> bool {
    RESERVED.contains(&path.split('/').nth(1).unwrap_or_default())
}

#[cfg(test)]
mod tests;
