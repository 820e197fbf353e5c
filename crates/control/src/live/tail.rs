//! Single calls for one listener.

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;
use std::time::Instant;

use domain::analytics::Dimension;
use domain::id::OrganizationId;
use domain::live::{LiveCall, LiveHello, LiveView};
use domain::{Code, Timestamp};
use events::{Call, Method};
use store::live::Named;

use super::filter::Filter;
use super::hub::{Heard, Listener, Position};
use super::{LiveFilters, Stream};
use crate::{Caller, Control, Error};

/// The most calls that are taken from the queue at a time.
const TAKEN_MAX: usize = 100;
/// The most names that a stream remembers.
const NAMES_MAX: usize = 5000;

/// Which calls a listener wants to hear of.
#[derive(Debug, Clone, Default)]
pub struct TailQuery {
    /// Whose calls.
    pub view: LiveView,
    /// What they must fit.
    pub filters: LiveFilters,
    /// Only calls with this method.
    pub method: Option<Method>,
    /// Only calls that took at least so long.
    pub latency_min_us: u64,
    /// Only this share of the calls: more than 0, at most 1; all if absent.
    pub sample: Option<f64>,
    /// The id of the last event that the listener has: calls since then come first.
    pub after: Option<String>,
}

/// Something that a listener is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Calls that fit were left out, because they came faster than they were read, or while nobody read.
    Missed(Option<u64>),
    /// A call, and the id to go on after it.
    Call(String, Box<LiveCall>),
}

/// The calls of one listener.
#[derive(Debug)]
pub struct Tail {
    control: Control,
    listener: Listener,
    view: LiveView,
    hello: LiveHello,
    /// What was heard and is not told yet.
    heard: Option<Heard>,
    /// What ids are called; `None` for those that have no name any more.
    names: HashMap<String, Option<String>>,
}

/// Whose a thing that is named is.
#[derive(Debug, Clone, Copy)]
enum Side {
    /// The organization's own.
    Own(OrganizationId),
    /// Anybody's; the organization's own come first.
    Any(OrganizationId),
}

impl Control {
    /// Begins to tell a caller of calls, as they are counted by this process.
    ///
    /// # Errors
    /// `not_found` if they may not hear of them; `parameter_invalid` for a share that is none and for an API or an
    /// application of their own that is not there; `streams_limited`, `overloaded`.
    pub async fn tail(&self, caller: &Caller, query: &TailQuery) -> Result<Tail, Error> {
        let organization = self.check_stream(caller, Stream::Calls)?;
        let permit = self.hub().enter(organization)?;
        let filter = self.filter(organization, query).await?;
        // An id that is none of ours is as good as one that is forgotten: something may have been missed.
        let after = query.after.as_deref();
        let after = after.map(|after| after.parse().unwrap_or(Position::unknown()));
        let hello = LiveHello {
            view: query.view,
            nodes: self.hub().nodes(self.now()),
        };
        Ok(Tail {
            control: self.clone(),
            listener: self.hub().listen(permit, filter, after, Instant::now()),
            view: query.view,
            hello,
            heard: None,
            names: HashMap::new(),
        })
    }

    async fn filter(&self, organization: OrganizationId, query: &TailQuery) -> Result<Filter, Error> {
        let (view, filters) = (query.view, &query.filters);
        let (of_provider, of_consumer) = match view {
            LiveView::Provided => (Side::Own(organization), Side::Any(organization)),
            LiveView::Made => (Side::Any(organization), Side::Own(organization)),
        };
        if query.sample.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            let detail = "`sample` is not more than 0 and at most 1.";
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
        let api = ("api", filters.api.as_deref());
        let application = ("application", filters.application.as_deref());
        let operation = ("operation", filters.operation.as_deref());
        Ok(Filter {
            organization,
            view,
            apis: self.named(Named::Api, api, of_provider).await?,
            applications: self.named(Named::Application, application, of_consumer).await?,
            operations: self.named(Named::Operation, operation, of_provider).await?,
            statuses: filters.statuses.clone(),
            refusal: filters.refusal,
            method: query.method,
            latency_min_us: query.latency_min_us,
            sample_below: query.sample.and_then(Filter::bound),
        })
    }

    /// The ids that a parameter means. Whether something of others is there, nobody is told.
    async fn named<Id: FromStr>(
        &self,
        kind: Named,
        (parameter, value): (&str, Option<&str>),
        side: Side,
    ) -> Result<Option<Vec<Id>>, Error> {
        let Some(value) = value else { return Ok(None) };
        let (organization, is_own) = match side {
            Side::Own(organization) => (organization, true),
            Side::Any(organization) => (organization, false),
        };
        let found = store::live::named(&mut self.store(), (kind, value), organization, is_own).await?;
        if found.is_empty() && is_own {
            let detail = format!("`{parameter}`: your organization has none with the id or name `{value}`.");
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
        // What the database has as an id is one.
        Ok(Some(found.iter().filter_map(|id| id.parse().ok()).collect()))
    }
}

impl Tail {
    /// What is told first.
    pub fn hello(&self) -> &LiveHello {
        &self.hello
    }

