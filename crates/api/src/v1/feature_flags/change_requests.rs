//! Changes of flags that are proposed, approved by somebody else and applied.

use axum::response::Response;
use control::Error;
use control::resource::{Arg, Condition, ListQuery, Listed};
use domain::Code;
use domain::flag::{FlagChangeRequest, FlagChangeRequestSpec, FlagChangeState, FlagDecision};
use domain::id::{FeatureFlagId, FlagChangeRequestId};
use http::StatusCode;
use serde_json::{Value, json};

use super::{COLLECTION, TAG};
use crate::call::{Call, invalid};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, one_of};
use crate::{answer, page};

const ABOUT: &str = "A change of a flag that makes a difference in an environment with `protected: true` is refused with \
    `environment_protected` and proposed instead. Somebody else approves it, then it is applied: it is checked against the \
    flag as it is by then, and refused with `change_outdated` if what it touches was changed meanwhile. Turning a flag off \
    (`enabled: false` and nothing else) needs no approval. Owners may change what is protected without one.";

/// The filter by how far changes are.
const STATE: &str = "filter[state]";
/// The filter that asks for changes that wait for something.
const PENDING: &str = "filter[pending]";

/// `list_change_requests`, `list_feature_flag_change_requests`, `create_feature_flag_change_request`, `read_feature_flag_change_request`, and
/// `approve_`, `reject_`, `apply_` and `withdraw_feature_flag_change_request`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        list_all(),
        list(),
        create(),
        read(),
        approve(),
        reject(),
        apply(),
        withdraw(),
    ]
}

/// What both lists take and answer.
fn listing(endpoint: Endpoint) -> Endpoint {
    let states = FlagChangeState::ALL.map(FlagChangeState::as_str);
    endpoint
        .tag(TAG)
        .takes_all(Parameter::page(&["-created_at", "created_at"]))
        .takes(Parameter::query(
            STATE,
            "Only those in this state.",
            one_of(&states),
        ))
        .takes(Parameter::query(
            PENDING,
            "Only those of which something may still become (`true`): open and approved ones.",
            one_of(&["true"]),
        ))
        .answers_page_of_shown::<FlagChangeRequest, crate::crud::Nothing>("A page.")
}

fn list_all() -> Endpoint {
    let at = format!("{COLLECTION}/change-requests");
    listing(
        Endpoint::get(at, "list_change_requests").says("List proposed changes of all feature flags", ABOUT),
    )
    .to(|call| async move {
        let query = asked(&call)?;
        let listed = call.control().change_requests(&call.caller, query).await?;
        answer_list(&call, &listed)
    })
}

fn list() -> Endpoint {
    let at = format!("{COLLECTION}/{{id}}/change-requests");
    listing(
        Endpoint::get(at, "list_feature_flag_change_requests")
            .says("List proposed changes of a feature flag", ABOUT)
            .takes_id::<FeatureFlagId>("The flag's id."),
    )
    .to(|call| async move {
        let query = asked(&call)?;
        let control = call.control();
        let listed = control
            .flag_change_requests(&call.caller, call.id()?, query)
            .await?;
        answer_list(&call, &listed)
    })
}

/// What a call wants to see.
fn asked(call: &Call) -> Result<ListQuery, Error> {
    let mut conditions = Vec::new();
    if let Some(state) = call.query(STATE) {
        if !FlagChangeState::ALL.iter().any(|known| known.as_str() == state) {
            let states = FlagChangeState::ALL.map(FlagChangeState::as_str).join("`, `");
            return Err(invalid(STATE, &format!("it is one of `{states}`")));
        }
        conditions.push(Condition::Is("state", Arg::text(state)));
    }
    match call.query(PENDING) {
        None => {}
        Some("true") => {
            let states = FlagChangeState::PENDING.map(|state| state.as_str().to_owned());
            conditions.push(Condition::In("state", states.to_vec()));
        }
        Some(_) => return Err(invalid(PENDING, &"it is `true`, or absent")),
    }
    let window = page::asked(call)?.window();
    Ok(ListQuery { conditions, window })
}

fn answer_list(call: &Call, listed: &Listed<FlagChangeRequest>) -> Result<Response, Error> {
    let last = listed.data.last().filter(|_| listed.has_more);
    let next = last.map(|it| (it.id.to_string(), it.id.to_string()));
    let rows: Result<Vec<_>, _> = listed.data.iter().map(shown).collect();
    page::answer(call, rows?, next)
}

