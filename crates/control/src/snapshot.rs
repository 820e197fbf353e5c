//! Builds what gateways run on, and tells them when there is a newer one.
//!
//! A build reads one state of the database. [`Control::snapshots`] rebuilds when this process has changed
//! something ([`Control::changes`]) and, because another process may have, when the revision in the database is
//! another than the built one; the former is a hint, the latter the truth.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use domain::catalog::Stage;
use domain::id::{ApiId, OperationId, ProductId, UpstreamId, VersionId};
use domain::key::Hash;
use domain::snapshot::{self, FORMAT, Snapshot};
use domain::stream::StreamRoute;
use domain::tracking::{EventType, SdkKey};
use domain::traffic::{Policy, Upstream, UpstreamSpec};
use domain::{Name, Timestamp};
use pki::SealKey;
use serde_json::json;
use store::Tx;
use store::snapshot::Place;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::flag::FlagSets;
use crate::resource::certificate::Material;
use crate::{Control, Error};

/// How long ended keys stay in snapshots, so that gateways can say that they have ended.
const ENDED_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How often the revision is read, for changes of other processes.
const POLL: Duration = Duration::from_millis(500);
/// How long changes are collected before a build.
const COLLECT: Duration = Duration::from_millis(20);
/// The policy that every route has.
const KEY_AUTH: &str = "key_auth";

type Sender = watch::Sender<Arc<Snapshot>>;

/// The environments whose snapshots somebody waits for.
#[derive(Default)]
pub(crate) struct Watched(Mutex<HashMap<Name, Weak<Sender>>>);

impl Control {
    /// Builds the snapshot of an environment from one state of the database.
    pub async fn build_snapshot(&self, environment: &Name) -> Result<Snapshot, Error> {
        let now = self.now();
        let mut tx = self.store().begin_read().await?;
        let revision = store::snapshot::revision(&mut tx).await?;
        let places = served(&mut tx, environment).await?;
        let routes = routes(&mut tx, environment, &places).await?;
        let mut streams = store::stream::of_environment(&mut tx, environment).await?;
        streams.retain(|stream| stream.spec.enabled);
        let mut used: HashSet<UpstreamId> = routes.iter().flat_map(snapshot::Route::upstreams).collect();
        used.extend(streams.iter().map(|stream| stream.spec.upstream_id));
        let mut upstreams = store::snapshot::upstreams(&mut tx, environment).await?;
        upstreams.retain(|upstream| used.contains(&upstream.id));
        let since = now.before(ENDED_KEPT);
        let keys = store::snapshot::keys(&mut tx, environment, since).await?;
        let served = places.iter().map(|place| place.version.id).collect();
        let applications = store::snapshot::applications(&mut tx, environment, since).await?;
        let (products, subscriptions) = subscriptions(&mut tx, environment, since, &served).await?;
        let plans = plans(&mut tx, &subscriptions).await?;
        let mut sdk_keys = store::tracking::keys(&mut tx, since).await?;
        sdk_keys.retain(|(_, key)| key.spec.environment == *environment);
        let recording: HashSet<_> = sdk_keys.iter().map(|(_, key)| key.organization_id).collect();
        let mut event_types = store::tracking::event_types(&mut tx).await?;
        event_types.retain(|it| recording.contains(&it.organization_id));
        let known = self.known_flag_sets();
        let flags = FlagSets::read(&mut tx, known.as_deref()).await?;
        let (certificates, unshown) = self.certificates(&mut tx, environment).await?;
        Ok(Snapshot {
            format: FORMAT,
            revision,
            environment: environment.clone(),
            built_at: now,
            control_url: self.settings().control_url.trim_end_matches('/').to_owned(),
            upstreams: upstreams.into_iter().map(upstream).collect(),
            routes,
            plans,
            products,
            applications,
            subscriptions,
            keys,
            certificates,
            unshown,
            streams: streams.into_iter().map(stream).collect(),
            challenges: store::certificate::challenges(&mut tx, environment).await?,
            flags: flags.sources(environment),
            sdk_keys: sdk_keys
                .into_iter()
                .map(|(hash, key)| sdk_key(hash, key))
                .collect(),
            event_types: event_types.into_iter().map(event_type).collect(),
        })
    }

