//! Where calls go from the counter to those who listen.
//!
//! Each organization that somebody listens for has a channel: its last calls, numbered, and a queue per listener.
//! Whoever publishes never waits: a queue that is full loses its oldest call, and counts it. A channel outlives its
//! last listener for a while, so that one whose connection broke can go on where it was.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::id::{NodeId, OrganizationId};
use domain::live::ReportingNode;
use domain::{Code, Timestamp};
use events::{Batch, Call, Event};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::filter::Filter;
use crate::Error;

/// The most calls that wait for a listener.
pub(crate) const QUEUE_MAX: usize = 1000;
/// The most calls of an organization that are remembered for those who come back.
pub(crate) const REMEMBERED_MAX: usize = 1000;
/// How long they are remembered when nobody listens.
pub(crate) const LINGER: Duration = Duration::from_secs(60);
/// The most streams of an organization at a time.
pub(crate) const OF_ORGANIZATION_MAX: usize = 100;
/// The most streams of a process at a time.
pub(crate) const STREAMS_MAX: usize = 500;
/// The most nodes that are named, and for how long after their last report.
const NODES_MAX: usize = 1000;
const NODES_KEPT: Duration = Duration::from_hours(24);
/// What those who find no place are told to wait.
const RETRY_SECONDS: u64 = 10;

/// Brings calls to those who listen.
#[derive(Debug)]
pub(crate) struct Hub {
    /// Whether there is any channel: all that is looked at for calls while nobody listens.
    awake: AtomicBool,
    missed: AtomicU64,
    channels: Mutex<HashMap<OrganizationId, Channel>>,
    nodes: Mutex<HashMap<NodeId, Timestamp>>,
    streams: Mutex<HashMap<OrganizationId, usize>>,
    /// Counts commits, for those who ask for sums again when there is something new.
    commits: watch::Sender<u64>,
}

#[derive(Debug)]
struct Channel {
    /// Told apart from channels that the organization had before, and from those of other processes.
    epoch: u64,
    /// The number of the next call.
    next: u64,
    /// The last calls; the newest has the number before `next`.
    calls: VecDeque<Call>,
    queues: Vec<Arc<Queue>>,
    /// When the last listener left.
    left_at: Option<Instant>,
}

#[derive(Debug)]
struct Queue {
    filter: Filter,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    calls: VecDeque<(u64, Call)>,
    missed: u64,
    /// Whether calls were missed whose number is not known.
    lost_track: bool,
}

/// The place of a call in its organization's channel; what an event's id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    epoch: u64,
    number: u64,
}

/// What a listener has heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Calls that fit and are not among `calls`: they came before those.
    pub(crate) missed: u64,
    /// Whether there may be others of which not even the number is known.
    pub(crate) lost_track: bool,
    /// The calls, in their order.
    pub(crate) calls: Vec<(Position, Call)>,
}

/// The right to have a stream open.
#[derive(Debug)]
pub(crate) struct Permit {
    hub: Arc<Hub>,
    organization: OrganizationId,
}

/// Somebody who listens.
#[derive(Debug)]
pub(crate) struct Listener {
    permit: Permit,
    epoch: u64,
    queue: Arc<Queue>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            awake: AtomicBool::new(false),
            missed: AtomicU64::new(0),
            channels: Mutex::default(),
            nodes: Mutex::default(),
            streams: Mutex::default(),
            commits: watch::Sender::new(0),
        }
    }
}

impl Hub {
    /// Notes that a node has reported to this process.
    pub(crate) fn note(&self, node: NodeId, now: Timestamp) {
        let mut nodes = lock(&self.nodes);
        if nodes.len() >= NODES_MAX && !nodes.contains_key(&node) {
            let oldest = nodes.iter().min_by_key(|(_, at)| **at).map(|(node, _)| *node);
            oldest.map(|oldest| nodes.remove(&oldest));
        }
        nodes.insert(node, now);
    }

