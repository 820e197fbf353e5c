//! Finds targets by name, and follows what the name says.
//!
//! The thread that checks targets does it, for all cores and off the way of calls. What was found stays until something
//! else is found: a name server that is away takes no target away.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::traffic::Resolve;
use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{Resolver, TokioResolver};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::causes::chain;
use crate::compile::Upstream;
use crate::group::{Found, Source};

/// The shortest and the longest time until a name is looked up again, whatever its records say.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(300);
/// When it is looked up again after that has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// When a service is looked up again at the latest if the names of some of its records could not be.
const AFTER_FAULT: Duration = Duration::from_secs(30);
/// The most names of an upstream, and of a service, that are looked up at a time.
const LOOKUPS_MAX: usize = 16;
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

/// Looks the names of an upstream's targets up again and again, each for itself: a slow one must not delay the others.
pub(crate) async fn follow(upstream: Arc<Upstream>, resolver: Rc<TokioResolver>) {
    let places = Semaphore::new(LOOKUPS_MAX);
    let named = upstream
        .sources
        .iter()
        .filter(|source| source.resolve != Resolve::System);
    let mut names: FuturesUnordered<_> = named
        .map(|source| follow_one(&upstream, source, (&*resolver, &places)))
        .collect();
    // There is an end only if there is none.
    while let Some(()) = names.next().await {}
}

async fn follow_one(upstream: &Upstream, source: &Source, (resolver, places): (&TokioResolver, &Semaphore)) {
    loop {
        let looked_up = {
            let _place = places.acquire().await;
            look_up(resolver, source).await
        };
        let again = match looked_up {
            Ok((found, again)) => {
                take(upstream, source, found);
                again.clamp(AGAIN_MIN, AGAIN_MAX)
            }
            Err(error) => {
                failed(&source.target.endpoint.host, &error);
                AFTER_FAILURE
            }
        };
        sleep(again).await;
    }
}

fn failed(host: &str, error: &NetError) {
    tracing::warn!(%host, error = %chain(error), "a name could not be looked up");
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
    let (mut found, until) = if source.resolve == Resolve::Srv {
        service(resolver, source).await?
    } else {
        let addresses = resolver.lookup_ip(&*endpoint.host).await?;
        let found = addresses.iter().map(|address| Found {
            address,
            port: endpoint.port,
            weight: None,
            priority: None,
            name: None,
        });
        (found.collect(), addresses.valid_until())
    };
    found.sort_by(|one, other| {
        (one.priority, one.address, one.port).cmp(&(other.priority, other.address, other.port))
    });
    found.dedup();
    found.truncate(FOUND_MAX);
    Ok((found, until.saturating_duration_since(Instant::now())))
}

/// The addresses of a service's records; those that a record had before, where its name cannot be looked up now.
async fn service(resolver: &TokioResolver, source: &Source) -> Result<(Vec<Found>, Instant), NetError> {
    let services = resolver.srv_lookup(&*source.target.endpoint.host).await?;
    let mut until = services.valid_until();
    let records = services.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(service) => Some(service),
        _ => None,
    });
    let mut answers = stream::iter(records.take(FOUND_MAX))
        .map(|service| async move {
            (
                service,
                resolver.lookup_ip(service.target.to_utf8().as_str()).await,
            )
        })
        .buffer_unordered(LOOKUPS_MAX);
    let before = source.found.load_full();
    let (mut found, mut is_known, mut fault) = (Vec::new(), false, None);
    while let Some((service, answer)) = answers.next().await {
        let host = service.target.to_utf8();
        let name = host.trim_end_matches('.');
        let of = |address| Found {
            address,
            port: service.port,
            weight: Some(u32::from(service.weight)),
            priority: Some(service.priority),
            name: Some(name.into()),
        };
        match answer {
            Ok(addresses) => {
                is_known = true;
                until = until.min(addresses.valid_until());
                found.extend(addresses.iter().map(of));
            }
            Err(error) => {
                failed(name, &error);
                fault = Some(error);
                until = until.min(Instant::now() + AFTER_FAULT);
                let is_same =
                    |known: &&Found| known.port == service.port && known.name.as_deref() == Some(name);
                let known = before.iter().flat_map(|found| found.iter()).filter(is_same);
                found.extend(known.map(|known| of(known.address)));
            }
        }
    }
    match fault {
        Some(error) if !is_known => Err(error),
        _ => Ok((found, until)),
    }
}