    /// The routes of an environment as they are in its snapshot.
    pub(crate) async fn build_routes(&self, environment: &Name) -> Result<Vec<snapshot::Route>, Error> {
        let mut tx = self.store().begin_read().await?;
        let places = served(&mut tx, environment).await?;
        routes(&mut tx, environment, &places).await
    }

    /// The snapshots of an environment, the newest each; the first one is there when this returns.
    ///
    /// A change is visible here well within a second. One task per environment builds for all receivers and ends
    /// with the last of them; while the database is away the last snapshot stays.
    ///
    /// # Errors
    /// Those of the first build.
    pub async fn snapshots(&self, environment: &Name) -> Result<watch::Receiver<Arc<Snapshot>>, Error> {
        if let Some(receiver) = self.inner.snapshots.receiver(environment) {
            return Ok(receiver);
        }
        // Whoever subscribes before the first build hears of changes during it.
        let changes = self.changes();
        let first = Arc::new(self.build_snapshot(environment).await?);
        let (receiver, is_new) = self.inner.snapshots.insert(environment, first);
        if let Some(sender) = is_new {
            let control = self.clone();
            tokio::spawn(control.keep_building(environment.clone(), sender, changes));
        }
        Ok(receiver)
    }

    /// The certificates of an environment, their keys sealed for its nodes, and what is asked of clients where there
    /// is none to show.
    async fn certificates(
        &self,
        tx: &mut Tx,
        environment: &Name,
    ) -> Result<(Vec<snapshot::Certificate>, Vec<snapshot::Unshown>), Error> {
        let seal = SealKey::of(self.secrets().cluster_token());
        let (mut certificates, mut unshown) = (Vec::new(), Vec::new());
        for (certificate, sealed) in store::certificate::of_environment(tx, environment).await? {
            let (id, client_auth) = (certificate.id, certificate.spec.client_auth);
            let material = sealed.map(|sealed| Material::open(self.secrets(), id, &sealed));
            if matches!(material, Some(None)) {
                // Everything else can be served.
                tracing::error!(certificate = %id, "the private key was sealed with other secrets");
            }
            let material = material.flatten();
            // One that is ordered anew may be for more hosts than it was.
            let names = certificate.facts.map(|facts| facts.names).unwrap_or_default();
            let is_shown = |host: &String| material.is_some() && pki::covers(&names, host);
            let (hosts, rest): (Vec<_>, Vec<_>) = certificate.spec.hosts.into_iter().partition(is_shown);
            // Whoever comes before there is something to show must not be let in without what is asked for.
            if let Some(client_auth) = client_auth.clone().filter(|_| !rest.is_empty()) {
                unshown.push(snapshot::Unshown {
                    id,
                    hosts: rest,
                    client_auth,
                });
            }
            let Some(material) = material else { continue };
            let sealed_key = seal.seal(&id.to_string(), &material.key);
            certificates.push(snapshot::Certificate {
                id,
                revision: certificate.revision,
                hosts,
                chain: material.chain,
                sealed_key: sealed_key.map_err(|error| Error::internal("sealing a key", error))?,
                client_auth,
            });
        }
        Ok((certificates, unshown))
    }

    async fn keep_building(self, environment: Name, sender: Arc<Sender>, mut changes: watch::Receiver<u64>) {
        let mut failures = 0_u32;
        // While change follows change, half of the time is left to those who make them.
        let mut rested_at = Instant::now();
        while self.inner.snapshots.is_wanted(&environment, &sender) {
            tokio::select! {
                // The sender of changes lives as long as `self`.
                _ = changes.changed() => sleep_until(rested_at.max(Instant::now() + COLLECT)).await,
                () = sleep(POLL) => {}
            }
            changes.borrow_and_update();
            let before = sender.borrow().revision;
            let began = Instant::now();
            match self.newer(&environment, before).await {
                Ok(Some(snapshot)) => {
                    sender.send_replace(Arc::new(snapshot));
                    failures = 0;
                }
                Ok(None) => failures = 0,
                Err(error) => {
                    failures = failures.saturating_add(1);
                    if failures == 1 {
                        tracing::error!(%environment, error = %causes(&error), "no snapshot could be built");
                    }
                }
            }
            rested_at = Instant::now() + began.elapsed();
        }
    }

