//! The flags of an organization in one environment.

use std::borrow::Cow;
use std::sync::Arc;

use domain::flag::{FlagExplanation, FlagStep, FlagType};
use domain::id::{AssignmentId, EventTypeId, OrganizationId};
use domain::snapshot::FlagSet;
use domain::tracking::SdkKeyKind;
use domain::{Name, Timestamp};
use eval::definition::Definitions;
use eval::{Evaluation, Flags, Handle, Subject};
use rustc_hash::FxHashMap;
use serde::ser::{SerializeSeq as _, Serializer as _};
use serde_json::Value;

use crate::answer::Evaluated;
use crate::attributes::{Attribute, Attributes, Question};
use crate::calls::KNOWN;
use crate::counts::{Counter, Counts, Given};
use crate::segment::{self, INSIDE};

mod written;

pub use written::{Words, Written};

use written::InOtherWords;

/// The flags of an organization in one environment, ready to be asked.
#[derive(Debug)]
pub struct Set {
    organization: OrganizationId,
    environment: Name,
    tag: String,
    exposures: Option<EventTypeId>,
    flags: Flags,
    known: FxHashMap<Box<str>, Known>,
    /// The flags that say who is in a segment.
    segments: FxHashMap<Box<str>, Handle>,
    /// Which of the attributes that are known of calls something reads.
    reads: [bool; KNOWN.len()],
    /// What SDKs that evaluate by themselves are sent.
    definitions: Box<[u8]>,
    counter: Counter,
    source: Arc<FlagSet>,
    others: InOtherWords,
}

/// What of a flag is not compiled.
#[derive(Debug)]
struct Known {
    handle: Handle,
    /// Its place in the source.
    place: usize,
    /// The place of its first variant among those of all flags.
    first: usize,
    is_boolean: bool,
    off: Box<str>,
    client_side: bool,
}

/// What somebody gets of a flag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looked<'s> {
    pub(crate) key: &'s str,
    pub(crate) variant: &'s str,
    pub(crate) is_on: bool,
    pub(crate) version: u64,
    /// The attribute that says which unit it is, if that decided.
    pub(crate) by: Option<&'s str>,
}

