//! Tells whoever listens that flags have changed, with the snapshot that brings it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::id::OrganizationId;
use flags::{Set, Words};
use futures_util::stream::{self, Stream, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use hyper::body::Frame;
use tokio::sync::watch;

use super::Holder;
use crate::body::AnswerBody;
use crate::conn::Conn;

/// How long nothing is told before a sign of life is.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What listeners are told.
pub(super) trait Tell: 'static {
    /// The flags as they are now, at the beginning and whenever they are others.
    fn news(&mut self, set: Option<&Arc<Set>>) -> Bytes;

    /// The words in which it tells of all flags, if it does.
    fn words(&self) -> Option<Words> {
        None
    }

    /// What says that nothing has happened, if anything does.
    fn sign_of_life(&self) -> Option<Bytes>;

    /// The last of what is told, if the stream has words for its end.
    fn end(&self, _end: End) -> Option<Frame<Bytes>> {
        None
    }
}

/// Why nothing more is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The connection's listener is left.
    Left,
    /// The key opens nothing any more.
    KeyEnded,
}

/// Server-sent events.
pub(super) struct Events<F> {
    /// Makes one of the flags, and is told the tag of those that were told before.
    event: F,
    words: Option<Words>,
    before: Option<String>,
}

impl<F: Fn(Option<&Set>, Option<&str>) -> Bytes + 'static> Tell for Events<F> {
    fn news(&mut self, set: Option<&Arc<Set>>) -> Bytes {
        let set = set.map(|set| &**set);
        let tag = set.map_or("none", Set::tag).to_owned();
        let before = self.before.replace(tag);
        (self.event)(set, before.as_deref())
    }

    fn words(&self) -> Option<Words> {
        self.words
    }

    fn sign_of_life(&self) -> Option<Bytes> {
        Some(Bytes::from_static(flags::changes::SIGN_OF_LIFE))
    }
}

/// Answers with server-sent events, made by a function of the flags in the words that it needs them in.
pub(super) fn events<F: Fn(Option<&Set>, Option<&str>) -> Bytes + 'static>(
    conn: &Rc<Conn>,
    holder: &Holder<'_>,
    (words, event): (Option<Words>, F),
) -> Response<AnswerBody> {
    let tell = Events {
        event,
        words,
        before: None,
    };
    let mut response = Response::new(told(conn, holder, tell));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A body that does not end before the connection's listener is left, or the key has ended.
pub(super) fn told(conn: &Rc<Conn>, holder: &Holder<'_>, tell: impl Tell) -> AnswerBody {
    let watch = Watch {
        installs: conn.core().installs(),
        conn: Rc::clone(conn),
        organization: holder.key.organization,
        key: holder.text.clone(),
        told: None,
        has_ended: false,
        tell,
    };
    AnswerBody::live(watch.frames().boxed_local())
}

struct Watch<T> {
    conn: Rc<Conn>,
    installs: watch::Receiver<u64>,
    organization: OrganizationId,
    key: String,
    /// The tag that was told last.
    told: Option<String>,
    has_ended: bool,
    tell: T,
}

impl<T: Tell> Watch<T> {
    fn frames(self) -> impl Stream<Item = Frame<Bytes>> {
        stream::unfold(self, |mut watch| async move {
            if watch.has_ended {
                return None;
            }
            let frame = match watch.next().await {
                Ok(news) => Frame::data(news),
                Err(end) => {
                    watch.has_ended = true;
                    watch.tell.end(end)?
                }
            };
            Some((frame, watch))
        })
    }

    async fn next(&mut self) -> Result<Bytes, End> {
        loop {
            self.installs.borrow_and_update();
            if let Some(news) = self.news().await? {
                return Ok(news);
            }
            tokio::select! {
                () = self.conn.last_chance() => return Err(End::Left),
                changed = self.installs.changed() => changed.map_err(|_| End::Left)?,
                () = tokio::time::sleep(HEARTBEAT) => {
                    if let Some(sign) = self.tell.sign_of_life() {
                        return Ok(sign);
                    }
                }
            }
        }
    }

    /// What has changed since it was told last.
    async fn news(&mut self) -> Result<Option<Bytes>, End> {
        let core = self.conn.core();
        let installed = core.installed().ok_or(End::Left)?;
        let flags = &installed.compiled.flags;
        let now = core.clock.at(std::time::Instant::now()).calendar;
        flags.directory.key(&self.key, now).map_err(|_| End::KeyEnded)?;
        let set = flags.sets.get(self.organization);
        let tag = set.map_or("none", |set| set.tag());
        if self.told.as_deref() == Some(tag) {
            return Ok(None);
        }
        self.told = Some(tag.to_owned());
        if let (Some(set), Some(words)) = (set, self.tell.words()) {
            flags.desk.written(set, words).await;
        }
        Ok(Some(self.tell.news(set)))
    }
}
