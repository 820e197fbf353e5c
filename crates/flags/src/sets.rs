//! The flags of all organizations.

use std::sync::Arc;

use domain::Name;
use domain::id::OrganizationId;
use domain::snapshot::FlagSet;
use rustc_hash::FxHashMap;

use crate::counts::Counts;
use crate::set::Set;

/// The flags of all organizations in one environment.
#[derive(Debug, Clone, Default)]
pub struct Sets(FxHashMap<OrganizationId, Arc<Set>>);

/// A set that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the flags of {organization} cannot be used: {}", list(.problems))]
pub struct Refused {
    /// Whose it is.
    pub organization: OrganizationId,
    /// What is wrong.
    pub problems: Vec<eval::Problem>,
}

fn list(problems: &[eval::Problem]) -> String {
    let each = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.pointer, problem.detail));
    each.collect::<Vec<_>>().join(" ")
}

impl FromIterator<(OrganizationId, Arc<Set>)> for Sets {
    fn from_iter<T: IntoIterator<Item = (OrganizationId, Arc<Set>)>>(sets: T) -> Self {
        Self(sets.into_iter().collect())
    }
}

impl Sets {
    /// Compiles the sets of an environment; those that have not changed are taken from `before`.
    ///
    /// # Errors
    /// The first set that cannot be used.
    pub fn compile<'f>(
        environment: &Name,
        sources: impl IntoIterator<Item = &'f FlagSet>,
        (before, counts): (Option<&Self>, &Arc<Counts>),
    ) -> Result<Self, Refused> {
        let each = sources.into_iter().map(|source| {
            let organization = source.organization;
            let known = before.and_then(|before| before.get(organization));
            if let Some(same) = known.filter(|known| known.tag() == source.tag) {
                return Ok((organization, Arc::clone(same)));
            }
            match Set::compile(environment, source, counts) {
                Ok(set) => Ok((organization, Arc::new(set.following(known.map(|known| &**known))))),
                Err(problems) => Err(Refused {
                    organization,
                    problems,
                }),
            }
        });
        each.collect::<Result<_, _>>().map(Self)
    }

    /// Hands over how often which variants were given.
    pub fn settle(&self) {
        self.0.values().for_each(|set| set.settle());
    }

    /// The sets, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Set>> {
        self.0.values()
    }

    /// The flags of an organization; `None` if it has none.
    pub fn get(&self, organization: OrganizationId) -> Option<&Arc<Set>> {
        self.0.get(&organization)
    }
}
