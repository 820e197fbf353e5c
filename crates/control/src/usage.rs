//! Usage: counting what nodes report, and telling it to both sides.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use domain::Timestamp;
use domain::id::{ApiId, ApplicationId, KeyId, NodeId};
use domain::rollup::Resolution;
use domain::usage::UsageRow;
use events::sink::SinkError;
use events::usage::HourlyUsage;
use events::wire::DecodeError;
use events::{Batch, Call, Event, Sink};
use store::Store;
use store::report::FirstCall;
use store::usage::{Filter, Key, Sums};

pub use store::usage::Group;

use crate::tracking::known::{Recognised, left};
use crate::{Caller, Control, Error, tracking};

/// The most rows of one answer.
pub const ROWS_MAX: u32 = 10_000;

/// Which usage is asked for.
#[derive(Debug, Clone, Default)]
pub struct UsageQuery {
    /// From the hour of this moment on; from the beginning if absent.
    pub from: Option<Timestamp>,
    /// Before this moment; until now if absent.
    pub to: Option<Timestamp>,
    /// Only this API: id or name.
    pub api: Option<String>,
    /// Only this application: id or name.
    pub application: Option<String>,
    /// What rows are told apart by, beside the API.
    pub group: Vec<Group>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// The most rows: up to [`ROWS_MAX`].
    pub limit: u32,
}

/// A page of usage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UsagePage {
    /// The rows, in the order of time, API, version, operation, application, subscription and plan.
    pub rows: Vec<UsageRow>,
    /// Where the next page begins, if there are more rows.
    pub next: Option<String>,
}

impl Control {
    /// Tells what was used: to a provider the calls of its APIs, to a consumer its own calls.
    pub async fn usage(&self, caller: &Caller, query: &UsageQuery) -> Result<UsagePage, Error> {
        let organization = caller.organization()?;
        self.inner
            .access
            .check(caller, "read_usage", organization, None)?;
        let limit = query.limit.clamp(1, ROWS_MAX);
        let filter = Filter {
            from: query.from,
            to: query.to,
            organization: Some(organization),
            api: query.api.clone(),
            application: query.application.clone(),
            group: query.group.clone(),
            after: query.after.clone(),
            limit: limit + 1,
        };
        let mut found = store::usage::sums(&mut self.store(), &filter).await?;
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = found.last().filter(|_| has_more).map(|last| last.place.clone());
        let rows = found.into_iter().map(|placed| placed.row).collect();
        Ok(UsagePage { rows, next })
    }

    /// The hours in which keys were last used, as far as calls are counted; callers pass keys that they may see.
    pub async fn key_uses(&self, keys: &[KeyId]) -> Result<HashMap<KeyId, Timestamp>, Error> {
        Ok(store::usage::key_uses(&mut self.store(), keys).await?)
    }

    /// Counts what nodes report, and tells whoever listens.
    pub fn usage_counter(&self) -> Counter {
        Counter {
            store: self.store().clone(),
            tells: Some(self.clone()),
        }
    }
}

/// Counts batches of nodes in the store, each exactly once, and of tracked events with an id the first that came, by whatever
/// log.
///
/// The node's watermark and what is counted change in one transaction. What is at or below the watermark was
/// counted and is passed over; a gap after it is refused, because what is in between would be lost, unless the node
/// says that it has it no more. A node that is not known may begin anywhere: what it had before was counted elsewhere.
#[derive(Debug, Clone)]
pub struct Counter {
    store: Store,
    /// Whose live streams hear of what was counted.
    tells: Option<Control>,
}

impl Counter {
    /// Counts into this store, and tells nobody.
    pub const fn new(store: Store) -> Self {
        Self { store, tells: None }
    }