    async fn newer(&self, environment: &Name, than: u64) -> Result<Option<Snapshot>, Error> {
        if store::snapshot::revision(&mut self.store()).await? == than {
            return Ok(None);
        }
        self.build_snapshot(environment).await.map(Some)
    }
}

impl Watched {
    fn receiver(&self, environment: &Name) -> Option<watch::Receiver<Arc<Snapshot>>> {
        let watched = self.0.lock().expect("nothing panics while holding it");
        Some(watched.get(environment)?.upgrade()?.subscribe())
    }

    /// Adds a sender, and hands it back unless somebody else was quicker.
    fn insert(
        &self,
        environment: &Name,
        first: Arc<Snapshot>,
    ) -> (watch::Receiver<Arc<Snapshot>>, Option<Arc<Sender>>) {
        let mut watched = self.0.lock().expect("nothing panics while holding it");
        if let Some(there) = watched.get(environment).and_then(Weak::upgrade) {
            return (there.subscribe(), None);
        }
        let (sender, receiver) = watch::channel(first);
        let sender = Arc::new(sender);
        watched.insert(environment.clone(), Arc::downgrade(&sender));
        (receiver, Some(sender))
    }

    /// Whether anybody listens; if not, the environment is forgotten under the same lock that subscribers take.
    fn is_wanted(&self, environment: &Name, sender: &Sender) -> bool {
        let mut watched = self.0.lock().expect("nothing panics while holding it");
        if sender.receiver_count() > 0 {
            return true;
        }
        watched.remove(environment);
        false
    }
}

/// The routes that are served.
async fn served(tx: &mut Tx, environment: &Name) -> Result<Vec<Place>, Error> {
    let mut places = store::snapshot::places(tx, environment).await?;
    places.retain(|place| place.route.spec.enabled && place.version.spec.stage != Stage::Draft);
    Ok(places)
}

async fn routes(tx: &mut Tx, environment: &Name, places: &[Place]) -> Result<Vec<snapshot::Route>, Error> {
    let mut operations: HashMap<VersionId, Vec<snapshot::Operation>> = HashMap::new();
    for (version, operation) in store::snapshot::operations(tx, environment).await? {
        operations.entry(version).or_default().push(operation);
    }
    let mut policies: HashMap<ApiId, Vec<Policy>> = HashMap::new();
    for policy in store::snapshot::policies(tx, environment).await? {
        policies.entry(policy.spec.api_id).or_default().push(policy);
    }
    for policies in policies.values_mut() {
        policies.retain(|policy| policy.spec.enabled);
        policies.sort_by_key(|policy| (policy.spec.position, policy.id));
    }
    let none = Vec::new();
    Ok(places
        .iter()
        .map(|place| {
            let operations = operations.get(&place.version.id).cloned().unwrap_or_default();
            let own = policies.get(&place.route.api_id).unwrap_or(&none);
            route(place, operations, own)
        })
        .collect())
}

fn route(place: &Place, operations: Vec<snapshot::Operation>, policies: &[Policy]) -> snapshot::Route {
    let (route, version) = (&place.route, &place.version);
    let known: HashSet<OperationId> = operations.iter().map(|operation| operation.id).collect();
    // One for an operation that this version does not have belongs to another version, or its operation is gone.
    let own = policies
        .iter()
        .filter(|policy| policy.spec.operation_id.is_none_or(|id| known.contains(&id)));
    let mut chosen: Vec<_> = own
        .map(|policy| snapshot::Policy {
            id: Some(policy.id),
            operation: policy.spec.operation_id,
            kind: policy.spec.kind.clone(),
            config: policy.spec.config.clone(),
            audience: policy.spec.audience.clone(),
        })
        .collect();
    let is_for_all = |policy: &snapshot::Policy| policy.kind == KEY_AUTH && policy.operation.is_none();
    if !chosen.iter().any(is_for_all) {
        let default = snapshot::Policy {
            id: None,
            operation: None,
            kind: KEY_AUTH.to_owned(),
            config: json!({}),
            audience: None,
        };
        chosen.insert(0, default);
    }
    snapshot::Route {
        id: route.id,
        organization: route.organization_id,
        api: route.api_id,
        api_name: place.api_name.clone(),
        version: version.id,
        stage: version.spec.stage,
        deprecated_at: version.deprecated_at,
        sunset_at: version.spec.sunset_at,
        host: route.spec.host.clone(),
        base_path: route.spec.base_path.trim_end_matches('/').to_owned(),
        matches: route.spec.matches.clone(),
        priority: route.spec.priority,
        upstream: route.spec.upstream_id,
        split: route.spec.split.clone(),
        redirect: route.spec.redirect.clone(),
        answer: route.spec.answer.clone(),
        rewrite: route.spec.rewrite.clone(),
        connect: route.spec.connect.clone(),
        mirror: route.spec.mirror.clone(),
        importance: route.spec.importance,
        body_bytes_max: route.spec.body_bytes_max,
        operations,
        policies: chosen,
    }
}

