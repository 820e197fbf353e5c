//! Feature flags as those who answer for them need them: read from the database, compiled, and asked.
//!
//! ```text
//! feature_flags ─FlagSets─► one set per organization and environment ─► edges of this process, and snapshots of nodes
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use domain::flag::{EXPOSURE, FeatureFlag, FlagExplanation, FlagTrial};
use domain::id::{EventTypeId, FeatureFlagId, OrganizationId};
use domain::snapshot::{Flag, FlagSet};
use domain::{Code, Name};
use eval::definition::Definitions;
use events::ingest::Key;
use flags::{Attributes, FormFault, Missing, QuestionFault, Set};
use sha2::{Digest as _, Sha256};
use store::entity::Read;

use crate::{Caller, Control, Error, FieldError};

/// Bytes of a tag that are told.
const TAG_BYTES: usize = 12;

/// The flags of all organizations.
#[derive(Debug, Default)]
pub struct FlagSets {
    organizations: HashMap<OrganizationId, Arc<Organization>>,
}

/// The flags of an organization.
#[derive(Debug)]
struct Organization {
    /// What these come from, so that nothing is read and compiled again that has not changed.
    revisions: Revisions,
    environments: BTreeMap<Name, Served>,
}

/// Everything that makes a set another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Revisions {
    flags: Vec<(FeatureFlagId, i64)>,
    exposures: Option<EventTypeId>,
}

/// The flags of an organization in an environment: as nodes get them, and ready to be asked.
#[derive(Debug, Clone)]
struct Served {
    source: Arc<FlagSet>,
    set: Arc<Set>,
}

impl FlagSets {
    /// Reads and compiles the flags of all organizations; those that have not changed are taken from `before`.
    pub(crate) async fn read(read: &mut impl Read, before: Option<&Self>) -> Result<Self, Error> {
        let mut by_organization: HashMap<OrganizationId, Revisions> = HashMap::new();
        for (organization, flag, revision) in store::flag::revisions(read).await? {
            let revisions = by_organization.entry(organization).or_default();
            revisions.flags.push((flag, revision));
        }
        for (organization, exposures) in store::tracking::active_types(read, EXPOSURE).await? {
            if let Some(revisions) = by_organization.get_mut(&organization) {
                revisions.exposures = Some(exposures);
            }
        }
        let mut organizations = HashMap::with_capacity(by_organization.len());
        for (id, revisions) in by_organization {
            let known = before.and_then(|before| before.organizations.get(&id));
            let organization = match known.filter(|known| known.revisions == revisions) {
                Some(same) => Arc::clone(same),
                None => {
                    let flags = store::flag::all(read, id).await?;
                    Arc::new(Organization::new(id, revisions, &flags, known))
                }
            };
            organizations.insert(id, organization);
        }
        Ok(Self { organizations })
    }

    /// The flags that the holder of a key may ask for; `None` if its organization has none in its environment.
    pub fn of(&self, key: &Key) -> Option<&Arc<Set>> {
        self.get(key.organization, &key.environment)
    }

    /// The flags of an organization in an environment; `None` if it has none there.
    pub fn get(&self, organization: OrganizationId, environment: &Name) -> Option<&Arc<Set>> {
        let all = self.organizations.get(&organization)?;
        all.environments.get(environment).map(|served| &served.set)
    }

    /// What nodes of an environment get.
    pub(crate) fn sources(&self, environment: &Name) -> Vec<FlagSet> {
        let each = self.organizations.values();
        let served = each.filter_map(|all| all.environments.get(environment));
        let mut sources: Vec<_> = served.map(|served| FlagSet::clone(&served.source)).collect();
        sources.sort_by_key(|source| source.organization);
        sources
    }
}

impl Organization {
    /// Compiles the flags of each environment; where they cannot be compiled, they stay as they were.
    fn new(
        id: OrganizationId,
        revisions: Revisions,
        flags: &[FeatureFlag],
        before: Option<&Arc<Self>>,
    ) -> Self {
        let names: BTreeSet<&Name> = flags
            .iter()
            .flat_map(|flag| flag.spec.environments.keys())
            .collect();
        let mut environments = BTreeMap::new();
        for name in names {
            let source = source(id, name, &revisions, flags);
            let served = match Set::compile(name, &source) {
                Ok(set) => Some(Served {
                    source: Arc::new(source),
                    set: Arc::new(set),
                }),
                Err(problems) => {
                    // All of it was compiled when it was saved; another version of the program may see it differently.
                    tracing::error!(organization = %id, environment = %name, ?problems,
                        "flags stay as they were: they cannot be used");
                    before.and_then(|before| before.environments.get(name)).cloned()
                }
            };
            environments.extend(served.map(|served| (name.clone(), served)));
        }
        Self {
            revisions,
            environments,
        }
    }
}

fn source(
    organization: OrganizationId,
    environment: &Name,
    revisions: &Revisions,
    flags: &[FeatureFlag],
) -> FlagSet {
    let there = flags.iter().filter_map(|flag| {
        Some(Flag {
            key: flag.spec.key.clone(),
            r#type: flag.spec.r#type,
            client_side: flag.spec.client_side,
            definition: flag.in_environment(environment.as_str())?,
        })
    });
    let mut flags: Vec<_> = there.collect();
    flags.sort_by(|one, other| one.key.cmp(&other.key));
    FlagSet {
        organization,
        tag: tag(environment, revisions, &flags),
        flags,
        segments: BTreeMap::new(),
        exposures: revisions.exposures,
    }
}

/// Another one whenever something of the environment's flags is.
fn tag(environment: &Name, revisions: &Revisions, flags: &[Flag]) -> String {
    let mut hash = Sha256::new_with_prefix(environment.as_str());
    for flag in flags {
        hash.update([0]);
        hash.update(flag.key.as_str());
        hash.update([0, u8::from(flag.client_side)]);
        hash.update(flag.definition.version.to_le_bytes());
    }
    hash.update(revisions.exposures.map_or([0; 16], |id| *id.uuid().as_bytes()));
    let hash = hash.finalize();
    hash[..TAG_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What flags are in an environment.
pub(crate) fn definitions<'f>(
    flags: impl IntoIterator<Item = &'f FeatureFlag>,
    environment: &Name,
) -> Definitions {
    let there = flags.into_iter().filter_map(|flag| {
        let definition = flag.in_environment(environment.as_str())?;
        Some((flag.spec.key.to_string(), definition))
    });
    Definitions {
        flags: there.collect(),
        ..Definitions::default()
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
        let said = fault.to_string();
        match fault {
            QuestionFault::Syntax(_) => Self::refused(Code::RequestInvalid, said),
            QuestionFault::Form(faults) => {
                let field = |fault: FormFault| {
                    FieldError::new(&fault.pointer, fault.code, fault.detail, fault.suggestion)
                };
                Self::fields(
                    Code::RequestInvalid,
                    said,
                    faults.into_iter().map(field).collect(),
                )
            }
        }
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
