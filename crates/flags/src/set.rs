//! The flags of an organization in one environment.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use dialects::growthbook;
use domain::flag::{Assignments, FlagExplanation, FlagStep, FlagType};
use domain::id::{EventTypeId, OrganizationId};
use domain::snapshot::{Flag, FlagSet};
use domain::tracking::SdkKeyKind;
use domain::{Name, Timestamp};
use eval::definition::Definitions;
use eval::{Evaluation, Flags, Handle, Subject};
use serde_json::Value;

use crate::answer::{Evaluated, Prepared, RuleName};
use crate::attributes::{Attribute, Attributes, Question};
use crate::calls::KNOWN;
use crate::counts::{Counter, Counts, Given};
use crate::segment::{self, INSIDE};

mod sent;
mod written;

pub use sent::Seen;
pub use written::{Words, Written};

use written::InOtherWords;

/// For how many flags, and for how many bytes of each, there is room in a list from the beginning.
const LISTED: usize = 64;
const BYTES_EACH: usize = 192;

/// The flags of an organization in one environment, ready to be asked.
#[derive(Debug)]
pub struct Set {
    organization: OrganizationId,
    environment: Name,
    tag: String,
    exposures: Option<EventTypeId>,
    flags: Flags,
    /// What of each is not compiled, by its place among the compiled ones; segments have nothing.
    known: Box<[Option<Known>]>,
    /// What is told of each variant of each flag.
    prepared: Box<[Prepared]>,
    /// The flags that say who is in a segment.
    segments: HashMap<Box<str>, Handle>,
    /// The rules of flags whose names SDKs of GrowthBook know, by the flags' keys.
    experiments: HashMap<Box<str>, Vec<Box<str>>>,
    /// Which of the attributes that are known of calls something reads.
    reads: [bool; KNOWN.len()],
    /// What SDKs that evaluate by themselves are sent; also where the definitions are read again when somebody wants them in
    /// other words, which is seldom: as values they take several times as much.
    definitions: Bytes,
    counter: Counter,
    seen: OnceLock<Arc<Seen>>,
    others: InOtherWords,
}

/// What of a flag is not compiled.
#[derive(Debug)]
struct Known {
    /// The place of its first variant among those of all flags.
    first: usize,
    client_side: bool,
}

/// What somebody gets of a flag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looked<'s> {
    pub(crate) key: &'s str,
    pub(crate) variant: &'s str,
    pub(crate) is_on: bool,
    /// The place of the variant among those of all flags.
    place: usize,
    pub(crate) version: u64,
    /// The attribute that says which unit it is, if that decided.
    pub(crate) by: Option<&'s str>,
}

/// Who asks: it decides which flags there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Whoever may see all of them.
    Anybody,
    /// The holder of a key.
    Key(SdkKeyKind),
}

/// There is no such flag for whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no flag `{key}` in `{environment}`, or not for this key")]
pub struct Missing {
    /// The key that was asked for, cut off if it is long.
    pub key: String,
    /// The environment.
    pub environment: Name,
}

impl Missing {
    /// Of a flag that is not in an environment.
    pub fn new(key: &str, environment: &Name) -> Self {
        Self {
            key: key.chars().take(100).collect(),
            environment: environment.clone(),
        }
    }
}

impl Asker {
    /// Whether a flag is there for them; `client_side` says whether it is for pages and apps.
    pub(crate) const fn sees(self, client_side: bool) -> bool {
        match self {
            Self::Anybody | Self::Key(SdkKeyKind::Server) => true,
            Self::Key(SdkKeyKind::Client) => client_side,
        }
    }
}

