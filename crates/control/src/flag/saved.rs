//! The flags and segments of an organization as they are compiled: all together, for each environment.

use std::collections::{BTreeMap, BTreeSet};

use domain::Name;
use domain::flag::{FeatureFlag, Segment};
use domain::id::OrganizationId;
use eval::definition::{self, Definitions};
use store::entity::Read;
use store::flag::Revisions;

use crate::Error;

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

    /// The segments by their keys.
    pub(crate) fn segments_by_key(&self) -> BTreeMap<String, definition::Segment> {
        let segments = self.segments.iter().map(|segment| {
            let when = segment.spec.when.clone();
            (segment.spec.key.to_string(), definition::Segment { when })
        });
        segments.collect()
    }
}