/// What applications with keys may call of the versions that are served, and the products with these.
async fn subscriptions(
    tx: &mut Tx,
    environment: &Name,
    since: Timestamp,
    served: &HashSet<VersionId>,
) -> Result<(Vec<snapshot::Product>, Vec<snapshot::Subscription>), Error> {
    let mut versions: BTreeMap<ProductId, Vec<VersionId>> = BTreeMap::new();
    for (product, version) in store::snapshot::product_versions(tx).await? {
        if served.contains(&version) {
            versions.entry(product).or_default().push(version);
        }
    }
    let mut subscriptions = store::snapshot::subscriptions(tx, environment, since).await?;
    subscriptions.retain(|subscription| versions.contains_key(&subscription.product));
    let used: HashSet<_> = subscriptions.iter().map(|it| it.product).collect();
    let products = versions.into_iter().filter(|(id, _)| used.contains(id));
    let products = products.map(|(id, versions)| snapshot::Product { id, versions });
    Ok((products.collect(), subscriptions))
}

async fn plans(tx: &mut Tx, subscriptions: &[snapshot::Subscription]) -> Result<Vec<snapshot::Plan>, Error> {
    let named: HashSet<_> = subscriptions
        .iter()
        .map(|subscription| subscription.plan)
        .collect();
    let plans = store::snapshot::plans(tx).await?;
    Ok(plans
        .into_iter()
        .filter(|plan| named.contains(&plan.id))
        .map(|plan| snapshot::Plan {
            id: plan.id,
            name: plan.spec.name,
            rate_limit: plan.spec.rate_limit,
            quota: plan.spec.quota,
            concurrent_calls_max: plan.spec.concurrent_calls_max,
            tier_costs: plan.spec.tier_costs,
            when_store_is_away: plan.spec.when_store_is_away,
        })
        .collect())
}

fn upstream(upstream: Upstream) -> snapshot::Upstream {
    snapshot::Upstream {
        id: upstream.id,
        spec: UpstreamSpec {
            managed_by: None,
            ..upstream.spec
        },
    }
}

fn stream(route: StreamRoute) -> snapshot::StreamRoute {
    snapshot::StreamRoute {
        id: route.id,
        port: route.spec.port,
        hosts: route.spec.hosts,
        upstream: route.spec.upstream_id,
        idle_ms: route.spec.idle_ms,
        connections_max: route.spec.connections_max,
    }
}

fn sdk_key(hash: Hash, key: SdkKey) -> snapshot::SdkKey {
    snapshot::SdkKey {
        id: key.id,
        hash,
        organization: key.organization_id,
        kind: key.spec.kind,
        origins: key.spec.origins,
        encrypt_payload: key.spec.encrypt_payload,
        rate_limit: key.spec.rate_limit,
        state: key.state,
        expires_at: key.spec.expires_at,
    }
}

fn event_type(it: EventType) -> snapshot::EventType {
    snapshot::EventType {
        id: it.id,
        revision: it.revision,
        organization: it.organization_id,
        name: it.spec.name,
        state: it.spec.state,
        schema: it.spec.schema,
    }
}

/// An error and its causes in one line.
fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
