//! Feature flags, compiled and asked: who gets which variant, and why.
//!
//! ```text
//! feature_flags ─FlagSets─► one set per organization and environment ─FlagSet::evaluate(key, attributes)─► variant
//! ```

mod attribute;
mod comment;
mod history;
mod proposal;
mod reference;
mod saved;
mod segment;
pub(crate) mod usage;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::flag::{FeatureFlag, FlagEvaluation, FlagExplanation, FlagStep, FlagTrial, FlagType};
use domain::id::{AssignmentId, FeatureFlagId, OrganizationId};
use domain::tracking::SdkKeyKind;
use domain::{Code, Name, Timestamp};
use eval::definition::Targeting;
use eval::{Evaluation, Flags, Handle, Subject};
use events::ingest::Key;
use serde_json::Value;
use store::entity::Read;
use store::flag::Revisions;

use crate::{Caller, Control, Error};

pub use attribute::Attributes;
pub(crate) use saved::Saved;
pub use store::flag::evaluation::Evaluations;
pub use store::flag::history::Past;

/// The flags of all organizations.
#[derive(Debug, Default)]
pub struct FlagSets {
    organizations: HashMap<OrganizationId, Arc<Organization>>,
}

/// The flags of an organization.
#[derive(Debug)]
struct Organization {
    /// Which flags and segments these are, so that nothing is compiled again that has not changed.
    revisions: Revisions,
    environments: BTreeMap<Name, Arc<FlagSet>>,
}

/// The flags of an organization in one environment.
#[derive(Debug)]
struct FlagSet {
    organization: OrganizationId,
    environment: Name,
    flags: Flags,
    known: HashMap<Box<str>, Known>,
}

/// What of a flag is not compiled.
#[derive(Debug)]
struct Known {
    handle: Handle,
    is_boolean: bool,
    off: Box<str>,
    client_side: bool,
}

impl FlagSets {
    /// Reads and compiles the flags of all organizations; those that have not changed are taken from `before`.
    pub(crate) async fn read(read: &mut impl Read, before: Option<&Self>) -> Result<Self, Error> {
        let by_organization = store::flag::revisions(read).await?;
        let mut organizations = HashMap::with_capacity(by_organization.len());
        for (id, revisions) in by_organization {
            let known = before.and_then(|before| before.organizations.get(&id));
            let organization = match known.filter(|known| known.revisions == revisions) {
                Some(same) => Arc::clone(same),
                None => Arc::new(Organization::new(id, &Saved::read(read, id).await?, known)),
            };
            organizations.insert(id, organization);
        }
        Ok(Self { organizations })
    }

    /// What somebody gets of a flag, for the holder of a key.
    ///
    /// # Errors
    /// `flag_not_found` if there is none in the key's environment, or none for keys of its kind.
    pub fn evaluate(
        &self,
        key: &Key,
        flag: &str,
        attributes: &Attributes,
        now: Timestamp,
    ) -> Result<FlagEvaluation, Error> {
        let set = self.get(key.organization, &key.environment);
        let set = set.ok_or_else(|| missing(flag, &key.environment))?;
        set.evaluate(flag, key.kind, attributes, now)
    }

    /// What somebody gets of all flags that the holder of a key may ask for, in the order of their keys.
    pub fn evaluate_all(&self, key: &Key, attributes: &Attributes, now: Timestamp) -> Vec<FlagEvaluation> {
        let set = self.get(key.organization, &key.environment);
        set.map(|set| set.evaluate_all(key.kind, attributes, now))
            .unwrap_or_default()
    }

    /// The flags of an organization in an environment; `None` if it has none there.
    fn get(&self, organization: OrganizationId, environment: &Name) -> Option<&Arc<FlagSet>> {
        self.organizations
            .get(&organization)?
            .environments
            .get(environment)
    }
}

impl Organization {
    /// Compiles the flags of each environment; where they cannot be compiled, they stay as they were.
    fn new(id: OrganizationId, saved: &Saved, before: Option<&Arc<Self>>) -> Self {
        let mut environments = BTreeMap::new();
        for name in saved.environments() {
            let set = match FlagSet::new(id, name, saved) {
                Ok(set) => Some(Arc::new(set)),
                Err(problems) => {
                    // All of it was compiled when it was saved; another version of the program may see it differently.
                    tracing::error!(organization = %id, environment = %name, ?problems,
                        "flags stay as they were: they cannot be used");
                    before.and_then(|before| before.environments.get(name)).cloned()
                }
            };
            environments.extend(set.map(|set| (name.clone(), set)));
        }
        Self {
            revisions: saved.revisions(),
            environments,
        }
    }
}

