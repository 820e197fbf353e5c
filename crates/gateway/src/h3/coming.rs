//! What comes on the stream of a request: its head, its body, its trailers.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use hyper::body::{Frame, SizeHint};
use quinn::{Connection, RecvStream};

use super::frame::{self, Code, Fault, Frames, Next};
use super::head::{self, Head, Refused};
use crate::framing::HeadLimits;
use crate::interim::Interims;

/// The most bytes of a stream that are taken at once.
const PIECE_BYTES: usize = 64 * 1024;
/// The most bytes of frames on a stream that mean nothing here.
const IDLE_BYTES_MAX: usize = 64 * 1024;
/// What the beginning of a frame counts for: it is work, however short the frame is.
const START_BYTES: usize = 16;

/// The rest of a request behind its head; shared by who reads it and who answers.
#[derive(Debug, Clone)]
pub(crate) struct Coming(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    stream: RefCell<Stream>,
    fault: Cell<Option<Fault>>,
    interims: Rc<Interims>,
}

/// A stream as far as it was read.
#[derive(Debug)]
pub(super) struct Stream {
    connection: Connection,
    recv: RecvStream,
    frames: Frames,
    phase: Phase,
    /// The fields of a section whose end is not there yet, and its length.
    section: BytesMut,
    section_bytes: usize,
    limits: HeadLimits,
    idle_bytes: usize,
    /// What was found when it was looked whether there is a body.
    peeked: Option<Option<Item>>,
    /// How long the body has to be, and how much of it came.
    length: Option<u64>,
    bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Head,
    Body,
    /// What comes is for the other end of a tunnel.
    Joined,
    Trailed,
    Done,
}

#[derive(Debug)]
enum Item {
    Section(Bytes),
    /// A section that is too long to be read.
    Oversize,
    Data(Bytes),
}

impl Stream {
    pub(super) fn new(connection: Connection, recv: RecvStream, limits: HeadLimits) -> Self {
        Self {
            connection,
            recv,
            frames: Frames::default(),
            phase: Phase::Head,
            section: BytesMut::new(),
            section_bytes: 0,
            limits,
            idle_bytes: 0,
            peeked: None,
            length: None,
            bytes: 0,
        }
    }

    /// Reads the head into `headers`; none if it is too large.
    pub(super) async fn head(&mut self, headers: HeaderMap) -> Result<Option<Head>, Fault> {
        let section = match poll_fn(|context| self.poll_next(context)).await? {
            Some(Item::Section(section)) => section,
            Some(Item::Oversize) => return Ok(None),
            Some(Item::Data(_)) => unreachable!("data before the head is a fault"),
            None => return Err(Fault::Stream(Code::RequestIncomplete)),
        };
        let head = match head::request(&section, self.limits, headers) {
            Ok(head) => head,
            Err(Refused::TooLarge) => return Ok(None),
            Err(refused) => return Err(fault(refused)),
        };
        self.length = head.length;
        // Whether there is a body is told by what follows, which mostly is there already.
        let waits = head.length.is_none() && !may_have_body(&head.method);
        let found = poll_fn(|context| match self.poll_next(context) {
            Poll::Pending if !waits => Poll::Ready(None),
            found => found.map(Some),
        });
        match found.await {
            None => {}
            Some(Ok(None)) => self.end()?,
            Some(Ok(item)) => self.peeked = Some(item),
            Some(Err(fault)) => return Err(fault),
        }
        Ok(Some(head))
    }

    /// Ends the body; it has to be as long as was said.
    fn end(&mut self) -> Result<(), Fault> {
        self.phase = Phase::Done;
        match self.length {
            Some(length) if length != self.bytes => Err(Fault::Stream(Code::MessageError)),
            _ => Ok(()),
        }
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Fault>> {
        if self.phase == Phase::Done {
            return Poll::Ready(Ok(None));
        }
        let item = match self.peeked.take() {
            Some(item) => item,
            None => ready!(self.poll_next(context))?,
        };
        Poll::Ready(match item {
            Some(Item::Data(data)) => {
                self.bytes += data.len() as u64;
                if self.length.is_some_and(|length| self.bytes > length) {
                    return Poll::Ready(Err(Fault::Stream(Code::MessageError)));
                }
                Ok(Some(Frame::data(data)))
            }
            Some(Item::Section(section)) => head::trailers(&section, self.limits)
                .map(|trailers| Some(Frame::trailers(trailers)))
                .map_err(fault),
            Some(Item::Oversize) => Err(Fault::Stream(Code::ExcessiveLoad)),
            None => self.end().map(|()| None),
        })
    }

    /// What comes next, none at the end of the stream.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Item>, Fault>> {
        loop {
            match self.frames.next() {
                Next::Start(kind, length) => {
                    if let Some(item) = self.start(kind, length)? {
                        return Poll::Ready(Ok(Some(item)));
                    }
                }
                Next::Part(part) => {
                    if let Some(item) = self.part(part)? {
                        return Poll::Ready(Ok(Some(item)));
                    }
                }
                Next::More => {
                    let reading = pin!(self.recv.read_chunk(PIECE_BYTES, true));
                    match ready!(reading.poll(context)) {
                        Ok(Some(chunk)) => self.frames.push(chunk.bytes),
                        Ok(None) if self.frames.is_between() => return Poll::Ready(Ok(None)),
                        Ok(None) => return Poll::Ready(Err(Fault::Connection(Code::FrameError))),
                        Err(_) => return Poll::Ready(Err(Fault::Gone)),
                    }
                }
            }
        }
    }

