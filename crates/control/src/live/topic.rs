//! Sums as they change: one task per question, whoever listens to its answers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Code;
use domain::analytics::{AnalyticsAnswer, AnalyticsQuery, Dimension, DimensionFilter, Granularity, Measure};
use domain::id::OrganizationId;
use domain::live::StatusPattern;
use store::live::Named;
use tokio::sync::watch;
use tokio::time::Instant;

use super::hub::Permit;
use super::{LiveFilters, Stream};
use crate::analytics::VALUES_MAX;
use crate::{Caller, Control, Error};

/// How often is asked for what other control planes have counted, at least.
const POLL: Duration = Duration::from_secs(5);

/// A question whose answers are wanted as they change.
#[derive(Debug, Clone)]
pub struct WatchQuery {
    /// What is measured.
    pub measures: Vec<Measure>,
    /// What rows are told apart by.
    pub dimensions: Vec<Dimension>,
    /// What calls must fit.
    pub filters: LiveFilters,
    /// The least time between two answers.
    pub interval: Duration,
    /// How much time until now they are about.
    pub window: Duration,
}

/// Answers, or why there are no more.
type State = Result<Arc<AnalyticsAnswer>, Arc<str>>;

/// The questions that somebody listens to the answers of.
#[derive(Debug, Default)]
pub(crate) struct Topics(Mutex<HashMap<Key, Arc<watch::Sender<State>>>>);

/// What makes two questions the same: the organization, and how they are written.
type Key = (OrganizationId, String);

/// The answers to a question, for one listener.
#[derive(Debug)]
pub struct Watch {
    answers: watch::Receiver<State>,
    _permit: Permit,
}

/// A question that is asked again and again.
struct Topic {
    organization: OrganizationId,
    query: AnalyticsQuery,
    interval: Duration,
    window: Duration,
}

impl Control {
    /// Begins to tell a caller of sums whenever they are others. They are of all nodes, whatever process these
    /// report to.
    ///
    /// # Errors
    /// `not_found` if they may not hear of them; `parameter_invalid` and `request_invalid` for what cannot be
    /// answered; `streams_limited`, `overloaded`.
    pub async fn watch(&self, caller: &Caller, query: &WatchQuery) -> Result<Watch, Error> {
        let organization = self.check_stream(caller, Stream::Sums)?;
        let permit = self.hub().enter(organization)?;
        let topic = Topic {
            organization,
            query: AnalyticsQuery {
                measures: query.measures.clone(),
                dimensions: query.dimensions.clone(),
                filters: self.dimension_filters(organization, &query.filters).await?,
                from: self.now(),
                to: None,
                granularity: Some(Granularity::Minute),
                time_zone: None,
                compare: false,
                top: None,
            },
            interval: query.interval,
            window: query.window,
        };
        let answers = self.subscribe(topic).await?;
        Ok(Watch {
            answers,
            _permit: permit,
        })
    }

    async fn subscribe(&self, topic: Topic) -> Result<watch::Receiver<State>, Error> {
        let key = topic.key()?;
        let known = self.inner.topics.find(&key);
        if let Some(answers) = known.filter(|answers| answers.borrow().is_ok()) {
            return Ok(answers);
        }
        // A question that cannot be answered is refused before anybody waits for its answers.
        let first = Ok(Arc::new(self.sums(&topic).await?));
        Ok(self.inner.topics.begin(self, key, topic, first))
    }

    async fn sums(&self, topic: &Topic) -> Result<AnalyticsAnswer, Error> {
        let query = AnalyticsQuery {
            from: self.now().before(topic.window),
            ..topic.query.clone()
        };
        self.answer_to(topic.organization, &query).await
    }

