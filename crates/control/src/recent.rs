//! Explains recent calls, which only the nodes that took them remember; and the tokens by which calls ask for it.

use std::collections::HashSet;
use std::time::Duration;

use domain::debug::{Claims, DebugKey};
use domain::id::{DebugTokenId, NodeId, OrganizationId, RouteId};
use domain::node::NodeQuestion;
use domain::recent::{
    CallExplanation, CallRouting, DEBUG_HEADER, DebugToken, DebugTokenSpec, ExplainedCall, Noted,
    REQUEST_ID_BYTES_MAX, Remembered,
};
use domain::traffic::Route;
use domain::{Code, Timestamp};
use store::entity;

use crate::audit::Change;
use crate::key::ENVIRONMENT_DEFAULT;
use crate::resource::fault::Faults;
use crate::resource::own;
use crate::{Caller, Control, Error};

/// How long nodes may take for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long other nodes may take once one has remembered a call.
const GRACE: Duration = Duration::from_millis(800);
/// How often it is looked for answers that came to another control plane.
const LOOK: Duration = Duration::from_millis(100);
/// A node that was not heard of for so long is not waited for.
const NODE_GONE: Duration = Duration::from_secs(60);
/// The most calls that are told about one id.
const CALLS_MAX: usize = 20;
/// Questions that may be open at a time.
const OPEN_MAX: usize = 32;
/// How long a debug token may be good.
const LIFETIME_SECONDS: std::ops::RangeInclusive<u32> = 10..=3600;

