//! Chooses the target of a call.
//!
//! Which targets may be taken is looked at only when something has changed ([`View`]); a call then costs a few
//! reads and writes of this core's own cells. Cores choose for themselves, so that "in turn" and "fewest calls"
//! are meant per core.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Name;
use domain::recent::Candidate;
use domain::traffic::Algorithm;
use tokio::time::timeout;

use crate::compile::Upstream;
use crate::course::Label;
use crate::deadline::steady_ms;
use crate::group::Member;
use crate::guard::{Budget, Held, Limit};
use crate::health::Health;
use crate::last_good::LastGood;
use crate::pool::{Pool, Pools};
use crate::refusal::Cause;
use crate::target::Target;

use self::view::{Level, Standing, View};

pub(crate) mod hash;
mod load;
mod rules;
mod view;

pub(crate) use self::load::Load;
pub(crate) use self::rules::Rules;

/// How often two targets are drawn before all are looked at.
const DRAWS_MAX: u32 = 4;
/// A cost is worth leaving the weights for if it is lower by a quarter.
const CHEAPER: f64 = 1.25;

/// The targets of one upstream, with this core's connections to them.
#[derive(Debug)]
pub(crate) struct Balancer {
    upstream: Arc<Upstream>,
    pools: Rc<Pools>,
    zone: Option<Name>,
    /// The target, where there is nothing to choose.
    only: Option<Rc<Choice>>,
    seen: RefCell<Seen>,
    pub(crate) budget: Budget,
    /// Its last good answers, if they are kept.
    pub(crate) last_good: Option<LastGood>,
    /// Copies of calls that are under way to it.
    pub(crate) copies: Cell<u32>,
    /// How many calls it may have at a time, if that is found out.
    pub(crate) limit: Option<Rc<Limit>>,
}

/// The targets as this core last saw them.
#[derive(Debug, Default)]
struct Seen {
    generation: Option<u64>,
    choices: Vec<Rc<Choice>>,
    view: View,
}

/// A target, with this core's connections to it.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) target: Arc<Target>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) health: Arc<Health>,
    pub(crate) label: Rc<Label>,
    weight: u32,
    level: u16,
    is_near: bool,
    hash: u64,
    credit: Cell<i64>,
}

impl Balancer {
    pub(crate) fn new(upstream: Arc<Upstream>, pools: Rc<Pools>, zone: Option<Name>) -> Self {
        let limit = upstream
            .adaptive
            .map(|(min, max)| Rc::new(Limit::new(min, max, calendar_ahead_ms())));
        let mut balancer = Self {
            upstream,
            pools,
            zone,
            only: None,
            seen: RefCell::default(),
            budget: Budget::default(),
            last_good: None,
            copies: Cell::new(0),
            limit,
        };
        if balancer.upstream.is_fixed
            && let [only] = balancer.upstream.group.members().as_slice()
        {
            balancer.only = Some(Rc::new(balancer.choice(only)));
        }
        balancer
    }

    /// Keeps good answers if the upstream says so; those that were kept before go on.
    pub(crate) fn keeping(mut self, before: Option<&Self>) -> Self {
        let before = before.and_then(|before| before.last_good.as_ref());
        let rules = self.upstream.last_good;
        self.last_good = rules.map(|rules| LastGood::new(rules, before));
        self
    }

    pub(crate) const fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// Takes a place among the calls that the upstream may have at a time, for one of those that may take this share
    /// of them, in percent; waits no longer than is left.
    pub(crate) async fn enter(&self, share: u32, left: Option<Duration>) -> Result<Box<Held>, Cause> {
        let refused = || match share {
            100 => Cause::UpstreamOverloaded,
            _ => Cause::Shed,
        };
        let now_ms = self.pools.now_ms();
        let limit = self.limit.as_ref();
        if limit.is_some_and(|limit| !limit.begin(share, now_ms)) {
            return Err(refused());
        }
        let mut held = Box::new(Held::new(self.limit.clone()));
        if let Some(bulkhead) = &self.upstream.bulkhead {
            let entering = bulkhead.enter(share);
            let permit = match left {
                None => entering.await,
                Some(left) => timeout(left, entering).await.map_err(|_| Cause::Timeout {
                    detail: "The upstream had enough to do until the time was over.",
                })?,
            };
            held.permit = Some(permit.ok_or_else(refused)?);
        }
        Ok(held)
    }

    /// Takes a retry from the budget; false if it is used up.
    pub(crate) fn may_retry(&self, now_ms: u64) -> bool {
        let retries = &self.upstream.retries;
        self.budget
            .take(retries.budget_percent, retries.budget_per_second_min, now_ms)
    }

