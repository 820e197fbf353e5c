//! Which connections pass without being read, and where to: the stream routes of a snapshot by port and host.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use domain::id::{StreamRouteId, UpstreamId};
use domain::snapshot::{self, Snapshot};

use crate::compile::list;

/// Why a stream route cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It names an upstream that is not there.
    #[error("it names {0}, which is not in the snapshot")]
    NoUpstream(UpstreamId),
    /// Its upstream is a service of HTTP.
    #[error("the targets of {0} are not at `tcp://`")]
    Http(UpstreamId),
    /// It says what none may say.
    #[error("{}", list(.0))]
    Rules(Vec<routing::Fault>),
    /// Another one takes the same.
    #[error("{other} takes the same connections")]
    Twice {
        /// The other one.
        other: StreamRouteId,
    },
}

/// A stream route, ready to take connections.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: StreamRouteId,
    /// The place of its upstream in the snapshot.
    pub(crate) upstream: usize,
    pub(crate) idle: Duration,
    connections_max: u32,
    /// On all cores; handed on from snapshot to snapshot.
    open: Arc<AtomicU32>,
}

/// A connection that counts as open as long as this lives.
#[derive(Debug)]
pub(crate) struct Entered(Arc<AtomicU32>);

impl Stream {
    /// Counts a connection; nothing if there are as many as may be.
    pub(crate) fn enter(&self) -> Option<Entered> {
        let before = self.open.fetch_add(1, Relaxed);
        let entered = Entered(Arc::clone(&self.open));
        let has_room = self.connections_max == 0 || before < self.connections_max;
        has_room.then_some(entered)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The stream routes of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// Where routes name the port, those of any port included.
    ports: HashMap<u16, Hosts>,
    /// Everywhere else.
    any: Hosts,
    counts: HashMap<StreamRouteId, Arc<AtomicU32>>,
}

/// What is taken at a port.
#[derive(Debug, Clone, Default)]
struct Hosts {
    exact: HashMap<Box<str>, Takes>,
    /// By what follows `*.`.
    wildcards: HashMap<Box<str>, Takes>,
    /// What nobody else takes.
    rest: Option<Arc<Stream>>,
}

/// Who takes a host.
#[derive(Debug, Clone)]
enum Takes {
    Stream(Arc<Stream>),
    /// A route or certificate of HTTP has it.
    Http,
}

impl Hosts {
    fn place(&mut self, host: &str) -> (&mut HashMap<Box<str>, Takes>, Box<str>) {
        match host.strip_prefix("*.") {
            Some(parent) => (&mut self.wildcards, parent.into()),
            None => (&mut self.exact, host.into()),
        }
    }

    /// The most exact name decides.
    fn find(&self, host: &str) -> Option<&Arc<Stream>> {
        let mut found = self.exact.get(host);
        let mut rest = host;
        while let (None, Some((_, parent))) = (found, rest.split_once('.')) {
            found = self.wildcards.get(parent);
            rest = parent;
        }
        match found? {
            Takes::Stream(stream) => Some(stream),
            Takes::Http => None,
        }
    }
}

impl Streams {
    /// Reads the stream routes of a snapshot; `upstream` tells the place of one, and whether it is for them.
    pub(crate) fn compile(
        snapshot: &Snapshot,
        upstream: impl Fn(UpstreamId) -> Option<(usize, bool)>,
        previous: Option<&Self>,
    ) -> Result<Self, (StreamRouteId, Invalid)> {
        let mut streams = Self::default();
        if snapshot.streams.is_empty() {
            return Ok(streams);
        }
        let mut routes = snapshot.streams.clone();
        for route in &mut routes {
            let bounds = (route.idle_ms, route.connections_max);
            let faults = routing::rules::stream(route.port, &mut route.hosts, bounds);
            if !faults.is_empty() {
                return Err((route.id, Invalid::Rules(faults)));
            }
        }
        check_once(&routes)?;
        for host in http_hosts(snapshot) {
            let (hosts, name) = streams.any.place(host);
            hosts.insert(name, Takes::Http);
        }
        // Those of any port first: a port's own are put over them.
        let (own, any): (Vec<_>, Vec<_>) = routes.iter().partition(|route| route.port.is_some());
        for route in any.into_iter().chain(own) {
            let failed = |why| (route.id, why);
            let (place, is_stream) =
                upstream(route.upstream).ok_or_else(|| failed(Invalid::NoUpstream(route.upstream)))?;
            if !is_stream {
                return Err(failed(Invalid::Http(route.upstream)));
            }
            let open = previous
                .and_then(|previous| previous.counts.get(&route.id))
                .cloned();
            let stream = Arc::new(Stream {
                id: route.id,
                upstream: place,
                idle: Duration::from_millis(u64::from(route.idle_ms)),
                connections_max: route.connections_max,
                open: open.unwrap_or_default(),
            });
            streams.counts.insert(route.id, Arc::clone(&stream.open));
            streams.add(route.port, &route.hosts, &stream);
        }
        Ok(streams)
    }

    fn add(&mut self, port: Option<u16>, hosts: &[String], stream: &Arc<Stream>) {
        let taken = match port {
            Some(port) => self.ports.entry(port).or_insert_with(|| self.any.clone()),
            None => &mut self.any,
        };
        if hosts.is_empty() {
            taken.rest = Some(Arc::clone(stream));
        }
        for host in hosts {
            let (places, name) = taken.place(host);
            places.insert(name, Takes::Stream(Arc::clone(stream)));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Who takes a TLS connection to a port whose client names a host, in lower case; nobody if HTTP does.
    pub(crate) fn of_host(&self, port: u16, host: &str) -> Option<&Arc<Stream>> {
        self.ports.get(&port).unwrap_or(&self.any).find(host)
    }

    /// Who takes what comes to a port and nobody else takes.
    pub(crate) fn of_port(&self, port: u16) -> Option<&Arc<Stream>> {
        self.ports.get(&port)?.rest.as_ref()
    }
}

/// Wants no two routes to take the same.
fn check_once(routes: &[snapshot::StreamRoute]) -> Result<(), (StreamRouteId, Invalid)> {
    let mut taken = HashMap::new();
    for route in routes {
        let all = route.hosts.is_empty().then_some("");
        for host in route.hosts.iter().map(String::as_str).chain(all) {
            if let Some(other) = taken.insert((route.port, host), route.id) {
                return Err((route.id, Invalid::Twice { other }));
            }
        }
    }
    Ok(())
}

/// The hosts that are served, for which a wildcard of a stream route is not meant.
fn http_hosts(snapshot: &Snapshot) -> Vec<&str> {
    let routes = snapshot.routes.iter().filter_map(|route| route.host.as_deref());
    let certificates = snapshot
        .certificates
        .iter()
        .flat_map(|certificate| &certificate.hosts);
    routes.chain(certificates.map(String::as_str)).collect()
}

#[cfg(test)]
mod tests;