impl Control {
    /// Tells what nodes remember of the calls with a request id.
    ///
    /// The organization whose API was called is told everything; the one whose application called is told what
    /// concerns it; others, nothing.
    ///
    /// # Errors
    /// `not_found` if no node remembers one that the caller may know; `overloaded` with too many questions at a time.
    pub async fn explain_request(&self, caller: &Caller, request_id: &str) -> Result<CallExplanation, Error> {
        let organization = caller.organization()?;
        self.access()
            .check(caller, "explain_request", organization, None)?;
        let is_id = (1..=REQUEST_ID_BYTES_MAX).contains(&request_id.len())
            && request_id.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_id {
            let detail = format!("`request_id` is 1 to {REQUEST_ID_BYTES_MAX} visible characters.");
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
        let open = store::question::since(&mut self.store(), self.now().before(PATIENCE)).await?;
        if open.len() >= OPEN_MAX {
            let detail = "Too many calls are being looked for at the moment.";
            return Err(Error::refused(Code::Overloaded, detail));
        }
        let nodes = self.living_nodes().await?;
        let question = NodeQuestion {
            id: self.uuid().simple().to_string(),
            request_id: request_id.to_owned(),
        };
        self.ask(&question).await?;
        let answers = self.wait_for_answers(&question, &nodes).await;
        self.forget(&question).await?;
        let answers = answers?;
        let answered = answers.iter().filter(|(node, _)| nodes.contains(node)).count();
        let mut calls = Vec::new();
        for (node, remembered) in answers {
            for one in remembered {
                calls.extend(shown(one, node, organization));
            }
        }
        calls.sort_by_key(|call| std::cmp::Reverse(call.started_at));
        calls.truncate(CALLS_MAX);
        if calls.is_empty() {
            let detail = format!(
                "No gateway node remembers a call of yours with this id; {answered} of {} nodes answered. Nodes \
                 remember the last calls only (setting `gateway.recent_calls`).",
                nodes.len()
            );
            return Err(Error::refused(Code::NotFound, detail));
        }
        for call in &mut calls {
            self.name_routes(organization, &mut call.routing).await?;
        }
        Ok(CallExplanation {
            request_id: request_id.to_owned(),
            calls,
            nodes_asked: count(nodes.len()),
            nodes_answered: count(answered),
        })
    }

    /// Makes a token by which calls ask to be explained in full.
    ///
    /// # Errors
    /// `request_invalid` if the environment or the route is not there.
    pub async fn create_debug_token(
        &self,
        caller: &Caller,
        spec: &DebugTokenSpec,
    ) -> Result<DebugToken, Error> {
        let organization = caller.organization()?;
        let default = || ENVIRONMENT_DEFAULT.parse().expect("a name");
        let environment = spec.environment.clone().unwrap_or_else(default);
        let mut tx = self.begin(caller).await?;
        let route = match spec.route_id {
            None => {
                self.access()
                    .check(caller, "create_debug_token", organization, None)?;
                None
            }
            Some(id) => {
                let route = own::by_id::<Route>(&mut tx, caller, id).await?;
                match &route {
                    Some(route) => {
                        self.authorize(&mut tx, caller, "create_debug_token", route)
                            .await?;
                    }
                    None => self
                        .access()
                        .check(caller, "create_debug_token", organization, None)?,
                }
                route
            }
        };
        let mut faults = Faults::default();
        let is_known = own::has_environment(&mut tx, caller, &environment).await?;
        faults.reference("/environment", "environment", is_known.then_some(()));
        if spec.route_id.is_some() {
            let here = route.filter(|route| route.spec.environment == environment);
            faults.reference("/route_id", "route", here.map(drop));
        }
        let (least, most) = (*LIFETIME_SECONDS.start(), *LIFETIME_SECONDS.end());
        faults.range("/lifetime_seconds", spec.lifetime_seconds, least, most);
        faults.finish()?;
        let expires_at = self.now().as_seconds() + i64::from(spec.lifetime_seconds);
        let claims = Claims {
            id: DebugTokenId::new(self.uuid()),
            organization,
            route: spec.route_id,
            expires_at: u64::try_from(expires_at).unwrap_or(0),
        };
        let key = DebugKey::of(self.secrets().cluster_token());
        let token = DebugToken {
            id: claims.id,
            token: key.write(&environment, &claims),
            header: DEBUG_HEADER.to_owned(),
            environment,
            route_id: spec.route_id,
            expires_at: Timestamp::from_micros(expires_at.saturating_mul(1_000_000)),
        };
        let mut told =
            serde_json::to_value(&token).map_err(|error| Error::internal("writing an audit entry", error))?;
        if let Some(told) = told.as_object_mut() {
            told.remove("token");
        }
        let change = Change {
            organization,
            action: "create_debug_token",
            resource: claims.id.to_string(),
            before: None,
            after: Some(told),
        };
        self.append(&mut tx, caller, change).await?;
        tx.commit().await?;
        Ok(token)
    }

    async fn living_nodes(&self) -> Result<HashSet<NodeId>, Error> {
        let since = self.now().before(NODE_GONE);
        let nodes = store::node::all(&mut self.store()).await?;
        let living = nodes.into_iter().filter(|node| node.seen_at >= since);
        Ok(living.map(|node| node.id).collect())
    }

    /// Waits until all nodes have answered, or a while after one has remembered something.
    async fn wait_for_answers(
        &self,
        question: &NodeQuestion,
        nodes: &HashSet<NodeId>,
    ) -> Result<Vec<(NodeId, Vec<Remembered>)>, Error> {
        let mut answered = self.inner.questions.answered.subscribe();
        let mut until = tokio::time::Instant::now() + PATIENCE;
        let mut has_found = false;
        loop {
            answered.borrow_and_update();
            let found = store::question::answers(&mut self.store(), &question.id).await?;
            let answers = found.into_iter().map(|(node, body)| {
                let calls = serde_json::from_value::<Vec<Remembered>>(body);
                let calls = calls.map_err(|error| Error::internal("reading a node's answer", error))?;
                Ok::<_, Error>((node, calls))
            });
            let answers = answers.collect::<Result<Vec<_>, _>>()?;
            let known: HashSet<_> = answers.iter().map(|(node, _)| *node).collect();
            if !nodes.is_empty() && nodes.is_subset(&known) {
                return Ok(answers);
            }
            if !has_found && answers.iter().any(|(_, calls)| !calls.is_empty()) {
                has_found = true;
                until = until.min(tokio::time::Instant::now() + GRACE);
            }
            tokio::select! {
                _ = answered.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = tokio::time::sleep_until(until) => return Ok(answers),
            }
        }
    }

    /// Says what routes are called, and why the one that took the call did.
    async fn name_routes(
        &self,
        organization: OrganizationId,
        routing: &mut CallRouting,
    ) -> Result<(), Error> {
        for tried in &mut routing.tried {
            if let Some(route) = self.route_of(organization, tried.route_id).await? {
                tried.host.clone_from(&route.spec.host);
                tried.base_path = Some(route.spec.base_path.clone());
                tried.priority = Some(route.spec.priority);
            }
        }
        if let Some(route) = self.route_of(organization, routing.route_id).await? {
            routing.why = Some(why(&route));
        }
        Ok(())
    }

    async fn route_of(
        &self,
        organization: OrganizationId,
        id: Option<RouteId>,
    ) -> Result<Option<Route>, Error> {
        let Some(id) = id else { return Ok(None) };
        let found = entity::find_id::<Route>(&mut self.store(), id).await?;
        Ok(found.filter(|route| route.organization_id == organization))
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What a request had to be like for a route to take it.
fn why(route: &Route) -> String {
    let spec = &route.spec;
    let host = match spec.host.as_deref() {
        None => "any host".to_owned(),
        Some(host) if host.starts_with("*.") => format!("a host that fits `{host}`"),
        Some(host) => format!("the host `{host}`"),
    };
    let conditions = match spec.matches.conditions() {
        0 => String::new(),
        1 => ", and its condition holds".to_owned(),
        many => format!(", and its {many} conditions hold"),
    };
    let priority = match spec.priority {
        0 => String::new(),
        priority => format!("; its priority is {priority}"),
    };
    format!(
        "It takes {host} below `{}`{conditions}{priority}.",
        spec.base_path
    )
}

/// A call as an organization may know it.
fn shown(one: Remembered, node: NodeId, organization: OrganizationId) -> Option<ExplainedCall> {
    let Remembered {
        provider,
        asked_by,
        mut call,
    } = one;
    if provider == Some(organization) || (provider.is_none() && asked_by == Some(organization)) {
        call.node_id = Some(node);
        return Some(call);
    }
    let is_consumer = call
        .caller
        .as_ref()
        .is_some_and(|caller| caller.organization_id == organization);
    is_consumer.then(|| for_consumer(call))
}

/// What the consumer of an API may know of its own call: nothing of what is behind, or of how it is guarded.
fn for_consumer(call: ExplainedCall) -> ExplainedCall {
    let mut limits = call.limits;
    limits.retain(|limit| limit.name.starts_with("plan_") || limit.name == "application");
    let mut timing = call.timing;
    timing.sent_us = None;
    ExplainedCall {
        noted: Noted::Consumer,
        snapshot_revision: None,
        routing: CallRouting {
            tried: Vec::new(),
            missed: 0,
            route_id: None,
            why: None,
            variant: None,
            ..call.routing
        },
        steps: Vec::new(),
        upstream: None,
        limits,
        timing,
        ..call
    }
}

#[cfg(test)]
mod tests;