    /// A target that was not tried before if there is one, and of those one that this core could reach when it
    /// last tried; none if none is healthy.
    pub(crate) fn next(&self, key: Option<u64>, tried: &[Rc<Choice>]) -> Option<Rc<Choice>> {
        if let Some(only) = &self.only {
            return Some(Rc::clone(only));
        }
        let now_ms = self.pools.now_ms();
        let generation = self.upstream.group.generation();
        let mut seen = self.seen.borrow_mut();
        if seen.generation != Some(generation) || now_ms >= seen.view.until_ms {
            self.look(&mut seen, generation, now_ms);
        }
        let Seen { choices, view, .. } = &*seen;
        if let ([only], [_]) = (choices.as_slice(), view.levels.as_slice()) {
            return Some(Rc::clone(only));
        }
        let is_new = |choice: &Rc<Choice>| !tried.iter().any(|tried| Rc::ptr_eq(tried, choice));
        let pick = |is_good: &dyn Fn(&Rc<Choice>) -> bool| self.pick(view, choices, key, is_good);
        let chosen = pick(&|choice| is_new(choice) && !choice.pool.is_down())
            .or_else(|| pick(&is_new))
            .or_else(|| pick(&|_| true))?;
        Some(Rc::clone(&choices[chosen]))
    }

    /// Targets that may be taken at the moment.
    pub(crate) fn len(&self) -> usize {
        if self.only.is_some() {
            return 1;
        }
        self.seen.borrow().choices.len()
    }

    /// How its targets are chosen.
    pub(crate) fn algorithm(&self) -> &'static str {
        if self.only.is_some() {
            return "only";
        }
        match self.upstream.rules.algorithm {
            Algorithm::P2cEwma => "p2c_ewma",
            Algorithm::RoundRobin => "round_robin",
            Algorithm::LeastRequests => "least_requests",
            Algorithm::ConsistentHash => "consistent_hash",
            Algorithm::Random => "random",
        }
    }

    /// Its targets as this core sees them now.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let seen = self.seen.borrow();
        let choices = seen.choices.iter().chain(&self.only);
        let now_ms = self.pools.now_ms();
        let candidates = choices.map(|choice| Candidate {
            target: choice.label.url.clone(),
            zone: choice.label.zone.clone(),
            priority: u8::try_from(choice.level >> 8).unwrap_or(u8::MAX),
            weight: choice.weight,
            healthy: choice.health.is_healthy(now_ms),
            is_down: choice.pool.is_down(),
            in_flight: choice.pool.load.in_flight(),
        });
        candidates.collect()
    }

    fn look(&self, seen: &mut Seen, generation: u64, now_ms: u64) {
        if seen.generation != Some(generation) {
            let members = self.upstream.group.members();
            let is_same = members.len() == seen.choices.len()
                && members.iter().zip(&seen.choices).all(|(member, choice)| {
                    Arc::ptr_eq(&member.target, &choice.target)
                        && Arc::ptr_eq(&member.health, &choice.health)
                        && member.weight == choice.weight
                });
            if !is_same {
                seen.choices = members
                    .iter()
                    .map(|member| Rc::new(self.choice(member)))
                    .collect();
            }
            seen.generation = Some(generation);
        }
        let mut until_ms = u64::MAX;
        let standings = seen.choices.iter().map(|choice| {
            let ejected_until_ms = choice.health.ejected_until_ms();
            if ejected_until_ms > now_ms {
                until_ms = until_ms.min(ejected_until_ms);
            }
            Standing {
                weight: choice.weight,
                level: choice.level,
                is_near: choice.is_near,
                is_healthy: choice.health.is_healthy(now_ms),
                since_ms: choice.health.since_ms(),
            }
        });
        let standings: Vec<_> = standings.collect();
        seen.view = View::new(&standings, &self.upstream.rules, now_ms, until_ms);
    }

    fn choice(&self, member: &Member) -> Choice {
        let endpoint = &member.target.endpoint;
        Choice {
            target: Arc::clone(&member.target),
            pool: self.pools.of(&self.upstream, endpoint),
            health: Arc::clone(&member.health),
            label: Rc::new(Label {
                id: member.id,
                url: member.target.url(),
                zone: member.zone.clone(),
            }),
            weight: member.weight,
            level: u16::from(member.priority) << 8 | u16::from(member.rank),
            is_near: self.zone.is_some() && self.zone == member.zone,
            hash: hash::of(&member.target.name()),
            credit: Cell::new(0),
        }
    }

    /// The place of a target that is good, in the level that is drawn or else in another one.
    fn pick(
        &self,
        view: &View,
        choices: &[Rc<Choice>],
        key: Option<u64>,
        is_good: &dyn Fn(&Rc<Choice>) -> bool,
    ) -> Option<usize> {
        let first = match view.levels.as_slice() {
            [] => return None,
            [_] => 0,
            levels => {
                let drawn = key.unwrap_or_else(|| self.pools.random()) % 1000;
                levels.iter().position(|level| drawn < level.below)?
            }
        };
        let order = (first..view.levels.len()).chain(0..first);
        order.into_iter().find_map(|index| {
            let level = Members {
                level: &view.levels[index],
                choices,
                is_good,
                now_ms: self.pools.now_ms(),
            };
            let rules = &self.upstream.rules;
            match (rules.algorithm, key) {
                (Algorithm::P2cEwma, _) => level.cheaper_of_two(|| self.pools.random()),
                (Algorithm::RoundRobin, _) => level.in_turn(|_| true),
                (Algorithm::LeastRequests, _) => level.least_busy(),
                (Algorithm::ConsistentHash, Some(key)) => level.nearest(key, rules.hash_load_max_percent),
                (Algorithm::Random | Algorithm::ConsistentHash, _) => level.any(|| self.pools.random()),
            }
        })
    }
}

