//! Segments: audiences that flags name.

use control::Error;
use domain::Code;
use domain::flag::{FlagKey, Segment, SegmentAnswer, SegmentSpec, SegmentTrial, SegmentUses};
use domain::id::SegmentId;
use http::StatusCode;
use serde_json::{Value, json};

use super::{evaluations, feature_flags};
use crate::answer;
use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, text};

const COLLECTION: &str = "/api/v1/segments";

/// `list_segments`, `create_segment`, `read_segment`, `update_segment`, `delete_segment`, `try_segment`,
/// `read_segment_uses`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = crud::all::<Segment>();
    endpoints.extend([attempt(), uses()]);
    endpoints
}

impl Shown for Segment {
    const COLLECTION: &'static str = COLLECTION;
    const TAG: &'static str = "feature-flags";
    const ONE: &'static str = "a segment";
    const MANY: &'static str = "segments";
    const ABOUT: &'static str = "A segment is an audience with a name, the same in all environments: conditions of flags and of other \
        segments name it as `{\"segment\": \"beta-testers\"}`. A change is compiled together with all flags and segments of the \
        organization before it is saved, and is known within a second. One that something names stays.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::Conflict, Code::EnvironmentProtected];
    const NAME: &'static str = "key";
    type Extra = Nothing;

    fn example() -> SegmentSpec {
        let spec = json!({
            "key": "beta-testers",
            "title": "Who wants to see what is new",
            "when": { "any": [
                { "attribute": "groups", "op": "in", "values": ["beta"] },
                { "attribute": "email", "op": "ends_with", "values": ["@acme.example"] }
            ] }
        });
        serde_json::from_value(spec).expect("it is a segment")
    }

    fn patch_example() -> Value {
        json!({ "when": { "any": [{ "attribute": "groups", "op": "in", "values": ["beta"] }] } })
    }

    fn filters() -> Vec<Filter> {
        vec![
            crud::search(),
            Filter {
                parameter: Parameter::query("filter[key]", "Only the one with this key.", text(100)),
                condition: |text| crud::is::<FlagKey>("name", text),
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        let here = format!("{COLLECTION}/{}", self.id);
        links
            .and("try", format!("{here}/try"))
            .and("uses", format!("{here}/uses"))
            .and("revisions", format!("{here}/revisions"))
    }
}

fn attempt() -> Endpoint {
    let example = SegmentTrial {
        attributes: feature_flags::attributes(),
    };
    Endpoint::post(format!("{COLLECTION}/{{id}}/try"), "try_segment")
        .tag(Segment::TAG)
        .says(
            "Try out a segment",
            "Whether somebody is in it. Nothing is recorded.",
        )
        .not_idempotent()
        .takes_id::<SegmentId>("The segment's id.")
        .body(&example)
        .body_as(|body| body.bytes_max = evaluations::QUESTION_BYTES_MAX)
        .answers::<SegmentAnswer>(200, "Whether they are in it.")
        .to(|call| async move {
            let found = call
                .control()
                .try_segment(&call.caller, call.id()?, call.json()?)
                .await?;
            answer::json(StatusCode::OK, &found)
        })
}

fn uses() -> Endpoint {
    Endpoint::get(format!("{COLLECTION}/{{id}}/uses"), "read_segment_uses")
        .tag(Segment::TAG)
        .says(
            "Read what names a segment",
            "Flags with the environments where their rules name it, or another segment that needs it; other segments; and the \
             audiences of routes and policies. As long as there is one that names it, it cannot be deleted.",
        )
        .takes_id::<SegmentId>("The segment's id.")
        .answers::<SegmentUses>(200, "What names it.")
        .to(|call| async move {
            let found = call.control().segment_uses(&call.caller, call.id()?).await?;
            answer::json(StatusCode::OK, &found)
        })
}
