use std::sync::Arc;

use domain::id::{OperationId, PolicyId};
use domain::snapshot;
use serde_json::json;
use uuid::Uuid;

use super::{chain, is_single};
use crate::Policy;

fn operation(number: u128) -> OperationId {
    OperationId::new(Uuid::from_u128(number))
}

fn policy(number: u128, of: Option<u128>, kind: &str) -> (snapshot::Policy, Arc<dyn Policy>) {
    let config = match kind {
        "cors" => json!({ "origins": ["https://a.example"] }),
        _ => json!({}),
    };
    let made = crate::kind(kind).unwrap().compile(&config, None).unwrap();
    let policy = snapshot::Policy {
        id: Some(PolicyId::new(Uuid::from_u128(number))),
        operation: of.map(operation),
        kind: kind.to_owned(),
        config,
        audience: None,
    };
    (policy, made)
}

/// The numbers of the policies that run for an operation.
fn order(policies: &[(snapshot::Policy, Arc<dyn Policy>)], of: Option<u128>) -> Vec<u128> {
    let policies: Vec<_> = policies
        .iter()
        .map(|(policy, made)| (policy, Arc::clone(made)))
        .collect();
    let chain = chain(&policies, of.map(operation));
    let numbers = chain
        .iter()
        .map(|(policy, _)| policy.id.unwrap().uuid().as_u128());
    numbers.collect()
}

#[test]
fn the_cors_of_an_operation_holds_in_the_place_of_the_others() {
    let policies = [
        policy(1, None, "cors"),
        policy(2, None, "headers"),
        policy(3, Some(9), "cors"),
        policy(4, None, "headers"),
    ];
    assert_eq!(order(&policies, None), [1, 2, 4]);
    assert_eq!(order(&policies, Some(8)), [1, 2, 4]);
    assert_eq!(order(&policies, Some(9)), [2, 3, 4]);
}

#[test]
fn of_two_in_the_same_place_one_runs() {
    let policies = [
        policy(1, None, "cors"),
        policy(2, None, "cors"),
        policy(3, None, "key_auth"),
        policy(4, None, "key_auth"),
    ];
    assert_eq!(order(&policies, None), [1, 4]);
}

#[test]
fn limits_and_changes_add_up() {
    for kind in crate::kinds() {
        let expected = ["key_auth", "call_cost", "cors"].contains(&kind.name);
        assert_eq!(is_single(kind.name), expected, "{}", kind.name);
    }
}
