//! What SDKs of GrowthBook ask for, as at the control plane (`api::growthbook`); the key stands in the path.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use domain::Code;
use flags::{Set, Words, growthbook};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::{
    Asked, Holder, QUESTION_BYTES_MAX, asker, changes, refused, said, tagged_when_there, unreadable,
    wants_server, whole,
};
use crate::body::{AnswerBody, Arriving};
use crate::compile::Compiled;
use crate::conn::Conn;
use crate::refusal::Cause;

/// Tells SDKs that there is a stream.
const SSE_SUPPORT: HeaderName = HeaderName::from_static("x-sse-support");
const SUPPORTED: HeaderValue = HeaderValue::from_static("enabled");

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
    let held = compiled.flags.sets.get(holder.key.organization);
    let set = held.map(|set| &**set);
    match topic {
        Topic::Features => {
            wants_server(holder)?;
            // What is encrypted is another text each time, so the tag is that of the flags.
            let tag = set.map_or("none", Set::tag);
            let write = payload(conn, compiled, (holder, held));
            let mut response = tagged_when_there(asked, tag, write).await?;
            response.headers_mut().insert(SSE_SUPPORT, SUPPORTED);
            Ok(response)
        }
        Topic::Values => {
            let body = whole(conn, body, QUESTION_BYTES_MAX).await?;
            let attributes = growthbook::attributes(&body).map_err(unreadable)?;
            let values = growthbook::values(set, asker(holder), &attributes, asked.now());
            let values = values
                .map_err(|error| refused(Code::Internal, &format!("an answer cannot be written: {error}")))?;
            let mut response = said(
                StatusCode::OK,
                values.into(),
                HeaderValue::from_static("no-store"),
            );
            response.headers_mut().insert(SSE_SUPPORT, SUPPORTED);
            Ok(response)
        }
        Topic::Changes => {
            let event =
                |set: Option<&Set>, _: Option<&str>| growthbook::updated(set.map_or("none", Set::tag)).into();
            Ok(changes::events(conn, holder, (None, event)))
        }
    }
}

/// All features, encrypted if the key says so.
async fn payload(
    conn: &Conn,
    compiled: &Compiled,
    (holder, set): (&Holder<'_>, Option<&Arc<Set>>),
) -> Result<Bytes, Cause> {
    let desk = &compiled.flags.desk;
    if let Some(set) = set {
        desk.written(set, Words::GrowthBook).await;
    }
    if !holder.key.encrypt_payload {
        return Ok(document(set.map(|set| &**set)));
    }
    let failed = |detail: &str| refused(Code::Internal, detail);
    let sealing = &conn.core().settings.sealing;
    let key = sealing
        .payload_key(holder.key.id)
        .ok_or_else(|| failed("features cannot be encrypted: the node does not know the cluster's token"))?;
    let mut ivs = [growthbook::Iv::default(); growthbook::IVS];
    for iv in &mut ivs {
        aws_lc_rs::rand::fill(iv).map_err(|_| failed("the system has no randomness"))?;
    }
    let set = set.cloned();
    let encrypt = move || growthbook::encrypted(&document(set.as_deref()), &key, ivs);
    let encrypted = desk.run(encrypt).await;
    let encrypted = encrypted.map_err(|_| failed("features cannot be encrypted"))?;
    let encrypted = encrypted.map_err(|error| failed(&format!("features cannot be encrypted: {error}")))?;
    Ok(encrypted.into())
}

fn document(set: Option<&Set>) -> Bytes {
    let none = || Bytes::from_static(growthbook::NOTHING);
    set.map_or_else(none, |set| set.growthbook().document.clone())
}