impl Set {
    /// Compiles the flags of an organization in an environment.
    ///
    /// # Errors
    /// All that is wrong with them; what was checked when it was saved compiles, unless another version of the program
    /// sees it differently.
    pub fn compile(
        environment: &Name,
        source: &FlagSet,
        counts: &Arc<Counts>,
    ) -> Result<Self, Vec<eval::Problem>> {
        let sent = sent::write(environment, source);
        let flags = source.flags.iter();
        let mut definitions = Definitions {
            flags: flags
                .map(|flag| (flag.key.to_string(), flag.definition.clone()))
                .collect(),
            segments: source.segments.clone(),
        };
        let questions = source.segments.keys();
        let questions = questions.map(|segment| (segment::key(segment), segment::question(segment)));
        definitions.flags.extend(questions);
        let compiled = Flags::compile(&definitions)?;
        drop(definitions);
        let by_key: HashMap<&str, &Flag> = source
            .flags
            .iter()
            .map(|flag| (flag.key.as_str(), flag))
            .collect();
        let mut prepared = Vec::new();
        let known = compiled.iter().map(|(key, _)| {
            let flag = by_key.get(key)?;
            let first = prepared.len();
            prepared.extend(prepare((source.organization, environment), flag));
            let client_side = flag.client_side;
            Some(Known { first, client_side })
        });
        let known = known.collect();
        Ok(Self {
            organization: source.organization,
            environment: environment.clone(),
            tag: source.tag.clone(),
            exposures: source.exposures,
            known,
            segments: (source.segments.keys())
                .filter_map(|key| Some((key.as_str().into(), compiled.get(&segment::key(key))?)))
                .collect(),
            experiments: source.flags.iter().filter_map(experiments).collect(),
            reads: KNOWN.map(|name| compiled.attributes().any(|read| read == name)),
            definitions: sent,
            flags: compiled,
            counter: Counter::new(prepared.len(), counts),
            prepared: prepared.into(),
            seen: OnceLock::new(),
            others: InOtherWords::default(),
        })
    }

    /// Whose flags they are.
    pub(crate) const fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// Where they are asked.
    pub(crate) const fn environment(&self) -> &Name {
        &self.environment
    }

    /// Whether flags or segments read one of the attributes that are known of calls.
    pub(crate) fn reads(&self, name: &str) -> bool {
        KNOWN
            .iter()
            .zip(self.reads)
            .any(|(known, reads)| reads && *known == name)
    }

    /// Another one whenever a flag or a segment is.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The type of events that tell who was given which variant.
    pub const fn exposures(&self) -> Option<EventTypeId> {
        self.exposures
    }

    /// All definitions as JSON, for SDKs that evaluate by themselves: `{"environment", "flags", "segments"}`.
    pub const fn definitions(&self) -> &Bytes {
        &self.definitions
    }

    /// Hands over how often which variants were given.
    pub fn settle(&self) {
        let flags = self.flags.iter().zip(&self.known);
        let flags = flags.filter_map(|(flag, known)| known.as_ref().map(|_| flag));
        let each = flags.flat_map(|(key, handle)| {
            let variants = self.flags.variants(handle);
            variants.map(move |(variant, _)| (key, variant))
        });
        self.counter.settle(each, |(key, variant)| Given {
            organization: self.organization,
            environment: self.environment.clone(),
            key: key.into(),
            variant: variant.into(),
        });
    }

