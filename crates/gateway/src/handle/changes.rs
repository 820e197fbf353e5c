//! Tells whoever listens that flags have changed: one event with the snapshot that brings it.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use domain::id::OrganizationId;
use futures_util::stream::{self, Stream, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use tokio::sync::watch;

use crate::body::AnswerBody;
use crate::conn::Conn;

/// How long nothing is told before a sign of life is.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// An answer that does not end before the connection's listener is left, or the key has ended.
pub(super) fn answer(conn: &Rc<Conn>, organization: OrganizationId, key: String) -> Response<AnswerBody> {
    let watch = Watch {
        installs: conn.core().installs(),
        conn: Rc::clone(conn),
        organization,
        key,
        told: None,
    };
    let mut response = Response::new(AnswerBody::live(watch.events().boxed_local()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

struct Watch {
    conn: Rc<Conn>,
    installs: watch::Receiver<u64>,
    organization: OrganizationId,
    key: String,
    /// The tag that was told last.
    told: Option<String>,
}

impl Watch {
    fn events(self) -> impl Stream<Item = Bytes> {
        stream::unfold(self, |mut watch| async move {
            let event = watch.next().await?;
            Some((event, watch))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.installs.borrow_and_update();
            if let Some(event) = self.news()? {
                return Some(event);
            }
            tokio::select! {
                () = self.conn.last_chance() => return None,
                changed = self.installs.changed() => changed.ok()?,
                () = tokio::time::sleep(HEARTBEAT) => {
                    return Some(Bytes::from_static(flags::changes::SIGN_OF_LIFE));
                }
            }
        }
    }

    /// What has changed since it was told last; the outer `None` if the key opens nothing any more.
    fn news(&mut self) -> Option<Option<Bytes>> {
        let core = self.conn.core();
        let installed = core.installed()?;
        let flags = &installed.compiled.flags;
        let now = core.clock.at(std::time::Instant::now()).calendar;
        flags.directory.key(&self.key, now).ok()?;
        let set = flags.sets.get(self.organization);
        let tag = set.map_or("none", |set| set.tag());
        if self.told.as_deref() == Some(tag) {
            return Some(None);
        }
        self.told = Some(tag.to_owned());
        Some(Some(flags::changes::event(tag).into()))
    }
}
