//! What clients of Unleash ask for, as at the control plane (`api::unleash`).

use std::borrow::Cow;
use std::rc::Rc;

use flags::unleash::{self, Context};
use flags::{Given, Set, Words};
use http::header::IF_NONE_MATCH;
use http::{Method, Response, StatusCode};

use super::{
    Asked, Holder, QUESTION_BYTES_MAX, asker, changes, tagged, tagged_as, tagged_when_there, unreadable,
    wants_server, whole,
};
use crate::body::{AnswerBody, Arriving};
use crate::compile::Compiled;
use crate::conn::Conn;
use crate::refusal::Cause;

const CLIENT: &str = "/api/client/";
const FRONTEND: &str = "/api/frontend";
/// The most bytes of a report.
const REPORT_BYTES_MAX: u64 = 1 << 20;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::handle) enum Topic {
    /// Features with their rules.
    Features,
    /// What has changed of them.
    Delta,
    /// The same whenever they change.
    Streaming,
    /// Nothing: a client says who it is.
    Register,
    /// Nothing: a client says how often features were evaluated.
    Metrics,
    /// Which features are on for somebody.
    Toggles,
}

impl Topic {
    pub(super) fn of(path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix(CLIENT) {
            return match rest {
                "features" => Some(Self::Features),
                "delta" => Some(Self::Delta),
                "streaming" => Some(Self::Streaming),
                "register" => Some(Self::Register),
                "metrics" => Some(Self::Metrics),
                _ => None,
            };
        }
        match path.strip_prefix(FRONTEND)? {
            "" => Some(Self::Toggles),
            "/client/register" => Some(Self::Register),
            "/client/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }

    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::Features | Self::Delta | Self::Streaming => "GET",
            Self::Register | Self::Metrics => "POST",
            Self::Toggles => "GET, POST",
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
            let Some(set) = held else {
                return tagged(asked, Ok(unleash::NOTHING.to_vec()));
            };
            compiled.flags.desk.written(set, Words::Unleash).await;
            if let Some(prefix) = parameter(asked, "namePrefix") {
                return tagged(asked, Ok(unleash::document_of(set, &prefix)));
            }
            let written = set.unleash();
            tagged_as(asked, &written.tag, || Ok(written.document.clone()))
        }
        Topic::Delta => {
            wants_server(holder)?;
            let known = asked.headers.get(IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
            let known = known.map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'));
            let tag = set.map_or("none", Set::tag);
            let write = async {
                if let Some(set) = held {
                    compiled.flags.desk.written(set, Words::Unleash).await;
                }
                Ok(unleash::delta(set, known).into())
            };
            tagged_when_there(asked, tag, write).await
        }
        Topic::Streaming => {
            wants_server(holder)?;
            let tell = (Some(Words::Unleash), unleash::event);
            Ok(changes::events(conn, holder, tell))
        }
        Topic::Register => {
            whole(conn, body, REPORT_BYTES_MAX).await?;
            Ok(accepted())
        }
        Topic::Metrics => {
            let body = whole(conn, body, REPORT_BYTES_MAX).await?;
            let counts = unleash::metrics(&body, (set, asker(holder))).map_err(unreadable)?;
            count(compiled, holder, counts);
            Ok(accepted())
        }
        Topic::Toggles if *asked.method == Method::GET => {
            let query = asked.query.strip_prefix('?').unwrap_or_default();
            toggles(conn, (set, holder), asked, Context::from_query(query))
        }
        Topic::Toggles => {
            let body = whole(conn, body, QUESTION_BYTES_MAX).await?;
            toggles(conn, (set, holder), asked, Context::from_body(&body))
        }
    }
}

fn toggles(
    conn: &Conn,
    (set, holder): (Option<&Set>, &Holder<'_>),
    asked: &Asked<'_>,
    context: Result<Context<'_>, flags::QuestionFault>,
) -> Result<Response<AnswerBody>, Cause> {
    let mut context = context.map_err(unreadable)?;
    context.put_random(conn.core().ids.fraction());
    let toggles = set.map(|set| unleash::toggles(set, asker(holder), &context, asked.now()));
    let toggles = toggles.unwrap_or_else(|| Ok(br#"{"toggles":[]}"#.to_vec()));
    tagged(asked, toggles)
}

/// The text of a parameter of the query.
fn parameter<'r>(asked: &Asked<'r>, name: &str) -> Option<Cow<'r, str>> {
    let query = asked.query.strip_prefix('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find_map(|(known, text)| (known == name).then_some(text))
}

/// Adds to the counts of evaluations, which the node tells with its own.
fn count(compiled: &Compiled, holder: &Holder<'_>, counts: Vec<unleash::Count>) {
    for counted in counts {
        let given = Given {
            organization: holder.key.organization,
            environment: holder.key.environment.clone(),
            key: counted.flag.into(),
            variant: counted.variant.into(),
        };
        compiled.flags.counts.add(given, counted.count);
    }
}

fn accepted() -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::own(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}
