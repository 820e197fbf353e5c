//! Feature flags as those who answer for them need them: read from the database, compiled, and asked.
//!
//! ```text
//! feature_flags ─FlagSets─► one set per organization and environment ─► edges of this process, and snapshots of nodes
//! ```

mod comment;
mod export;
mod history;
pub(crate) mod linked;
mod proposal;
mod reference;
mod saved;
mod segment;
mod trial;
pub(crate) mod usage;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::flag::{EXPOSURE, FeatureFlag, FlagExplanation, FlagKey, FlagTrial};
use domain::id::{EventTypeId, FeatureFlagId, OrganizationId};
use domain::snapshot::FlagSet;
use domain::{Code, Name};
use events::ingest::Key;
use flags::{Attributes, Counts, FormFault, Given, Missing, QuestionFault, Set, Sets};
use store::entity::Read;
use store::flag::Revisions;

use crate::{Caller, Control, Error, FieldError};

pub use export::ExportsWanted;
pub(crate) use saved::Saved;
pub use store::flag::evaluation::Evaluations;
pub use store::flag::history::Past;
pub use trial::FlagsWanted;

/// The flags of all organizations.
#[derive(Debug, Default)]
pub struct FlagSets {
    organizations: HashMap<OrganizationId, Arc<Organization>>,
    /// How often which variants were given; the same as long as the process lives.
    counts: Arc<Counts>,
}

/// The flags of an organization.
#[derive(Debug)]
struct Organization {
    /// Which flags and segments these are, so that nothing is read and compiled again that has not changed.
    revisions: Revisions,
    exposures: Option<EventTypeId>,
    /// The ids of the flags by their keys.
    ids: HashMap<FlagKey, FeatureFlagId>,
    environments: BTreeMap<Name, InEnvironment>,
    /// What was read last.
    saved: Arc<Saved>,
}

/// The flags of an organization in an environment.
#[derive(Debug, Clone)]
struct InEnvironment {
    set: Arc<Set>,
    /// What it was compiled from.
    saved: Arc<Saved>,
}

impl FlagSets {
    /// Reads and compiles the flags of all organizations; those that have not changed are taken from `before`.
    pub(crate) async fn read(read: &mut impl Read, before: Option<&Self>) -> Result<Self, Error> {
        let by_organization = store::flag::revisions(read).await?;
        let counts = before
            .map(|before| Arc::clone(&before.counts))
            .unwrap_or_default();
        let exposures = store::tracking::active_types(read, EXPOSURE).await?;
        let exposures: HashMap<_, _> = exposures.into_iter().collect();
        let mut organizations = HashMap::with_capacity(by_organization.len());
        for (id, revisions) in by_organization {
            let known = before.and_then(|before| before.organizations.get(&id));
            let exposures = exposures.get(&id).copied();
            let is_same =
                |known: &&Arc<Organization>| known.revisions == revisions && known.exposures == exposures;
            let organization = match known.filter(is_same) {
                Some(same) => Arc::clone(same),
                None => {
                    let before = known.map(|known| &*known.saved);
                    let saved = Saved::read(read, (id, &revisions), before).await?;
                    let before = known.map(|known| &**known);
                    let saved = (revisions, Arc::new(saved));
                    Arc::new(Organization::new((id, exposures), saved, (before, &counts)))
                }
            };
            organizations.insert(id, organization);
        }
        Ok(Self {
            organizations,
            counts,
        })
    }

    /// The flags that the holder of a key may ask for; `None` if its organization has none in its environment.
    pub fn of(&self, key: &Key) -> Option<&Arc<Set>> {
        self.get(key.organization, &key.environment)
    }

    /// The flags of an organization in an environment; `None` if it has none there.
    pub fn get(&self, organization: OrganizationId, environment: &Name) -> Option<&Arc<Set>> {
        let all = self.organizations.get(&organization)?;
        all.environments.get(environment).map(|there| &there.set)
    }

    /// The id of the flag of an organization that has this key.
    pub(crate) fn id(&self, organization: OrganizationId, key: &str) -> Option<FeatureFlagId> {
        self.organizations.get(&organization)?.ids.get(key).copied()
    }

    /// Takes how often which variants were given.
    pub(crate) fn given(&self) -> Vec<(Given, u64)> {
        let sets = self
            .organizations
            .values()
            .flat_map(|all| all.environments.values());
        sets.for_each(|there| there.set.settle());
        self.counts.take()
    }

