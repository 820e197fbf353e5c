//! The bodies that pass through, either way.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::LocalBoxStream;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::brake::Brake;
use crate::deadline::Deadline;
use crate::grpc_web::{Decoder, Encoder, Form, NotBase64};
use crate::h1::Fault;
use crate::h1::server::Wire;
#[cfg(feature = "http3")]
use crate::h3;
use crate::http2;
use crate::mirror::Tap;
use crate::pool::{Lease, Line};
use crate::reach::Reached;
use crate::replay::Reading;
use crate::spare::Spare;
use crate::ticket::Ticket;
use crate::tunnel::{Counted, cut, tunnel};

/// Why a request's body was not forwarded to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: u64 },
    #[error("the client paused for too long")]
    Paused,
    #[error("the client broke off")]
    Gone,
    #[error("the body is not base 64")]
    NotBase64,
}

/// What the parts of a call know of the request's body, wherever that is at the moment.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    pub(crate) bytes: Cell<u64>,
    pub(crate) broken: Cell<Option<Broken>>,
}

/// A request's body on its way to the upstream: bounded in size and in pauses.
#[derive(Debug)]
pub(crate) struct RequestBody(Option<Box<Origin>>);

#[derive(Debug)]
enum Origin {
    Client(Client),
    /// What is kept of a client's body, to be sent again.
    Reading(Reading),
    /// All of it.
    Whole(Bytes),
}

/// A request's body as its connection brings it.
#[derive(Debug, Default)]
pub(crate) enum Arriving {
    #[default]
    None,
    Http1(Rc<Wire>),
    Http2(http2::Coming),
    #[cfg(feature = "http3")]
    Http3(h3::Coming),
}

impl Arriving {
    /// Whether there is nothing more to come.
    pub(crate) fn is_end(&self) -> bool {
        match self {
            Self::None => true,
            Self::Http1(wire) => wire.is_body_done(),
            Self::Http2(body) => body.is_end(),
            #[cfg(feature = "http3")]
            Self::Http3(body) => body.is_end(),
        }
    }

    /// How much there is to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::None => SizeHint::with_exact(0),
            Self::Http1(wire) => wire.body_hint(),
            Self::Http2(body) => body.size_hint(),
            #[cfg(feature = "http3")]
            Self::Http3(body) => body.size_hint(),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = match self {
            Self::None => return Poll::Ready(None),
            Self::Http1(wire) => ready!(wire.poll_frame(context)).map(Result::ok),
            Self::Http2(body) => ready!(body.poll_frame(context)).map(Result::ok),
            #[cfg(feature = "http3")]
            Self::Http3(body) => ready!(body.poll_frame(context)).map(Result::ok),
        };
        Poll::Ready(frame.map(|frame| frame.ok_or(Broken::Gone)))
    }
}

#[derive(Debug)]
struct Client {
    body: Arriving,
    bytes_max: u64,
    pause: Duration,
    deadline: Deadline,
    upload: Rc<Upload>,
    /// What makes gRPC of gRPC-Web.
    decoder: Option<Box<Decoder>>,
    brake: Option<Box<Brake>>,
    tap: Option<Box<Tap>>,
}

impl RequestBody {
    /// For requests without a body.
    pub(crate) const fn empty() -> Self {
        Self(None)
    }

    pub(crate) fn new(
        body: Arriving,
        bytes_max: u64,
        (deadline, pause): (Deadline, Duration),
        upload: Rc<Upload>,
    ) -> Self {
        Self(Some(Box::new(Origin::Client(Client {
            body,
            bytes_max,
            pause,
            deadline,
            upload,
            decoder: None,
            brake: None,
            tap: None,
        }))))
    }

    pub(crate) fn reading(reading: Reading) -> Self {
        Self(Some(Box::new(Origin::Reading(reading))))
    }

    /// A body that is there.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self((!bytes.is_empty()).then(|| Box::new(Origin::Whole(bytes))))
    }

    /// Takes a client's body down while it is read.
    pub(crate) fn tap(&mut self, tap: Box<Tap>) {
        if let Some(Origin::Client(client)) = self.0.as_deref_mut() {
            client.tap = Some(tap);
        }
    }

    /// Makes gRPC of gRPC-Web.
    pub(crate) fn decode(&mut self, form: Form) {
        if let Some(Origin::Client(client)) = self.0.as_deref_mut() {
            client.decoder = Some(Box::new(Decoder::new(form)));
        }
    }

    /// Flows no faster than a brake allows.
    pub(crate) fn braked(mut self, brake: Option<Box<Brake>>) -> Self {
        if let Some(Origin::Client(client)) = self.0.as_deref_mut() {
            client.brake = brake;
        }
        self
    }
}

