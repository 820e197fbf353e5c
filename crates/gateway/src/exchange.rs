//! One request to an upstream and the head of its answer.

use std::rc::Rc;
use std::time::Duration;

use domain::traffic::Timeouts;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::{Body as _, Incoming};

use crate::balance::Balancer;
use crate::body::{AnswerBody, Broken, RequestBody, Upload};
use crate::causes::chain;
use crate::compile::Upstream;
use crate::conn::Conn;
use crate::deadline::Deadline;
use crate::forward;
use crate::pool::Lease;
use crate::refusal::Cause;
use crate::target::Target;

/// Where a request goes below its target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Going<'a> {
    /// The path below the route.
    pub(crate) path: &'a str,
    /// With its question mark, or empty.
    pub(crate) query: &'a str,
    /// What the client called us.
    pub(crate) host: &'a HeaderValue,
}

/// An exchange while it is under way.
struct Exchange<'a> {
    conn: &'a Conn,
    upstream: &'a Upstream,
    balancer: &'a Balancer,
    going: Going<'a>,
    upload: Option<Rc<Upload>>,
    deadline: Deadline,
}

/// Sends a request and waits for the head of its answer; the body is still to come.
///
/// A target that cannot be reached is passed over for the next one. A request is sent a second time only if
/// nothing of it was sent, or if the connection had been idle, died without a byte of an answer, and the
/// request has no body and is idempotent (RFC 9110 section 9.2.2).
pub(crate) async fn exchange(
    conn: &Conn,
    (upstream, balancer): (&Upstream, &Balancer),
    going: Going<'_>,
    request: Request<RequestBody>,
    upload: Option<Rc<Upload>>,
) -> Result<Response<AnswerBody>, Cause> {
    let deadline = conn.core().deadlines.deadline();
    let exchange = Exchange {
        conn,
        upstream,
        balancer,
        going,
        upload,
        deadline,
    };
    let answered = exchange.run(request).await;
    if answered.is_err() {
        conn.core().figures.upstream_errors.add(1);
    }
    let (response, lease) = answered?;
    Ok(exchange.answer(response, lease))
}

impl Exchange<'_> {
    async fn run(&self, mut request: Request<RequestBody>) -> Result<(Response<Incoming>, Lease), Cause> {
        let mut is_fresh = false;
        loop {
            let (mut lease, target) = self.lease(is_fresh).await?;
            self.address(&mut request, &target)?;
            lease.upload.clone_from(&self.upload);
            let copy = if lease.is_stale { copy(&request) } else { None };
            let failed = match self.bound(lease.send(request)).await? {
                Ok(response) => return Ok((response, lease)),
                Err(failed) => failed,
            };
            let mut failed = failed;
            let again = failed
                .take_message()
                .or(copy)
                .filter(|_| lease.is_reused && !is_fresh);
            let Some(again) = again else {
                return Err(self.cause(failed.error()));
            };
            self.conn.core().figures.upstream_retries.add(1);
            request = again;
            // Other idle connections are likely to be dead as well.
            is_fresh = true;
        }
    }

    /// Finds a connection, an idle one if there is one.
    async fn lease(&self, is_fresh: bool) -> Result<(Lease, std::sync::Arc<Target>), Cause> {
        let mut failed = None;
        for _ in 0..self.balancer.len() {
            let choice = self.balancer.next();
            if !is_fresh && let Some(lease) = choice.pool.take() {
                return Ok((lease, std::sync::Arc::clone(&choice.target)));
            }
            self.deadline.arm(millis(self.timeouts().connect_ms));
            let connected = self.deadline.bound(choice.pool.connect()).await;
            self.deadline.disarm();
            match connected {
                Some(Ok(lease)) => return Ok((lease, std::sync::Arc::clone(&choice.target))),
                Some(Err(error)) => failed = Some(error),
                None => failed = None,
            }
            choice.pool.set_down();
        }
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

    fn address(&self, request: &mut Request<RequestBody>, target: &Target) -> Result<(), Cause> {
        let Going { path, query, host } = self.going;
        *request.uri_mut() = target
            .uri(path, query)
            .ok_or(Cause::Target("The path is too long to be forwarded."))?;
        let is_http2 = target.endpoint.is_http2;
        let name = if self.upstream.preserve_host {
            host
        } else {
            &target.host
        };
        *request.version_mut() = if is_http2 {
            http::Version::HTTP_2
        } else {
            http::Version::HTTP_11
        };
        // HTTP/2 says it in `:authority`, unless that would be a lie about where it goes.
        let field = Some(name.clone()).filter(|_| !is_http2 || self.upstream.preserve_host);
        forward::set_host(request.headers_mut(), field);
        Ok(())
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

    fn answer(self, response: Response<Incoming>, lease: Lease) -> Response<AnswerBody> {
        let (mut head, body) = response.into_parts();
        forward::answer_head(&mut head.headers, head.version);
        head.version = http::Version::HTTP_11;
        head.extensions.clear();
        let pause = millis(self.timeouts().idle_ms);
        Response::from_parts(head, AnswerBody::upstream(body, lease, self.deadline, pause))
    }

    const fn timeouts(&self) -> &Timeouts {
        &self.upstream.timeouts
    }

    /// Says whose fault it is that there is no answer.
    fn cause(&self, error: &hyper::Error) -> Cause {
        let broken = self.upload.as_ref().and_then(|upload| upload.broken.get());
        if let Some(violation) = self.conn.violation().filter(|_| broken == Some(Broken::Gone)) {
            return Cause::Violation(violation);
        }
        if let Some(broken) = broken {
            return broken.into();
        }
        tracing::warn!(error = %chain(error), "no answer of the upstream");
        if error.is_parse() {
            Cause::Invalid {
                detail: "What it sent is not HTTP.",
            }
        } else {
            Cause::Invalid {
                detail: "It closed the connection without an answer.",
            }
        }
    }
}

/// A second copy of a request that may be sent twice.
fn copy(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let idempotent = [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
        Method::PUT,
        Method::DELETE,
    ];
    if !request.body().is_end_stream() || !idempotent.contains(request.method()) {
        return None;
    }
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.headers_mut() = request.headers().clone();
    debug_assert!(copy.headers().contains_key(HOST) || request.version() == http::Version::HTTP_2);
    Some(copy)
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(u64::from(millis))
}
