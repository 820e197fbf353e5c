//! Compiles policies and puts them together as chains.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use domain::id::{OperationId, PolicyId, RouteId};
use domain::snapshot;
use policy::{Phase, Policy};

use super::{Chain, Compiled, Rejected};
use crate::course::{Kinds, Step};

const KEY_AUTH: &str = "key_auth";

/// What a policy's state belongs to: the policy, or the place of one without an id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum StateKey {
    Policy(PolicyId),
    Place(RouteId, Option<OperationId>, String),
}

impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(id) => write!(f, "{id}"),
            Self::Place(route, None, kind) => write!(f, "{route}-{kind}"),
            Self::Place(route, Some(operation), kind) => write!(f, "{route}-{operation}-{kind}"),
        }
    }
}

impl Compiled {
    pub(super) fn compile_policy(
        &mut self,
        route: &snapshot::Route,
        policy: &snapshot::Policy,
        (previous, alike): (Option<&Self>, &mut Alike),
    ) -> Result<Arc<dyn Policy>, Rejected> {
        let text = match &policy.audience {
            None => policy.config.to_string(),
            Some(audience) => format!("{} {audience:?}", policy.config),
        };
        if let Some(known) = alike.policies.get(&(policy.kind.clone(), text.clone())) {
            return Ok(Arc::clone(known));
        }
        let kind = policy::kind(&policy.kind).ok_or_else(|| Rejected::PolicyKind {
            route: route.id,
            kind: policy.kind.clone(),
        })?;
        let key = match policy.id {
            Some(id) => StateKey::Policy(id),
            None => StateKey::Place(route.id, policy.operation, policy.kind.clone()),
        };
        // A policy of an API runs on each of its routes and counts once for all of them.
        let state = self
            .states
            .get(&key)
            .or_else(|| previous?.states.get(&key))
            .cloned();
        let compiled = kind
            .compile(&policy.config, state.as_ref())
            .map_err(|faults| Rejected::Policy {
                route: route.id,
                kind: policy.kind.clone(),
                faults,
            })?;
        let compiled = match &policy.audience {
            None => compiled,
            Some(_) if !kind.takes_audience => {
                return Err(Rejected::NoAudience {
                    route: route.id,
                    kind: policy.kind.clone(),
                });
            }
            Some(audience) => policy::only_for(compiled, audience).map_err(|faults| Rejected::Audience {
                route: route.id,
                kind: policy.kind.clone(),
                faults,
            })?,
        };
        if let Some(state) = compiled.state() {
            let name = key.to_string();
            let is_new = self.states.insert(key, state).is_none();
            if let Some(ledger) = compiled.ledger().filter(|_| is_new) {
                self.ledgers.push((name, ledger));
            }
        } else {
            let known = (policy.kind.clone(), text);
            alike.policies.insert(known, Arc::clone(&compiled));
        }
        Ok(compiled)
    }
}

/// What many routes have in common stands in memory once: it is there already when a call comes to another route.
#[derive(Default)]
pub(super) struct Alike {
    /// Policies that remember nothing, by kind and configuration.
    policies: HashMap<(String, String), Arc<dyn Policy>>,
    /// Chains by their policies, what these are called, and the largest body: all else of a chain follows from these.
    /// Two that do the same and are called otherwise are two: an explanation tells which they are.
    chains: HashMap<(Vec<Called>, u64), Arc<Chain>>,
}

/// A policy in memory, and its id.
type Called = (*const (), Option<PolicyId>);

impl Alike {
    /// The chain that is the same as this one, if there is one.
    pub(super) fn chain(&mut self, chain: Chain) -> Arc<Chain> {
        let place = |policy: &Arc<dyn Policy>| Arc::as_ptr(policy).cast();
        let ids = chain.steps.iter().map(|step| step.policy);
        let policies = chain.policies.iter().map(place).zip(ids).collect();
        let known = self.chains.entry((policies, chain.body_bytes_max));
        Arc::clone(known.or_insert_with(|| Arc::new(chain)))
    }
}

/// Puts together the policies of an operation, or of requests that match none.
///
/// A route without `key_auth` gets one, so that nothing is open by accident.
pub(super) fn of(
    route: &snapshot::Route,
    operation: Option<OperationId>,
    policies: &[(&snapshot::Policy, Arc<dyn Policy>)],
) -> Chain {
    let ordered = policy::chain(policies, operation);
    let has_key_auth = ordered.iter().any(|(policy, _)| policy.kind == KEY_AUTH);
    let step = |policy: &snapshot::Policy| Step {
        kind: policy::kind(&policy.kind).map_or("", |kind| kind.name),
        policy: policy.id,
    };
    let chosen = ordered
        .iter()
        .map(|(policy, made)| (step(policy), Arc::clone(made)));
    let mut chosen: Vec<(Step, Arc<dyn Policy>)> = chosen.collect();
    if !has_key_auth {
        let step = Step {
            kind: KEY_AUTH,
            policy: None,
        };
        // Before what asks who calls.
        chosen.insert(0, (step, Arc::clone(&DEFAULT_KEY_AUTH)));
        chosen.sort_by_key(|(_, policy)| policy.phase());
    }
    let (steps, chosen): (Vec<_>, Vec<_>) = chosen.into_iter().unzip();
    let decide_from = chosen.partition_point(|policy| policy.phase() < Phase::Decide);
    let body_bytes_max = chosen
        .iter()
        .filter_map(|policy| policy.body_bytes_max())
        .fold(route.body_bytes_max, u64::min);
    let translates_grpc_web = chosen.iter().any(|policy| policy.translates_grpc_web());
    Chain {
        policies: chosen,
        kinds: Kinds::of(&steps, decide_from),
        steps,
        decide_from,
        body_bytes_max,
        translates_grpc_web,
    }
}

/// What a route has that says nothing about who may call.
static DEFAULT_KEY_AUTH: LazyLock<Arc<dyn Policy>> = LazyLock::new(|| {
    let kind = policy::kind(KEY_AUTH).expect("a builtin");
    kind.compile(&serde_json::Value::Object(serde_json::Map::new()), None)
        .expect("every field has a default")
});
