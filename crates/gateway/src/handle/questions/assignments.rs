//! Who is in what, and why: every step on the way to what somebody gets of each flag.

use std::sync::Arc;

use bytes::Bytes;
use domain::flag::FlagAssignments;
use domain::{Code, Timestamp};
use flags::{Attributes, Question, QuestionFault, Set};
use http::{HeaderValue, Method, Response, StatusCode};

use super::{Asked, Holder, QUESTION_BYTES_MAX, refused, said, unreadable, unwritten, wants_server, whole};
use crate::body::{AnswerBody, Arriving};
use crate::compile::Compiled;
use crate::conn::Conn;
use crate::refusal::Cause;

/// Where it is told.
pub(super) const PATH: &str = "/api/v1/assignments";

/// A question that outlives the call.
enum Known {
    Query(String),
    Body(Bytes),
}

impl Known {
    fn question(&self) -> Result<Question<'_>, QuestionFault> {
        match self {
            Self::Query(query) => Ok(Question {
                attributes: Attributes::from_query(query)?,
                flags: None,
            }),
            Self::Body(body) => Question::read(body),
        }
    }
}

/// Explains each flag aside: of thousands, that takes longer than the core's other calls should wait.
pub(super) async fn answer(
    conn: &Conn,
    compiled: &Compiled,
    asked: &Asked<'_>,
    (holder, body): (&Holder<'_>, Arriving),
) -> Result<Response<AnswerBody>, Cause> {
    wants_server(holder)?;
    let known = match *asked.method {
        Method::GET => Known::Query(asked.query.strip_prefix('?').unwrap_or_default().to_owned()),
        _ => Known::Body(whole(conn, body, QUESTION_BYTES_MAX).await?),
    };
    let set = compiled.flags.sets.get(holder.key.organization).cloned();
    let now = asked.now();
    let explain = move || explained(set.as_ref(), &known, now);
    let done = compiled.flags.desk.run(explain).await;
    let told = done.map_err(|error| refused(Code::Internal, &format!("explaining flags: {error}")))??;
    Ok(said(
        StatusCode::OK,
        told.into(),
        HeaderValue::from_static("no-store"),
    ))
}

fn explained(set: Option<&Arc<Set>>, known: &Known, now: Timestamp) -> Result<Vec<u8>, Cause> {
    let question = known.question().map_err(unreadable)?;
    let assignments = set.map(|set| set.explain_each(&question, now));
    let told = FlagAssignments {
        assignments: assignments.unwrap_or_default(),
    };
    serde_json::to_vec(&told).map_err(unwritten)
}