fn create() -> Endpoint {
    let patch = json!({ "environments": { "production": { "otherwise": { "serve": "on", "split": null, "by": null } } } });
    let example = FlagChangeRequestSpec {
        patch: patch.as_object().cloned().unwrap_or_default(),
        comment: "A week at 10% without complaints: everybody now.".to_owned(),
    };
    Endpoint::post(
        format!("{COLLECTION}/{{id}}/change-requests"),
        "create_feature_flag_change_request",
    )
    .tag(TAG)
    .says("Propose a change of a feature flag", ABOUT)
    .takes_id::<FeatureFlagId>("The flag's id.")
    .body(&example)
    .answers_shown::<FlagChangeRequest, crate::crud::Nothing>(201, "It waits for somebody's yes.")
    .with_headers(&["Location"])
    .refuses(&[Code::Conflict])
    .to(|call| async move {
        let made = call
            .control()
            .propose_flag_change(&call.caller, call.id()?, call.json()?)
            .await?;
        answer::made(&shown(&made)?, &path(&made), None)
    })
}

/// An operation on one proposed change.
fn on_one(endpoint: Endpoint) -> Endpoint {
    endpoint
        .tag(TAG)
        .takes_id::<FeatureFlagId>("The flag's id.")
        .takes_path_id::<FlagChangeRequestId>("change_request", "The proposed change's id.")
        .answers_shown::<FlagChangeRequest, crate::crud::Nothing>(200, "As it is now.")
}

fn read() -> Endpoint {
    let at = format!("{COLLECTION}/{{id}}/change-requests/{{change_request}}");
    on_one(Endpoint::get(at, "read_feature_flag_change_request").says(
        "Read a proposed change of a feature flag",
        "With what it touches, before and after.",
    ))
    .to(|call| async move {
        let found = call
            .control()
            .flag_change_request(&call.caller, place(&call)?)
            .await?;
        answered(&found)
    })
}

fn step(word: &str, summary: &str, text: &str) -> Endpoint {
    let at = format!("{COLLECTION}/{{id}}/change-requests/{{change_request}}/{word}");
    let id = format!("{word}_feature_flag_change_request");
    on_one(Endpoint::post(at, id).says(summary, text)).refuses(&[Code::Conflict])
}

fn approve() -> Endpoint {
    let text = "Who may do this approves what others have proposed, never what they proposed themselves.";
    step("approve", "Approve a proposed change of a feature flag", text)
        .body(&FlagDecision {
            comment: "Looks right.".to_owned(),
        })
        .refuses(&[Code::OwnChange])
        .to(|call| async move {
            let (place, decision) = (place(&call)?, call.json()?);
            let control = call.control();
            answered(&control.approve_flag_change(&call.caller, place, decision).await?)
        })
}

fn reject() -> Endpoint {
    let text = "Also after somebody has approved it, as long as it is not applied.";
    step("reject", "Reject a proposed change of a feature flag", text)
        .body(&FlagDecision {
            comment: "Not before the sale is over.".to_owned(),
        })
        .to(|call| async move {
            let (place, decision) = (place(&call)?, call.json()?);
            let control = call.control();
            answered(&control.reject_flag_change(&call.caller, place, decision).await?)
        })
}

fn apply() -> Endpoint {
    let text = "The flag is changed as it was approved; the change is checked as any is. Refused with `change_outdated` if \
        what it touches is not as it was when it was proposed.";
    step("apply", "Apply an approved change of a feature flag", text)
        .refuses(&[
            Code::ChangeOutdated,
            Code::RequestInvalid,
            Code::PreconditionFailed,
        ])
        .to(|call| async move {
            let control = call.control();
            answered(&control.apply_flag_change(&call.caller, place(&call)?).await?)
        })
}

fn withdraw() -> Endpoint {
    let text = "Its author takes it back, approved or not, as long as it is not applied.";
    step("withdraw", "Withdraw a proposed change of a feature flag", text)
        .refuses(&[Code::NotAuthor])
        .to(|call| async move {
            let control = call.control();
            answered(&control.withdraw_flag_change(&call.caller, place(&call)?).await?)
        })
}

fn place(call: &Call) -> Result<(FeatureFlagId, FlagChangeRequestId), Error> {
    Ok((call.id()?, call.path("change_request")?))
}

fn path(it: &FlagChangeRequest) -> String {
    format!("{COLLECTION}/{}/change-requests/{}", it.flag_id, it.id)
}

fn answered(it: &FlagChangeRequest) -> Result<Response, Error> {
    answer::json(StatusCode::OK, &shown(it)?)
}

/// One as it is answered: with what can be done next.
fn shown(it: &FlagChangeRequest) -> Result<Value, Error> {
    let here = path(it);
    let words: &[&str] = match it.state {
        FlagChangeState::Open => &["approve", "reject", "withdraw"],
        FlagChangeState::Approved => &["apply", "reject", "withdraw"],
        FlagChangeState::Rejected | FlagChangeState::Applied | FlagChangeState::Withdrawn => &[],
    };
    let links = Links::to(&here).and("flag", format!("{COLLECTION}/{}", it.flag_id));
    let links = words
        .iter()
        .fold(links, |links, word| links.and(word, format!("{here}/{word}")));
    let mut shown = serde_json::to_value(it).map_err(|error| Error::internal("writing an answer", error))?;
    shown["links"] = json!(links);
    Ok(shown)
}
