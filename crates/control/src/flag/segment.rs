//! Who is in a segment, and what needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::flag::{
    FlagKey, Segment, SegmentAnswer, SegmentFlag, SegmentPlace, SegmentPolicy, SegmentRoute, SegmentSegment,
    SegmentTrial, SegmentUses,
};
use domain::id::{OrganizationId, SegmentId};
use domain::snapshot::FlagSet;
use flags::{Attributes, Set};

use super::{FlagSets, Saved};
use crate::resource::audience::naming_segment;
use crate::resource::flag_parts::named_segments;
use crate::resource::segment::{needing, rule_segments};
use crate::{Caller, Control, Error};

impl Control {
    /// Whether somebody is in a segment; nothing is recorded.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the segment.
    pub async fn try_segment(
        &self,
        caller: &Caller,
        id: SegmentId,
        trial: SegmentTrial,
    ) -> Result<SegmentAnswer, Error> {
        let segment = self.read::<Segment>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "try_segment", &segment)
            .await?;
        let attributes = Attributes::from_json(&trial.attributes)?;
        let saved = Saved {
            flags: Vec::new(),
            segments: store::flag::segments(&mut self.store(), segment.organization_id).await?,
        };
        let key = segment.spec.key.to_string();
        let asking = FlagSet {
            organization: segment.organization_id,
            tag: String::new(),
            flags: Vec::new(),
            segments: saved.segments_by_key(),
            exposures: None,
        };
        let nowhere = "nowhere".parse().expect("it is a name");
        let set = Set::compile(&nowhere, Arc::new(asking), &Arc::default());
        let set = set.map_err(|problems| {
            let what = format!("segments that were saved cannot be compiled: {problems:?}");
            Error::Internal(what, None)
        })?;
        let inside = set.has_member(&key, &attributes, self.now());
        Ok(SegmentAnswer {
            inside: inside == Some(true),
            key,
        })
    }

    /// What names a segment: flags, other segments, routes and policies.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the segment.
    pub async fn segment_uses(&self, caller: &Caller, id: SegmentId) -> Result<SegmentUses, Error> {
        let segment = self.read::<Segment>(caller, id).await?;
        let mut store = self.store();
        self.authorize(&mut store, caller, "read_segment_uses", &segment)
            .await?;
        let (organization, key) = (segment.organization_id, segment.spec.key.as_str());
        let all = store::flag::segments(&mut store, organization).await?;
        let sets = self.flag_sets().await?;
        let others = all
            .iter()
            .filter(|other| named_segments(&other.spec.when).contains(&key));
        let mut segments: Vec<_> = others
            .map(|other| SegmentSegment {
                id: other.id,
                key: other.spec.key.clone(),
            })
            .collect();
        segments.sort_by(|one, other| one.key.cmp(&other.key));
        let (routes, policies) = naming_segment(&mut store, organization, key).await?;
        let routes = routes.into_iter().map(|route| SegmentRoute {
            id: route.id,
            api_id: route.api_id,
            environment: route.spec.environment,
        });
        let policies = policies.into_iter().map(|policy| SegmentPolicy {
            id: policy.id,
            api_id: policy.spec.api_id,
            kind: policy.spec.kind,
        });
        Ok(SegmentUses {
            flags: flags_through(&sets, organization, &needing(&all, key)),
            segments,
            routes: routes.collect(),
            policies: policies.collect(),
        })
    }
}

/// The flags whose rules name one of these segments, and where.
fn flags_through(
    sets: &FlagSets,
    organization: OrganizationId,
    segments: &BTreeSet<&str>,
) -> Vec<SegmentFlag> {
    let mut flags: BTreeMap<&FlagKey, Vec<SegmentPlace>> = BTreeMap::new();
    for (environment, set) in sets.environments(organization) {
        for flag in &set.source().flags {
            let named = rule_segments(&flag.definition.targeting).filter(|key| segments.contains(key));
            let through: BTreeSet<&str> = named.collect();
            if !through.is_empty() {
                flags.entry(&flag.key).or_default().push(SegmentPlace {
                    environment: environment.clone(),
                    through: through.into_iter().filter_map(|key| key.parse().ok()).collect(),
                });
            }
        }
    }
    let each = flags.into_iter().filter_map(|(key, environments)| {
        Some(SegmentFlag {
            id: sets.id(organization, key.as_str())?,
            key: key.clone(),
            environments,
        })
    });
    each.collect()
}