    async fn count(&self, node: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        let mut tx = self.store.begin().await.map_err(unavailable)?;
        tx.lock(&format!("usage:{node}")).await.map_err(unavailable)?;
        let known = store::usage::watermark(&mut tx, node)
            .await
            .map_err(unavailable)?;
        let watermark = known.unwrap_or(0);
        let fresh = batches.iter().position(|batch| batch.sequence() > watermark);
        let Some(fresh) = fresh.map(|first| &batches[first..]) else {
            return Ok(watermark);
        };
        let first = fresh[0].sequence();
        if known.is_some() && first != watermark + 1 && !fresh[0].is_lost() {
            let reason = format!("batch {first} follows batch {watermark}: what is in between is missing");
            return Err(SinkError::Refused { reason });
        }
        let last = consecutive(fresh)?;
        let recognised = match &self.tells {
            Some(control) => control.recognise(&mut tx, node, fresh).await?,
            None => Recognised::default(),
        };
        let Counts {
            usage,
            rollups,
            key_uses,
            first_calls,
            tracked,
        } = Counts::of(&left(fresh, &recognised.duplicates))?;
        let rows: Vec<_> = usage.finish().iter().map(row).collect();
        tx.add_usage(&rows).await.map_err(unavailable)?;
        let key_uses: Vec<_> = key_uses.into_iter().collect();
        tx.note_key_uses(&key_uses).await.map_err(unavailable)?;
        let first_calls: Vec<_> = first_calls.into_iter().collect();
        tx.note_first_calls(&first_calls).await.map_err(unavailable)?;
        tracked.write(&mut tx).await.map_err(unavailable)?;
        let rollups = rollups.finish();
        let [.., days] = &rollups;
        let series: Vec<_> = days.iter().map(|rollup| rollup.series).collect();
        tx.add_series(&series).await.map_err(unavailable)?;
        for (resolution, rollups) in Resolution::ALL.into_iter().zip(rollups) {
            let added = tx.add_rollups(resolution, &rollups).await;
            added.map_err(unavailable)?;
        }
        events::fault::point("usage.counted");
        tx.move_watermark(node, known, last).await.map_err(unavailable)?;
        events::fault::point("usage.before_commit");
        tx.commit().await.map_err(unavailable)?;
        events::fault::point("usage.after_commit");
        // After the commit: what one sees live is counted.
        if let Some(control) = &self.tells {
            control.remember(&recognised);
            control.hub().publish(fresh, Instant::now());
        }
        Ok(last)
    }
}

impl Sink for Counter {
    async fn commit(&self, node: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        if let Some(control) = &self.tells {
            control.hub().note(node, control.now());
        }
        if batches.is_empty() {
            let watermark = store::usage::watermark(&mut &self.store, node).await;
            return Ok(watermark.map_err(unavailable)?.unwrap_or(0));
        }
        self.count(node, batches).await
    }
}

/// The last sequence number of batches that follow each other.
fn consecutive(batches: &[Batch]) -> Result<u64, SinkError> {
    let mut last = batches[0].sequence();
    for batch in &batches[1..] {
        let next = batch.sequence();
        if next != last + 1 {
            let reason = format!("batch {next} does not follow batch {last}");
            return Err(SinkError::Refused { reason });
        }
        last = next;
    }
    Ok(last)
}

/// What is counted of some batches.
#[derive(Debug, Default)]
struct Counts {
    usage: events::usage::Fold,
    rollups: events::rollup::Fold,
    /// The last hour of each key.
    key_uses: BTreeMap<KeyId, Timestamp>,
    first_calls: BTreeMap<(ApiId, ApplicationId), FirstCall>,
    tracked: tracking::Counts,
}

impl Counts {
    /// Fails only if a batch was written by a newer version; then nothing of them may be committed.
    fn of(batches: &[Batch]) -> Result<Self, SinkError> {
        let mut counts = Self::default();
        for batch in batches {
            let unreadable = |error: DecodeError| SinkError::Refused {
                reason: error.to_string(),
            };
            let events = batch.events().map_err(unreadable)?;
            counts.tracked.add(batch).map_err(unreadable)?;
            for event in events {
                let Event::Call(call) = event else { continue };
                counts.usage.add(&call);
                counts.rollups.add(&call);
                if let Some(caller) = call.caller {
                    let hour = call.started_at.hour();
                    let last = counts.key_uses.entry(caller.key).or_insert(hour);
                    *last = hour.max(*last);
                    if let Some(callee) = call.callee {
                        counts.add_first((callee.api, caller.application), &call);
                    }
                }
            }
        }
        Ok(counts)
    }

    /// Keeps the earliest call, and the earliest that succeeded.
    fn add_first(&mut self, pair: (ApiId, ApplicationId), call: &Call) {
        let has_succeeded = call.refusal.is_none() && call.status < 400;
        let succeeded_at = has_succeeded.then_some(call.started_at);
        let first = self.first_calls.entry(pair).or_insert(FirstCall {
            called_at: call.started_at,
            succeeded_at,
        });
        first.called_at = first.called_at.min(call.started_at);
        first.succeeded_at = [first.succeeded_at, succeeded_at].into_iter().flatten().min();
    }
}

fn unavailable(error: store::Error) -> SinkError {
    SinkError::Unavailable(Box::new(error))
}

fn row(usage: &HourlyUsage) -> (Key, Sums) {
    let (key, sums) = (usage.key, usage.sums);
    let key = Key {
        hour: key.hour,
        provider: key.provider,
        api: key.api,
        version: key.version,
        operation: key.operation,
        consumer: key.consumer,
        application: key.application,
        subscription: key.subscription,
        plan: key.plan,
    };
    let sums = [
        sums.calls,
        sums.counted,
        sums.refused,
        sums.client_errors,
        sums.server_errors,
        sums.bytes_in,
        sums.bytes_out,
        sums.latency_us,
    ];
    (key, sums)
}

#[cfg(test)]
pub(crate) mod tests;