    async fn dimension_filters(
        &self,
        organization: OrganizationId,
        filters: &LiveFilters,
    ) -> Result<Vec<DimensionFilter>, Error> {
        let only = |dimension, values: Vec<String>| DimensionFilter {
            dimension,
            values,
            exclude: false,
        };
        let mut all = Vec::new();
        let api = filters.api.clone();
        all.extend(api.map(|api| only(Dimension::Api, vec![api])));
        let application = filters.application.clone();
        all.extend(application.map(|application| only(Dimension::Application, vec![application])));
        if let Some(name) = &filters.operation {
            let named = (Named::Operation, name.as_str());
            let mut found = store::live::named(&mut self.store(), named, organization, false).await?;
            found.truncate(VALUES_MAX);
            if found.is_empty() {
                // No call has it; whether something of others is there, nobody is told.
                found.push(name.clone());
            }
            all.push(only(Dimension::Operation, found));
        }
        let is_class = |status: &StatusPattern| matches!(status, StatusPattern::Class(_));
        let (classes, exact): (Vec<StatusPattern>, Vec<StatusPattern>) =
            filters.statuses.iter().copied().partition(is_class);
        if !classes.is_empty() && !exact.is_empty() {
            let detail = "`status`: sums are either of statuses or of classes of them, not of both.";
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
        for (dimension, statuses) in [(Dimension::StatusClass, classes), (Dimension::Status, exact)] {
            if !statuses.is_empty() {
                all.push(only(
                    dimension,
                    statuses.iter().map(ToString::to_string).collect(),
                ));
            }
        }
        let refusal = filters.refusal.map(|code| code.as_str().to_owned());
        all.extend(refusal.map(|code| only(Dimension::Code, vec![code])));
        Ok(all)
    }
}

impl Topic {
    fn key(&self) -> Result<Key, Error> {
        let AnalyticsQuery {
            measures,
            dimensions,
            filters,
            ..
        } = &self.query;
        let text = serde_json::to_string(&(measures, dimensions, filters, self.interval, self.window));
        let text = text.map_err(|error| Error::internal("writing a question", error))?;
        Ok((self.organization, text))
    }

    /// Waits until it is to be asked again: not before the interval is over, then once something was counted here,
    /// or may have been elsewhere.
    async fn rest(&self, commits: &mut watch::Receiver<u64>) {
        let asked = Instant::now();
        tokio::time::sleep(self.interval).await;
        let latest = asked + POLL.max(self.interval);
        // An error would mean that the hub is gone, which the control plane holds.
        let _ = tokio::time::timeout_at(latest, commits.changed()).await;
    }
}

impl Topics {
    fn find(&self, key: &Key) -> Option<watch::Receiver<State>> {
        self.lock().get(key).map(|answers| answers.subscribe())
    }

    /// Listens to the answers of a question, and begins to ask it unless somebody has meanwhile.
    fn begin(&self, control: &Control, key: Key, topic: Topic, first: State) -> watch::Receiver<State> {
        let mut topics = self.lock();
        let sender = match topics.entry(key.clone()) {
            Entry::Occupied(known) if known.get().borrow().is_ok() => return known.get().subscribe(),
            Entry::Occupied(mut ended) => {
                ended.insert(Arc::new(watch::Sender::new(first)));
                Arc::clone(ended.get())
            }
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::new(watch::Sender::new(first)))),
        };
        let answers = sender.subscribe();
        tokio::spawn(follow(control.clone(), key, topic, sender));
        answers
    }

    /// Forgets a question that nobody listens to any more; says whether it did.
    fn forget(&self, key: &Key, sender: &Arc<watch::Sender<State>>) -> bool {
        let mut topics = self.lock();
        let is_over = sender.receiver_count() == 0;
        if is_over && topics.get(key).is_some_and(|known| Arc::ptr_eq(known, sender)) {
            topics.remove(key);
        }
        is_over
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<watch::Sender<State>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a question until nobody listens, or until it cannot be answered any more.
async fn follow(control: Control, key: Key, topic: Topic, sender: Arc<watch::Sender<State>>) {
    let mut commits = control.hub().commits();
    loop {
        tokio::select! {
            () = sender.closed() => {}
            () = topic.rest(&mut commits) => {}
        }
        let topics = &control.inner.topics;
        if topics.forget(&key, &sender) {
            return;
        }
        commits.mark_unchanged();
        let state = match control.sums(&topic).await {
            Ok(answer) => Ok(Arc::new(answer)),
            Err(Error::Refused { detail, .. }) => Err(Arc::from(detail)),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "live sums were not read"
                );
                continue;
            }
        };
        let is_over = state.is_err();
        sender.send_if_modified(|known| {
            let is_new = *known != state;
            *known = state;
            is_new
        });
        if is_over {
            let mut topics = topics.lock();
            if topics.get(&key).is_some_and(|known| Arc::ptr_eq(known, &sender)) {
                topics.remove(&key);
            }
            return;
        }
    }
}

impl Watch {
    /// What is known at first.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub fn first(&mut self) -> Result<Arc<AnalyticsAnswer>, Error> {
        told(&self.answers.borrow_and_update())
    }

    /// The next answer that differs from the one before; those between that nobody took are passed over. May be
    /// dropped at any time.
    ///
    /// # Errors
    /// `query_stopped` once the question takes too much to be answered.
    pub async fn next(&mut self) -> Result<Arc<AnalyticsAnswer>, Error> {
        // An error means that no more comes: the state says why.
        let _ = self.answers.changed().await;
        told(&self.answers.borrow_and_update())
    }
}

fn told(state: &State) -> Result<Arc<AnalyticsAnswer>, Error> {
    state
        .clone()
        .map_err(|detail| Error::refused(Code::QueryStopped, &*detail))
}
