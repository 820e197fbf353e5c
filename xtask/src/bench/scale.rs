//! Any number of routes and keys, as they lie on a node that many teams use, and calls that reach all of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use domain::Snapshot;
use domain::routing::{FieldKind, FieldMatch};
use domain::snapshot::{FORMAT, Operation, Packed, Policy, Route};
use serde_json::json;

use super::{application, empty, key, key_text, operation, plan, product, route, subscription, upstream};

/// Routes that share a host.
const TEAM: u32 = 10;
/// Routes whose versions are in one product.
const PRODUCT: u32 = 3;
/// Keys of an application: the one in use and the one that follows it.
const KEYS_EACH: u32 = 2;
const PLANS: u32 = 12;
/// Calls are in an order in which what belongs together is far apart.
const STRIDE: u64 = 104_729;
const SUBJECTS: [&str; 20] = [
    "orders",
    "invoices",
    "customers",
    "products",
    "carts",
    "payments",
    "refunds",
    "shipments",
    "returns",
    "stocks",
    "prices",
    "coupons",
    "reviews",
    "tickets",
    "messages",
    "devices",
    "readings",
    "alerts",
    "bookings",
    "parcels",
];
/// The operations of every version.
const OPERATIONS: [(&str, &str); 8] = [
    ("GET", "/items"),
    ("POST", "/items"),
    ("GET", "/items/{item_id}"),
    ("PUT", "/items/{item_id}"),
    ("PATCH", "/items/{item_id}"),
    ("DELETE", "/items/{item_id}"),
    ("GET", "/items/{item_id}/history"),
    ("GET", "/status"),
];

/// How much of everything there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) routes: u32,
    pub(super) keys: u32,
}

/// Where a route is.
struct Spot {
    /// As the route has it.
    host: Option<String>,
    /// As a client calls it.
    called: String,
    base_path: String,
    /// Whether it takes only calls for the release to come, from the route before it.
    is_beta: bool,
}

impl Spot {
    fn of(route: u32) -> Self {
        let (team, is_beta) = (route / TEAM, route % TEAM == TEAM - 1);
        // The release to come is called at the place of the present one.
        let number = if is_beta { route - 1 } else { route };
        let subject = SUBJECTS[(number % SUBJECTS.len() as u32) as usize];
        let base_path = format!("/{subject}/v{}", number % 3 + 1);
        let (host, called, base_path) = match team % 20 {
            18 => {
                let below = format!("team-{team}.example.com");
                (Some(format!("*.{below}")), format!("eu.{below}"), base_path)
            }
            19 => (
                None,
                "api.example.com".to_owned(),
                format!("/team-{team}{base_path}"),
            ),
            _ => {
                let host = format!("api.team-{team}.example.com");
                (Some(host.clone()), host, base_path)
            }
        };
        Self {
            host,
            called,
            base_path,
            is_beta,
        }
    }
}

impl Scale {
    pub(super) fn snapshot(self, address: &str) -> Snapshot {
        let applications = self.keys.div_ceil(KEYS_EACH);
        let subscribed = (0..applications).flat_map(|application| {
            let products = self.products_of(application).into_iter();
            products.map(move |product| (application, product))
        });
        Snapshot {
            // One: connections to many would make the system's share the larger one.
            upstreams: vec![upstream(0, format!("http://{address}/teams"))],
            routes: (0..self.routes).map(scaled_route).collect(),
            plans: (0..PLANS.min(applications)).map(plan).collect(),
            products: (0..self.routes.div_ceil(PRODUCT))
                .map(|number| {
                    product(
                        number,
                        number * PRODUCT..((number + 1) * PRODUCT).min(self.routes),
                    )
                })
                .collect(),
            applications: (0..applications).map(application).collect(),
            subscriptions: (1..)
                .zip(subscribed)
                .map(|(number, (application, product))| {
                    subscription(number, application, product, application % PLANS)
                })
                .collect(),
            keys: (0..self.keys)
                .map(|number| key(number, number / KEYS_EACH))
                .collect(),
            ..empty()
        }
    }

    /// A key of the snapshot.
    pub(super) fn key(self, number: u32) -> String {
        key_text(number)
    }

