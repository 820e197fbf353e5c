//! Who is in a segment.

use std::sync::Arc;

use domain::flag::{Segment, SegmentAnswer, SegmentTrial};
use domain::id::SegmentId;
use domain::snapshot::FlagSet;
use flags::{Attributes, Set};

use super::Saved;
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
}
