//! The flags and segments of an organization as they are compiled: all together, for each environment.

use std::collections::{BTreeMap, BTreeSet};

use domain::Name;
use domain::flag::{FeatureFlag, Segment};
use domain::id::{EventTypeId, OrganizationId};
use domain::snapshot::{Flag, FlagSet};
use eval::definition::{self, Definitions};
use sha2::{Digest as _, Sha256};
use store::entity::Read;
use store::flag::Revisions;

use crate::Error;

/// Bytes of a tag that are told.
const TAG_BYTES: usize = 12;

/// The flags and segments of an organization, as they are saved or to be saved.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    pub(crate) flags: Vec<FeatureFlag>,
    pub(crate) segments: Vec<Segment>,
}

impl Saved {
    pub(crate) async fn read(read: &mut impl Read, organization: OrganizationId) -> Result<Self, Error> {
        Ok(Self {
            flags: store::flag::all(read, organization).await?,
            segments: store::flag::segments(read, organization).await?,
        })
    }

    /// The environments that flags speak of.
    pub(crate) fn environments(&self) -> BTreeSet<&Name> {
        let names = self.flags.iter().flat_map(|flag| flag.spec.environments.keys());
        names.collect()
    }

    pub(super) fn revisions(&self) -> Revisions {
        Revisions {
            flags: self.flags.iter().map(|flag| (flag.id, flag.revision)).collect(),
            segments: self.segments.iter().map(|it| (it.id, it.revision)).collect(),
        }
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
        let flags = self.flags.iter().filter_map(|flag| {
            Some(Flag {
                key: flag.spec.key.clone(),
                r#type: flag.spec.r#type,
                client_side: flag.spec.client_side,
                definition: flag.in_environment(environment.as_str())?,
            })
        });
        let mut flags: Vec<_> = flags.collect();
        flags.sort_by(|one, other| one.key.cmp(&other.key));
        FlagSet {
            organization,
            tag: self.tag(environment, exposures, &flags),
            flags,
            segments: self.segments_by_key(),
            exposures,
        }
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

    /// Another one whenever something of the environment's flags is.
    fn tag(&self, environment: &Name, exposures: Option<EventTypeId>, flags: &[Flag]) -> String {
        let mut hash = Sha256::new_with_prefix(environment.as_str());
        for flag in flags {
            hash.update([0]);
            hash.update(flag.key.as_str());
            hash.update([0, u8::from(flag.client_side)]);
            hash.update(flag.definition.version.to_le_bytes());
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

fn tag(hash: Sha256) -> String {
    let hash = hash.finalize();
    hash[..TAG_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