impl Client {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(brake) = &mut self.brake
            && let Some(part) = ready!(brake.poll_free(context))
        {
            return Poll::Ready(Some(self.decoded(Frame::data(part))));
        }
        let Poll::Ready(frame) = self.body.poll(context) else {
            self.deadline.arm_once(self.pause);
            ready!(self.deadline.poll_over(context));
            return Poll::Ready(Some(Err(Broken::Paused)));
        };
        self.deadline.disarm();
        Poll::Ready(match frame {
            None => {
                let is_whole = self.decoder.as_ref().is_none_or(|decoder| decoder.is_whole());
                (!is_whole).then_some(Err(Broken::NotBase64))
            }
            Some(Err(broken)) => Some(Err(broken)),
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                let bytes = self.upload.bytes.get() + length;
                self.upload.bytes.set(bytes);
                if bytes > self.bytes_max {
                    Some(Err(Broken::TooLarge {
                        bytes_max: self.bytes_max,
                    }))
                } else {
                    let frame = match &mut self.brake {
                        Some(brake) => brake.cut(frame),
                        None => frame,
                    };
                    Some(self.decoded(frame))
                }
            }
        })
    }

    fn decoded(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Broken> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(frame);
        };
        match frame.into_data() {
            Ok(data) => {
                let data = decoder.decode(data).map_err(|NotBase64| Broken::NotBase64)?;
                Ok(Frame::data(data))
            }
            Err(frame) => Ok(frame),
        }
    }

    /// Notes what is passed on, if anybody wants to know.
    fn passed(&mut self, frame: Option<&Frame<Bytes>>) {
        let Some(mut tap) = self.tap.take() else { return };
        if let Some(frame) = frame {
            tap.note(frame);
        }
        if frame.is_none() || self.is_end() {
            tap.end();
        } else {
            self.tap = Some(tap);
        }
    }

    fn is_end(&self) -> bool {
        self.brake.as_ref().is_none_or(|brake| brake.is_empty())
            && self.body.is_end()
            && self.decoder.is_none()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let client = match self.0.as_deref_mut() {
            None => return Poll::Ready(None),
            Some(Origin::Reading(reading)) => return reading.poll(context),
            Some(Origin::Whole(bytes)) => {
                let bytes = std::mem::take(bytes);
                self.0 = None;
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            Some(Origin::Client(client)) => client,
        };
        let frame = ready!(client.poll(context));
        match &frame {
            Some(Err(broken)) => client.upload.broken.set(Some(*broken)),
            Some(Ok(frame)) => client.passed(Some(frame)),
            None => client.passed(None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self.0.as_deref() {
            None => true,
            Some(Origin::Client(client)) => client.is_end(),
            Some(Origin::Reading(reading)) => reading.is_end_stream(),
            Some(Origin::Whole(_)) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.0.as_deref() {
            None => SizeHint::with_exact(0),
            Some(Origin::Client(client)) if client.decoder.is_none() => client.body.size_hint(),
            Some(Origin::Client(_)) => SizeHint::default(),
            Some(Origin::Reading(reading)) => reading.size_hint(),
            Some(Origin::Whole(bytes)) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

/// Why an answer's body ended early; the client sees its connection or stream break.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    #[error("the upstream broke off")]
    Http1(#[source] Fault),
    #[error("the upstream broke off")]
    Http2(#[source] hyper::Error),
    #[error("the upstream paused for too long")]
    Paused,
}

/// An answer's body; the call is recorded when it is dropped.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    source: Source,
    ticket: Option<Box<Ticket>>,
    /// What makes gRPC-Web of gRPC.
    encoder: Option<Box<Encoder>>,
    brake: Option<Box<Brake>>,
    tap: Option<Box<Tap>>,
}

#[derive(Debug)]
enum Source {
    Upstream {
        from: Option<Inflow>,
        deadline: Deadline,
        pause: Duration,
    },
    Own(Option<Bytes>),
    /// What passes both ways is no body.
    Joined(Box<Joined>),
    /// What we tell as it happens.
    Live(Live),
}

/// What we tell as it happens; nothing once it has ended.
struct Live(Option<LocalBoxStream<'static, Frame<Bytes>>>);

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

/// A target that a client is joined with.
#[derive(Debug)]
struct Joined {
    reached: Reached,
    deadline: Deadline,
    pause: Duration,
}

/// Where an upstream's answer comes from.
#[derive(Debug)]
struct Inflow {
    lease: Lease,
    /// The stream of a connection that has several.
    stream: Option<Incoming>,
    /// How it ended early; told as soon as what came before was sent.
    cut: Option<Cut>,
}

impl Inflow {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(cut) = self.cut.take() {
            return Poll::Ready(Some(Err(cut)));
        }
        let frame = match (&mut self.stream, self.lease.line()) {
            (None, Line::Http1(counted)) => {
                let frame = ready!(counted.line.poll_frame(context));
                frame.map(|frame| frame.map_err(Cut::Http1))
            }
            (Some(stream), Line::Http2(_)) => {
                let frame = ready!(Pin::new(stream).poll_frame(context));
                frame.map(|frame| frame.map_err(Cut::Http2))
            }
            _ => unreachable!("only HTTP/2 has streams"),
        };
        if let Some(Err(cut)) = frame {
            // Resetting a stream throws away what it has not sent yet; a moment later, that is on its way.
            self.cut = Some(cut);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(frame)
    }

    fn is_end(&self) -> bool {
        match (&self.stream, self.lease.peek()) {
            (None, Line::Http1(counted)) => counted.line.is_answered(),
            (stream, _) => stream.as_ref().is_none_or(Incoming::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.stream, self.lease.peek()) {
            (None, Line::Http1(counted)) => counted.line.size_hint(),
            (stream, _) => stream
                .as_ref()
                .map_or_else(SizeHint::default, Incoming::size_hint),
        }
    }
}

impl AnswerBody {
    /// The body of an upstream's answer; its connection goes back to the pool when it was read to the end.
    pub(crate) fn upstream(
        (lease, stream): (Lease, Option<Incoming>),
        deadline: Deadline,
        pause: Duration,
    ) -> Self {
        deadline.disarm();
        Self {
            source: Source::Upstream {
                from: Some(Inflow {
                    lease,
                    stream,
                    cut: None,
                }),
                deadline,
                pause,
            },
            ticket: None,
            encoder: None,
            brake: None,
            tap: None,
        }
    }

    /// What passes between a client and a target from now on.
    pub(crate) fn joined(reached: Reached, deadline: Deadline, pause: Duration) -> Self {
        let joined = Joined {
            reached,
            deadline,
            pause,
        };
        Self {
            source: Source::Joined(Box::new(joined)),
            ticket: None,
            encoder: None,
            brake: None,
            tap: None,
        }
    }

    /// Whether the client is to be joined with a target, to whom what follows is passed.
    pub(crate) const fn is_joined(&self) -> bool {
        matches!(self.source, Source::Joined(_))
    }

    /// A body of our own; none if empty.
    pub(crate) fn own(bytes: Bytes) -> Self {
        Self {
            source: Source::Own(Some(bytes).filter(|bytes| !bytes.is_empty())),
            ticket: None,
            encoder: None,
            brake: None,
            tap: None,
        }
    }

    /// What we tell as it happens, until that ends.
    pub(crate) fn live(frames: LocalBoxStream<'static, Frame<Bytes>>) -> Self {
        Self {
            source: Source::Live(Live(Some(frames))),
            ticket: None,
            encoder: None,
            brake: None,
            tap: None,
        }
    }

    /// The bytes of a body of our own; none of an upstream's.
    pub(crate) fn into_own(mut self) -> Bytes {
        match &mut self.source {
            Source::Own(bytes) => bytes.take().unwrap_or_default(),
            Source::Upstream { .. } | Source::Joined(_) | Source::Live(_) => Bytes::new(),
        }
    }

    /// Makes gRPC-Web of gRPC.
    pub(crate) fn encode(&mut self, form: Form) {
        self.encoder = Some(Box::new(Encoder::new(form)));
    }

    /// Takes the body down as the service sends it.
    pub(crate) fn tapped(mut self, tap: Box<Tap>) -> Self {
        let mut tap = tap.with(self.tap.take());
        if self.source.is_end() {
            tap.end();
        } else {
            self.tap = Some(tap);
        }
        self
    }

    /// Notes what is passed on, if anybody wants to know.
    fn passed(&mut self, frame: Option<&Result<Frame<Bytes>, Cut>>) {
        let Some(mut tap) = self.tap.take() else { return };
        match frame {
            Some(Err(_)) => return,
            Some(Ok(frame)) => tap.note(frame),
            None => {}
        }
        if frame.is_none() || self.is_end_stream() {
            tap.end();
        } else {
            self.tap = Some(tap);
        }
    }

    /// Flows no faster than its brake allows, and records the call at its end.
    pub(crate) fn ends_with(&mut self, mut ticket: Box<Ticket>) {
        self.brake = ticket.down.take();
        self.ticket = Some(ticket);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some(brake) = &mut self.brake else {
            return self.source.poll(context);
        };
        if let Some(part) = ready!(brake.poll_free(context)) {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        let frame = ready!(self.source.poll(context));
        Poll::Ready(frame.map(|frame| frame.map(|frame| brake.cut(frame))))
    }
}

/// The two counts of a call whose connection became something else.
struct Passed<'a> {
    ticket: Option<&'a mut Ticket>,
    upload: Rc<Upload>,
}

impl Counted for Passed<'_> {
    fn received(&mut self, bytes: u64) {
        self.upload.bytes.set(self.upload.bytes.get() + bytes);
    }

    fn sent(&mut self, bytes: u64) {
        if let Some(ticket) = &mut self.ticket {
            ticket.sent(bytes);
        }
    }
}

impl AnswerBody {
    /// Passes bytes between a client and the upstream whose answer was that the protocol is switched, or the target that
    /// it is joined with.
    ///
    /// The call is recorded at the end of that.
    ///
    /// # Errors
    /// A client and a target that were joined did not come to their end: what was sent last may be missing.
    pub(crate) async fn tunnel(
        mut self,
        spare: &Spare,
        client: impl AsyncRead + AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let upload = Rc::new(Upload::default());
        let mut passed = Passed {
            ticket: self.ticket.as_deref_mut(),
            upload: Rc::clone(&upload),
        };
        let mut brakes = (None, self.brake.take());
        if let Some(ticket) = &mut passed.ticket {
            ticket.upload = Some(upload);
            brakes.0 = ticket.up.take();
        }
        match &mut self.source {
            Source::Upstream {
                from: Some(inflow),
                deadline,
                pause,
            } => {
                let Line::Http1(counted) = inflow.lease.line() else {
                    return Ok(());
                };
                let both = (client, &mut counted.line);
                // However it ends, it has ended: neither side is told more than that.
                let _ = tunnel(spare, both, (deadline, *pause), brakes, &mut passed).await;
                Ok(())
            }
            Source::Joined(joined) => {
                let Joined {
                    reached,
                    deadline,
                    pause,
                } = &mut **joined;
                let both = (client, &mut reached.socket);
                let ended = tunnel(spare, both, (deadline, *pause), brakes, &mut passed).await;
                ended.inspect_err(|error| cut(error, reached.socket.tcp()))
            }
            _ => Ok(()),
        }
    }
}

impl Source {
    fn is_end(&self) -> bool {
        match self {
            Self::Upstream { from, .. } => from.as_ref().is_none_or(Inflow::is_end),
            Self::Own(bytes) => bytes.is_none(),
            Self::Joined(_) => true,
            Self::Live(live) => live.0.is_none(),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Joined(_) => Poll::Ready(None),
            Self::Live(Live(frames)) => {
                let Some(source) = frames else {
                    return Poll::Ready(None);
                };
                let frame = ready!(source.as_mut().poll_next(context));
                if frame.is_none() {
                    *frames = None;
                }
                Poll::Ready(frame.map(Ok))
            }
            Self::Upstream {
                from,
                deadline,
                pause,
            } => {
                let Some(source) = from else {
                    return Poll::Ready(None);
                };
                let Poll::Ready(frame) = source.poll(context) else {
                    deadline.arm_once(*pause);
                    ready!(deadline.poll_over(context));
                    *from = None;
                    return Poll::Ready(Some(Err(Cut::Paused)));
                };
                deadline.disarm();
                Poll::Ready(frame)
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let mut frame = ready!(self.poll(context));
        if self.tap.is_some() {
            self.passed(frame.as_ref());
        }
        if let Some(encoder) = &mut self.encoder {
            frame = frame.map(|frame| frame.map(|frame| encoder.encode(frame)));
        }
        if let Some(ticket) = &mut self.ticket {
            match &frame {
                Some(Ok(frame)) => ticket.sent(frame.data_ref().map_or(0, |data| data.len() as u64)),
                Some(Err(_)) => ticket.cut(),
                None => {}
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        if self.brake.as_ref().is_some_and(|brake| !brake.is_empty()) {
            return false;
        }
        self.source.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        if self.encoder.is_some() && !self.is_end_stream() {
            return SizeHint::default();
        }
        match &self.source {
            Source::Upstream { from, .. } => from.as_ref().map_or_else(SizeHint::default, Inflow::size_hint),
            Source::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Joined(_) => SizeHint::with_exact(0),
            Source::Live(_) => SizeHint::default(),
        }
    }
}