impl FlagSet {
    fn new(
        organization: OrganizationId,
        environment: &Name,
        saved: &Saved,
    ) -> Result<Self, Vec<eval::Problem>> {
        let compiled = Flags::compile(&saved.definitions(environment))?;
        let known = saved.flags.iter().filter_map(|flag| {
            let Targeting { off, .. } = flag.spec.environments.get(environment)?;
            let known = Known {
                handle: compiled.get(flag.spec.key.as_str())?,
                is_boolean: flag.spec.r#type == FlagType::Boolean,
                off: off.as_str().into(),
                client_side: flag.spec.client_side,
            };
            Some((flag.spec.key.as_str().into(), known))
        });
        Ok(Self {
            organization,
            environment: environment.clone(),
            known: known.collect(),
            flags: compiled,
        })
    }

    fn evaluate(
        &self,
        key: &str,
        holder: SdkKeyKind,
        attributes: &Attributes,
        now: Timestamp,
    ) -> Result<FlagEvaluation, Error> {
        let known = self.known.get(key);
        let known = known.filter(|known| holder == SdkKeyKind::Server || known.client_side);
        let known = known.ok_or_else(|| missing(key, &self.environment))?;
        let lists = attributes.lists();
        let subject = self.subject(attributes, &lists, now);
        let found = self.flags.evaluate(known.handle, &subject);
        Ok(self.told(key, known, &found, attributes))
    }

    fn evaluate_all(
        &self,
        holder: SdkKeyKind,
        attributes: &Attributes,
        now: Timestamp,
    ) -> Vec<FlagEvaluation> {
        let lists = attributes.lists();
        let subject = self.subject(attributes, &lists, now);
        let each = self.flags.iter().filter_map(|(key, flag)| {
            let known = self.known.get(key)?;
            if holder == SdkKeyKind::Client && !known.client_side {
                return None;
            }
            let found = self.flags.evaluate(flag, &subject);
            Some(self.told(key, known, &found, attributes))
        });
        each.collect()
    }

    fn explain(&self, key: &str, attributes: &Attributes, now: Timestamp) -> Result<FlagExplanation, Error> {
        let known = self
            .known
            .get(key)
            .ok_or_else(|| missing(key, &self.environment))?;
        let lists = attributes.lists();
        let subject = self.subject(attributes, &lists, now);
        let (found, steps) = self.flags.explain(known.handle, &subject);
        let steps = steps.into_iter().map(|step| FlagStep {
            pointer: step.pointer,
            holds: step.holds,
            detail: step.detail,
        });
        Ok(FlagExplanation {
            evaluation: self.told(key, known, &found, attributes),
            steps: steps.collect(),
        })
    }

    fn subject<'a>(
        &self,
        attributes: &'a Attributes,
        lists: &'a [Vec<&'a str>],
        now: Timestamp,
    ) -> Subject<'a> {
        attributes.subject(&self.flags, lists, now)
    }

    fn told(
        &self,
        key: &str,
        known: &Known,
        found: &Evaluation<'_>,
        attributes: &Attributes,
    ) -> FlagEvaluation {
        let enabled = match known.is_boolean {
            true => found.value == &Value::Bool(true),
            false => *found.variant != *known.off,
        };
        let rule = found.rule.map(|place| match found.rule_name {
            Some(name) => name.to_owned(),
            None => format!("#{}", place + 1),
        });
        let unit = found.by.and_then(|by| attributes.text(by));
        let place = (self.organization, self.environment.as_str(), key);
        FlagEvaluation {
            key: key.to_owned(),
            enabled,
            variant: found.variant.to_owned(),
            value: found.value.clone(),
            reason: found.reason.as_str().to_owned(),
            rule,
            flag_version: found.version,
            assignment_id: unit.map(|unit| AssignmentId::of(place, &unit, found.variant)),
        }
    }
}

/// There is no such flag for whoever asks.
fn missing(key: &str, environment: &Name) -> Error {
    let key: String = key.chars().take(100).collect();
    let detail = format!("There is no flag `{key}` in `{environment}`, or not for this key.");
    Error::refused(Code::FlagNotFound, detail)
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
        let set = set.ok_or_else(|| missing(key, &trial.environment))?;
        set.explain(key, &attributes, trial.at.unwrap_or_else(|| self.now()))
    }
}

#[cfg(test)]
mod tests;
