//! Feature flags, compiled and asked: who gets which variant, and why.
//!
//! ```text
//! feature_flags ─FlagSets─► one set per organization and environment ─FlagSet::evaluate(key, attributes)─► variant
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use domain::flag::{FeatureFlag, FlagEvaluation, FlagExplanation, FlagStep, FlagTrial, FlagType};
use domain::id::{AssignmentId, FeatureFlagId, OrganizationId};
use domain::tracking::SdkKeyKind;
use domain::{Code, Name, Timestamp};
use eval::definition::{Definitions, Targeting};
use eval::{Evaluation, Flags, Handle, Subject};
use events::ingest::Key;
use serde_json::{Map, Value};
use store::entity::Read;

use crate::resource::fault::part;
use crate::{Caller, Control, Error, FieldError};

/// The most attributes of one question.
const ATTRIBUTES_MAX: usize = 200;

/// How deep attributes may be nested in a context.
const CONTEXT_DEPTH_MAX: usize = 8;
/// What OpenFeature calls the unit.
const TARGETING_KEY: &str = "targetingKey";
/// What flags of ours usually call it.
const USER_ID: &str = "user_id";

/// The flags of all organizations.
#[derive(Debug, Default)]
pub struct FlagSets {
    organizations: HashMap<OrganizationId, Arc<Organization>>,
}

/// The flags of an organization.
#[derive(Debug)]
struct Organization {
    /// Which flags these are, so that nothing is compiled again that has not changed.
    revisions: Vec<(FeatureFlagId, i64)>,
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

/// What is known of whom a question is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(Vec<(String, Attribute)>);

#[derive(Debug, Clone, PartialEq)]
enum Attribute {
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<String>),
}

impl Attributes {
    /// Attributes that all are texts, as they stand in a query.
    ///
    /// # Errors
    /// `parameter_invalid` if there are too many.
    pub fn from_texts(texts: &[(String, String)]) -> Result<Self, Error> {
        if texts.len() > ATTRIBUTES_MAX {
            let detail = format!("At most {ATTRIBUTES_MAX} attributes are taken.");
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
        let all = texts.iter();
        Ok(Self(
            all.map(|(name, text)| (name.clone(), Attribute::Text(text.clone())))
                .collect(),
        ))
    }

    /// Attributes as they stand in a body: texts, numbers, booleans and lists of texts; `null` is not there.
    ///
    /// # Errors
    /// `request_invalid` with the place of what is none of these.
    pub fn from_json(attributes: &Map<String, Value>) -> Result<Self, Error> {
        let mut all = Vec::with_capacity(attributes.len().min(ATTRIBUTES_MAX));
        let mut faults = Vec::new();
        if attributes.len() > ATTRIBUTES_MAX {
            let detail = format!(
                "There are {} attributes; at most {ATTRIBUTES_MAX} are taken.",
                attributes.len()
            );
            let suggestion = "Send those that flags ask for.";
            faults.push(FieldError::new(
                "/attributes",
                "field_out_of_range",
                detail,
                suggestion,
            ));
        }
        for (name, value) in attributes.iter().take(ATTRIBUTES_MAX) {
            match attribute(value) {
                Ok(None) => {}
                Ok(Some(value)) => all.push((name.clone(), value)),
                Err(()) => {
                    let pointer = format!("/attributes/{}", part(name));
                    let detail = "It is neither a text, a number, a boolean nor a list of texts.";
                    let suggestion = "Send what is inside as attributes of their own.";
                    faults.push(FieldError::new(&pointer, "field_invalid", detail, suggestion));
                }
            }
        }
        match faults.first() {
            None => Ok(Self(all)),
            Some(first) => {
                let detail = format!("{}: {}", first.pointer, first.detail);
                Err(Error::fields(Code::RequestInvalid, detail, faults))
            }
        }
    }

    /// Attributes as they stand in an evaluation context of OpenFeature.
    ///
    /// `targetingKey` is `user_id` as well, unless that is there too. What is nested is there under its path,
    /// `company.name`; what no flag can read (lists of other things than texts) is left out.
    ///
    /// # Errors
    /// Why it cannot be read: there are too many.
    pub fn from_context(context: &Map<String, Value>) -> Result<Self, String> {
        let mut all = Vec::new();
        flatten(context, "", 0, &mut all)?;
        let find = |wanted: &str| all.iter().find(|(name, _)| name == wanted);
        if let (Some((_, unit)), None) = (find(TARGETING_KEY), find(USER_ID)) {
            all.push((USER_ID.to_owned(), unit.clone()));
        }
        Ok(Self(all))
    }

    /// The text of an attribute, as units are told apart by it.
    fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        match value {
            Attribute::Bool(is) => Some(is.to_string()),
            Attribute::Number(number) => Some(number.to_string()),
            Attribute::Text(text) => Some(text.clone()),
            Attribute::List(_) => None,
        }
    }
}

