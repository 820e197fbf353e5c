//! What flags and segments were, and making them so again.

use axum::response::Response;
use control::Error;
use control::flag::Past;
use domain::flag::{
    FeatureFlag, FeatureFlagRevision, FeatureFlagSpec, Revert, Segment, SegmentRevision, SegmentSpec,
};
use domain::{Code, Timestamp};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::call::{Call, invalid};
use crate::crud::{self, Shown};
use crate::endpoint::Endpoint;
use crate::parameter::Parameter;
use crate::{answer, page};

/// `list_feature_flag_revisions`, `read_feature_flag_revision`, `revert_feature_flag`, and the same of segments.
pub(in crate::v1) fn endpoints() -> Vec<Endpoint> {
    vec![
        list::<FeatureFlag>(),
        read::<FeatureFlag>(),
        revert::<FeatureFlag>(),
        list::<Segment>(),
        read::<Segment>(),
        revert::<Segment>(),
    ]
}

/// Who made a revision, and when.
struct By {
    revision: i64,
    at: Timestamp,
    actor: String,
    actor_name: Option<String>,
}

/// A resource whose past is kept.
trait Remembered: Shown {
    /// What it was.
    type Revision: Serialize + ToSchema + Send;

    /// When it became what it is.
    fn updated_at(&self) -> Timestamp;

    /// What it is, as it is shown later.
    fn past(by: By, spec: Self::Spec) -> Self::Revision;
}

impl Remembered for FeatureFlag {
    type Revision = FeatureFlagRevision;

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn past(by: By, spec: FeatureFlagSpec) -> FeatureFlagRevision {
        FeatureFlagRevision {
            revision: by.revision,
            at: by.at,
            actor: by.actor,
            actor_name: by.actor_name,
            spec,
        }
    }
}

impl Remembered for Segment {
    type Revision = SegmentRevision;

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn past(by: By, spec: SegmentSpec) -> SegmentRevision {
        SegmentRevision {
            revision: by.revision,
            at: by.at,
            actor: by.actor,
            actor_name: by.actor_name,
            spec,
        }
    }
}

fn path<T: Shown>(rest: &str) -> String {
    format!("{}/{{id}}{rest}", T::COLLECTION)
}

fn list<T: Remembered>() -> Endpoint {
    Endpoint::get(
        path::<T>("/revisions"),
        format!("list_{}_revisions", T::KIND),
    )
    .tag(T::TAG)
    .says(
        format!("List what {} was", T::ONE),
        "Every change makes a revision: who made it, when, and the whole editable part after it. The newest come first; \
         1,000 are kept.",
    )
    .takes_id::<T::Id>("Its id.")
    .takes_all(Parameter::page(&[]))
    .answers_page_of::<T::Revision>("A page.")
    .to(|call| async move {
        let asked = page::asked(&call)?;
        let below = asked.after.and_then(|(revision, _)| revision.parse().ok());
        let control = call.control();
        let listed = control
            .revisions::<T>(&call.caller, call.id()?, below, asked.limit)
            .await?;
        let last = listed.data.last().filter(|_| listed.has_more);
        let next = last.map(|past| (past.it.revision().to_string(), past.it.id().to_string()));
        let rows = page::values(&shown(&call, listed.data).await?)?;
        page::answer(&call, rows, next)
    })
}

fn read<T: Remembered>() -> Endpoint {
    Endpoint::get(
        path::<T>("/revisions/{revision}"),
        format!("read_{}_revision", T::KIND),
    )
    .tag(T::TAG)
    .says(
        format!("Read what {} was", T::ONE),
        "The whole editable part as it was after one of the changes.",
    )
    .takes_id::<T::Id>("Its id.")
    .takes(Parameter::path(
        "revision",
        "Which one: 1 when it was made.",
        json!({ "type": "integer", "minimum": 1 }),
    ))
    .answers::<T::Revision>(200, "What it was.")
    .to(|call| async move {
        let revision: i64 = call.path("revision")?;
        if revision < 1 {
            return Err(invalid("revision", &"it begins with 1"));
        }
        let found = call
            .control()
            .revision::<T>(&call.caller, call.id()?, revision)
            .await?;
        answer::json(StatusCode::OK, &shown(&call, vec![found]).await?.pop())
    })
}

fn revert<T: Remembered>() -> Endpoint {
    Endpoint::post(path::<T>("/revert"), format!("revert_{}", T::KIND))
        .with_precondition()
        .tag(T::TAG)
        .says(
            format!("Make {} as it was", T::ONE),
            "The whole editable part is as it was after an earlier change. This is a change like any other: it is checked \
             against what is there now, and makes a revision.",
        )
        .takes_id::<T::Id>("Its id.")
        .body(&Revert { revision: 1 })
        .answers_shown::<T, T::Extra>(200, "As it is now.")
        .with_headers(&["ETag"])
        .refuses(T::REFUSALS)
        .refuses(&[Code::Conflict])
        .to(|call| async move { reverted::<T>(&call).await })
}

async fn reverted<T: Remembered>(call: &Call) -> Result<Response, Error> {
    let (wanted, if_match) = (call.json::<Revert>()?, call.if_match()?);
    let control = call.control();
    let changed = control
        .revert::<T>(&call.caller, call.id()?, wanted.revision, if_match)
        .await?;
    crud::answer_one(call, changed).await
}

/// Revisions with the names of who made them.
async fn shown<T: Remembered>(call: &Call, past: Vec<Past<T>>) -> Result<Vec<T::Revision>, Error> {
    let actors = past.iter().map(|past| past.actor.clone()).collect();
    let organization = call.caller.organization()?;
    let names = call.control().actor_names(organization, actors).await?;
    let each = past.into_iter().map(|past| {
        let by = By {
            revision: past.it.revision(),
            at: past.it.updated_at(),
            actor_name: names.get(&past.actor).cloned(),
            actor: past.actor,
        };
        T::past(by, past.it.spec().clone())
    });
    Ok(each.collect())
}
