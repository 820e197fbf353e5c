//! The targets of an upstream as all cores of a node see them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use domain::Name;
use domain::id::TargetId;
use domain::traffic::{OutlierDetection, Resolve};

use crate::deadline::steady_ms;
use crate::health::Health;
use crate::target::{Endpoint, Target};

/// A target with what is set about it and how it is.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Of the configured target that it is or stands for.
    pub(crate) id: TargetId,
    pub(crate) target: Arc<Target>,
    pub(crate) weight: u32,
    pub(crate) priority: u8,
    /// Among those of the same priority: what a name server says.
    pub(crate) rank: u8,
    pub(crate) zone: Option<Name>,
    pub(crate) health: Arc<Health>,
}

/// A configured target: one address, or a name that stands for several.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) id: TargetId,
    pub(crate) target: Arc<Target>,
    pub(crate) resolve: Resolve,
    pub(crate) weight: u32,
    pub(crate) priority: u8,
    pub(crate) zone: Option<Name>,
    /// What the name stood for when it was last looked up.
    pub(crate) found: ArcSwapOption<Vec<Found>>,
}

/// An address that a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// What a record of a service says; the target's own otherwise.
    pub(crate) weight: Option<u32>,
    pub(crate) priority: Option<u16>,
    /// What such a record calls it.
    pub(crate) name: Option<Box<str>>,
}

impl Source {
    /// Its targets, as far as they are known; `health` is asked for how each is.
    fn members<'a>(&'a self, health: impl Fn(&Endpoint) -> Arc<Health> + 'a) -> Vec<Member> {
        let member = move |target: Target, weight: u32, rank: u8| Member {
            id: self.id,
            health: health(&target.endpoint),
            target: Arc::new(target),
            weight,
            priority: self.priority,
            rank,
            zone: self.zone.clone(),
        };
        let Some(found) = self.found.load_full() else {
            // The system looks a name up until we have; who stands for a service, it does not know.
            let is_known = self.resolve != Resolve::Srv;
            return is_known
                .then(|| member(Target::clone(&self.target), self.weight, 0))
                .into_iter()
                .collect();
        };
        let mut priorities: Vec<_> = found.iter().map(|found| found.priority).collect();
        priorities.sort_unstable();
        priorities.dedup();
        let members = found.iter().map(|found| {
            let rank = priorities.iter().position(|priority| *priority == found.priority);
            let rank = rank.and_then(|rank| u8::try_from(rank).ok()).unwrap_or(u8::MAX);
            let weight = found.weight.map_or(self.weight, |weight| weight.max(1));
            member(self.target.at(found), weight, rank)
        });
        members.collect()
    }
}

/// The targets of an upstream, which may change between snapshots.
#[derive(Debug)]
pub(crate) struct Group {
    members: ArcSwap<Vec<Member>>,
    /// Rises whenever members or their health change, so that cores know when to look again.
    generation: AtomicU64,
}

impl Group {
    #[cfg(test)]
    pub(crate) fn new(members: Vec<Member>) -> Self {
        Self {
            members: ArcSwap::from_pointee(members),
            generation: AtomicU64::new(0),
        }
    }

    /// Of these targets; those of the group before keep their health, others join them.
    pub(crate) fn of(sources: &[Source], before: Option<&Self>) -> Self {
        let known = before.map(Self::healths);
        let health = |endpoint: &Endpoint| match &known {
            None => Arc::default(),
            Some(known) => known.get(endpoint).cloned().unwrap_or_else(joined),
        };
        let members = sources.iter().flat_map(|source| source.members(health));
        Self {
            members: ArcSwap::from_pointee(members.collect()),
            generation: AtomicU64::new(0),
        }
    }

    pub(crate) fn members(&self) -> Arc<Vec<Member>> {
        self.members.load_full()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Acquire)
    }

    /// Says that something about the members has changed.
    pub(crate) fn touch(&self) {
        self.generation.fetch_add(1, Release);
    }

    /// Takes over what the name of one of the group's sources stands for now; whether that is something else.
    #[expect(
        clippy::mutable_key_type,
        reason = "endpoints are compared by what was said, which stays"
    )]
    pub(crate) fn take(&self, sources: &[Source], source: &Source, found: Vec<Found>) -> bool {
        let before = source.found.load_full();
        if before.as_deref() == Some(&found) {
            return false;
        }
        source.found.store(Some(Arc::new(found)));
        let known = self.healths();
        let is_first = before.is_none();
        let health = |endpoint: &Endpoint| match known.get(endpoint) {
            Some(health) => Arc::clone(health),
            None if is_first => Arc::default(),
            None => joined(),
        };
        let members = sources.iter().flat_map(|source| source.members(health));
        self.members.store(Arc::new(members.collect()));
        self.touch();
        true
    }

    /// Whether one more target may be left out.
    pub(crate) fn may_eject(&self, rules: &OutlierDetection, now_ms: u64) -> bool {
        let members = self.members.load();
        let ejected = members
            .iter()
            .filter(|member| member.health.ejected_until_ms() > now_ms)
            .count();
        (ejected + 1) * 100 <= usize::from(rules.ejected_max_percent) * members.len()
    }

    /// How its members are, by where they are.
    #[expect(
        clippy::mutable_key_type,
        reason = "endpoints are compared by what was said, which stays"
    )]
    fn healths(&self) -> HashMap<Endpoint, Arc<Health>> {
        let members = self.members.load();
        members
            .iter()
            .map(|member| (member.target.endpoint.clone(), Arc::clone(&member.health)))
            .collect()
    }
}

fn joined() -> Arc<Health> {
    Arc::new(Health::joined(steady_ms()))
}
