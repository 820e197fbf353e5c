//! Copies of calls, to a service whose answers nobody waits for.
//!
//! A copy is taken while the call goes on: its head at once, its body as it is read, and it is sent by a task of its own
//! once all of it is there. So a call is never later than without, and a mirror that is slow or away costs at most
//! `in_flight_max` places per core. Where answers are compared, the caller's is noted while it is passed on.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use domain::id::RouteId;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Response, Version};
use hyper::body::{Body as _, Frame};
use policy::Consumer;
use routing::{Mirroring, Unit};
use tokio::sync::oneshot;
use tokio::task::{spawn_blocking, spawn_local};

use crate::balance::Balancer;
use crate::body::{AnswerBody, RequestBody, Upload};
use crate::conn::Conn;
use crate::core::Core;
use crate::exchange::{Going, exchange};
use crate::forward::{self, Added};
use crate::grpc;
use crate::named::Named;

mod compare;
mod figures;

pub(crate) use self::compare::{Heard, Rules};
pub(crate) use self::figures::{Figures, Known, Report, reports, told, write};

/// The largest answer of a mirror that is read to keep its connection; the connection of a larger one is closed.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The mirror of a route, compiled.
#[derive(Debug)]
pub(crate) struct Mirror {
    pub(crate) route: RouteId,
    /// The place of its upstream.
    pub(crate) upstream: usize,
    pub(crate) mirroring: Mirroring,
    pub(crate) body_bytes_max: usize,
    pub(crate) in_flight_max: u32,
    pub(crate) sends_credentials: bool,
    pub(crate) compare: Option<Comparing>,
    /// Outlive snapshots.
    pub(crate) figures: Arc<Figures>,
}

/// How answers are compared.
#[derive(Debug)]
pub(crate) struct Comparing {
    pub(crate) rules: Arc<Rules>,
    /// Of 10,000 copies.
    pub(crate) share: u32,
    pub(crate) body_bytes_max: usize,
}

/// Who made a call, and how it is called.
#[derive(Clone, Copy)]
pub(crate) struct Maker<'a> {
    pub(crate) named: &'a Rc<Named>,
    pub(crate) request_id: &'a HeaderValue,
    pub(crate) consumer: Option<Consumer<'a>>,
    pub(crate) address: IpAddr,
}

/// A copy of a call.
struct Shadow {
    conn: Rc<Conn>,
    balancer: Rc<Balancer>,
    mirror: Arc<Mirror>,
    method: Method,
    path: Box<str>,
    query: Box<str>,
    version: Version,
    address: IpAddr,
    host_sent: Option<HeaderValue>,
    headers: HeaderMap,
    named: Rc<Named>,
    request_id: HeaderValue,
    share: u32,
    _place: Place,
}

/// Waits for the answer that the caller gets.
#[derive(Debug)]
pub(crate) struct Watch {
    sender: oneshot::Sender<Heard>,
    began: Instant,
    body_bytes_max: usize,
}

/// A copy's place among those of its core.
struct Place(Rc<Balancer>);

