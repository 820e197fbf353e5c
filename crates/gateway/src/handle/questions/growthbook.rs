//! What SDKs of GrowthBook ask for, as at the control plane (`api::growthbook`); the key stands in the path.

use std::rc::Rc;

use domain::Code;
use flags::{Set, growthbook};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::{
    Asked, Holder, QUESTION_BYTES_MAX, asker, changes, refused, said, tagged_as, unreadable, wants_server,
    whole,
};
use crate::body::{AnswerBody, Arriving};
use crate::compile::Compiled;
use crate::conn::Conn;
use crate::refusal::Cause;

/// Tells SDKs that there is a stream.
const SSE_SUPPORT: HeaderName = HeaderName::from_static("x-sse-support");

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::handle) enum Topic {
    /// Features with their rules.
    Features,
    /// What somebody gets of all flags.
    Values,
    /// To be told when features change.
    Changes,
}

impl Topic {
    /// What a path asks for, and the key in it.
    pub(super) fn of(path: &str) -> Option<(Self, &str)> {
        let topics = [
            (Self::Features, "/api/features/"),
            (Self::Values, "/api/eval/"),
            (Self::Changes, "/sub/"),
        ];
        topics.into_iter().find_map(|(topic, place)| {
            let key = path.strip_prefix(place)?;
            (!key.is_empty() && !key.contains('/')).then_some((topic, key))
        })
    }

    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::Features | Self::Changes => "GET",
            Self::Values => "POST",
        }
    }
}

pub(super) async fn answer(
    conn: &Rc<Conn>,
    compiled: &Compiled,
    (asked, topic): (&Asked<'_>, Topic),
    (holder, body): (&Holder<'_>, Arriving),
) -> Result<Response<AnswerBody>, Cause> {
    let set = compiled.flags.sets.get(holder.key.organization);
    let set = set.map(|set| &**set);
    match topic {
        Topic::Features => {
            wants_server(holder)?;
            let document = set.map_or(growthbook::NOTHING, |set| &set.growthbook().document);
            let mut response = tagged_as(asked, &flags::tag(document), document.to_vec());
            let enabled = HeaderValue::from_static("enabled");
            response.headers_mut().insert(SSE_SUPPORT, enabled);
            Ok(response)
        }
        Topic::Values => {
            let body = whole(conn, body, QUESTION_BYTES_MAX).await?;
            let attributes = growthbook::attributes(&body).map_err(unreadable)?;
            let values = growthbook::values(set, asker(holder), &attributes, asked.now);
            let values = values
                .map_err(|error| refused(Code::Internal, &format!("an answer cannot be written: {error}")))?;
            Ok(said(
                StatusCode::OK,
                values.into(),
                HeaderValue::from_static("no-store"),
            ))
        }
        Topic::Changes => Ok(changes::events(conn, holder, |set, _| {
            growthbook::updated(set.map_or("none", Set::tag))
        })),
    }
}
