//! Who is in a segment.

use std::collections::BTreeMap;

use domain::flag::{Segment, SegmentAnswer, SegmentTrial};
use domain::id::SegmentId;
use eval::Flags;
use eval::definition::{Condition, Definitions, Flag, Outcome, Rule, Targeting};
use serde_json::Value;

use super::{Attributes, Saved};
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
        let definitions = Definitions {
            flags: [(ASKED.to_owned(), question(&key))].into(),
            segments: saved.segments_by_key(),
        };
        let flags = Flags::compile(&definitions);
        let flags = flags.map_err(|problems| {
            let what = format!("segments that were saved cannot be compiled: {problems:?}");
            Error::Internal(what, None)
        })?;
        let asked = flags.get(ASKED).ok_or_else(|| Error::not_found("segment"))?;
        let lists = attributes.lists();
        let subject = attributes.subject(&flags, &lists, self.now());
        let inside = flags.evaluate(asked, &subject).variant == INSIDE;
        Ok(SegmentAnswer { key, inside })
    }
}

/// A flag that says of everybody whether they are in a segment.
fn question(segment: &str) -> Flag {
    let serve = |variant: &str| Some(variant.to_owned());
    let rule = Rule {
        name: None,
        when: Some(Condition::Segment {
            segment: segment.to_owned(),
        }),
        from: None,
        until: None,
        gates: Vec::new(),
        serve: serve(INSIDE),
        split: None,
        by: None,
    };
    let variants = [(INSIDE, true), (OUTSIDE, false)].map(|(name, is)| (name.to_owned(), Value::Bool(is)));
    Flag {
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
                split: None,
                by: None,
            },
        },
    }
}
