//! Streams of events that end when their time is over: as server-sent events, or over a WebSocket.
//!
//! A task of its own asks the source and looks whether the stream may go on; what it has goes through a short queue
//! to the connection. So a client that does not read slows nobody down, and its rights are looked at all the same.

mod event;
mod socket;

use std::time::Duration;

use axum::response::Response;
use control::live::Stream;
use control::{Caller, Control, Error};
use domain::Code;
use domain::id::OrganizationId;
use domain::live::LiveEnd;
use http::HeaderMap;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::app::App;
use crate::auth::{self, Credential};
use crate::call::Call;

/// The most events between the task and the connection.
const SENT_AHEAD: usize = 16;
/// How long a client may read nothing while there is something to read.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing is sent before a sign of life is.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What a stream tells of.
pub(crate) trait Source: Send + 'static {
    /// The next events, in their order; none if it has to wait on. May be dropped at any time without losing any.
    ///
    /// # Errors
    /// Why there are no more.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Sent>, Error>> + Send;
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// What kind of event.
    pub(crate) name: &'static str,
    /// What to go on after.
    pub(crate) id: Option<String>,
    /// JSON.
    pub(crate) data: String,
}

/// What goes to the connection.
#[derive(Debug)]
enum Frame {
    Event(Sent),
    /// The last.
    End(LiveEnd),
}

/// Who looks on, and how to find out whether they still may.
struct Viewer {
    app: App,
    stream: Stream,
    credential: Credential,
    headers: HeaderMap,
    about: control::auth::About,
    caller: Caller,
    organization: OrganizationId,
}

/// Answers with what `source` tells, after `first`.
///
/// # Errors
/// `request_invalid` if the client wants a WebSocket and its handshake is none; `csrf_rejected` if the page of another
/// site does.
pub(crate) async fn answer(
    call: Call,
    stream: Stream,
    first: Vec<Sent>,
    source: impl Source,
) -> Result<Response, Error> {
    let socket = socket::asked(&call).await?;
    let (sender, frames) = mpsc::channel(SENT_AHEAD);
    let organization = call.caller.organization()?;
    let viewer = Viewer {
        about: call.about(),
        app: call.app,
        stream,
        credential: call.credential,
        headers: call.headers,
        caller: call.caller,
        organization,
    };
    tokio::spawn(run(viewer, first, source, sender));
    Ok(match socket {
        Some(socket) => socket.on_upgrade(|socket| socket::send(socket, frames)),
        None => event::answer(frames),
    })
}

/// Brings events to the connection until the client goes away or the stream's time is over.
async fn run(viewer: Viewer, first: Vec<Sent>, mut source: impl Source, frames: mpsc::Sender<Frame>) {
    let mut looks = tokio::time::interval(viewer.app.settings.stream_check);
    // The first tick is now, when everything has been looked at.
    looks.tick().await;
    let stopped = viewer.app.settings.stopped();
    tokio::pin!(stopped);
    let mut waiting = std::collections::VecDeque::from(first);
    let mut taken_at = Instant::now();
    let end = loop {
        tokio::select! {
            biased;
            () = frames.closed() => return,
            () = &mut stopped => break ended(Code::Draining, "The server is stopping; connect again."),
            _ = looks.tick() => if let Err(end) = viewer.may_go_on().await {
                break end;
            },
            place = frames.reserve(), if !waiting.is_empty() => {
                // An error means that the client is gone.
                let (Ok(place), Some(event)) = (place, waiting.pop_front()) else { return };
                place.send(Frame::Event(event));
                taken_at = Instant::now();
            }
            () = tokio::time::sleep_until(taken_at + PATIENCE), if !waiting.is_empty() => return,
            next = source.next(), if waiting.is_empty() => match next {
                Ok(events) => {
                    waiting.extend(events);
                    taken_at = Instant::now();
                }
                Err(error) => break ended(error.code(), &error.to_string()),
            },
        }
    };
    // Whoever does not read does not hear why either.
    let _ = tokio::time::timeout(HEARTBEAT, frames.send(Frame::End(end))).await;
}

fn ended(code: Code, detail: &str) -> LiveEnd {
    LiveEnd {
        code: code.as_str().to_owned(),
        detail: detail.to_owned(),
    }
}

impl Viewer {
    /// Whether the token or session is still good and its owner still may see the stream.
    async fn may_go_on(&self) -> Result<(), LiveEnd> {
        match self.look().await {
            Ok(()) => Ok(()),
            // Nothing is counted while the database is away, so there is nothing to see.
            Err(Error::Store(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the rights of a live stream were not looked at"
                );
                Ok(())
            }
            Err(error) => Err(ended(error.code(), &error.to_string())),
        }
    }

    async fn look(&self) -> Result<(), Error> {
        let control: &Control = &self.app.control;
        let caller = match &self.credential {
            Credential::Cookie(cookie) => control.recall_session(cookie, &self.about).await?,
            Credential::Bearer => {
                let token = auth::bearer(&self.headers)?.unwrap_or_default();
                control.authenticate_bearer(token, &self.about).await?
            }
            Credential::None => self.caller.clone(),
        };
        // Who has left the organization would fall back to another one of theirs.
        if control.check_stream(&caller, self.stream)? != self.organization {
            return Err(Error::not_found("organization"));
        }
        Ok(())
    }
}

impl Sent {
    /// An event with JSON.
    ///
    /// # Errors
    /// `internal` if `data` cannot be written, which is plain.
    pub(crate) fn new(
        name: &'static str,
        id: Option<String>,
        data: &impl serde::Serialize,
    ) -> Result<Self, Error> {
        let data = serde_json::to_string(data).map_err(|error| Error::internal("writing an event", error))?;
        Ok(Self { name, id, data })
    }
}
