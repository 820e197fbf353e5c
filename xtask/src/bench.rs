//! The snapshot with which the benchmark of the gateway runs `gateline-edge`.
//!
//! Ten thousand applications with a subscription and a key each, one plan whose limit is computed for every
//! call and never reached, one route to the benchmark's upstream. The same on every run, keys included: they
//! are worth nothing anywhere else.

use std::fs;
use std::process::ExitCode;

use domain::catalog::Stage;
use domain::consumer::{KeyState, SubscriptionState};
use domain::id::{
    ApiId, ApplicationId, KeyId, OperationId, OrganizationId, PlanId, RouteId, SubscriptionId, UpstreamId,
    VersionId,
};
use domain::offer::RateLimit;
use domain::snapshot::{Application, FORMAT, Key, Operation, Plan, Policy, Route, Subscription, Upstream};
use domain::traffic::{Target, UpstreamSpec};
use domain::{Name, Snapshot, key};
use serde_json::json;

const KEYS: u32 = 10_000;
/// The key that the load uses; any of them would do.
const KEY_USED: u32 = 42;

/// Writes the snapshot to a file and a key that it knows to the standard output.
pub(crate) fn run(path: &str, upstream: &str, is_open: bool) -> ExitCode {
    let (snapshot, key) = snapshot(upstream, is_open);
    let text = serde_json::to_string(&snapshot).expect("a snapshot is plain data");
    if let Err(error) = fs::write(path, text) {
        crate::say(&format!("xtask: writing {path}: {error}\n"));
        return ExitCode::FAILURE;
    }
    crate::tell(&format!("{key}\n"));
    ExitCode::SUCCESS
}

fn snapshot(upstream: &str, is_open: bool) -> (Snapshot, String) {
    let environment: Name = "sandbox".parse().expect("a valid name");
    let mut snapshot = Snapshot {
        format: FORMAT,
        revision: 1,
        upstreams: vec![Upstream {
            id: UpstreamId::new(uuid(1, 0)),
            spec: UpstreamSpec {
                idle_connections_max: 1024,
                preserve_host: true,
                ..UpstreamSpec::new(
                    "bench".parse().expect("a valid name"),
                    vec![Target::new(format!("http://{upstream}/v1"))],
                )
            },
        }],
        routes: vec![route(is_open)],
        plans: vec![Plan {
            id: PlanId::new(uuid(2, 0)),
            name: "bench".parse().expect("a valid name"),
            rate_limit: Some(RateLimit::new(1_000_000, 1, None)),
            quota: None,
            concurrent_calls_max: None,
            tier_costs: None,
            when_store_is_away: Default::default(),
        }],
        ..Snapshot::empty(environment.clone())
    };
    let mut used = String::new();
    for number in 0..KEYS {
        let text = key_text(&environment, number);
        snapshot.applications.push(application(number));
        snapshot.keys.push(Key {
            id: KeyId::new(uuid(3, number)),
            hash: hexadecimal(&key::hash(text.as_bytes())),
            application: ApplicationId::new(uuid(4, number)),
            state: KeyState::Active,
            expires_at: None,
        });
        if number == KEY_USED {
            used = text;
        }
    }
    (snapshot, used)
}

fn route(is_open: bool) -> Route {
    let policies = is_open.then(|| Policy {
        id: None,
        operation: None,
        kind: "key_auth".to_owned(),
        config: json!({ "required": false }),
    });
    Route {
        id: RouteId::new(uuid(5, 0)),
        organization: OrganizationId::new(uuid(6, 0)),
        api: ApiId::new(uuid(7, 0)),
        api_name: "bench".parse().expect("a valid name"),
        version: VersionId::new(uuid(8, 0)),
        stage: Stage::Stable,
        deprecated_at: None,
        sunset_at: None,
        host: None,
        base_path: "/v1".to_owned(),
        matches: domain::routing::Match::default(),
        priority: 0,
        upstream: Some(UpstreamId::new(uuid(1, 0))),
        redirect: None,
        answer: None,
        rewrite: None,
        body_bytes_max: 1 << 20,
        operations: vec![Operation {
            id: OperationId::new(uuid(9, 0)),
            method: "GET".to_owned(),
            path: "/x".to_owned(),
        }],
        policies: policies.into_iter().collect(),
    }
}

fn application(number: u32) -> Application {
    Application {
        id: ApplicationId::new(uuid(4, number)),
        organization: OrganizationId::new(uuid(6, 1)),
        subscriptions: vec![Subscription {
            id: SubscriptionId::new(uuid(10, number)),
            plan: PlanId::new(uuid(2, 0)),
            state: SubscriptionState::Active,
            versions: vec![VersionId::new(uuid(8, 0))],
        }],
    }
}

fn key_text(environment: &Name, number: u32) -> String {
    let mut random = key::hash(format!("benchmark {number}").as_bytes());
    for byte in &mut random {
        *byte %= 248;
    }
    key::write(environment, KeyId::new(uuid(3, number)), random).expect("bytes below 248")
}

fn uuid(kind: u8, number: u32) -> uuid::Uuid {
    // In the form of version 7, of a moment long ago.
    uuid::Uuid::from_u128((7 << 76) | (2 << 62) | (u128::from(kind) << 32) | u128::from(number))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{KEYS, hexadecimal, key, snapshot};

    #[test]
    fn the_key_that_is_told_is_in_the_snapshot() {
        let (snapshot, text) = snapshot("127.0.0.1:19000", true);
        assert_eq!(snapshot.keys.len(), KEYS as usize);
        let parts = key::parse(&text).unwrap();
        let found = snapshot.keys.iter().find(|known| known.id == parts.id).unwrap();
        assert_eq!(found.hash, hexadecimal(&key::hash(text.as_bytes())));
        assert_eq!(snapshot.routes[0].policies.len(), 1);
    }
}