    /// What a subject gets of a flag, if there is one; it is not counted.
    pub(crate) fn look(&self, key: &str, subject: &Subject<'_>) -> Option<Looked<'_>> {
        let (handle, known) = self.find(Asker::Anybody, key).ok()?;
        let found = self.flags.evaluate(handle, subject);
        let place = known.first + found.place;
        Some(Looked {
            key: self.flags.key(handle),
            variant: found.variant,
            is_on: self.prepared[place].enabled,
            place,
            version: found.version,
            by: found.by,
        })
    }

    /// Counts what was found.
    pub(crate) fn note(&self, looked: &Looked<'_>) {
        self.counter.note(looked.place);
    }

    /// Whether a subject is in a segment; `None` if there is none with this key.
    pub(crate) fn is_in(&self, segment: &str, subject: &Subject<'_>) -> Option<bool> {
        let handle = *self.segments.get(segment)?;
        Some(self.flags.evaluate(handle, subject).variant == INSIDE)
    }

    /// Whether somebody is in a segment; `None` if there is none with this key.
    pub fn has_member(&self, segment: &str, attributes: &Attributes<'_>, now: Timestamp) -> Option<bool> {
        let lists = attributes.lists();
        self.is_in(segment, &self.subject(attributes, &lists, now))
    }

    /// The flags as they are told apart from those of another set.
    pub fn seen(&self) -> &Arc<Seen> {
        self.seen.get_or_init(|| {
            let is_for_pages = |key: &str| self.find(Asker::Key(SdkKeyKind::Client), key).is_ok();
            Arc::new(Seen::read(&self.definitions, is_for_pages))
        })
    }

    /// Names of the attributes that flags read, in no order.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.flags.attributes()
    }

    /// Whether there is a flag for whoever asks that has a variant of this name.
    pub fn has_variant(&self, asker: Asker, key: &str, variant: &str) -> bool {
        let variants = self.variants(asker, key);
        variants.is_some_and(|(mut all, _)| all.any(|(name, _)| name == variant))
    }

    /// The variants of a flag, if there is one for whoever asks, and the name of that of those for whom it is off.
    pub(crate) fn variants(
        &self,
        asker: Asker,
        key: &str,
    ) -> Option<(impl Iterator<Item = (&str, &Value)> + Clone, &str)> {
        let (handle, _) = self.find(asker, key).ok()?;
        Some((self.flags.variants(handle), self.flags.off(handle)))
    }

    /// What SDKs of GrowthBook track as the experiment that decided.
    pub(crate) fn experiment(&self, found: &Evaluated<'_>) -> String {
        let is_known = |name: &str| {
            let names = self.experiments.get(found.key);
            names.is_some_and(|names| names.iter().any(|known| **known == *name))
        };
        match found.rule {
            None => growthbook::own_key(found.key, growthbook::OTHERWISE),
            Some(RuleName::Given(name)) if is_known(name) => name.to_owned(),
            Some(rule) => growthbook::own_key(found.key, &rule.to_string()),
        }
    }

