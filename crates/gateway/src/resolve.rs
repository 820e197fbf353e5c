//! Finds targets by name, and follows what the name says.
//!
//! The thread that checks targets does it, for all cores and off the way of calls. What was found stays until something
//! else is found: a name server that is away takes no target away.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::traffic::Resolve;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{Resolver, TokioResolver};
use tokio::time::sleep_until;

use crate::causes::chain;
use crate::compile::Upstream;
use crate::group::{Found, Source};

/// The shortest and the longest time until a name is looked up again, whatever its records say.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(300);
/// When it is looked up again after that has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// The most addresses that a name gives.
const FOUND_MAX: usize = 256;

/// A resolver that asks these servers, or those of the system.
pub(crate) fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder = if servers.is_empty() {
        Resolver::builder_tokio()?
    } else {
        let servers = servers.iter().map(|server| {
            let at = |mut connection: ConnectionConfig| {
                connection.port = server.port();
                connection
            };
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(at);
            NameServerConfig::new(server.ip(), true, connections.to_vec())
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        Resolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    // Each name is asked for when it is due: a cache would only give old answers.
    builder.options_mut().cache_size = 0;
    builder.build()
}

/// Looks the names of an upstream's targets up again and again.
pub(crate) async fn follow(upstream: Arc<Upstream>, resolver: Rc<TokioResolver>) {
    let sources = || {
        upstream
            .sources
            .iter()
            .filter(|source| source.resolve != Resolve::System)
    };
    let mut due: Vec<Instant> = sources().map(|_| Instant::now()).collect();
    while let Some(next) = due.iter().min().copied() {
        sleep_until(next.into()).await;
        for (source, due) in sources().zip(&mut due) {
            if *due > Instant::now() {
                continue;
            }
            let found = look_up(&resolver, source).await;
            *due = Instant::now()
                + match found {
                    Ok((found, again)) => {
                        take(&upstream, source, found);
                        again.clamp(AGAIN_MIN, AGAIN_MAX)
                    }
                    Err(error) => {
                        let (host, error) = (&source.target.endpoint.host, chain(&error));
                        tracing::warn!(%host, %error, "a name could not be looked up");
                        AFTER_FAILURE
                    }
                };
        }
    }
}

/// Puts what was found in the place of what was found before.
fn take(upstream: &Upstream, source: &Source, found: Vec<Found>) {
    let count = found.len();
    if count > 0 && upstream.group.take(&upstream.sources, source, found) {
        let host = &source.target.endpoint.host;
        tracing::info!(upstream = %upstream.id, %host, count, "a name has other addresses");
    }
}

/// The addresses of a name, in an order that does not depend on chance, and for how long they hold.
async fn look_up(resolver: &TokioResolver, source: &Source) -> Result<(Vec<Found>, Duration), NetError> {
    let endpoint = &source.target.endpoint;
    let mut found = Vec::new();
    let mut until;
    if source.resolve == Resolve::Srv {
        let services = resolver.srv_lookup(&*endpoint.host).await?;
        until = services.valid_until();
        for record in services.answers() {
            let RData::SRV(service) = &record.data else {
                continue;
            };
            let host = service.target.to_utf8();
            let addresses = resolver.lookup_ip(host.as_str()).await?;
            until = until.min(addresses.valid_until());
            found.extend(addresses.iter().map(|address| Found {
                address,
                port: service.port,
                weight: Some(u32::from(service.weight)),
                priority: Some(service.priority),
                name: Some(host.trim_end_matches('.').into()),
            }));
        }
    } else {
        let addresses = resolver.lookup_ip(&*endpoint.host).await?;
        until = addresses.valid_until();
        found.extend(addresses.iter().map(|address| Found {
            address,
            port: endpoint.port,
            weight: None,
            priority: None,
            name: None,
        }));
    }
    found.sort_by(|one, other| {
        (one.priority, one.address, one.port).cmp(&(other.priority, other.address, other.port))
    });
    found.dedup();
    found.truncate(FOUND_MAX);
    Ok((found, until.saturating_duration_since(Instant::now())))
}