impl Known {
    /// Whether the flag is on for whoever gets this.
    fn is_on(&self, found: &Evaluation<'_>) -> bool {
        match self.is_boolean {
            true => found.value == &Value::Bool(true),
            false => *found.variant != *self.off,
        }
    }
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
        source: Arc<FlagSet>,
        counts: &Arc<Counts>,
    ) -> Result<Self, Vec<eval::Problem>> {
        let mut definitions = definitions(&source);
        let sent = sent(environment, &source, &definitions);
        let questions = source.segments.keys();
        let questions = questions.map(|segment| (segment::key(segment), segment::question(segment)));
        definitions.flags.extend(questions);
        let compiled = Flags::compile(&definitions)?;
        let mut variants = 0;
        let known = source.flags.iter().enumerate().filter_map(|(place, flag)| {
            let first = variants;
            variants += flag.definition.variants.len();
            let known = Known {
                handle: compiled.get(flag.key.as_str())?,
                place,
                first,
                is_boolean: flag.r#type == FlagType::Boolean,
                off: flag.definition.targeting.off.as_str().into(),
                client_side: flag.client_side,
            };
            Some((flag.key.as_str().into(), known))
        });
        Ok(Self {
            organization: source.organization,
            environment: environment.clone(),
            tag: source.tag.clone(),
            exposures: source.exposures,
            known: known.collect(),
            segments: (source.segments.keys())
                .filter_map(|key| Some((key.as_str().into(), compiled.get(&segment::key(key))?)))
                .collect(),
            reads: KNOWN.map(|name| compiled.attributes().any(|read| read == name)),
            definitions: sent.into(),
            flags: compiled,
            counter: Counter::new(variants, counts),
            others: InOtherWords::default(),
            source,
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
    pub const fn definitions(&self) -> &[u8] {
        &self.definitions
    }

    /// Hands over how often which variants were given.
    pub fn settle(&self) {
        let each = self.source.flags.iter().flat_map(|flag| {
            let variants = flag.definition.variants.keys();
            variants.map(|variant| Given {
                organization: self.organization,
                environment: self.environment.clone(),
                key: flag.key.as_str().into(),
                variant: variant.as_str().into(),
            })
        });
        self.counter.settle(each);
    }

    /// Counts that a variant was given.
    fn count(&self, known: &Known, variant: &str) {
        let mut variants = self.source.flags[known.place].definition.variants.keys();
        let place = variants.position(|name| name == variant);
        self.counter.note(known.first + place.unwrap_or(0));
    }

    /// What a subject gets of a flag, if there is one; it is not counted.
    pub(crate) fn look(&self, key: &str, subject: &Subject<'_>) -> Option<Looked<'_>> {
        let (key, known) = self.known.get_key_value(key)?;
        let found = self.flags.evaluate(known.handle, subject);
        Some(Looked {
            key,
            variant: found.variant,
            is_on: known.is_on(&found),
            version: found.version,
            by: found.by,
        })
    }

    /// Counts what was found.
    pub(crate) fn note(&self, looked: &Looked<'_>) {
        if let Some(known) = self.known.get(looked.key) {
            self.count(known, looked.variant);
        }
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

    /// What it was compiled from.
    pub const fn source(&self) -> &Arc<FlagSet> {
        &self.source
    }

    /// Names of the attributes that flags read, in no order.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.flags.attributes()
    }

    /// Whether there is a flag for whoever asks that has a variant of this name.
    pub fn has_variant(&self, asker: Asker, key: &str, variant: &str) -> bool {
        let definition = self.definition(asker, key);
        definition.is_some_and(|flag| flag.variants.contains_key(variant))
    }

    /// The definition of a flag, if there is one for whoever asks.
    pub(crate) fn definition(&self, asker: Asker, key: &str) -> Option<&eval::definition::Flag> {
        let (_, known) = self.find(asker, key).ok()?;
        Some(&self.source.flags[known.place].definition)
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
        let (key, known) = self.find(asker, key)?;
        let lists = attributes.lists();
        let subject = self.subject(attributes, &lists, now);
        let found = self.flags.evaluate(known.handle, &subject);
        self.count(known, found.variant);
        Ok(self.told(key, known, &found, attributes))
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
        let attributes = question.1;
        self.each_known(asker, question, now, |key, known, found| {
            self.count(known, found.variant);
            take(self.told(key, known, found, attributes));
        });
    }

    /// The same with the flags' definitions; it is not counted, because whoever is told reports what is used of it.
    pub(crate) fn each_found<'s>(
        &'s self,
        asker: Asker,
        question: (Option<&[Cow<'_, str>]>, &Attributes<'_>),
        now: Timestamp,
        mut take: impl FnMut(&'s str, &'s eval::definition::Flag, &Evaluation<'s>),
    ) {
        self.each_known(asker, question, now, |key, known, found| {
            take(key, &self.source.flags[known.place].definition, found);
        });
    }

    fn each_known<'s>(
        &'s self,
        asker: Asker,
        (named, attributes): (Option<&[Cow<'_, str>]>, &Attributes<'_>),
        now: Timestamp,
        mut take: impl FnMut(&'s str, &'s Known, &Evaluation<'s>),
    ) {
        let lists = attributes.lists();
        let subject = self.subject(attributes, &lists, now);
        let mut give = |key, known: &'s Known| {
            take(key, known, &self.flags.evaluate(known.handle, &subject));
        };
        if let Some(named) = named {
            let found = named.iter().filter_map(|key| self.find(asker, key).ok());
            return found.for_each(|(key, known)| give(key, known));
        }
        for (key, _) in self.flags.iter() {
            if let Ok((key, known)) = self.find(asker, key) {
                give(key, known);
            }
        }
    }

    /// The same as [`each`](Self::each) as JSON, `{"flags": […]}`, each made what it is told as.
    ///
    /// # Errors
    /// Those of writing JSON; there are none unless a value cannot be written.
    pub fn list<'s, T: serde::Serialize>(
        &'s self,
        asker: Asker,
        question: (Option<&[Cow<'_, str>]>, &Attributes<'_>),
        now: Timestamp,
        told: impl Fn(Evaluated<'s>) -> T,
    ) -> serde_json::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(self.known.len().min(64) * 160);
        out.extend_from_slice(br#"{"flags":"#);
        let mut serializer = serde_json::Serializer::new(&mut out);
        let mut list = serializer.serialize_seq(None)?;
        let mut failed = None;
        self.each(asker, question, now, |found| {
            if let Err(error) = list.serialize_element(&told(found)) {
                failed.get_or_insert(error);
            }
        });
        list.end()?;
        out.push(b'}');
        failed.map_or(Ok(out), Err)
    }

    /// What [`list`](Self::list) answers where there are no flags.
    pub const NOTHING: &[u8] = br#"{"flags":[]}"#;

    /// What [`definitions`](Self::definitions) are where there are no flags.
    pub fn no_definitions(environment: &Name) -> Vec<u8> {
        serde_json::json!({ "environment": environment, "flags": {}, "segments": {} })
            .to_string()
            .into_bytes()
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
        let (key, known) = self.find(Asker::Anybody, key)?;
        let lists = attributes.lists();
        let subject = self.subject(attributes, &lists, now);
        let (found, steps) = self.flags.explain(known.handle, &subject);
        let steps = steps.into_iter().map(|step| FlagStep {
            pointer: step.pointer,
            holds: step.holds,
            detail: step.detail,
        });
        Ok(FlagExplanation {
            evaluation: self.told(key, known, &found, attributes).into(),
            steps: steps.collect(),
        })
    }

    fn find(&self, asker: Asker, key: &str) -> Result<(&str, &Known), Missing> {
        let found = self.known.get_key_value(key);
        let found = found.filter(|(_, known)| asker.sees(known.client_side));
        found
            .map(|(key, known)| (&**key, known))
            .ok_or_else(|| Missing::new(key, &self.environment))
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
        key: &'s str,
        known: &Known,
        found: &Evaluation<'s>,
        attributes: &Attributes<'_>,
    ) -> Evaluated<'s> {
        let rule = found.rule.map(|place| match found.rule_name {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(format!("#{}", place + 1)),
        });
        let unit = found.by.and_then(|by| attributes.text(by));
        let place = (self.organization, self.environment.as_str(), key);
        Evaluated {
            key,
            enabled: known.is_on(found),
            variant: found.variant,
            value: found.value,
            reason: found.reason.as_str(),
            rule,
            flag_version: found.version,
            assignment_id: unit.map(|unit| AssignmentId::of(place, &unit, found.variant)),
            by: found.by,
        }
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        self.settle();
    }
}

fn definitions(source: &FlagSet) -> Definitions {
    let flags = source.flags.iter();
    Definitions {
        flags: flags
            .map(|flag| (flag.key.to_string(), flag.definition.clone()))
            .collect(),
        segments: source.segments.clone(),
    }
}

/// What SDKs that evaluate by themselves are sent: definitions, and of each flag its type.
fn sent(environment: &Name, source: &FlagSet, definitions: &Definitions) -> Vec<u8> {
    let flags = source.flags.iter().map(|flag| {
        let mut definition = serde_json::to_value(&flag.definition).unwrap_or_default();
        if let Value::Object(fields) = &mut definition {
            fields.insert("type".to_owned(), flag.r#type.as_str().into());
        }
        (flag.key.to_string(), definition)
    });
    let flags: serde_json::Map<String, Value> = flags.collect();
    let all = serde_json::json!({
        "environment": environment,
        "flags": flags,
        "segments": definitions.segments,
    });
    all.to_string().into_bytes()
}