    /// What somebody gets of a flag.
    ///
    /// # Errors
    /// There is no such flag, or not for whoever asks.
    pub fn evaluate(
        &self,
        asker: Asker,
        key: &str,
        attributes: &Attributes<'_>,
        now: Timestamp,
    ) -> Result<Evaluated<'_>, Missing> {
        let (handle, known) = self.find(asker, key)?;
        let lists = attributes.lists();
        let subject = self.subject(attributes, &lists, now);
        let found = self.flags.evaluate(handle, &subject);
        self.counter.note(known.first + found.place);
        Ok(self.told(handle, known, &found, &mut Units::of(attributes)))
    }

    /// Hands on what somebody gets of all flags that whoever asks may ask for, in the order of their keys; of some of
    /// them, if their keys are named.
    pub fn each<'s>(
        &'s self,
        asker: Asker,
        question: (Option<&[Cow<'_, str>]>, &Attributes<'_>),
        now: Timestamp,
        mut take: impl FnMut(Evaluated<'s>),
    ) {
        let mut units = Units::of(question.1);
        self.each_known(asker, question, now, |handle, known, found| {
            self.counter.note(known.first + found.place);
            take(self.told(handle, known, found, &mut units));
        });
    }

    /// The same of all flags for whoever may see all of them; it is not counted, because nobody is given anything.
    pub fn try_each<'s>(
        &'s self,
        attributes: &Attributes<'_>,
        now: Timestamp,
        mut take: impl FnMut(Evaluated<'s>),
    ) {
        let (all, mut units) = ((None, attributes), Units::of(attributes));
        self.each_known(Asker::Anybody, all, now, |handle, known, found| {
            take(self.told(handle, known, found, &mut units));
        });
    }

    /// The same with the name of each flag's variant `off`; it is not counted, because whoever is told reports what is used of it.
    pub(crate) fn each_found<'s>(
        &'s self,
        asker: Asker,
        question: (Option<&[Cow<'_, str>]>, &Attributes<'_>),
        now: Timestamp,
        mut take: impl FnMut(&'s str, &'s str, &Evaluation<'s>),
    ) {
        self.each_known(asker, question, now, |handle, _, found| {
            take(self.flags.key(handle), self.flags.off(handle), found);
        });
    }

    fn each_known<'s>(
        &'s self,
        asker: Asker,
        (named, attributes): (Option<&[Cow<'_, str>]>, &Attributes<'_>),
        now: Timestamp,
        mut take: impl FnMut(Handle, &'s Known, &Evaluation<'s>),
    ) {
        let lists = attributes.lists();
        let subject = self.subject(attributes, &lists, now);
        let mut give = |handle| {
            if let Some(known) = self.known(asker, handle) {
                take(handle, known, &self.flags.evaluate(handle, &subject));
            }
        };
        match named {
            Some(named) => named.iter().filter_map(|key| self.flags.get(key)).for_each(give),
            None => self.flags.iter().for_each(|(_, handle)| give(handle)),
        }
    }

    /// The same as [`each`](Self::each) as JSON, `{"flags": […]}`, each as it is written: by
    /// [`Evaluated::write`], or in the words of OFREP.
    ///
    /// # Errors
    /// Those of writing JSON; there are none unless a value cannot be written.
    pub fn list<'s>(
        &'s self,
        asker: Asker,
        question: (Option<&[Cow<'_, str>]>, &Attributes<'_>),
        now: Timestamp,
        write: impl Fn(Evaluated<'s>, &mut Vec<u8>) -> serde_json::Result<()>,
    ) -> serde_json::Result<Vec<u8>> {
        let count = question.0.map_or(self.known.len(), <[_]>::len);
        let mut out = Vec::with_capacity(count.min(LISTED) * BYTES_EACH);
        out.extend_from_slice(br#"{"flags":["#);
        let mut failed = None;
        self.each(asker, question, now, |found| {
            if let Err(error) = write(found, &mut out) {
                failed.get_or_insert(error);
            }
            out.push(b',');
        });
        if out.last() == Some(&b',') {
            out.pop();
        }
        out.extend_from_slice(b"]}");
        failed.map_or(Ok(out), Err)
    }

    /// What [`list`](Self::list) answers where there are no flags.
    pub const NOTHING: &[u8] = br#"{"flags":[]}"#;

    /// What [`definitions`](Self::definitions) are where there are no flags.
    pub fn no_definitions(environment: &Name) -> Bytes {
        let none = serde_json::json!({ "environment": environment, "flags": {}, "segments": {} });
        none.to_string().into()
    }

    /// What somebody gets of all flags, or of those that are asked for, and why.
    pub fn explain_each(&self, question: &Question<'_>, now: Timestamp) -> Vec<FlagExplanation> {
        let explain = |key: &str| self.explain(key, &question.attributes, now).ok();
        match &question.flags {
            Some(named) => named.iter().filter_map(|key| explain(key)).collect(),
            None => self.flags.iter().filter_map(|(key, _)| explain(key)).collect(),
        }
    }

    /// What somebody gets of a flag, and every step on the way there.
    ///
    /// # Errors
    /// There is no such flag.
    pub fn explain(
        &self,
        key: &str,
        attributes: &Attributes<'_>,
        now: Timestamp,
    ) -> Result<FlagExplanation, Missing> {
        let (handle, known) = self.find(Asker::Anybody, key)?;
        let lists = attributes.lists();
        let subject = self.subject(attributes, &lists, now);
        let (found, steps) = self.flags.explain(handle, &subject);
        let steps = steps.into_iter().map(|step| FlagStep {
            pointer: step.pointer,
            holds: step.holds,
            detail: step.detail,
        });
        Ok(FlagExplanation {
            evaluation: self
                .told(handle, known, &found, &mut Units::of(attributes))
                .into(),
            steps: steps.collect(),
        })
    }

    fn find(&self, asker: Asker, key: &str) -> Result<(Handle, &Known), Missing> {
        let handle = self.flags.get(key);
        handle
            .and_then(|handle| Some((handle, self.known(asker, handle)?)))
            .ok_or_else(|| Missing::new(key, &self.environment))
    }

    /// What is known of a flag that is there for whoever asks.
    fn known(&self, asker: Asker, handle: Handle) -> Option<&Known> {
        let known = self.known[handle.place()].as_ref();
        known.filter(|known| asker.sees(known.client_side))
    }

    pub(crate) fn subject<'a>(
        &self,
        attributes: &'a Attributes<'_>,
        lists: &'a [Vec<&'a str>],
        now: Timestamp,
    ) -> Subject<'a> {
        let mut subject = self.flags.subject(now.as_micros());
        let mut lists = lists.iter();
        for (name, value) in attributes.iter() {
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

    fn told<'s>(
        &'s self,
        handle: Handle,
        known: &Known,
        found: &Evaluation<'s>,
        units: &mut Units<'s, '_>,
    ) -> Evaluated<'s> {
        let rule = found.rule.map(|place| match found.rule_name {
            Some(name) => RuleName::Given(name),
            None => RuleName::Place(place + 1),
        });
        let unit = found.by.and_then(|by| units.unit(by));
        let prepared = &self.prepared[known.first + found.place];
        Evaluated {
            key: self.flags.key(handle),
            enabled: prepared.enabled,
            variant: found.variant,
            value: found.value,
            reason: found.reason.as_str(),
            rule,
            flag_version: found.version,
            assignment_id: unit.map(|unit| prepared.assignments.id(unit)),
            by: found.by,
            head: &prepared.head,
        }
    }
}

