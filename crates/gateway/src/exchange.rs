//! One request to an upstream and the head of its answer.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::{Duration, Instant};

use domain::traffic::Timeouts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};

use crate::balance::{Balancer, Choice};
use crate::body::{AnswerBody, Broken, RequestBody, Upload};
use crate::causes::chain;
use crate::compile::Upstream;
use crate::conn::Conn;
use crate::deadline::Deadline;
use crate::forward::{self, Added};
use crate::h1::{Fault, Head, server};
use crate::pool::{Lease, Line};
use crate::refusal::Cause;
use crate::target::Target;
use crate::websocket;

/// A request as it goes out, whichever connection takes it; its body goes beside it.
#[derive(Debug)]
pub(crate) struct Going<'a> {
    pub(crate) method: &'a Method,
    /// The path below the route.
    pub(crate) path: &'a str,
    /// With its question mark, or empty.
    pub(crate) query: &'a str,
    /// What the client speaks.
    pub(crate) version: Version,
    /// Whether the client asks for a WebSocket; only HTTP/1.1 with the upstream gets there.
    pub(crate) is_websocket: bool,
    /// What the client called us.
    pub(crate) host: &'a HeaderValue,
    /// What the route calls the upstream.
    pub(crate) host_sent: Option<&'a HeaderValue>,
    /// What the client said.
    pub(crate) headers: HeaderMap,
    /// What we say.
    pub(crate) added: Added<'a>,
}

/// An exchange while it is under way.
struct Exchange<'a> {
    conn: &'a Conn,
    upstream: &'a Upstream,
    balancer: &'a Balancer,
    going: Going<'a>,
    upload: Option<Rc<Upload>>,
    deadline: Deadline,
    /// What calls of one client have in common, if they belong to one target.
    key: Option<u64>,
    /// Targets that gave no answer.
    tried: Vec<Rc<Choice>>,
}

/// An answer whose body is still to come.
struct Answered {
    lease: Lease,
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    /// The body, if it does not come over the lease's own line.
    stream: Option<Incoming>,
}

/// Why a connection gave no answer, and the request's body if it may be sent over another one.
struct Failed {
    cause: Cause,
    again: Option<RequestBody>,
}

/// Sends a request and waits for the head of its answer; the body is still to come.
///
/// A target that cannot be reached is passed over for the next one. A request is sent a second time only if
/// nothing of it was sent, or if the connection had been idle, died without a byte of an answer, and the
/// request has no body and is idempotent (RFC 9110 section 9.2.2).
pub(crate) async fn exchange(
    conn: &Conn,
    balancer: &Balancer,
    going: Going<'_>,
    body: RequestBody,
    upload: Option<Rc<Upload>>,
) -> Result<Response<AnswerBody>, Cause> {
    let deadline = conn.core().deadlines.deadline();
    let upstream = &**balancer.upstream();
    let mut exchange = Exchange {
        key: upstream
            .rules
            .key(&going.headers, conn.address, going.added.application()),
        tried: Vec::new(),
        conn,
        upstream,
        balancer,
        going,
        upload,
        deadline,
    };
    let answered = exchange.run(body).await;
    if answered.is_err() {
        conn.core().figures.upstream_errors.add(1);
    }
    Ok(exchange.answer(answered?))
}

