//! What somebody would get of feature flags, as people try it out: nothing is recorded.

use axum::response::Response;
use control::Error;
use control::flag::FlagsWanted;
use domain::Code;
use domain::flag::{FlagExplanation, FlagTrial, FlagTried};
use domain::id::FeatureFlagId;
use flags::Reason;
use http::StatusCode;

use super::{COLLECTION, TAG, attributes};
use crate::call::{Call, invalid};
use crate::endpoint::Endpoint;
use crate::parameter::{Parameter, one_of, text};
use crate::v1::evaluations::QUESTION_BYTES_MAX;
use crate::{answer, page};

/// Most characters of a text that keys are searched for.
const Q_LENGTH_MAX: u32 = 100;
/// The filter by why somebody would get a variant.
const REASON: &str = "filter[reason]";

/// `try_feature_flag`, `try_feature_flags`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![one(), all()]
}

fn example() -> FlagTrial {
    FlagTrial {
        environment: "production".parse().expect("it is a name"),
        attributes: attributes(),
        at: None,
    }
}

fn one() -> Endpoint {
    Endpoint::post(format!("{COLLECTION}/{{id}}/try"), "try_feature_flag")
        .tag(TAG)
        .says(
            "Try out a feature flag",
            "What somebody would get of the flag, with every step on the way: which prerequisites, overrides, rules and gates \
             were looked at, what held of them, and where in a split the unit is. Nothing is recorded.",
        )
        .not_idempotent()
        .takes_id::<FeatureFlagId>("The flag's id.")
        .body(&example())
        .answers::<FlagExplanation>(200, "What they would get, and why.")
        .refuses(&[Code::FlagNotFound])
        .to(|call| async move {
            let found = call
                .control()
                .try_feature_flag(&call.caller, call.id()?, call.json()?)
                .await?;
            answer::json(StatusCode::OK, &found)
        })
}

fn all() -> Endpoint {
    let reasons = Reason::ALL.map(Reason::as_str);
    Endpoint::post(format!("{COLLECTION}/try"), "try_feature_flags")
        .tag(TAG)
        .says(
            "Try out all feature flags of an environment",
            "What somebody would get of each flag that is there, and why, in the order of the flags' keys. Nothing is recorded. \
             Every step on the way to one of them is told by its `try_feature_flag`.",
        )
        .not_idempotent()
        .takes_all(Parameter::page(&[]))
        .takes(Parameter::query(
            "q",
            "Only those whose keys contain this, whatever its case.",
            text(Q_LENGTH_MAX),
        ))
        .takes(Parameter::query(
            REASON,
            "Only those that give what they give for this reason.",
            one_of(&reasons),
        ))
        .body(&example())
        .body_as(|body| body.bytes_max = QUESTION_BYTES_MAX)
        .answers_page_of::<FlagTried>("A page.")
        .to(|call| async move { answer_all(&call).await })
}

async fn answer_all(call: &Call) -> Result<Response, Error> {
    let asked = page::asked(call)?;
    let wanted = FlagsWanted {
        q: call.query("q").map(str::to_owned),
        reason: call.query(REASON).map(reason).transpose()?,
        after: asked.after.map(|(key, _)| key),
        limit: asked.limit as usize,
    };
    let control = call.control();
    let found = control
        .try_feature_flags(&call.caller, call.json()?, wanted)
        .await?;
    let last = found.data.last().filter(|_| found.has_more);
    let next = last.map(|it| (it.evaluation.key.clone(), it.id.to_string()));
    page::answer(call, page::values(&found.data)?, next)
}

fn reason(text: &str) -> Result<Reason, Error> {
    let known = Reason::ALL.into_iter().find(|reason| reason.as_str() == text);
    known.ok_or_else(|| {
        let words = Reason::ALL.map(Reason::as_str).join("`, `");
        invalid(REASON, &format!("it is one of `{words}`"))
    })
}
