//! Keys, applications and subscriptions of a snapshot, compiled for look-ups by index.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher};
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use domain::consumer::{KeyState, SubscriptionState};
use domain::id::{ApplicationId, KeyId, OrganizationId, PlanId, ProductId, SubscriptionId, VersionId};
use domain::limit::{Period, TierCosts, WhenStoreIsAway};
use domain::snapshot::{self, Snapshot};
use domain::{Code, Timestamp, key};
use hashbrown::HashTable;
use http::HeaderValue;
use rustc_hash::{FxBuildHasher, FxHashMap};
use uuid::Uuid;

use crate::call::{Call, Moment};
use crate::effects::{Hold, Open};
use crate::gcra::Gcra;
use crate::limiter::{self, Meter};
use crate::quota::{self, Bound, Counter};
use crate::shared::{Ledger, Said};
use crate::sliding::Sliding;
use crate::told::Told;
use crate::verdict::{Refusal, Verdict};

/// Why keys and subscriptions of a snapshot cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A key names an application that is not there.
    #[error("key {key} names {application}, which is not in the snapshot")]
    NoApplication {
        /// The key.
        key: KeyId,
        /// What it names.
        application: ApplicationId,
    },
    /// A subscription names an application that is not there.
    #[error("subscription {subscription} names {application}, which is not in the snapshot")]
    NoSubscriber {
        /// The subscription.
        subscription: SubscriptionId,
        /// What it names.
        application: ApplicationId,
    },
    /// A subscription names a product that is not there.
    #[error("subscription {subscription} names {product}, which is not in the snapshot")]
    NoProduct {
        /// The subscription.
        subscription: SubscriptionId,
        /// What it names.
        product: ProductId,
    },
    /// A subscription names a plan that is not there.
    #[error("subscription {subscription} names {plan}, which is not in the snapshot")]
    NoPlan {
        /// The subscription.
        subscription: SubscriptionId,
        /// What it names.
        plan: PlanId,
    },
}

/// Who may call what.
#[derive(Debug, Default)]
pub struct Directory {
    keys: HashSet<Key, BuildHasherDefault<Uniform>>,
    applications: Vec<Application>,
    /// Those of an application beside each other, active ones first.
    subscriptions: Vec<Subscription>,
    /// The product of each subscription, by its place in the snapshot.
    products: Vec<u32>,
    /// The products that a version is in.
    products_with: FxHashMap<VersionId, Vec<u32>>,
    /// Their places by their ids: the ids stand where they lead.
    by_id: HashTable<u32>,
    /// A bit for each subscription that has counted something since the others were told.
    untold: Box<[AtomicU64]>,
    fresh: Fresh,
}

/// One key: a line of the processor's cache, since with many keys each is a line that is not there yet.
#[derive(Debug)]
#[repr(align(64))]
pub struct Key {
    hash: key::Hash,
    /// Its id.
    pub id: KeyId,
    /// When it stops to be valid, in microseconds since 1970; [`NEVER`] if it does not.
    expires_micros: i64,
    application: u32,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

/// No timestamp is that late.
const NEVER: i64 = i64::MAX;

impl Key {
    /// When it stops to be valid.
    pub fn expires_at(&self) -> Option<Timestamp> {
        (self.expires_micros != NEVER).then(|| Timestamp::from_micros(self.expires_micros))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl Borrow<key::Hash> for Key {
    fn borrow(&self) -> &key::Hash {
        &self.hash
    }
}

/// A consumer's program.
#[derive(Debug)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// The consumer's organization.
    pub organization: OrganizationId,
    subscriptions: Range<u32>,
}

/// An application's use of some versions under a plan, with its counters; a line of the processor's cache.
#[derive(Debug)]
#[repr(align(64))]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The plan.
    pub plan: PlanId,
    /// Whether calls pass.
    pub state: SubscriptionState,
    index: u32,
    terms: Arc<Terms>,
    counters: Counted,
}

const _: () = assert!(size_of::<Key>() == 64 && size_of::<Subscription>() == 64);

/// What a plan allows, compiled once for all its subscriptions.
#[derive(Debug)]
struct Terms {
    /// The plan's name as a header's value.
    header: HeaderValue,
    name: Box<str>,
    rate: Option<(Meter, Told)>,
    quota: Option<(Bound, Told)>,
    /// `RateLimit-Policy` of a plan that has both.
    both: Option<HeaderValue>,
    concurrent: Option<(u32, Told)>,
    tier_costs: TierCosts,
    when_away: WhenStoreIsAway,
}

/// What a subscription used; outlives snapshots.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    rate: Gcra,
    /// Made when a plan with a sliding window asks for it.
    window: OnceLock<Box<Sliding>>,
    quota: Counter,
    pub(crate) open: Open,
}