/// What attributes say of who it is. Flags of a product mostly tell units apart by the same one, so it is looked for once.
struct Units<'s, 'a> {
    attributes: &'a Attributes<'a>,
    last: Option<(&'s str, Option<Cow<'a, str>>)>,
}

impl<'s, 'a> Units<'s, 'a> {
    const fn of(attributes: &'a Attributes<'a>) -> Self {
        let last = None;
        Self { attributes, last }
    }

    /// The text of an attribute.
    fn unit(&mut self, by: &'s str) -> Option<&str> {
        let last = match self.last.take() {
            Some(last) if last.0 == by => last,
            _ => (by, self.attributes.text(by)),
        };
        self.last.insert(last).1.as_deref()
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        self.settle();
    }
}

/// The names of a flag's rules that SDKs of GrowthBook know; none if there are none.
fn experiments(flag: &Flag) -> Option<(Box<str>, Vec<Box<str>>)> {
    let key = flag.key.as_str();
    let rules = flag.definition.targeting.rules.iter().enumerate();
    let names = rules.filter_map(|(place, rule)| {
        let name = rule.name.as_deref()?;
        (growthbook::experiment_key(key, rule, place) == name).then(|| name.into())
    });
    let names: Vec<Box<str>> = names.collect();
    (!names.is_empty()).then(|| (key.into(), names))
}

/// What is always the same of those who get a variant, for each of a flag's.
fn prepare(
    (organization, environment): (OrganizationId, &Name),
    flag: &Flag,
) -> impl Iterator<Item = Prepared> {
    let variants = flag.definition.variants.iter();
    variants.map(move |(variant, value)| {
        let enabled = match flag.r#type {
            FlagType::Boolean => *value == Value::Bool(true),
            _ => *variant != flag.definition.targeting.off,
        };
        let key = flag.key.as_str();
        let assignments = Assignments::new((organization, environment.as_str()), key, variant);
        Prepared::new(assignments, (key, variant), enabled)
    })
}
