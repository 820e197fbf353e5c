//! The targets of an upstream as all cores of a node see them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

use arc_swap::ArcSwap;
use domain::Name;
use domain::traffic::OutlierDetection;

use crate::health::Health;
use crate::target::{Endpoint, Target};

/// A target with what is set about it and how it is.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) target: Arc<Target>,
    pub(crate) weight: u32,
    pub(crate) priority: u8,
    pub(crate) zone: Option<Name>,
    pub(crate) health: Arc<Health>,
}

/// The targets of an upstream, which may change between snapshots.
#[derive(Debug)]
pub(crate) struct Group {
    members: ArcSwap<Vec<Member>>,
    /// Rises whenever members or their health change, so that cores know when to look again.
    generation: AtomicU64,
}

impl Group {
    pub(crate) fn new(members: Vec<Member>) -> Self {
        Self {
            members: ArcSwap::from_pointee(members),
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
    pub(crate) fn healths(&self) -> HashMap<Endpoint, Arc<Health>> {
        let members = self.members.load();
        members
            .iter()
            .map(|member| (member.target.endpoint.clone(), Arc::clone(&member.health)))
            .collect()
    }
}