/// How many subscriptions' counters are made at a time: a hundred thousand pieces of memory take longer to get.
const TOGETHER: usize = 32;

#[derive(Debug, Default)]
struct Together {
    counters: [Counters; TOGETHER],
    /// How many of them somebody has.
    taken: AtomicUsize,
}

/// The counters of a subscription, among those that were made with them.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    together: Arc<Together>,
    place: u8,
}

impl Deref for Counted {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.together.counters[usize::from(self.place) % TOGETHER]
    }
}

/// Counters that nobody has; snapshots hand on what is left of them, since most bring one subscription.
#[derive(Debug, Clone, Default)]
struct Fresh(Arc<Together>);

impl Fresh {
    fn next(&mut self) -> Counted {
        loop {
            let place = self.0.taken.fetch_add(1, Ordering::Relaxed);
            if place < TOGETHER {
                let (together, place) = (Arc::clone(&self.0), place as u8);
                return Counted { together, place };
            }
            self.0 = Arc::default();
        }
    }
}

impl Directory {
    /// Compiles a snapshot's consumers; counters of subscriptions that `previous` knows go on.
    pub fn compile(snapshot: &Snapshot, previous: Option<&Self>) -> Result<Self, Error> {
        let mut applications = by_id(snapshot.applications.len());
        let mut directory = Self {
            keys: HashSet::with_capacity_and_hasher(snapshot.keys.len(), BuildHasherDefault::default()),
            fresh: previous.map_or_else(Fresh::default, |previous| previous.fresh.clone()),
            ..Self::default()
        };
        directory.applications.reserve_exact(snapshot.applications.len());
        for application in &snapshot.applications {
            applications.insert(application.id, place(directory.applications.len()));
            directory.applications.push(Application {
                id: application.id,
                organization: application.organization,
                subscriptions: 0..0,
            });
        }
        directory.subscribe(snapshot, &applications, previous)?;
        // Whatever the directory before has not told is told by this one.
        let words = directory.subscriptions.len().div_ceil(64);
        let bits = if previous.is_some() { u64::MAX } else { 0 };
        directory.untold = (0..words).map(|_| AtomicU64::new(bits)).collect();
        for key in &snapshot.keys {
            let application = *applications.get(&key.application).ok_or(Error::NoApplication {
                key: key.id,
                application: key.application,
            })?;
            directory.keys.replace(Key {
                hash: key.hash,
                id: key.id,
                expires_micros: key.expires_at.map_or(NEVER, Timestamp::as_micros),
                application,
                is_revoked: key.state == KeyState::Revoked,
            });
        }
        Ok(directory)
    }