    /// The nodes that have reported of late, the last one first.
    pub(crate) fn nodes(&self, now: Timestamp) -> Vec<ReportingNode> {
        let since = now.before(NODES_KEPT);
        let mut nodes: Vec<_> = {
            let mut known = lock(&self.nodes);
            known.retain(|_, at| *at >= since);
            let told = known
                .iter()
                .map(|(&node_id, &reported_at)| ReportingNode { node_id, reported_at });
            told.collect()
        };
        nodes.sort_unstable_by_key(|node| (std::cmp::Reverse(node.reported_at), node.node_id));
        nodes
    }

    /// Tells of batches that were counted.
    pub(crate) fn publish(&self, batches: &[Batch], now: Instant) {
        if self.commits.receiver_count() > 0 {
            self.commits
                .send_modify(|commits| *commits = commits.wrapping_add(1));
        }
        if !self.awake.load(Ordering::Acquire) {
            return;
        }
        // What was counted can be read; if it could not, it would not have been.
        let calls: Vec<Call> = batches
            .iter()
            .filter_map(|batch| batch.events().ok())
            .flatten()
            .filter_map(|event| match event {
                Event::Call(call) => Some(call),
                _ => None,
            })
            .collect();
        let mut channels = lock(&self.channels);
        channels.retain(|_, channel| !channel.is_over(now));
        if channels.is_empty() {
            self.awake.store(false, Ordering::Release);
            return;
        }
        let mut missed = 0;
        for call in &calls {
            let provider = call.callee.map(|callee| callee.organization);
            let consumer = call.caller.map(|caller| caller.organization);
            let of_both = [provider, consumer.filter(|consumer| provider != Some(*consumer))];
            for organization in of_both.into_iter().flatten() {
                if let Some(channel) = channels.get_mut(&organization) {
                    missed += channel.push(call);
                }
            }
        }
        self.missed.fetch_add(missed, Ordering::Relaxed);
    }

    /// Lets somebody have a stream, if there is a place.
    ///
    /// # Errors
    /// `streams_limited` if the organization has as many as it may, `overloaded` if the process has.
    pub(crate) fn enter(self: &Arc<Self>, organization: OrganizationId) -> Result<Permit, Error> {
        let refused = |code, detail: String| Error::Refused {
            code,
            detail,
            errors: Vec::new(),
            retry_after: Some(RETRY_SECONDS),
        };
        let mut streams = lock(&self.streams);
        if streams.values().sum::<usize>() >= STREAMS_MAX {
            let detail = format!("{STREAMS_MAX} live streams are open already.");
            return Err(refused(Code::Overloaded, detail));
        }
        let own = streams.entry(organization).or_default();
        if *own >= OF_ORGANIZATION_MAX {
            let detail = format!("Your organization has {OF_ORGANIZATION_MAX} live streams open already.");
            return Err(refused(Code::StreamsLimited, detail));
        }
        *own += 1;
        drop(streams);
        Ok(Permit {
            hub: Arc::clone(self),
            organization,
        })
    }

    /// Begins to listen for an organization; with `after`, to what came since that call first.
    pub(crate) fn listen(
        &self,
        permit: Permit,
        filter: Filter,
        after: Option<Position>,
        now: Instant,
    ) -> Listener {
        let queue = Arc::new(Queue {
            filter,
            waiting: Mutex::default(),
            arrived: Notify::new(),
        });
        let mut channels = lock(&self.channels);
        channels.retain(|_, channel| !channel.is_over(now));
        let channel = channels.entry(permit.organization).or_insert_with(Channel::new);
        if let Some(after) = after {
            let missed = channel.catch_up(&queue, after);
            self.missed.fetch_add(missed, Ordering::Relaxed);
        }
        channel.queues.push(Arc::clone(&queue));
        channel.left_at = None;
        let epoch = channel.epoch;
        self.awake.store(true, Ordering::Release);
        drop(channels);
        Listener { permit, epoch, queue }
    }

    /// Hears of commits.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// How many streams are open.
    pub(crate) fn streams(&self) -> u64 {
        lock(&self.streams).values().map(|count| *count as u64).sum()
    }