impl Exchange<'_> {
    async fn run(&mut self, mut body: RequestBody) -> Result<Answered, Cause> {
        let mut is_fresh = false;
        loop {
            let (lease, choice) = self.lease(is_fresh).await?;
            let may_repeat = lease.is_reused && !is_fresh;
            let began = self.upstream.measures.then(Instant::now);
            let target = &choice.target;
            let sent = if target.endpoint.is_http2 {
                // Large and rare enough not to be part of every call's future.
                Box::pin(self.send_http2(lease, target, body)).await
            } else {
                self.send_http1(lease, target, body).await
            };
            if let Some(began) = began {
                self.measure(&choice, began, sent.as_ref().ok());
            }
            let failed = match sent {
                Ok(answered) => return Ok(answered),
                Err(failed) => failed,
            };
            body = failed.again.filter(|_| may_repeat).ok_or(failed.cause)?;
            self.conn.core().figures.upstream_retries.add(1);
            // Other idle connections are likely to be dead as well.
            is_fresh = true;
        }
    }

    async fn send_http1(
        &mut self,
        mut lease: Lease,
        target: &Target,
        body: RequestBody,
    ) -> Result<Answered, Failed> {
        let Line::Http1(counted) = lease.line() else {
            unreachable!("the endpoint says which line it has");
        };
        let line = &mut counted.line;
        let may_repeat = body.is_end_stream() && is_idempotent(self.going.method);
        let head = Head {
            method: self.going.method,
            target: [&target.base_path, self.going.path, self.going.query],
            host: self.host(target),
            is_websocket: self.going.is_websocket,
            headers: &self.going.headers,
            added: &self.going.added,
        };
        line.begin(&head, body);
        let (conn, takes_interim) = (self.conn, self.going.version == Version::HTTP_11);
        let mut interim = |status, headers: &mut HeaderMap| {
            if takes_interim {
                forward::remove_hop_by_hop(headers);
                server::say_interim(&mut conn.interim.borrow_mut(), status, headers);
            }
        };
        let accept = self
            .going
            .is_websocket
            .then(|| websocket::accept(&self.going.headers))
            .flatten();
        let is_accepted = |headers: &HeaderMap| {
            accept
                .as_ref()
                .is_some_and(|accept| websocket::is_accepted(headers, accept))
        };
        // The answer's head takes the place of the request's, which is needed no more then.
        let mut headers = std::mem::take(&mut self.going.headers);
        let answered = self
            .bound(poll_fn(|context| {
                line.poll_answer(context, &mut headers, &mut interim)
            }))
            .await?;
        match answered {
            Ok((StatusCode::SWITCHING_PROTOCOLS, _)) if !is_accepted(&headers) => Err(Cause::Invalid {
                detail: "It did not accept the WebSocket that it was asked for.",
            }
            .into()),
            Ok((status, version)) => Ok(Answered {
                lease,
                status,
                version,
                headers,
                stream: None,
            }),
            Err(fault) => {
                self.going.headers = headers;
                let may_repeat = line.is_unsent() || (may_repeat && line.is_unanswered());
                Err(Failed {
                    again: may_repeat.then(|| line.take_body()),
                    cause: self.cause(matches!(fault, Fault::Invalid(_)), &fault),
                })
            }
        }
    }

    async fn send_http2(
        &self,
        mut lease: Lease,
        target: &Target,
        body: RequestBody,
    ) -> Result<Answered, Failed> {
        let Line::Http2(connection) = lease.line() else {
            unreachable!("the endpoint says which line it has");
        };
        let going = &self.going;
        let mut request = Request::new(body);
        *request.method_mut() = going.method.clone();
        *request.uri_mut() = target
            .uri(going.path, going.query)
            .ok_or(Cause::Target("The path is too long to be forwarded."))?;
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().clone_from(&going.headers);
        going.added.apply(request.headers_mut());
        // `:authority` says it, unless that would be a lie about where it goes.
        let kept = Some(going.host).filter(|_| self.upstream.preserve_host);
        let host = going.host_sent.or(kept).cloned();
        forward::set_host(request.headers_mut(), host);
        // A connection that was closed is never ready, and sending then fails with the request intact.
        let _ = connection.sender.ready().await;
        let answered = self.bound(connection.sender.try_send_request(request)).await?;
        match answered {
            Ok(response) => {
                let (head, stream) = response.into_parts();
                Ok(Answered {
                    lease,
                    status: head.status,
                    version: head.version,
                    headers: head.headers,
                    stream: Some(stream),
                })
            }
            Err(mut failed) => Err(Failed {
                again: failed.take_message().map(Request::into_body),
                cause: self.cause(failed.error().is_parse(), failed.error()),
            }),
        }
    }

    /// What the upstream is called in the request.
    const fn host<'a>(&'a self, target: &'a Target) -> &'a HeaderValue {
        match self.going.host_sent {
            Some(host) => host,
            None if self.upstream.preserve_host => self.going.host,
            None => &target.host,
        }
    }

    /// Notes how long a target took.
    fn measure(&self, choice: &Choice, began: Instant, answered: Option<&Answered>) {
        let now_ms = self.conn.core().deadlines.now_ms();
        match answered.filter(|answered| !answered.status.is_server_error()) {
            Some(_) => {
                let latency_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                choice.pool.load.answered(latency_us, now_ms);
            }
            None => choice.pool.load.failed(now_ms),
        }
    }

    /// Finds a connection, an idle one if there is one.
    async fn lease(&mut self, is_fresh: bool) -> Result<(Lease, Rc<Choice>), Cause> {
        let failed = loop {
            let Some(choice) = self.balancer.next(self.key, &self.tried) else {
                return Err(Cause::NoTarget);
            };
            if !is_fresh && let Some(lease) = choice.pool.take() {
                return Ok((lease, choice));
            }
            self.deadline.arm(millis(self.timeouts().connect_ms));
            // Large and rare: each call would carry room for it.
            let connected = self.deadline.bound(Box::pin(choice.pool.connect())).await;
            self.deadline.disarm();
            let failed = match connected {
                Some(Ok(lease)) => return Ok((lease, choice)),
                Some(Err(error)) => Some(error),
                None => None,
            };
            choice.pool.set_down();
            if self.upstream.measures {
                choice.pool.load.failed(self.conn.core().deadlines.now_ms());
            }
            self.tried.push(choice);
            if self.tried.len() >= self.balancer.len() {
                break failed;
            }
        };
        Err(match failed {
            Some(error) => {
                tracing::warn!(error = %chain(&error), "no connection to the upstream");
                Cause::Unreachable {
                    detail: "No connection could be opened.".into(),
                }
            }
            None => Cause::Timeout {
                detail: "No connection was open in time.",
            },
        })
    }

    /// Waits for an answer's head as long as it may take.
    ///
    /// The time begins when the request has been sent; while its body is on the way, it has to make progress.
    async fn bound<F: Future>(&self, answer: F) -> Result<F::Output, Cause> {
        let answer_max = millis(self.timeouts().answer_ms);
        let mut answer = std::pin::pin!(answer);
        let mut bytes_before = 0;
        self.deadline.arm(answer_max);
        loop {
            if let Some(output) = self.deadline.bound(answer.as_mut()).await {
                self.deadline.disarm();
                return Ok(output);
            }
            let upload = self.upload.as_ref().map(|upload| upload.bytes.get());
            match upload.filter(|bytes| *bytes > bytes_before) {
                Some(bytes) => bytes_before = bytes,
                None => {
                    return Err(Cause::Timeout {
                        detail: "The answer did not begin in time.",
                    });
                }
            }
            self.deadline.arm(answer_max);
        }
    }

    fn answer(self, answered: Answered) -> Response<AnswerBody> {
        let Answered {
            lease,
            status,
            version,
            mut headers,
            stream,
        } = answered;
        forward::answer_head(&mut headers, version);
        let pause = millis(if status == StatusCode::SWITCHING_PROTOCOLS {
            self.timeouts().tunnel_idle_ms
        } else {
            self.timeouts().idle_ms
        });
        let mut response = Response::new(AnswerBody::upstream((lease, stream), self.deadline, pause));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    const fn timeouts(&self) -> &Timeouts {
        &self.upstream.timeouts
    }

    /// Says whose fault it is that there is no answer.
    fn cause(&self, is_invalid: bool, error: &dyn std::error::Error) -> Cause {
        let broken = self.upload.as_ref().and_then(|upload| upload.broken.get());
        if let Some(violation) = self.conn.violation().filter(|_| broken == Some(Broken::Gone)) {
            return Cause::Violation(violation);
        }
        if let Some(broken) = broken {
            return broken.into();
        }
        tracing::warn!(error = %chain(error), "no answer of the upstream");
        Cause::Invalid {
            detail: if is_invalid {
                "What it sent is not HTTP."
            } else {
                "It closed the connection without an answer."
            },
        }
    }
}

impl From<Cause> for Failed {
    fn from(cause: Cause) -> Self {
        Self { cause, again: None }
    }
}

/// Whether a request may be repeated without doing more than once: RFC 9110 section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(u64::from(millis))
}