    /// Adds the subscriptions, those of an application beside each other.
    fn subscribe(
        &mut self,
        snapshot: &Snapshot,
        applications: &FxHashMap<ApplicationId, u32>,
        previous: Option<&Self>,
    ) -> Result<(), Error> {
        let plans = snapshot.plans.iter();
        let plans: HashMap<PlanId, Arc<Terms>> =
            plans.map(|plan| (plan.id, Arc::new(Terms::new(plan)))).collect();
        let mut products = by_id(snapshot.products.len());
        for (index, product) in (0..).zip(&snapshot.products) {
            products.insert(product.id, index);
            for version in &product.versions {
                self.products_with.entry(*version).or_default().push(index);
            }
        }
        let mut ordered = Vec::with_capacity(snapshot.subscriptions.len());
        for subscription in &snapshot.subscriptions {
            let application = applications.get(&subscription.application);
            let application = *application.ok_or(Error::NoSubscriber {
                subscription: subscription.id,
                application: subscription.application,
            })?;
            // Where several subscriptions hold a version, an active one counts.
            let is_suspended = subscription.state != SubscriptionState::Active;
            ordered.push((application, is_suspended, subscription));
        }
        ordered.sort_by_key(|(application, is_suspended, _)| (*application, *is_suspended));
        self.subscriptions.reserve_exact(ordered.len());
        self.products.reserve_exact(ordered.len());
        self.by_id = HashTable::with_capacity(ordered.len());
        for (application, _, subscription) in ordered {
            let index = place(self.subscriptions.len());
            let product = products.get(&subscription.product);
            self.products.push(*product.ok_or(Error::NoProduct {
                subscription: subscription.id,
                product: subscription.product,
            })?);
            let plan = plans.get(&subscription.plan).ok_or(Error::NoPlan {
                subscription: subscription.id,
                plan: subscription.plan,
            })?;
            let counters = previous.and_then(|previous| previous.counters(subscription.id));
            self.subscriptions.push(Subscription {
                id: subscription.id,
                plan: subscription.plan,
                state: subscription.state,
                index,
                terms: Arc::clone(plan),
                counters: counters.unwrap_or_else(|| self.fresh.next()),
            });
            self.enter(index);
            let own = &mut self.applications[application as usize].subscriptions;
            if own.end == 0 {
                own.start = index;
            }
            own.end = index + 1;
        }
        Ok(())
    }

    /// The key with that SHA-256, and its application.
    pub fn key(&self, hash: &key::Hash) -> Option<(&Key, &Application)> {
        let key = self.keys.get(hash)?;
        Some((key, &self.applications[key.application as usize]))
    }

    /// The application's right to call a version.
    pub fn subscription(&self, application: &Application, version: VersionId) -> Option<&Subscription> {
        let (products, own) = (
            self.products_with.get(&version)?,
            application.subscriptions.clone(),
        );
        own.into_iter()
            .find(|index| products.contains(&self.products[*index as usize]))
            .map(|index| &self.subscriptions[index as usize])
    }

    /// Goes on with calls that a subscription made in a period before a restart.
    ///
    /// They are ignored if the period is over or the plan's quota has another one by now.
    pub fn restore_quota(&self, id: SubscriptionId, period_start: i64, count: u64, now: Timestamp) {
        if let Some(subscription) = self.find(id)
            && let Some((quota, _)) = &subscription.terms.quota
        {
            subscription
                .counters
                .quota
                .restore(quota.quota.period, period_start, count, now);
            self.mark(subscription.index);
        }
    }

