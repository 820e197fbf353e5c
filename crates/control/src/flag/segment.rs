//! Who is in a segment, and what needs it.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::flag::{
    Segment, SegmentAnswer, SegmentFlag, SegmentPlace, SegmentPolicy, SegmentRoute, SegmentSegment,
    SegmentTrial, SegmentUses,
};
use domain::id::SegmentId;
use domain::snapshot::FlagSet;
use flags::{Attributes, Set};

use super::Saved;
use super::linked::{rule_segments, through};
use crate::resource::audience::naming_segment;
use crate::resource::named_segments;
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
        let segments = store::flag::segments(&mut self.store(), segment.organization_id).await?;
        let saved = Saved {
            flags: Vec::new(),
            segments: segments.into_iter().map(Arc::new).collect(),
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
        let set = Set::compile(&nowhere, &asking, &Arc::default());
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
        let saved = Saved::around_segment(&mut store, &segment).await?;
        let others = saved
            .segments
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
            flags: flags_through(&saved, key),
            segments,
            routes: routes.collect(),
            policies: policies.collect(),
        })
    }
}

/// The flags whose rules name a segment, themselves or through other segments, and where.
fn flags_through(saved: &Saved, key: &str) -> Vec<SegmentFlag> {
    let through = through(&saved.segments, key);
    let each = saved.flags.iter().filter_map(|flag| {
        let places = flag.spec.environments.iter().filter_map(|(name, targeting)| {
            let named: BTreeSet<&str> = rule_segments(targeting)
                .filter(|key| through.contains(key))
                .collect();
            (!named.is_empty()).then(|| SegmentPlace {
                environment: name.clone(),
                through: named.into_iter().filter_map(|key| key.parse().ok()).collect(),
            })
        });
        let environments: Vec<_> = places.collect();
        (!environments.is_empty()).then(|| SegmentFlag {
            id: flag.id,
            key: flag.spec.key.clone(),
            environments,
        })
    });
    let mut flags: Vec<_> = each.collect();
    flags.sort_by(|one, other| one.key.cmp(&other.key));
    flags
}
