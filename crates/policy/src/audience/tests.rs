use std::sync::Arc;

use domain::id::{OperationId, PolicyId};
use domain::snapshot;
use serde_json::{Value, json};
use uuid::Uuid;

use super::only_for;
use crate::directory::tests::snapshot as directory;
use crate::testing::{By, Scene};
use crate::{Directory, Phase, Policy, kind, kinds};

fn audience() -> domain::flag::Audience {
    serde_json::from_value(json!({ "flags": [{ "key": "a" }] })).unwrap()
}

fn made(name: &str, config: &Value) -> Arc<dyn Policy> {
    kind(name).unwrap().compile(config, None).unwrap()
}

#[test]
fn what_decides_who_may_call_is_for_everybody() {
    let for_all: Vec<_> = kinds()
        .iter()
        .filter(|kind| !kind.takes_audience)
        .map(|kind| kind.name)
        .collect();
    assert_eq!(
        for_all,
        ["key_auth", "body_limit", "cors", "feature_flags", "grpc_web"]
    );
}

#[test]
fn it_runs_once_it_is_known_who_calls() {
    let headers = made("headers", &json!({}));
    assert_eq!(headers.phase(), Phase::First);
    assert_eq!(only_for(headers, &audience()).unwrap().phase(), Phase::Decide);
    // What a call counts for is said before the plan counts it.
    let cost = only_for(made("call_cost", &json!({ "units": 3 })), &audience()).unwrap();
    assert_eq!(cost.phase(), Phase::Authenticate);
}

#[test]
fn without_flags_it_is_for_nobody_and_goes_on_counting() {
    let known = Directory::compile(&directory(), None).unwrap();
    let limit = made("rate_limit", &json!({ "requests": 1, "window_seconds": 60 }));
    let limited = only_for(Arc::clone(&limit), &audience()).unwrap();
    let scene = Scene::default();
    let mut held = Vec::new();
    for _ in 0..3 {
        let said = scene.play(&known, By::Policy(&*limited), &mut held);
        assert!(said.starts_with("pass |") && !said.contains("r="), "{said}");
    }
    assert!(limited.state().is_some() && limited.ledger().is_some() == limit.ledger().is_some());
}

#[test]
fn the_most_special_cost_that_holds_has_the_last_word() {
    let policy = |number: u128, operation: Option<u128>, kind: &str, is_for_all: bool| snapshot::Policy {
        id: Some(PolicyId::new(Uuid::from_u128(number))),
        operation: operation.map(|operation| OperationId::new(Uuid::from_u128(operation))),
        kind: kind.to_owned(),
        config: if kind == "call_cost" {
            json!({ "units": 1 })
        } else {
            json!({})
        },
        audience: (!is_for_all).then(audience),
    };
    let policies = [
        policy(1, Some(9), "call_cost", false),
        policy(2, None, "call_cost", false),
        policy(3, None, "call_cost", true),
        policy(4, Some(9), "call_cost", true),
        policy(5, None, "headers", false),
        policy(6, None, "headers", true),
        policy(7, None, "key_auth", true),
        policy(8, Some(8), "call_cost", false),
    ];
    let compiled: Vec<_> = policies
        .iter()
        .map(|policy| {
            let all = made(&policy.kind, &policy.config);
            let made = policy
                .audience
                .as_ref()
                .map(|audience| only_for(Arc::clone(&all), audience).unwrap());
            (policy, made.unwrap_or(all))
        })
        .collect();
    let order = |operation: Option<u128>| {
        let operation = operation.map(|operation| OperationId::new(Uuid::from_u128(operation)));
        let chain = crate::chain(&compiled, operation);
        let numbers = chain
            .iter()
            .map(|(policy, _)| policy.id.unwrap().uuid().as_u128());
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(order(None), [6, 7, 3, 2, 5]);
    assert_eq!(order(Some(9)), [6, 7, 4, 2, 1, 5]);
}