fn flatten(
    fields: &Map<String, Value>,
    path: &str,
    depth: usize,
    all: &mut Vec<(String, Attribute)>,
) -> Result<(), String> {
    for (name, value) in fields {
        let name = format!("{path}{name}");
        match value {
            Value::Object(fields) if depth < CONTEXT_DEPTH_MAX => {
                flatten(fields, &format!("{name}."), depth + 1, all)?;
            }
            value => all.extend(attribute(value).ok().flatten().map(|value| (name, value))),
        }
        if all.len() > ATTRIBUTES_MAX {
            return Err(format!("At most {ATTRIBUTES_MAX} attributes are taken."));
        }
    }
    Ok(())
}

fn attribute(value: &Value) -> Result<Option<Attribute>, ()> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(is) => Attribute::Bool(*is),
        Value::Number(number) => Attribute::Number(number.as_f64().ok_or(())?),
        Value::String(text) => Attribute::Text(text.clone()),
        Value::Array(entries) => {
            let texts = entries.iter().map(|entry| entry.as_str().map(str::to_owned));
            Attribute::List(texts.collect::<Option<_>>().ok_or(())?)
        }
        Value::Object(_) => return Err(()),
    }))
}

impl FlagSets {
    /// Reads and compiles the flags of all organizations; those that have not changed are taken from `before`.
    pub(crate) async fn read(read: &mut impl Read, before: Option<&Self>) -> Result<Self, Error> {
        let mut by_organization: HashMap<OrganizationId, Vec<(FeatureFlagId, i64)>> = HashMap::new();
        for (organization, flag, revision) in store::flag::revisions(read).await? {
            by_organization
                .entry(organization)
                .or_default()
                .push((flag, revision));
        }
        let mut organizations = HashMap::with_capacity(by_organization.len());
        for (id, revisions) in by_organization {
            let known = before.and_then(|before| before.organizations.get(&id));
            let organization = match known.filter(|known| known.revisions == revisions) {
                Some(same) => Arc::clone(same),
                None => Arc::new(Organization::new(id, &store::flag::all(read, id).await?, known)),
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
    fn new(id: OrganizationId, flags: &[FeatureFlag], before: Option<&Arc<Self>>) -> Self {
        let names: BTreeSet<&Name> = flags
            .iter()
            .flat_map(|flag| flag.spec.environments.keys())
            .collect();
        let mut environments = BTreeMap::new();
        for name in names {
            let set = match FlagSet::new(id, name, flags) {
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
            revisions: flags.iter().map(|flag| (flag.id, flag.revision)).collect(),
            environments,
        }
    }
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

impl FlagSet {
    fn new(
        organization: OrganizationId,
        environment: &Name,
        flags: &[FeatureFlag],
    ) -> Result<Self, Vec<eval::Problem>> {
        let compiled = Flags::compile(&definitions(flags, environment))?;
        let known = flags.iter().filter_map(|flag| {
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
        let mut subject = self.flags.subject(now.as_micros());
        let mut lists = lists.iter();
        for (name, value) in &attributes.0 {
            let value = match value {
                Attribute::Bool(is) => eval::Value::Bool(*is),
                Attribute::Number(number) => eval::Value::Number(*number),
                Attribute::Text(text) => eval::Value::Text(text),
                Attribute::List(_) => eval::Value::List(lists.next().map_or(&[], Vec::as_slice)),
            };
            self.flags.put(&mut subject, name, value);
        }
        subject
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

impl Attributes {
    /// The lists among them, in their order, as they are handed on.
    fn lists(&self) -> Vec<Vec<&str>> {
        let lists = self.0.iter().filter_map(|(_, value)| match value {
            Attribute::List(texts) => Some(texts.iter().map(String::as_str).collect()),
            _ => None,
        });
        lists.collect()
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