/// How far the calendar is ahead of [`steady_ms`], which is another one in each process.
fn calendar_ahead_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    now_ms.saturating_sub(steady_ms())
}

/// The targets of one level while one is chosen.
struct Members<'a> {
    level: &'a Level,
    choices: &'a [Rc<Choice>],
    is_good: &'a dyn Fn(&Rc<Choice>) -> bool,
    now_ms: u64,
}

impl Members<'_> {
    /// Places in the level of what is good.
    fn good(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.level.places.len()).filter(|index| (self.is_good)(self.choice(*index)))
    }

    fn choice(&self, index: usize) -> &Rc<Choice> {
        &self.choices[self.level.places[index]]
    }

    fn draw(&self, random: u64) -> usize {
        self.level.at(random % self.level.total().max(1))
    }

    fn any(&self, random: impl Fn() -> u64) -> Option<usize> {
        let drawn = (0..DRAWS_MAX)
            .map(|_| self.draw(random()))
            .find(|index| (self.is_good)(self.choice(*index)));
        drawn
            .or_else(|| self.good().next())
            .map(|index| self.level.places[index])
    }

    fn cheaper_of_two(&self, random: impl Fn() -> u64) -> Option<usize> {
        let mut one = None;
        for _ in 0..DRAWS_MAX {
            let mut drawn = self.draw(random());
            if one == Some(drawn) {
                drawn = (drawn + 1) % self.level.places.len();
            }
            if one == Some(drawn) || !(self.is_good)(self.choice(drawn)) {
                continue;
            }
            let Some(one) = one else {
                one = Some(drawn);
                continue;
            };
            let is_cheaper = self.cost(drawn) * CHEAPER < self.cost(one);
            return Some(self.level.places[if is_cheaper { drawn } else { one }]);
        }
        one.or_else(|| self.good().next())
            .map(|index| self.level.places[index])
    }

    fn cost(&self, index: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "weights are small")]
        let share = (self.level.weight(index) * self.level.places.len() as u64) as f64
            / self.level.total().max(1) as f64;
        self.choice(index).pool.load.cost(share, self.now_ms)
    }

    /// Smooth weighted round robin: each gets its share without being taken several times in a row.
    fn in_turn(&self, is_wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<usize> = None;
        for index in self.good().filter(|index| is_wanted(*index)) {
            let weight = i64::try_from(self.level.weight(index)).unwrap_or(i64::MAX);
            let credit = &self.choice(index).credit;
            credit.set(credit.get() + weight);
            total += weight;
            // Of equal ones the first.
            if best.is_none_or(|best| credit.get() > self.choice(best).credit.get()) {
                best = Some(index);
            }
        }
        let best = best?;
        let credit = &self.choice(best).credit;
        credit.set(credit.get() - total);
        Some(self.level.places[best])
    }

    fn least_busy(&self) -> Option<usize> {
        // Calls in relation to the weight, compared without division.
        let busy = |index: usize| u64::from(self.choice(index).pool.load.in_flight());
        let weight = |index: usize| self.level.weight(index).max(1);
        let least = self
            .good()
            .min_by(|one, other| (busy(*one) * weight(*other)).cmp(&(busy(*other) * weight(*one))))?;
        self.in_turn(|index| busy(index) * weight(least) == busy(least) * weight(index))
    }

    /// The key's nearest target, passing over those that have more than their part to do already.
    fn nearest(&self, key: u64, load_max_percent: u32) -> Option<usize> {
        let busy = |index: usize| u64::from(self.choice(index).pool.load.in_flight());
        let all = 1 + self.good().map(busy).sum::<u64>();
        let has_room = |index: usize| {
            let fair = all * self.level.weight(index) * u64::from(load_max_percent);
            load_max_percent == 0 || busy(index) * self.level.total() * 100 < fair
        };
        let draw = |index: usize| hash::draw(key, self.choice(index).hash, self.level.weight(index));
        let nearest = |filter: &dyn Fn(&usize) -> bool| {
            self.good()
                .filter(filter)
                .max_by(|one, other| draw(*one).total_cmp(&draw(*other)))
        };
        nearest(&|index| has_room(*index))
            .or_else(|| nearest(&|_| true))
            .map(|index| self.level.places[index])
    }
}

#[cfg(test)]
mod tests;
