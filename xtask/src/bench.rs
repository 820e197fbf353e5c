//! The snapshots with which the benchmarks of the gateway run `gateline-edge`.
//!
//! For comparing with other gateways: ten thousand applications with a subscription and a key each, one plan whose
//! limit is computed for every call and never reached, one route to the benchmark's upstream. For what size costs:
//! any number of routes and keys ([`scale`]). The same on every run, keys included: they are worth nothing
//! anywhere else.

mod scale;

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use domain::catalog::Stage;
use domain::consumer::{KeyState, SubscriptionState};
use domain::id::{
    ApiId, ApplicationId, KeyId, OperationId, OrganizationId, PlanId, ProductId, RouteId, SubscriptionId,
    UpstreamId, VersionId,
};
use domain::offer::RateLimit;
use domain::release::Importance;
use domain::snapshot::{
    Application, FORMAT, Key, Operation, Plan, Policy, Product, Route, Subscription, Upstream,
};
use domain::traffic::{Target, UpstreamSpec};
use domain::{Name, Snapshot, key};
use serde_json::json;

const KEYS: u32 = 10_000;
/// The key that the load uses; any of them would do.
const KEY_USED: u32 = 42;

/// What is asked for.
#[derive(Debug, Default)]
struct Options<'a> {
    is_open: bool,
    routes: Option<u32>,
    keys: Option<u32>,
    calls: Option<&'a str>,
    packed: Option<&'a str>,
}