    /// A line for each call, with host, path and key: every route and every key is in one at least.
    pub(super) fn calls(self) -> String {
        let count = u64::from(self.routes.max(self.keys));
        let stride = (STRIDE..)
            .find(|stride| is_coprime(*stride, count))
            .expect("a prime follows");
        let mut lines = String::new();
        for place in 0..count {
            let number = u32::try_from(place * stride % count).expect("below the number of routes or keys");
            let (route, key) = (number % self.routes, number % self.keys);
            let spot = Spot::of(route);
            let item = u64::from(number) * 7919 % 1_000_000;
            let path = match number / self.routes % 4 {
                0 => format!("/items/{item}"),
                1 => "/items".to_owned(),
                2 => format!("/items/{item}/history"),
                _ => "/status".to_owned(),
            };
            let query = if spot.is_beta { "?release=beta" } else { "" };
            let _ = writeln!(
                lines,
                "{} {}{path}{query} {}",
                spot.called,
                spot.base_path,
                self.key(key)
            );
        }
        lines
    }

    /// The routes that a key is used for.
    fn called_by(self, key: u32) -> impl Iterator<Item = u32> {
        let routes = if self.keys < self.routes {
            key..self.routes
        } else {
            key % self.routes..key % self.routes + 1
        };
        routes.step_by(self.keys as usize)
    }

    /// The products that an application has subscribed to.
    fn products_of(self, application: u32) -> BTreeSet<u32> {
        let keys = application * KEYS_EACH..((application + 1) * KEYS_EACH).min(self.keys);
        let called = keys.flat_map(|key| self.called_by(key));
        called.map(|route| route / PRODUCT).collect()
    }
}

fn scaled_route(number: u32) -> Route {
    let spot = Spot::of(number);
    let operations: Vec<Operation> = (0..)
        .zip(OPERATIONS)
        .map(|(index, (method, path))| operation(number * OPERATIONS.len() as u32 + index, method, path))
        .collect();
    let mut route = Route {
        host: spot.host,
        base_path: spot.base_path,
        operations,
        policies: vec![Policy {
            id: None,
            operation: None,
            kind: "body_limit".to_owned(),
            config: json!({ "bytes": 65_536 }),
            audience: None,
        }],
        ..route(number, 0)
    };
    if spot.is_beta {
        route.matches.query = vec![FieldMatch {
            name: "release".to_owned(),
            kind: FieldKind::Exact,
            value: Some("beta".to_owned()),
            not: false,
        }];
    }
    route
}

fn is_coprime(one: u64, other: u64) -> bool {
    let (mut one, mut other) = (one, other);
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one == 1
}

/// What stands behind the revision, packed.
///
/// A frame with another beginning before it is the same snapshot with another revision, for who packs many of them.
pub(super) fn packed(snapshot: &Snapshot) -> Vec<u8> {
    let packed = Packed::new(snapshot, b"").expect("a snapshot is plain data");
    let all = zstd::decode_all(&packed.bytes[..]).expect("it was just compressed");
    let begins = format!("{{\"format\":{FORMAT},\"revision\":1");
    let rest = all
        .strip_prefix(begins.as_bytes())
        .expect("format and revision stand first");
    zstd::bulk::compress(rest, 3).expect("memory is there")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Scale;

    #[test]
    fn calls_reach_every_route_and_every_key() {
        for (routes, keys) in [(1, 1), (20, 100), (200, 1000), (200, 30)] {
            let scale = Scale { routes, keys };
            let snapshot = scale.snapshot("127.0.0.1:1");
            assert_eq!(snapshot.routes.len(), routes as usize);
            assert_eq!(snapshot.keys.len(), keys as usize);
            let calls = scale.calls();
            let lines: Vec<_> = calls.lines().collect();
            assert_eq!(lines.len(), routes.max(keys) as usize);
            let used: HashSet<_> = lines
                .iter()
                .map(|line| line.rsplit(' ').next().unwrap())
                .collect();
            assert_eq!(used.len(), keys as usize);
            let places: HashSet<_> = lines
                .iter()
                .map(|line| {
                    let mut words = line.split(' ');
                    let (host, path) = (words.next().unwrap(), words.next().unwrap());
                    (host, path.split("/v").next().unwrap(), path.contains("release"))
                })
                .collect();
            assert_eq!(places.len(), routes as usize, "{routes} {keys}");
        }
    }

    #[test]
    fn everybody_may_call_what_they_call() {
        let scale = Scale {
            routes: 200,
            keys: 1000,
        };
        let snapshot = scale.snapshot("127.0.0.1:1");
        for (number, key) in (0_u32..).zip(&snapshot.keys) {
            let route = &snapshot.routes[(number % 200) as usize];
            let products = snapshot.products.iter();
            let product = products
                .clone()
                .find(|product| product.versions.contains(&route.version));
            let may = snapshot.subscriptions.iter().any(|subscription| {
                subscription.application == key.application && subscription.product == product.unwrap().id
            });
            assert!(may, "key {number}");
        }
    }
}