    /// Waits until there is something to tell, and tells it in its order; may be dropped at any time.
    ///
    /// Names are left out if the database does not answer.
    pub async fn next(&mut self) -> Vec<Told> {
        if self.heard.is_none() {
            self.listener.ready().await;
            self.heard = Some(self.listener.take(TAKEN_MAX));
        }
        if let Err(error) = self.learn_names().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "names of a live stream were not found"
            );
        }
        let heard = self.heard.take().unwrap_or_default();
        let mut told = Vec::with_capacity(heard.calls.len() + 2);
        told.extend(heard.lost_track.then_some(Told::Missed(None)));
        told.extend((heard.missed > 0).then_some(Told::Missed(Some(heard.missed))));
        let shown = heard.calls.iter().filter_map(|(position, call)| {
            // The filter lets no call pass that no route has matched.
            Some((position.to_string(), shown(call, self.view)?))
        });
        let mut calls: Vec<_> = shown.collect();
        for (_, call) in &mut calls {
            let name = |id: String| self.names.get(&id).cloned().flatten();
            call.api = name(call.api_id.to_string());
            call.operation = call.operation_id.and_then(|id| name(id.to_string()));
            call.application = call.application_id.and_then(|id| name(id.to_string()));
        }
        told.extend(calls.into_iter().map(|(id, call)| Told::Call(id, Box::new(call))));
        told
    }

    /// Finds out what the ids of what was heard are called.
    async fn learn_names(&mut self) -> Result<(), Error> {
        if self.names.len() > NAMES_MAX {
            self.names.clear();
        }
        let mut wanted: [(Dimension, BTreeSet<String>); 3] =
            [Dimension::Api, Dimension::Operation, Dimension::Application]
                .map(|kind| (kind, BTreeSet::new()));
        for (_, call) in self.heard.iter().flat_map(|heard| &heard.calls) {
            let ids = [
                call.callee.map(|callee| callee.api.to_string()),
                call.callee
                    .and_then(|callee| callee.operation)
                    .map(|id| id.to_string()),
                call.caller.map(|caller| caller.application.to_string()),
            ];
            for ((_, wanted), id) in wanted.iter_mut().zip(ids) {
                wanted.extend(id.filter(|id| !self.names.contains_key(id)));
            }
        }
        for (dimension, ids) in wanted {
            if ids.is_empty() {
                continue;
            }
            let listed: Vec<_> = ids.iter().map(String::as_str).collect();
            let mut found = store::rollup::names(&mut self.control.store(), dimension, &listed).await?;
            let named = ids.into_iter().map(|id| {
                let name = found.remove(&id);
                (id, name)
            });
            self.names.extend(named);
        }
        Ok(())
    }
}

/// A call as a side of it may see it; `None` for one that no route has matched.
fn shown(call: &Call, view: LiveView) -> Option<LiveCall> {
    let (callee, caller) = (call.callee?, call.caller);
    let subscribed = caller.and_then(|caller| caller.subscribed);
    // How a provider splits calls is its own business.
    let variant = call.variant.filter(|_| view == LiveView::Provided);
    let has_quota = call.quota_period_start != 0;
    Some(LiveCall {
        started_at: call.started_at,
        request_id: call.request,
        organization_id: callee.organization,
        api_id: callee.api,
        api: None,
        version_id: callee.version,
        operation_id: callee.operation,
        operation: None,
        consumer_organization_id: caller.map(|caller| caller.organization),
        application_id: caller.map(|caller| caller.application),
        application: None,
        key_id: caller.map(|caller| caller.key),
        subscription_id: subscribed.map(|subscribed| subscribed.subscription),
        plan_id: subscribed.map(|subscribed| subscribed.plan),
        method: call.method.as_str().to_owned(),
        status: call.status,
        refusal: call.refusal.map(|code| code.as_str().to_owned()),
        bytes_in: call.bytes_in,
        bytes_out: call.bytes_out,
        latency_us: call.latency_us,
        counted: call.counted,
        units: call.units,
        quota_period_start: has_quota
            .then(|| Timestamp::from_micros(call.quota_period_start.saturating_mul(1_000_000))),
        over_limit: call.over_limit,
        route_id: variant.map(|variant| variant.route),
        variant: variant.map(|variant| variant.name),
    })
}