    /// Takes back what could not be kept.
    pub(crate) fn not_counted(&self, given: Vec<(Given, u64)>) {
        for (given, count) in given {
            self.counts.add(given, count);
        }
    }

    /// What nodes of an environment get.
    pub(crate) fn sources(&self, environment: &Name) -> Vec<FlagSet> {
        let each = self.organizations.iter();
        let mut sources: Vec<_> = each
            .filter_map(|(id, all)| match all.environments.get(environment) {
                Some(there) => Some(there.saved.source((*id, there.set.exposures()), environment)),
                None => all.elsewhere(*id),
            })
            .collect();
        sources.sort_by_key(|source| source.organization);
        sources
    }

    /// The same as nodes ask it.
    pub(crate) fn as_on_nodes(&self, environment: &Name) -> Sets {
        let each = self.organizations.iter().filter_map(|(id, all)| {
            let set = match all.environments.get(environment) {
                Some(there) => Arc::clone(&there.set),
                // What was compiled with flags can be compiled without.
                None => Arc::new(Set::compile(environment, &all.elsewhere(*id)?, &self.counts).ok()?),
            };
            Some((*id, set))
        });
        each.collect()
    }
}

impl Organization {
    /// Compiles the flags of each environment in which something has changed; where they cannot be compiled, they stay as they
    /// were.
    fn new(
        (id, exposures): (OrganizationId, Option<EventTypeId>),
        (revisions, saved): (Revisions, Arc<Saved>),
        (before, counts): (Option<&Self>, &Arc<Counts>),
    ) -> Self {
        let mut environments = BTreeMap::new();
        for name in saved.environments() {
            let known = before.and_then(|before| before.environments.get(name));
            let tag = saved.tag(exposures, name);
            let set = match known.filter(|known| known.set.tag() == tag) {
                Some(same) => Ok(Arc::clone(&same.set)),
                None => {
                    let set = Set::compile(name, &saved.source((id, exposures), name), counts);
                    set.map(|set| Arc::new(set.following(known.map(|known| &*known.set))))
                }
            };
            let there = match set {
                Ok(set) => Some(InEnvironment {
                    set,
                    saved: Arc::clone(&saved),
                }),
                Err(problems) => {
                    // All of it was compiled when it was saved; another version of the program may see it differently.
                    tracing::error!(organization = %id, environment = %name, ?problems,
                        "flags stay as they were: they cannot be used");
                    known.cloned()
                }
            };
            environments.extend(there.map(|there| (name.clone(), there)));
        }
        Self {
            revisions,
            exposures,
            ids: (saved.flags.iter())
                .map(|flag| (flag.spec.key.clone(), flag.id))
                .collect(),
            environments,
            saved,
        }
    }

    /// What environments have of which no flag speaks: the segments, if there are some.
    fn elsewhere(&self, id: OrganizationId) -> Option<FlagSet> {
        (!self.saved.segments.is_empty()).then(|| self.saved.without_flags(id))
    }
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Self {
        let Missing { key, environment } = missing;
        let detail = format!("There is no flag `{key}` in `{environment}`, or not for this key.");
        Self::refused(Code::FlagNotFound, detail)
    }
}

impl From<QuestionFault> for Error {
    fn from(fault: QuestionFault) -> Self {
        let field =
            |fault: FormFault| FieldError::new(&fault.pointer, fault.code, fault.detail, fault.suggestion);
        let detail = fault.detail();
        let fields = fault.into_faults().into_iter().map(field);
        Self::fields(Code::RequestInvalid, detail, fields.collect())
    }
}

impl Control {
    /// What somebody would get of a flag, and why; nothing is recorded.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the flag, `flag_not_found` if it is not in that environment.
    pub async fn try_feature_flag(
        &self,
        caller: &Caller,
        id: FeatureFlagId,
        trial: FlagTrial,
    ) -> Result<FlagExplanation, Error> {
        let flag = self.read::<FeatureFlag>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "try_feature_flag", &flag)
            .await?;
        let attributes = Attributes::from_json(&trial.attributes)?;
        let sets = self.flag_sets().await?;
        let key = flag.spec.key.as_str();
        let set = sets.get(flag.organization_id, &trial.environment);
        let set = set.ok_or_else(|| Missing::new(key, &trial.environment))?;
        Ok(set.explain(key, &attributes, trial.at.unwrap_or_else(|| self.now()))?)
    }
}

#[cfg(test)]
mod tests;