    /// Notes that a subscription has something to tell.
    fn mark(&self, index: u32) {
        let (word, bit) = (&self.untold[index as usize / 64], 1 << (index % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Whether the subscription is known.
    pub fn contains(&self, id: SubscriptionId) -> bool {
        self.find(id).is_some()
    }

    fn counters(&self, id: SubscriptionId) -> Option<Counted> {
        self.find(id).map(|subscription| subscription.counters.clone())
    }

    fn find(&self, id: SubscriptionId) -> Option<&Subscription> {
        let is_it = |index: &u32| self.subscriptions[*index as usize].id == id;
        let index = self.by_id.find(hash(id), is_it)?;
        Some(&self.subscriptions[*index as usize])
    }

    /// Lets the subscription at a place be found; of two with one id, the later.
    fn enter(&mut self, index: u32) {
        let subscriptions = &self.subscriptions;
        let id = subscriptions[index as usize].id;
        let is_it = |index: &u32| subscriptions[*index as usize].id == id;
        let hash_of = |index: &u32| hash(subscriptions[*index as usize].id);
        *self
            .by_id
            .entry(hash(id), is_it, hash_of)
            .or_insert(index)
            .into_mut() = index;
    }
}

impl Ledger for Directory {
    fn untold(&self, now: Moment, tell: &mut dyn FnMut(u128, Said)) {
        for (word, bits) in self.untold.iter().enumerate() {
            let mut left = bits.swap(0, Ordering::Relaxed);
            while left != 0 {
                let index = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                if let Some(subscription) = self.subscriptions.get(index) {
                    let caller = subscription.id.uuid().as_u128();
                    subscription.untold(now, &mut |said| tell(caller, said));
                }
            }
        }
    }

    fn hear(&self, caller: u128, said: Said, all: u64, now: Moment) {
        let id = SubscriptionId::new(Uuid::from_u128(caller));
        let Some(Subscription { counters, .. }) = self.find(id) else {
            return;
        };
        match said {
            Said::Spent { .. } => limiter::hear_rate(&counters.rate, said, all, now),
            Said::Counted { kind: 'w', .. } => {
                if let Some(window) = counters.window.get() {
                    limiter::hear_window(window, said, all);
                }
            }
            Said::Counted {
                kind, window, own, ..
            } => {
                if let Some((period, _)) = QUOTAS.iter().find(|(_, known)| *known == kind) {
                    counters.quota.hear(*period, (window, own), all);
                }
            }
        }
    }

    fn unheard(&self, caller: u128) {
        let id = SubscriptionId::new(Uuid::from_u128(caller));
        if let Some(subscription) = self.find(id) {
            self.mark(subscription.index);
        }
    }
}

/// How the periods of quotas are called among nodes.
const QUOTAS: [(Period, char); 3] = [(Period::Hour, 'h'), (Period::Day, 'd'), (Period::Month, 'm')];

impl Terms {
    fn new(plan: &snapshot::Plan) -> Self {
        let rate = plan.rate_limit.map(|limit| {
            let meter = Meter::new(limit);
            let told = Told::new(
                "plan_rate",
                plan.name.as_str(),
                meter.requests(),
                meter.window_seconds(),
            );
            (meter, told)
        });
        let quota = plan.quota.map(|quota| {
            let name = format!("{}-{}", plan.name, period(quota.period));
            let told = Told::new(
                "plan_quota",
                &name,
                quota.requests,
                quota::window_seconds(quota.period),
            );
            (Bound::new(quota), told)
        });
        let both = match (&rate, &quota) {
            (Some((_, rate)), Some((_, quota))) => Some(rate.and(quota)),
            _ => None,
        };
        let concurrent = plan.concurrent_calls_max.map(|most| {
            let name = format!("{}-concurrent", plan.name);
            (
                most.max(1),
                Told::concurrent("plan_concurrency", &name, most.max(1)),
            )
        });
        Self {
            header: header(plan.name.as_str()),
            name: plan.name.as_str().into(),
            rate,
            quota,
            both,
            concurrent,
            tier_costs: plan.tier_costs.unwrap_or_default(),
            when_away: plan.when_store_is_away,
        }
    }
}

const fn period(period: Period) -> &'static str {
    match period {
        Period::Hour => "hour",
        Period::Day => "day",
        Period::Month => "month",
    }
}

impl Subscription {
    /// The plan's name.
    pub fn plan_name(&self) -> &str {
        &self.terms.name
    }

    /// The plan's name as a header's value.
    pub fn header(&self) -> &HeaderValue {
        &self.terms.header
    }

    /// Beginning of the quota's running period in seconds since 1970; 0 without a quota.
    pub fn quota_period_start(&self, now: Timestamp) -> i64 {
        let quota = self.terms.quota.as_ref();
        quota.map_or(0, |(quota, _)| quota::period_start_of(quota.quota.period, now))
    }

    fn untold(&self, now: Moment, tell: &mut dyn FnMut(Said)) {
        match &self.terms.rate {
            Some((Meter::Gcra(_), _)) => {
                if let Some(said) = limiter::spent(&self.counters.rate, now) {
                    tell(said);
                }
            }
            Some((Meter::Sliding(window), _)) => {
                if let Some(cell) = self.counters.window.get() {
                    limiter::counted(cell, window).for_each(&mut *tell);
                }
            }
            None => {}
        }
        let Some((bound, _)) = &self.terms.quota else {
            return;
        };
        let period = bound.quota.period;
        if let Some((window, own)) = self.counters.quota.untold(period).filter(|(_, own)| *own > 0) {
            tell(Said::Counted {
                kind: QUOTAS[period as usize].1,
                window,
                own,
                keep_seconds: 2 * quota::window_seconds(period),
            });
        }
    }

    /// What calls of each tier count for.
    pub fn tier_costs(&self) -> &TierCosts {
        &self.terms.tier_costs
    }

    /// Counts a call on the plan's bound of open calls and on its rate limit.
    pub fn admit_rate<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        let terms = &*self.terms;
        if let Some((most, told)) = &terms.concurrent {
            let Some(open) = self.counters.open.begin_one(*most) else {
                call.limits.push(told, 0, None);
                let detail = format!("Plan `{}` allows {most} calls at a time.", terms.name);
                return Refusal::new(Code::ConcurrencyLimited, detail)
                    .retry_after(1)
                    .into();
            };
            call.effects.holds.push(Hold::Subscription(self.counters.clone()));
            call.limits.push(told, u64::from(most - open), None);
        }
        let Some((meter, told)) = &terms.rate else {
            return Verdict::Continue;
        };
        let ask = call.ask();
        if ask.is_shared() {
            call.directory.mark(self.index);
        }
        let decision = match meter {
            Meter::Gcra(rate) => self.counters.rate.admit(rate, &ask, terms.when_away),
            Meter::Sliding(window) => {
                let sliding = self.counters.window.get_or_init(Box::default);
                sliding.admit(window, &ask, terms.when_away)
            }
        };
        call.settle(("rate_limit", told), meter.soft(), decision, |retry_seconds| {
            let detail = format!(
                "Plan `{}` allows {} calls per {} seconds{}; the next one passes in {retry_seconds} seconds.",
                terms.name,
                meter.requests(),
                meter.window_seconds(),
                counts_for(ask.units)
            );
            Refusal::new(Code::RateLimited, detail)
        })
    }

    /// Counts a call on the plan's quota; calls are counted even if the plan has none.
    pub fn admit_quota<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        let terms = &*self.terms;
        let quota = terms.quota.as_ref();
        let ask = call.ask();
        let decision = self
            .counters
            .quota
            .admit(quota.map(|(bound, _)| bound), &ask, terms.when_away);
        let Some((bound, told)) = quota else {
            return Verdict::Continue;
        };
        if ask.is_shared() {
            call.directory.mark(self.index);
        }
        let verdict = call.settle(("quota", told), &bound.soft, decision, |retry_seconds| {
            let period = period(bound.quota.period);
            let detail = format!(
                "Plan `{}` allows {} calls per {period}{}; the next {period} begins in {retry_seconds} seconds.",
                terms.name,
                bound.quota.requests,
                counts_for(ask.units)
            );
            Refusal::new(Code::QuotaExceeded, detail)
        });
        if let (Some(both), Some((_, rate))) = (&terms.both, &terms.rate) {
            call.limits.written(rate, told, both);
        }
        verdict
    }
}

/// Says of a call that counts for more than one that it does.
pub(crate) fn counts_for(units: u32) -> String {
    match units {
        1 => String::new(),
        units => format!(", and this one counts for {units}"),
    }
}

/// A map for so many ids.
fn by_id<Id>(count: usize) -> FxHashMap<Id, u32> {
    HashMap::with_capacity_and_hasher(count, FxBuildHasher)
}

fn hash(id: SubscriptionId) -> u64 {
    FxBuildHasher.hash_one(id)
}

fn place(index: usize) -> u32 {
    u32::try_from(index).expect("a snapshot does not hold that many")
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids and names are visible ASCII")
}

/// Takes the first bytes of a SHA-256 as they are: they are as even as any hash of them would be.
#[derive(Debug, Default)]
struct Uniform(u64);

impl Hasher for Uniform {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length of an array is written as well; it is always 32.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
pub(crate) mod tests;
