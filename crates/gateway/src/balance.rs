//! Takes the targets of an upstream in turn, by weight.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::compile::Upstream;
use crate::pool::Pool;
use crate::target::{Endpoint, Target};

/// The targets of one upstream, with this core's connections to them.
#[derive(Debug)]
pub(crate) struct Balancer {
    choices: Vec<Choice>,
}

#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) target: Arc<Target>,
    pub(crate) pool: Rc<Pool>,
    weight: i64,
    credit: Cell<i64>,
}

impl Balancer {
    pub(crate) fn new(upstream: &Upstream, mut pool: impl FnMut(&Endpoint) -> Rc<Pool>) -> Self {
        let choices = upstream.targets.iter().map(|(target, weight)| {
            let pool = pool(&target.endpoint);
            pool.set_idle_max(upstream.idle_connections_max);
            Choice {
                target: Arc::clone(target),
                pool,
                weight: i64::from(*weight),
                credit: Cell::new(0),
            }
        });
        Self {
            choices: choices.collect(),
        }
    }

    pub(crate) fn pools(&self) -> impl Iterator<Item = &Rc<Pool>> {
        self.choices.iter().map(|choice| &choice.pool)
    }

    pub(crate) const fn len(&self) -> usize {
        self.choices.len()
    }

    /// The next target; one that could not be reached a moment ago only if that is true of all.
    ///
    /// Smooth weighted round-robin: each gets its share without being taken several times in a row.
    pub(crate) fn next(&self) -> &Choice {
        if let [only] = self.choices.as_slice() {
            return only;
        }
        let all_down = self.choices.iter().all(|choice| choice.pool.is_down());
        let candidates = || {
            self.choices
                .iter()
                .filter(|choice| all_down || !choice.pool.is_down())
        };
        let mut total = 0;
        for choice in candidates() {
            choice.credit.set(choice.credit.get() + choice.weight);
            total += choice.weight;
        }
        // Of equal ones the first.
        let chosen = candidates()
            .reduce(|best, choice| {
                if choice.credit.get() > best.credit.get() {
                    choice
                } else {
                    best
                }
            })
            .expect("an upstream has a target");
        chosen.credit.set(chosen.credit.get() - total);
        chosen
    }
}