impl Place {
    fn take(balancer: &Rc<Balancer>, max: u32) -> Option<Self> {
        let taken = &balancer.copies;
        (taken.get() < max).then(|| {
            taken.set(taken.get() + 1);
            Self(Rc::clone(balancer))
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.copies.set(self.0.copies.get() - 1);
    }
}

impl Mirror {
    /// Begins to copy a call if it is one of those that are copied.
    pub(crate) fn begin(
        self: &Arc<Self>,
        conn: &Rc<Conn>,
        (balancer, share): (&Rc<Balancer>, u32),
        (going, maker): (&Going<'_>, Maker<'_>),
        body: &mut RequestBody,
    ) -> Option<Watch> {
        let core = conn.core();
        if going.is_websocket || !self.takes(core, going, maker) {
            return None;
        }
        let is_larger = body.size_hint().lower() > self.body_bytes_max as u64;
        if is_larger {
            self.figures.too_large();
            return None;
        }
        let Some(place) = Place::take(balancer, self.in_flight_max) else {
            self.figures.no_room();
            return None;
        };
        let whole = self.tap(body);
        let (watch, heard) = self.watch(core).unzip();
        let shadow = Shadow {
            conn: Rc::clone(conn),
            balancer: Rc::clone(balancer),
            mirror: Arc::clone(self),
            method: going.method.clone(),
            path: going.path.into(),
            query: going.query.into(),
            version: going.version,
            address: going.address,
            host_sent: going.host_sent.cloned(),
            headers: self.head(going, maker),
            named: Rc::clone(maker.named),
            request_id: maker.request_id.clone(),
            share,
            _place: place,
        };
        spawn_local(shadow.run(whole, heard));
        watch
    }

    fn takes(&self, core: &Core, going: &Going<'_>, maker: Maker<'_>) -> bool {
        let unit = Unit {
            headers: &going.headers,
            address: maker.address,
            application: maker.consumer.map(|consumer| consumer.application.id),
            subscription: maker.consumer.map(|consumer| consumer.subscription.id),
        };
        let random = || (core.ids.random() >> 32) as u32;
        self.mirroring.takes(going.method, &unit, random)
    }

    /// The head of a copy.
    fn head(&self, going: &Going<'_>, maker: Maker<'_>) -> HeaderMap {
        let mut headers = going.headers.clone();
        if !self.sends_credentials {
            forward::remove_credentials(&mut headers);
        }
        forward::mark_copy(&mut headers, maker.consumer);
        headers
    }

    /// Takes the body down while it is sent; none if there is none.
    fn tap(&self, body: &mut RequestBody) -> Option<oneshot::Receiver<Bytes>> {
        if body.is_end_stream() {
            return None;
        }
        let (sender, whole) = oneshot::channel();
        let figures = Arc::clone(&self.figures);
        body.tap(Tap::new(self.body_bytes_max, move |bytes| match bytes {
            // Whoever waited for it may be gone.
            Some(bytes) => drop(sender.send(bytes)),
            None => figures.too_large(),
        }));
        Some(whole)
    }

    fn watch(&self, core: &Core) -> Option<(Watch, oneshot::Receiver<Heard>)> {
        let comparing = self.compare.as_ref()?;
        let is_compared = core.ids.random() % 10_000 < u64::from(comparing.share);
        is_compared.then(|| {
            let (sender, heard) = oneshot::channel();
            let watch = Watch {
                sender,
                began: Instant::now(),
                body_bytes_max: comparing.body_bytes_max,
            };
            (watch, heard)
        })
    }
}

impl Watch {
    /// Takes an answer down while the caller gets it.
    pub(crate) fn observe(self, response: Response<AnswerBody>) -> Response<AnswerBody> {
        let (head, body) = response.into_parts();
        let heard = Heard {
            status: head.status,
            headers: head.headers.clone(),
            body: None,
            latency_us: micros(self.began),
        };
        let sender = self.sender;
        let done = move |body| drop(sender.send(Heard { body, ..heard }));
        let body = if is_stream(&head) {
            // It may go on for hours.
            done(None);
            body
        } else {
            body.tapped(Tap::new(self.body_bytes_max, done))
        };
        Response::from_parts(head, body)
    }
}

impl Shadow {
    async fn run(mut self, whole: Option<oneshot::Receiver<Bytes>>, heard: Option<oneshot::Receiver<Heard>>) {
        let body = match whole {
            None => RequestBody::empty(),
            Some(whole) => match whole.await {
                Ok(bytes) => RequestBody::whole(bytes),
                // The caller broke off, or it was too large.
                Err(_) => return,
            },
        };
        let mirror = Arc::clone(&self.mirror);
        let began = Instant::now();
        let answered = self.send(body).await;
        let latency_us = micros(began);
        let figures = &mirror.figures;
        figures.sent(latency_us);
        let Some(response) = answered else {
            return figures.failed();
        };
        let (head, body) = response.into_parts();
        let keep = mirror.compare.as_ref().filter(|_| heard.is_some());
        let keep = keep.map_or(0, |comparing| comparing.body_bytes_max);
        let Ok(body) = read(&head, body, keep).await else {
            return figures.failed();
        };
        let (Some(heard), Some(comparing)) = (heard, &mirror.compare) else {
            return;
        };
        // A caller who got none or broke off leaves nothing to be compared with.
        let Ok(real) = heard.await else { return };
        let rules = Arc::clone(&comparing.rules);
        let latencies = (real.latency_us, latency_us);
        let answer = Heard {
            status: head.status,
            headers: head.headers,
            body,
            latency_us,
        };
        // It takes longer than a core may be kept from calls.
        let compared = spawn_blocking(move || rules.compare(&real, &answer)).await;
        if let Ok(difference) = compared {
            let now = self.conn.core().clock.at(Instant::now()).calendar;
            let request_id = self.request_id.to_str().unwrap_or_default();
            figures.compared(difference, latencies, (now, request_id, &self.method));
        }
    }

    async fn send(&mut self, body: RequestBody) -> Option<Response<AnswerBody>> {
        let headers = std::mem::take(&mut self.headers);
        let mut added = Added::new(
            &self.conn,
            (&headers, self.version),
            &self.named,
            &self.request_id,
            None,
        );
        if !self.mirror.sends_credentials {
            added = added.without_certificate();
        }
        let upload = (!body.is_end_stream()).then(|| Rc::new(Upload::default()));
        let going = Going {
            added,
            grpc: grpc::Call::of(&self.method, &headers, Instant::now()),
            method: &self.method,
            path: &self.path,
            query: &self.query,
            version: self.version,
            is_websocket: false,
            is_copy: true,
            interims: None,
            address: self.address,
            host: &self.named.header,
            host_sent: self.host_sent.as_ref(),
            share: self.share,
            due_ms: self
                .balancer
                .upstream()
                .due_ms(self.conn.core().deadlines.now_ms()),
            headers,
        };
        // Nobody asks about copies.
        let notes = self.conn.core().recent.begin(Instant::now());
        let answered = exchange(&self.conn, &self.balancer, going, body, (upload, &notes)).await;
        answered.ok()
    }
}

/// Reads an answer to its end, so that its connection can be used again; its body, if it is no longer than `keep`.
async fn read(head: &http::response::Parts, body: AnswerBody, keep: usize) -> Result<Option<Bytes>, ()> {
    if is_stream(head) {
        return Ok(None);
    }
    let mut body = Box::pin(body);
    let (mut kept, mut bytes) = (BytesMut::new(), 0);
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(frame) = frame else { return Err(()) };
        if let Some(data) = frame.data_ref() {
            bytes += data.len();
            if bytes <= keep {
                kept.extend_from_slice(data);
            }
        }
        if bytes > ANSWER_BYTES_MAX {
            break;
        }
    }
    Ok((bytes <= keep).then(|| kept.freeze()))
}

/// Whether an answer has no end that is worth waiting for.
fn is_stream(head: &http::response::Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"))
}

fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Takes a body down while it is passed on, and hands it over at its end.
pub(crate) struct Tap {
    bytes: BytesMut,
    bytes_max: usize,
    /// Another one of the same body.
    next: Option<Box<Self>>,
    /// Gets none as soon as the body is too large, nothing if it does not come to its end.
    done: Option<Box<dyn FnOnce(Option<Bytes>)>>,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap")
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}

impl Tap {
    pub(crate) fn new(bytes_max: usize, done: impl FnOnce(Option<Bytes>) + 'static) -> Box<Self> {
        Box::new(Self {
            bytes: BytesMut::new(),
            bytes_max,
            next: None,
            done: Some(Box::new(done)),
        })
    }

    /// Takes the same body down as another one.
    pub(crate) fn with(mut self: Box<Self>, next: Option<Box<Self>>) -> Box<Self> {
        self.next = next;
        self
    }

    pub(crate) fn note(&mut self, frame: &Frame<Bytes>) {
        if let Some(next) = &mut self.next {
            next.note(frame);
        }
        let Some(data) = frame.data_ref().filter(|_| self.done.is_some()) else {
            return;
        };
        if self.bytes.len() + data.len() > self.bytes_max {
            self.bytes = BytesMut::new();
            self.done.take().into_iter().for_each(|done| done(None));
        } else {
            self.bytes.extend_from_slice(data);
        }
    }

    pub(crate) fn end(&mut self) {
        if let Some(next) = &mut self.next {
            next.end();
        }
        if let Some(done) = self.done.take() {
            done(Some(std::mem::take(&mut self.bytes).freeze()));
        }
    }
}