impl<'a> Options<'a> {
    /// Reads what stands behind file and upstream; `None` if it is not right.
    fn read(mut words: &[&'a str]) -> Option<Self> {
        let count = |text: &str| text.parse().ok().filter(|count| *count > 0);
        let mut options = Self::default();
        loop {
            words = match words {
                [] => break,
                ["--open", rest @ ..] => {
                    options.is_open = true;
                    rest
                }
                ["--routes", number, rest @ ..] => {
                    options.routes = Some(count(number)?);
                    rest
                }
                ["--keys", number, rest @ ..] => {
                    options.keys = Some(count(number)?);
                    rest
                }
                ["--calls", file, rest @ ..] => {
                    options.calls = Some(file);
                    rest
                }
                ["--packed", file, rest @ ..] => {
                    options.packed = Some(file);
                    rest
                }
                _ => return None,
            };
        }
        let is_scaled = options.routes.is_some() && options.keys.is_some() && !options.is_open;
        let is_simple = options.routes.is_none() && options.keys.is_none() && options.calls.is_none();
        (is_scaled || is_simple).then_some(options)
    }
}

/// Writes a snapshot to a file and, to the standard output, a key that it knows; `None` if the words are not right.
pub(crate) fn run(words: &[&str]) -> Option<ExitCode> {
    let [path, upstream, rest @ ..] = words else {
        return None;
    };
    let options = Options::read(rest)?;
    let (snapshot, key) = match (options.routes, options.keys) {
        (Some(routes), Some(keys)) => {
            let scale = scale::Scale { routes, keys };
            if let Some(file) = options.calls
                && !write(file, scale.calls().as_bytes())
            {
                return Some(ExitCode::FAILURE);
            }
            (scale.snapshot(upstream), scale.key(0))
        }
        _ => snapshot(upstream, options.is_open),
    };
    let text = serde_json::to_string(&snapshot).expect("a snapshot is plain data");
    let packed = options.packed.map(|file| (file, scale::packed(&snapshot)));
    let is_written = write(path, text.as_bytes()) && packed.is_none_or(|(file, bytes)| write(file, &bytes));
    if !is_written {
        return Some(ExitCode::FAILURE);
    }
    crate::tell(&format!("{key}\n"));
    Some(ExitCode::SUCCESS)
}

fn write(path: &str, bytes: &[u8]) -> bool {
    let written = fs::write(Path::new(path), bytes);
    if let Err(error) = &written {
        crate::say(&format!("xtask: writing {path}: {error}\n"));
    }
    written.is_ok()
}

fn environment() -> Name {
    "sandbox".parse().expect("a valid name")
}

fn snapshot(upstream: &str, is_open: bool) -> (Snapshot, String) {
    let mut snapshot = Snapshot {
        upstreams: vec![self::upstream(0, format!("http://{upstream}/v1"))],
        routes: vec![Route {
            base_path: "/v1".to_owned(),
            operations: vec![operation(0, "GET", "/x")],
            policies: is_open.then(open).into_iter().collect(),
            ..route(0, 0)
        }],
        plans: vec![plan(0)],
        products: vec![product(0, 0..1)],
        ..empty()
    };
    for number in 0..KEYS {
        snapshot.applications.push(application(number));
        snapshot.subscriptions.push(subscription(number, number, 0, 0));
        snapshot.keys.push(key(number, number));
    }
    (snapshot, key_text(KEY_USED))
}

fn empty() -> Snapshot {
    Snapshot {
        format: FORMAT,
        revision: 1,
        ..Snapshot::empty(environment())
    }
}

fn open() -> Policy {
    Policy {
        id: None,
        operation: None,
        kind: "key_auth".to_owned(),
        config: json!({ "required": false }),
        audience: None,
    }
}

fn upstream(number: u32, url: String) -> Upstream {
    let name = format!("bench-{number}").parse().expect("a valid name");
    Upstream {
        id: UpstreamId::new(uuid(1, number)),
        spec: UpstreamSpec {
            idle_connections_max: 1024,
            preserve_host: true,
            ..UpstreamSpec::new(name, vec![Target::new(url)])
        },
    }
}

/// A limit that is computed for every call and never reached.
fn plan(number: u32) -> Plan {
    Plan {
        id: PlanId::new(uuid(2, number)),
        name: format!("bench-{number}").parse().expect("a valid name"),
        rate_limit: Some(RateLimit::new(1_000_000, 1, None)),
        quota: None,
        concurrent_calls_max: None,
        tier_costs: None,
        when_store_is_away: Default::default(),
    }
}

/// A route of a version of its own, on every host.
fn route(number: u32, upstream: u32) -> Route {
    Route {
        id: RouteId::new(uuid(5, number)),
        organization: OrganizationId::new(uuid(6, 0)),
        api: ApiId::new(uuid(7, number)),
        api_name: format!("bench-{number}").parse().expect("a valid name"),
        version: VersionId::new(uuid(8, number)),
        stage: Stage::Stable,
        deprecated_at: None,
        sunset_at: None,
        host: None,
        base_path: String::new(),
        matches: domain::routing::Match::default(),
        priority: 0,
        upstream: Some(UpstreamId::new(uuid(1, upstream))),
        split: None,
        redirect: None,
        answer: None,
        rewrite: None,
        connect: None,
        mirror: None,
        importance: Importance::default(),
        body_bytes_max: 1 << 20,
        operations: Vec::new(),
        policies: Vec::new(),
    }
}

fn operation(number: u32, method: &str, path: &str) -> Operation {
    Operation {
        id: OperationId::new(uuid(9, number)),
        method: method.to_owned(),
        path: path.to_owned(),
    }
}

fn application(number: u32) -> Application {
    Application {
        id: ApplicationId::new(uuid(4, number)),
        organization: OrganizationId::new(uuid(6, 1)),
    }
}

/// A product with the versions of some routes.
fn product(number: u32, routes: Range<u32>) -> Product {
    Product {
        id: ProductId::new(uuid(11, number)),
        versions: routes.map(|route| VersionId::new(uuid(8, route))).collect(),
    }
}

fn subscription(number: u32, application: u32, product: u32, plan: u32) -> Subscription {
    Subscription {
        id: SubscriptionId::new(uuid(10, number)),
        application: ApplicationId::new(uuid(4, application)),
        product: ProductId::new(uuid(11, product)),
        plan: PlanId::new(uuid(2, plan)),
        state: SubscriptionState::Active,
    }
}

fn key(number: u32, application: u32) -> Key {
    Key {
        id: KeyId::new(uuid(3, number)),
        hash: key::hash(key_text(number).as_bytes()),
        application: ApplicationId::new(uuid(4, application)),
        state: KeyState::Active,
        expires_at: None,
    }
}

fn key_text(number: u32) -> String {
    let mut random = key::hash(format!("benchmark {number}").as_bytes()).0;
    for byte in &mut random {
        *byte %= 248;
    }
    key::write(&environment(), uuid(3, number), random).expect("bytes below 248")
}

fn uuid(kind: u8, number: u32) -> uuid::Uuid {
    // In the form of version 7, of a moment long ago.
    uuid::Uuid::from_u128((7 << 76) | (2 << 62) | (u128::from(kind) << 32) | u128::from(number))
}

#[cfg(test)]
mod tests {
    use super::{KEYS, Options, key, snapshot};

    #[test]
    fn the_key_that_is_told_is_in_the_snapshot() {
        let (snapshot, text) = snapshot("127.0.0.1:19000", true);
        assert_eq!(snapshot.keys.len(), KEYS as usize);
        let parts = key::parse(&text).unwrap();
        let found = snapshot
            .keys
            .iter()
            .find(|known| known.id.uuid() == parts.id)
            .unwrap();
        assert_eq!(found.hash, key::hash(text.as_bytes()));
        assert_eq!(snapshot.routes[0].policies.len(), 1);
    }

    #[test]
    fn sizes_come_together() {
        for (words, is_right) in [
            (&[] as &[&str], true),
            (&["--open"], true),
            (&["--routes", "5", "--keys", "9", "--calls", "f"], true),
            (&["--routes", "5"], false),
            (&["--calls", "f"], false),
            (&["--routes", "0", "--keys", "9"], false),
            (&["--routes", "5", "--keys", "9", "--open"], false),
            (&["--keys"], false),
        ] {
            assert_eq!(Options::read(words).is_some(), is_right, "{words:?}");
        }
    }
}
