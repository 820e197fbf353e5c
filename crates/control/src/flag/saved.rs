//! The flags and segments of an organization as they are compiled: all together, for each environment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use domain::Name;
use domain::flag::{FeatureFlag, Segment};
use domain::id::{EventTypeId, OrganizationId};
use domain::snapshot::{Flag, FlagSet};
use eval::definition::{self, Definitions, Targeting};
use sha2::{Digest as _, Sha256};
use store::entity::{self, Condition, Read};
use store::flag::Revisions;

use crate::Error;

/// Bytes of a tag that are told.
const TAG_BYTES: usize = 12;

/// From how many changed flags on all are read.
const CHANGED_MAX: usize = 500;

/// The flags and segments of an organization, as they are saved or to be saved.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    pub(crate) flags: Vec<Arc<FeatureFlag>>,
    pub(crate) segments: Vec<Arc<Segment>>,
}

/// A flag in an environment.
struct Part<'s> {
    flag: &'s FeatureFlag,
    targeting: &'s Targeting,
}

impl Saved {
    /// Reads what there is in this state; what `before` has of it already is taken from there.
    pub(super) async fn read(
        read: &mut impl Read,
        (organization, revisions): (OrganizationId, &Revisions),
        before: Option<&Self>,
    ) -> Result<Self, Error> {
        let before = before.into_iter();
        let known = before.clone().flat_map(|before| &before.flags);
        let known = known.map(|flag| (flag.id, flag.revision, Arc::clone(flag)));
        let mut flags: HashMap<_, _> = known.map(|(id, revision, flag)| ((id, revision), flag)).collect();
        let changed = revisions.flags.iter().filter(|state| !flags.contains_key(state));
        let changed: Vec<String> = changed.map(|(id, _)| id.to_string()).collect();
        let found = match changed.len() {
            0 => Vec::new(),
            1..CHANGED_MAX => entity::all::<FeatureFlag>(read, &[Condition::In("id", changed)]).await?,
            _ => store::flag::all(read, organization).await?,
        };
        let found = found
            .into_iter()
            .map(|flag| ((flag.id, flag.revision), Arc::new(flag)));
        flags.extend(found);
        let known = before.map(|before| &before.segments);
        let is_same = |segments: &&Vec<Arc<Segment>>| {
            let states = segments.iter().map(|it| (it.id, it.revision));
            states.eq(revisions.segments.iter().copied())
        };
        let segments = match known.clone().find(is_same) {
            Some(same) => same.clone(),
            None => {
                let found = store::flag::segments(read, organization).await?;
                found.into_iter().map(Arc::new).collect()
            }
        };
        let states = revisions.flags.iter();
        Ok(Self {
            flags: states.filter_map(|state| flags.remove(state)).collect(),
            segments,
        })
    }

    /// The environments that flags speak of.
    pub(crate) fn environments(&self) -> BTreeSet<&Name> {
        let names = self.flags.iter().flat_map(|flag| flag.spec.environments.keys());
        names.collect()
    }

    /// What flags are in an environment, and the segments, which are the same everywhere.
    pub(crate) fn definitions(&self, environment: &Name) -> Definitions {
        let flags = self.flags.iter().filter_map(|flag| {
            let definition = flag.in_environment(environment.as_str())?;
            Some((flag.spec.key.to_string(), definition))
        });
        Definitions {
            flags: flags.collect(),
            segments: self.segments_by_key(),
        }
    }

    /// The same as nodes get it; `exposures` is the type of events that tell who was given which variant.
    pub(super) fn source(
        &self,
        (organization, exposures): (OrganizationId, Option<EventTypeId>),
        environment: &Name,
    ) -> FlagSet {
        let parts = self.parts(environment);
        FlagSet {
            organization,
            tag: self.tag_of(environment, exposures, &parts),
            flags: parts.iter().map(Part::sent).collect(),
            segments: self.segments_by_key(),
            exposures,
        }
    }

    /// What of flags an environment has, in the order of their keys.
    fn parts(&self, environment: &Name) -> Vec<Part<'_>> {
        let parts = self.flags.iter().filter_map(|flag| {
            let targeting = flag.spec.environments.get(environment)?;
            Some(Part { flag, targeting })
        });
        let mut parts: Vec<_> = parts.collect();
        parts.sort_unstable_by(|one, other| one.flag.spec.key.cmp(&other.flag.spec.key));
        parts
    }

    /// What nodes get where no flag is.
    pub(super) fn without_flags(&self, organization: OrganizationId) -> FlagSet {
        let mut hash = Sha256::new();
        self.hash_segments(&mut hash);
        FlagSet {
            organization,
            tag: tag(hash),
            flags: Vec::new(),
            segments: self.segments_by_key(),
            exposures: None,
        }
    }

    /// The tag of what [`source`](Self::source) gives.
    pub(super) fn tag(&self, exposures: Option<EventTypeId>, environment: &Name) -> String {
        self.tag_of(environment, exposures, &self.parts(environment))
    }

    /// Another one whenever something of the environment's flags is.
    fn tag_of(&self, environment: &Name, exposures: Option<EventTypeId>, parts: &[Part<'_>]) -> String {
        let mut hash = Sha256::new_with_prefix(environment.as_str());
        for Part { flag, .. } in parts {
            hash.update([0]);
            hash.update(flag.spec.key.as_str());
            hash.update([0, u8::from(flag.spec.client_side)]);
            hash.update(flag.version().to_le_bytes());
        }
        self.hash_segments(&mut hash);
        hash.update(exposures.map_or([0; 16], |id| *id.uuid().as_bytes()));
        tag(hash)
    }

    fn hash_segments(&self, hash: &mut Sha256) {
        for segment in &self.segments {
            hash.update(segment.id.uuid().as_bytes());
            hash.update(segment.revision.to_le_bytes());
        }
    }

    /// The segments by their keys.
    pub(crate) fn segments_by_key(&self) -> BTreeMap<String, definition::Segment> {
        let segments = self.segments.iter().map(|segment| {
            let when = segment.spec.when.clone();
            (segment.spec.key.to_string(), definition::Segment { when })
        });
        segments.collect()
    }
}

impl Part<'_> {
    fn sent(&self) -> Flag {
        let Self { flag, targeting } = self;
        Flag {
            key: flag.spec.key.clone(),
            r#type: flag.spec.r#type,
            client_side: flag.spec.client_side,
            definition: flag.with_targeting(targeting),
        }
    }
}

fn tag(hash: Sha256) -> String {
    let hash = hash.finalize();
    hash[..TAG_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
