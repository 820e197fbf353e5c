//! Who is in a segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::flag::{FlagType, Segment, SegmentAnswer, SegmentTrial};
use domain::id::SegmentId;
use domain::snapshot::{Flag, FlagSet};
use eval::definition::{self, Condition, Outcome, Rule, Targeting};
use flags::{Asker, Attributes, Set};
use serde_json::Value;

use super::Saved;
use crate::{Caller, Control, Error};

const ASKED: &str = "asked";
const INSIDE: &str = "inside";
const OUTSIDE: &str = "outside";

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
            flags: vec![Flag {
                key: ASKED.parse().expect("it is a key"),
                r#type: FlagType::Boolean,
                client_side: false,
                definition: question(&key),
            }],
            segments: saved.segments_by_key(),
            exposures: None,
        };
        let nowhere = "nowhere".parse().expect("it is a name");
        let set = Set::compile(&nowhere, Arc::new(asking), &Arc::default());
        let set = set.map_err(|problems| {
            let what = format!("segments that were saved cannot be compiled: {problems:?}");
            Error::Internal(what, None)
        })?;
        let found = set.evaluate(Asker::Anybody, ASKED, &attributes, self.now())?;
        Ok(SegmentAnswer {
            inside: found.variant == INSIDE,
            key,
        })
    }
}

/// A flag that says of everybody whether they are in a segment.
fn question(segment: &str) -> definition::Flag {
    let serve = |variant: &str| Some(variant.to_owned());
    let rule = Rule {
        when: Some(Condition::Segment {
            segment: segment.to_owned(),
        }),
        serve: serve(INSIDE),
        ..Rule::default()
    };
    let variants = [(INSIDE, true), (OUTSIDE, false)].map(|(name, is)| (name.to_owned(), Value::Bool(is)));
    definition::Flag {
        version: 0,
        variants: BTreeMap::from(variants),
        targeting: Targeting {
            enabled: true,
            off: OUTSIDE.to_owned(),
            prerequisites: Vec::new(),
            overrides: Vec::new(),
            rules: vec![rule],
            otherwise: Outcome {
                serve: serve(OUTSIDE),
                ..Outcome::default()
            },
        },
    }
}
