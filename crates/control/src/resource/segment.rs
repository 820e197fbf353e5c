//! Segments: what is saved can be compiled, together with all flags that name it, in each environment.

use std::collections::BTreeSet;

use domain::code::Code;
use domain::flag::{Segment, SegmentSpec};
use domain::id::SegmentId;
use domain::{Name, Timestamp};
use eval::definition::Definitions;
use store::Tx;
use store::entity::Read;
use store::flag::history;

use super::fault::{Faults, TITLE_MAX, in_use, part};
use super::flag_parts::{compile, named_segments, patterns, size, size_of_all, too_many_patterns};
use super::{New, Resource, audience, own};
use crate::flag::Saved;
use crate::flag::linked::{flag_segments, rule_segments, through};
use crate::{Caller, Control, Error};

/// The most segments of an organization: every edge knows them all.
const SEGMENTS_MAX: usize = 1000;

impl Resource for Segment {
    type Spec = SegmentSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: SegmentSpec) -> Self {
        Self {
            id: SegmentId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &SegmentSpec {
        &self.spec
    }

    fn with(&self, spec: SegmentSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, _: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.line("/title", &self.spec.title, TITLE_MAX);
        faults.description("/description", &self.spec.description);
        too_many_patterns(&mut faults, "/when", patterns(&self.spec.when));
        size(&mut faults, &self.spec, "segment");
        if let Some(before) = before {
            faults.fixed("/key", before.spec.key != self.spec.key);
        }
        faults.finish()?;
        let specs = (before.map(|before| &before.spec), &self.spec);
        size_of_all(tx, self.organization_id, specs).await?;
        let saved = Saved::around_segment(tx, self).await?;
        if before.is_none() && saved.segments.len() > SEGMENTS_MAX {
            let detail = format!("The organization has {SEGMENTS_MAX} segments.");
            return Err(Error::refused(Code::Conflict, detail));
        }
        let own = format!("/segments/{}", part(self.spec.key.as_str()));
        let environments = saved.environments().into_iter();
        // By itself first: it is the same everywhere, so nothing is told twice.
        let alone = Definitions {
            segments: saved.segments_by_key(),
            ..Definitions::default()
        };
        let each = environments.map(|name| saved.definitions(name));
        for definitions in std::iter::once(alone).chain(each) {
            let mut faults = Faults::default();
            compile(&mut faults, &definitions, (&own, ""));
            faults.finish()?;
        }
        Ok(())
    }

    async fn written(&self, _: &Control, tx: &mut Tx, caller: &Caller) -> Result<(), Error> {
        Ok(history::keep(tx, self, &caller.actor()).await?)
    }

    async fn guarded(
        read: &mut (impl Read + Send),
        (before, after): (Option<&Self>, Option<&Self>),
    ) -> Result<Vec<Name>, Error> {
        // New ones are named by nobody, and those that are named stay.
        let (Some(before), Some(after)) = (before, after) else {
            return Ok(Vec::new());
        };
        if before.spec.when == after.spec.when {
            return Ok(Vec::new());
        }
        let mut names = own::protected_environments(read, after.organization_id).await?;
        if !names.is_empty() {
            let affected = affected(
                &Saved::around_segment(read, after).await?,
                after.spec.key.as_str(),
            );
            names.retain(|name| affected.contains(name));
        }
        Ok(names)
    }

    /// Flags, other segments, routes and policies may name it.
    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let saved = Saved::around_segment(tx, self).await?;
        let key = self.spec.key.as_str();
        let flags = saved
            .flags
            .iter()
            .filter(|flag| flag_segments(flag).any(|named| named == key));
        let flags = flags.map(|flag| format!("the flag `{}`", flag.spec.key));
        let others = saved.segments.iter().filter(|other| other.id != self.id);
        let others = others.filter(|other| named_segments(&other.spec.when).contains(&key));
        let others = others.map(|other| format!("the segment `{}`", other.spec.key));
        let routing = audience::uses_of_segment(tx, self.organization_id, key).await?;
        in_use(&flags.chain(others).chain(routing).collect::<Vec<_>>())?;
        Ok(history::forget(tx, self).await?)
    }
}

/// The environments in which a flag names a segment, itself or through other segments.
fn affected(saved: &Saved, segment: &str) -> BTreeSet<Name> {
    let through = through(&saved.segments, segment);
    let parts = saved.flags.iter().flat_map(|flag| &flag.spec.environments);
    let affected = parts.filter(|(_, targeting)| rule_segments(targeting).any(|key| through.contains(key)));
    affected.map(|(name, _)| name.clone()).collect()
}
