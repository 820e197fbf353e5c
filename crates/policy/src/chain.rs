//! Which policies of a route run for an operation, and in which order.

use std::sync::Arc;

use domain::id::OperationId;
use domain::snapshot;

use crate::Policy;

const KEY_AUTH: &str = "key_auth";

/// Puts together the policies of an operation, or of requests that match none, in the order they run.
///
/// Of several `key_auth` the most special one holds: the operation's, then the API's, then the one that every
/// route has. There is none in the answer if the route has none; it gets the default one then.
pub fn chain<'a, 'b>(
    policies: &'b [(&'a snapshot::Policy, Arc<dyn Policy>)],
    operation: Option<OperationId>,
) -> Vec<&'b (&'a snapshot::Policy, Arc<dyn Policy>)> {
    let applies = |policy: &snapshot::Policy| policy.operation.is_none() || policy.operation == operation;
    let rank = |policy: &snapshot::Policy| (policy.operation.is_some(), policy.id.is_some());
    let mut chosen = Vec::new();
    let mut key_auth: Option<&(&snapshot::Policy, Arc<dyn Policy>)> = None;
    for entry in policies.iter().filter(|(policy, _)| applies(policy)) {
        if entry.0.kind != KEY_AUTH {
            chosen.push(entry);
        } else if key_auth.is_none_or(|known| rank(entry.0) >= rank(known.0)) {
            key_auth = Some(entry);
        }
    }
    chosen.extend(key_auth);
    chosen.sort_by_key(|(_, policy)| policy.phase());
    chosen
}
