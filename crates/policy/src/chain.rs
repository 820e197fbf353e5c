//! Which policies of a route run for an operation, and in which order.

use std::sync::Arc;

use domain::id::OperationId;
use domain::snapshot;

use crate::Policy;

/// Policies of which one holds.
const SINGLE: [&str; 2] = ["key_auth", "call_cost"];
/// The same, but it runs where it stands among others.
const CORS: &str = "cors";

/// Whether of several policies of a kind that are for the same calls only one holds.
pub fn is_single(kind: &str) -> bool {
    kind == CORS || SINGLE.contains(&kind)
}

/// Puts together the policies of an operation, or of requests that match none, in the order they run.
///
/// Of several `key_auth` (or `call_cost`, or `cors`) the most special one holds: the operation's, then the API's, then the
/// one that every route has. There is no `key_auth` in the answer if the route has none; it gets the
/// default one then. Those of an audience come besides: of several that a call is of, the most special one holds.
pub fn chain<'a, 'b>(
    policies: &'b [(&'a snapshot::Policy, Arc<dyn Policy>)],
    operation: Option<OperationId>,
) -> Vec<&'b (&'a snapshot::Policy, Arc<dyn Policy>)> {
    let applies = |policy: &snapshot::Policy| policy.operation.is_none() || policy.operation == operation;
    let rank = |policy: &snapshot::Policy| (policy.operation.is_some(), policy.id.is_some());
    let mut chosen = Vec::new();
    // They come after what holds for everybody, so that the most special one has the last word.
    let mut special = Vec::new();
    let mut single: [Option<&(&snapshot::Policy, Arc<dyn Policy>)>; SINGLE.len()] = [None; SINGLE.len()];
    for entry in policies.iter().filter(|(policy, _)| applies(policy)) {
        let Some(place) = SINGLE.iter().position(|kind| *kind == entry.0.kind) else {
            chosen.push(entry);
            continue;
        };
        if entry.0.audience.is_some() {
            special.push(entry);
            continue;
        }
        if single[place].is_none_or(|known| rank(entry.0) >= rank(known.0)) {
            single[place] = Some(entry);
        }
    }
    keep_one_cors(&mut chosen);
    chosen.extend(single.into_iter().flatten());
    special.sort_by_key(|entry| rank(entry.0));
    chosen.extend(special);
    chosen.sort_by_key(|(_, policy)| policy.phase());
    chosen
}

/// Leaves the `cors` of the operation, else the first one: what another allows would be taken back anyway.
fn keep_one_cors(chosen: &mut Vec<&(&snapshot::Policy, Arc<dyn Policy>)>) {
    let is_cors = |entry: &&&(&snapshot::Policy, Arc<dyn Policy>)| entry.0.kind == CORS;
    let is_own = |entry: &&&(&snapshot::Policy, Arc<dyn Policy>)| entry.0.operation.is_some();
    let own = chosen.iter().filter(is_cors).find(is_own);
    let Some(kept) = own.or_else(|| chosen.iter().find(is_cors)).copied() else {
        return;
    };
    chosen.retain(|entry| entry.0.kind != CORS || std::ptr::eq(*entry, kept));
}

#[cfg(test)]
mod tests;