    /// How many calls were not told because somebody was too slow.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Channel {
    fn new() -> Self {
        Self {
            epoch: Uuid::now_v7().as_u64_pair().1,
            next: 0,
            calls: VecDeque::new(),
            queues: Vec::new(),
            left_at: None,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.left_at
            .is_some_and(|left_at| now.saturating_duration_since(left_at) >= LINGER)
    }

    /// Remembers a call and tells it; answers how many calls listeners have missed by that.
    fn push(&mut self, call: &Call) -> u64 {
        let number = self.next;
        self.next += 1;
        if self.calls.len() == REMEMBERED_MAX {
            self.calls.pop_front();
        }
        self.calls.push_back(*call);
        let fitting = self.queues.iter().filter(|queue| queue.filter.fits(call));
        fitting.map(|queue| queue.push(number, *call)).sum()
    }

    /// Tells a new listener what came after a position, as far as it is remembered.
    fn catch_up(&self, queue: &Queue, after: Position) -> u64 {
        let oldest = self.next - self.calls.len() as u64;
        let is_known = after.epoch == self.epoch && after.number < self.next;
        if !is_known || after.number + 1 < oldest {
            lock(&queue.waiting).lost_track = true;
            queue.arrived.notify_one();
        }
        if !is_known {
            return 0;
        }
        let skipped = (after.number + 1).saturating_sub(oldest);
        let numbered = (oldest..).zip(&self.calls).skip(skipped as usize);
        let fitting = numbered.filter(|(_, call)| queue.filter.fits(call));
        fitting.map(|(number, call)| queue.push(number, *call)).sum()
    }
}

impl Queue {
    /// Adds a call; answers 1 if the oldest one had to go for it.
    fn push(&self, number: u64, call: Call) -> u64 {
        let mut waiting = lock(&self.waiting);
        let is_full = waiting.calls.len() == QUEUE_MAX;
        if is_full {
            waiting.calls.pop_front();
            waiting.missed += 1;
        }
        waiting.calls.push_back((number, call));
        drop(waiting);
        self.arrived.notify_one();
        u64::from(is_full)
    }
}

impl Listener {
    /// Ready when there is something to take; may be dropped at any time.
    pub(crate) async fn ready(&self) {
        loop {
            {
                let waiting = lock(&self.queue.waiting);
                if !waiting.calls.is_empty() || waiting.missed > 0 || waiting.lost_track {
                    return;
                }
            }
            self.queue.arrived.notified().await;
        }
    }

    /// Takes what is there: at most `most` calls.
    pub(crate) fn take(&self, most: usize) -> Heard {
        let mut waiting = lock(&self.queue.waiting);
        let most = most.min(waiting.calls.len());
        let epoch = self.epoch;
        let calls = waiting.calls.drain(..most);
        let calls = calls
            .map(|(number, call)| (Position { epoch, number }, call))
            .collect();
        Heard {
            missed: std::mem::take(&mut waiting.missed),
            lost_track: std::mem::take(&mut waiting.lost_track),
            calls,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut channels = lock(&self.permit.hub.channels);
        if let Some(channel) = channels.get_mut(&self.permit.organization) {
            channel.queues.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
            if channel.queues.is_empty() {
                channel.left_at = Some(Instant::now());
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut streams = lock(&self.hub.streams);
        if let Some(count) = streams.get_mut(&self.organization) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.organization);
            }
        }
    }
}

impl Position {
    /// A place in no channel.
    pub(crate) const fn unknown() -> Self {
        Self { epoch: 0, number: 0 }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.number)
    }
}

impl std::str::FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let (epoch, number) = text.split_once('-').ok_or(NoPosition)?;
        Ok(Self {
            epoch: u64::from_str_radix(epoch, 16).map_err(|_| NoPosition)?,
            number: number.parse().map_err(|_| NoPosition)?,
        })
    }
}

/// Says that a text is not the id of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not the `id` of an event of this stream")]
pub(crate) struct NoPosition;

/// Nothing that holds one of these locks can fail half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
