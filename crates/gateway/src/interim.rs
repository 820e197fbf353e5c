//! Answers before the answer (1xx) on their way to clients whose requests are streams.
//!
//! Who has them is not who writes them: the call reads them from an upstream, or wants the body that a client is to be
//! asked for; the stream's task says them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use http::header::{CONTENT_LENGTH, EXPECT, TE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// The most that wait for their client; further ones are left out.
const WAITING_MAX: usize = 16;
/// The most bytes of fields for a request; further answers are left out. A stream of HTTP/2 takes them all at once, however
/// slowly its client reads.
const BYTES_MAX: usize = 64 * 1024;

/// What of a request's interim answers is not written yet.
#[derive(Debug)]
pub(crate) struct Interims {
    waiting: RefCell<VecDeque<(StatusCode, HeaderMap)>>,
    bytes: Cell<usize>,
    /// Whether the client waits to be asked for the body.
    expects: Cell<bool>,
    /// Who writes them; a body can be wanted by somebody else.
    writer: RefCell<Option<Waker>>,
}

impl Interims {
    /// Takes whether the client waits to be asked for the body.
    pub(crate) fn new(expects: bool) -> Self {
        Self {
            waiting: RefCell::default(),
            bytes: Cell::new(0),
            expects: Cell::new(expects),
            writer: RefCell::default(),
        }
    }

    /// Says one of an upstream, without what concerns its connection, unless the client does not even take those before it.
    pub(crate) fn say(&self, status: StatusCode, mut headers: HeaderMap) {
        // There is no body whose length it could be (RFC 9110 section 8.6), and nothing that takes codings.
        headers.remove(CONTENT_LENGTH);
        headers.remove(TE);
        let length = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        let bytes = self.bytes.get() + headers.iter().map(length).sum::<usize>();
        if bytes <= BYTES_MAX && self.waiting.borrow().len() < WAITING_MAX {
            self.bytes.set(bytes);
            self.push(status, headers);
        }
    }

    /// Asks for the body if the client waits for that, unless some of it is there; to be called by who wants it.
    pub(crate) fn ask(&self, is_there: bool) {
        if self.expects.take() && !is_there {
            self.push(StatusCode::CONTINUE, HeaderMap::new());
        }
    }

    fn push(&self, status: StatusCode, headers: HeaderMap) {
        self.waiting.borrow_mut().push_back((status, headers));
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    /// Takes the next one to be written.
    pub(crate) fn next(&self) -> Option<(StatusCode, HeaderMap)> {
        self.waiting.borrow_mut().pop_front()
    }

    /// Ready as long as some wait to be written.
    pub(crate) fn poll_some(&self, context: &mut Context<'_>) -> Poll<()> {
        if !self.waiting.borrow().is_empty() {
            return Poll::Ready(());
        }
        let mut writer = self.writer.borrow_mut();
        let is_known = |known: &Waker| known.will_wake(context.waker());
        if !writer.as_ref().is_some_and(is_known) {
            *writer = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

/// Whether a client waits to be asked for the body: RFC 9110 section 10.1.1.
pub(crate) fn expects(headers: &HeaderMap) -> bool {
    let said = headers.get(EXPECT);
    said.is_some_and(|value| is_continue(value.as_bytes()))
}

/// Whether the value of `Expect` says that.
pub(crate) const fn is_continue(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"100-continue")
}