    /// A frame begins: RFC 9114 section 4.1.
    fn start(&mut self, kind: u64, length: u64) -> Result<Option<Item>, Fault> {
        match (kind, self.phase) {
            (frame::HEADERS, Phase::Head | Phase::Body) => {
                self.phase = match self.phase {
                    Phase::Head => Phase::Body,
                    _ => Phase::Trailed,
                };
                self.section_bytes = usize::try_from(length).unwrap_or(usize::MAX);
                if self.section_bytes > self.limits.bytes_max {
                    return Ok(Some(Item::Oversize));
                }
                return Ok((length == 0).then(|| Item::Section(Bytes::new())));
            }
            (frame::DATA, Phase::Body | Phase::Joined) => {}
            (
                frame::DATA
                | frame::HEADERS
                | frame::CANCEL_PUSH
                | frame::SETTINGS
                | frame::PUSH_PROMISE
                | frame::GOAWAY
                | frame::MAX_PUSH_ID,
                _,
            ) => return Err(Fault::Connection(Code::FrameUnexpected)),
            (kind, _) if frame::is_of_http2(kind) => return Err(Fault::Connection(Code::FrameUnexpected)),
            // Nothing that is known: RFC 9114 section 9.
            _ => {}
        }
        if kind != frame::DATA || length == 0 {
            self.idle(START_BYTES)?;
        }
        Ok(None)
    }

    fn part(&mut self, part: Bytes) -> Result<Option<Item>, Fault> {
        match self.frames.kind() {
            Some(frame::DATA) => Ok(Some(Item::Data(part))),
            Some(frame::HEADERS) if self.section.is_empty() && part.len() == self.section_bytes => {
                Ok(Some(Item::Section(part)))
            }
            Some(frame::HEADERS) => {
                self.section.extend_from_slice(&part);
                let is_whole = self.section.len() == self.section_bytes;
                Ok(is_whole.then(|| Item::Section(self.section.split().freeze())))
            }
            _ => self.idle(part.len()).map(|()| None),
        }
    }

    /// Counts what means nothing here.
    fn idle(&mut self, bytes: usize) -> Result<(), Fault> {
        self.idle_bytes += bytes;
        if self.idle_bytes > IDLE_BYTES_MAX {
            return Err(Fault::Connection(Code::ExcessiveLoad));
        }
        Ok(())
    }

    /// Tells the client that nothing more is read.
    pub(super) fn stop(&mut self, code: Code) {
        if self.phase != Phase::Done {
            // Fails if the client has ended it itself.
            let _ = self.recv.stop(code.number());
        }
    }
}

impl Coming {
    pub(super) fn new(stream: Stream, interims: &Rc<Interims>) -> Self {
        Self(Rc::new(Shared {
            stream: RefCell::new(stream),
            fault: Cell::new(None),
            interims: Rc::clone(interims),
        }))
    }

    /// Whether there is nothing more to come.
    pub(crate) fn is_end(&self) -> bool {
        self.0.stream.borrow().phase == Phase::Done
    }

    /// How much there is to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        let stream = self.0.stream.borrow();
        match stream.length {
            Some(length) => SizeHint::with_exact(length.saturating_sub(stream.bytes)),
            None => SizeHint::default(),
        }
    }

    /// The next part of the body; an error if the client does not bring it to its end.
    pub(crate) fn poll_frame(&self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        if self.0.fault.get().is_some() {
            return Poll::Ready(Some(Err(Gone)));
        }
        let mut stream = self.0.stream.borrow_mut();
        let polled = stream.poll_body(context);
        self.0.interims.ask(polled.is_ready());
        Poll::Ready(match ready!(polled) {
            Ok(frame) => frame.map(Ok),
            Err(fault) => {
                self.0.fault.set(Some(fault));
                if let Fault::Connection(code) = fault {
                    stream.connection.close(code.number(), b"");
                }
                Some(Err(Gone))
            }
        })
    }

    /// From now on only data comes, for the other end of a tunnel: RFC 9114 section 4.4.
    pub(super) fn join(&self) {
        let mut stream = self.0.stream.borrow_mut();
        if stream.phase == Phase::Body {
            stream.phase = Phase::Joined;
        }
    }

    /// The next data for the other end of a tunnel, none at its end.
    ///
    /// # Errors
    /// The client has broken off, or says something else.
    pub(super) fn poll_data(&self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Gone>> {
        let frame = match ready!(self.poll_frame(context)).transpose()? {
            None => return Poll::Ready(Ok(None)),
            Some(frame) => frame,
        };
        Poll::Ready(frame.into_data().map(Some).map_err(|_| {
            // It came before the tunnel was open.
            self.0.fault.set(Some(Fault::Connection(Code::FrameUnexpected)));
            Gone
        }))
    }

    /// What the client did wrong behind its head.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.0.fault.get()
    }

    /// Tells the client that nothing more is read.
    pub(super) fn stop(&self, code: Code) {
        self.0.stream.borrow_mut().stop(code);
    }
}

/// The client has broken off, or what it sent is not a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// Whether a body without a known length is common.
fn may_have_body(method: &http::Method) -> bool {
    matches!(method.as_str(), "POST" | "PUT" | "PATCH" | "CONNECT")
}

const fn fault(refused: Refused) -> Fault {
    match refused {
        Refused::Malformed => Fault::Stream(Code::MessageError),
        Refused::TooLarge => Fault::Stream(Code::ExcessiveLoad),
        Refused::Broken => Fault::Connection(Code::DecompressionFailed),
    }
}
