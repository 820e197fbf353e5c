//! One request to an upstream and the head of its answer.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use domain::id::ApplicationId;
use domain::recent::{CallFallback, TryOutcome, TryReason};
use domain::traffic::{RetryOn, Timeouts};
use http::header::{AGE, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};

use crate::balance::{Balancer, Choice};
use crate::body::{AnswerBody, Broken, RequestBody, Upload};
use crate::causes::chain;
use crate::compile::Upstream;
use crate::conn::Conn;
use crate::deadline::Deadline;
use crate::forward::{self, Added};
use crate::grpc;
use crate::guard::{Held, Passed};
use crate::interim::Interims;
use crate::last_good::{LastGood, Wanted};
use crate::pool::{ConnectError, Lease, Need};
use crate::recent::Notes;
use crate::refusal::Cause;
use crate::replay::Replay;

mod hedge;
mod noted;
mod refused;
mod send;

use self::hedge::Asked;
use self::noted::Noting;
use self::refused::Refused;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request as it goes out, whichever connection takes it; its body goes beside it.
#[derive(Debug, Clone)]
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
    /// Whether it is a copy of a call, which nobody waits for.
    pub(crate) is_copy: bool,
    /// Where it came from, as far as trusted proxies say so.
    pub(crate) address: IpAddr,
    /// What the client called us.
    pub(crate) host: &'a HeaderValue,
    /// What the route calls the upstream.
    pub(crate) host_sent: Option<&'a HeaderValue>,
    /// What it asks for if it is a call of gRPC.
    pub(crate) grpc: Option<grpc::Call>,
    /// The part of what the upstream may have at a time that calls like this one may take, in percent.
    pub(crate) share: u32,
    /// When all of it has to be over, if it has.
    pub(crate) due_ms: Option<u64>,
    /// What the client said.
    pub(crate) headers: HeaderMap,
    /// What we say.
    pub(crate) added: Added<'a>,
    /// Where interim answers go, unless it is to the connection.
    pub(crate) interims: Option<Rc<Interims>>,
}

/// An exchange while it is under way.
struct Exchange<'a> {
    conn: &'a Conn,
    upstream: &'a Upstream,
    balancer: &'a Balancer,
    going: Going<'a>,
    upload: Option<Rc<Upload>>,
    deadline: Deadline,
    /// Whether the client says so, so that the upstream is not to blame.
    is_due_by_client: bool,
    /// What calls of one client have in common, if they belong to one target.
    key: Option<u64>,
    /// Targets that gave no answer.
    tried: Vec<Rc<Choice>>,
    /// How often the request was sent.
    attempts: u32,
    /// What was sent of the body, if it may be sent again.
    replay: Option<Replay>,
    /// Where it has been sent, if another exchange like it may be.
    asked: Option<Rc<Asked>>,
    noting: Noting<'a>,
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

/// Why a connection gave no answer.
struct Failed {
    cause: Cause,
    /// What makes it worth another try, if anything does.
    kind: Option<RetryOn>,
    /// Not a byte of the request was sent: here is its body.
    unsent: Option<RequestBody>,
    /// It had no body, may be repeated, and not a byte of an answer came.
    is_repeatable: bool,
    /// The upstream says that it has not looked at it.
    refused: Option<Refused>,
}

/// Sends a request and waits for the head of its answer; the body is still to come.
///
/// A target that cannot be reached is passed over for the next one. A request is sent a second time only if
/// nothing of it was sent, or if the connection had been idle, died without a byte of an answer, and the
/// request has no body and is idempotent (RFC 9110 section 9.2.2), or if the upstream says that it has not looked at
/// it, or as far as the upstream's `retries` say.
pub(crate) async fn exchange(
    conn: &Conn,
    balancer: &Balancer,
    mut going: Going<'_>,
    body: RequestBody,
    (upload, notes): (Option<Rc<Upload>>, &Notes),
) -> Result<Response<AnswerBody>, Cause> {
    let upstream = &**balancer.upstream();
    let noting = Noting::begin(notes, balancer);
    let now_ms = conn.core().deadlines.now_ms();
    let is_due_by_client = narrow(&mut going, now_ms);
    // A wait that is too long for the client says nothing of the upstream.
    let of_wait = |cause| match cause {
        Cause::Timeout { .. } if is_due_by_client => Cause::Expired,
        cause => cause,
    };
    let other = Other::of(balancer, &going, notes);
    let (passed, held) = match admitted(conn, balancer, &going, notes).await {
        Ok(admitted) => admitted,
        Err(cause) => return other.answer(conn, upstream, of_wait(cause)),
    };
    let mut exchange = Exchange {
        key: upstream
            .rules
            .key(&going.headers, going.address, going.added.application()),
        tried: Vec::new(),
        attempts: 0,
        replay: None,
        asked: None,
        noting,
        is_due_by_client,
        deadline: conn.core().deadlines.deadline(),
        conn,
        upstream,
        balancer,
        going,
        upload,
    };
    let hedge_after = upstream.hedge_after.filter(|_| exchange.may_be_hedged());
    let answered = match hedge_after {
        None => exchange.run(body).await,
        Some(after) => {
            let (ended, answered) = Box::pin(hedge::hedged(exchange, after)).await;
            exchange = ended;
            answered
        }
    };
    if let Some(passed) = passed
        && let Some(is_failure) = exchange.is_failure(answered.as_ref())
    {
        passed.finish(is_failure, conn.core().deadlines.now_ms());
    }
    match answered {
        Ok(answered) => match other.replacing(conn, answered.status) {
            Some(response) => Ok(response),
            None => Ok(other.keep(conn, answer(upstream, exchange.deadline, (answered, held)))),
        },
        Err(cause) => {
            if !exchange.going.is_copy {
                conn.core().figures.upstream_errors.add(1);
            }
            other.answer(conn, upstream, cause)
        }
    }
}

/// Sees that there is time left and that the circuit is closed, and takes a place; waits for one if it has to.
async fn admitted<'a>(
    conn: &Conn,
    balancer: &'a Balancer,
    going: &Going<'_>,
    notes: &Notes,
) -> Result<(Option<Passed<'a>>, Option<Box<Held>>), Cause> {
    let upstream = balancer.upstream();
    let deadlines = &conn.core().deadlines;
    let left = deadlines.left(going.due_ms);
    if left == Some(Duration::ZERO) {
        let detail = "The time was over before it could be sent.";
        return Err(Cause::Timeout { detail });
    }
    let passed = upstream
        .breaker
        .as_ref()
        .map(|breaker| breaker.pass(deadlines.now_ms()));
    let passed = passed.transpose().map_err(|after| Cause::CircuitOpen { after })?;
    if !upstream.is_bounded {
        return Ok((passed, None));
    }
    notes.borrow_mut().decided();
    // Large and rare: each call would carry room for it.
    let held = Box::pin(balancer.enter(going.share, left)).await?;
    Ok((passed, Some(held)))
}

/// Gives an exchange no longer than its client waits for it; whether that is what bounds it.
fn narrow(going: &mut Going<'_>, now_ms: u64) -> bool {
    let Some(left) = going.grpc.and_then(|call| call.left()) else {
        return false;
    };
    let given = now_ms.saturating_add(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    if going.due_ms.is_some_and(|due| due < given) {
        return false;
    }
    going.due_ms = Some(given);
    true
}

/// An answer with the body that is still to come.
fn answer(
    upstream: &Upstream,
    deadline: Deadline,
    (answered, held): (Answered, Option<Box<Held>>),
) -> Response<AnswerBody> {
    let Answered {
        mut lease,
        status,
        version,
        mut headers,
        stream,
    } = answered;
    lease.held = held;
    forward::answer_head(&mut headers, version);
    let pause = millis(if status == StatusCode::SWITCHING_PROTOCOLS {
        upstream.timeouts.tunnel_idle_ms
    } else {
        upstream.timeouts.idle_ms
    });
    let mut response = Response::new(AnswerBody::upstream((lease, stream), deadline, pause));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What may be answered in the place of an upstream that gives no answer.
struct Other<'a> {
    method: &'a Method,
    notes: &'a Notes,
    is_copy: bool,
    /// Its last good answers, and what is asked for.
    last_good: Option<Box<(&'a LastGood, Wanted)>>,
}

impl<'a> Other<'a> {
    fn of(balancer: &'a Balancer, going: &Going<'a>, notes: &'a Notes) -> Self {
        let last_good = balancer.last_good.as_ref().filter(|_| !going.is_copy);
        let last_good = last_good.and_then(|last_good| {
            let kept = Some(going.host).filter(|_| balancer.upstream().preserve_host);
            let host = going.host_sent.or(kept).map_or(&b""[..], HeaderValue::as_bytes);
            let place = [host, going.path.as_bytes(), going.query.as_bytes()];
            let application = going.added.application().map(ApplicationId::encoded);
            let application = application.as_ref().map(<[u8; _]>::as_slice);
            let wanted = Wanted::new((going.method, &going.headers), place, application)?;
            Some(Box::new((last_good, wanted)))
        });
        Self {
            method: going.method,
            notes,
            is_copy: going.is_copy,
            last_good,
        }
    }

    /// Answers in the place of an upstream that gave no answer, if it says how.
    fn answer(self, conn: &Conn, upstream: &Upstream, cause: Cause) -> Result<Response<AnswerBody>, Cause> {
        if !cause.calls_for_fallback() || self.is_copy {
            return Err(cause);
        }
        if let Some(response) = self.last(conn, cause.code().as_str()) {
            return Ok(response);
        }
        let Some(fallback) = &upstream.fallback else {
            return Err(cause);
        };
        conn.core().figures.upstream_fallbacks.add(1);
        self.notes.borrow_mut().fallback = Some((CallFallback::Fixed, None));
        let body = Some(&fallback.body).filter(|_| *self.method != Method::HEAD);
        let mut response = Response::new(AnswerBody::own(body.cloned().unwrap_or_default()));
        *response.status_mut() = fallback.status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, fallback.content_type.clone());
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(fallback.body.len()));
        Ok(response)
    }

    /// The last good answer in the place of one with this status, if it is to be replaced.
    fn replacing(&self, conn: &Conn, status: StatusCode) -> Option<Response<AnswerBody>> {
        let (last_good, _) = &**self.last_good.as_ref()?;
        last_good
            .replaces(status)
            .then(|| self.last(conn, status.as_str()))
            .flatten()
    }

    fn last(&self, conn: &Conn, why: &str) -> Option<Response<AnswerBody>> {
        let (last_good, wanted) = &**self.last_good.as_ref()?;
        let core = conn.core();
        let response = last_good.answer(wanted, core.deadlines.now_ms(), why)?;
        core.figures.upstream_fallbacks.add(1);
        core.figures.upstream_stale.add(1);
        let age = response.headers().get(AGE);
        let age = age.and_then(|age| age.to_str().ok()?.parse().ok());
        self.notes.borrow_mut().fallback = Some((CallFallback::LastGood, age));
        Some(response)
    }

    /// Keeps an answer for later, if answers are kept.
    fn keep(self, conn: &Conn, response: Response<AnswerBody>) -> Response<AnswerBody> {
        match self.last_good {
            None => response,
            Some(last_good) => {
                let (last_good, wanted) = *last_good;
                last_good.keep(&wanted, response, conn.core().deadlines.now_ms())
            }
        }
    }
}

impl<'a> Exchange<'a> {
    /// Whether asking twice at a time does no more than asking once.
    fn may_be_hedged(&self) -> bool {
        self.upload.is_none() && !self.going.is_websocket && is_idempotent(self.going.method)
    }

    /// Another exchange of the same request.
    fn twin(&self) -> Self {
        Self {
            going: self.going.clone(),
            upload: None,
            deadline: self.conn.core().deadlines.deadline(),
            tried: Vec::new(),
            attempts: 0,
            replay: None,
            asked: None,
            noting: self.noting.hedge(),
            ..*self
        }
    }
}

impl Exchange<'_> {
    async fn run(&mut self, mut body: RequestBody) -> Result<Answered, Cause> {
        let retries = &self.upstream.retries;
        if retries.is_active || self.upstream.hedge_after.is_some() {
            self.balancer.budget.called(self.now_ms());
        }
        let is_kept = retries.is_active && self.may_repeat() || self.upstream.may_refuse_streams();
        if is_kept && !body.is_end_stream() {
            body = self.keep(body, retries.body_bytes_max);
        }
        let (mut is_fresh, mut was_refused) = (false, false);
        loop {
            self.check_given()?;
            let (lease, choice, began) = self.lease(is_fresh).await?;
            if let Some(call) = &self.going.grpc {
                call.tell_left(&mut self.going.headers);
            }
            let is_stale = lease.is_reused && !is_fresh;
            self.attempts += 1;
            // An answer's fields take the place of the request's.
            let copy = (retries.has_statuses && self.attempts < retries.attempts_max)
                .then(|| self.going.headers.clone());
            let target = &choice.target;
            let sent = if lease.is_http2() {
                // Large and rare enough not to be part of every call's future.
                Box::pin(self.send_http2(lease, target, body)).await
            } else {
                self.send_http1(lease, target, body).await
            };
            let took = began.zip(self.ended(&sent));
            self.observe(&choice, took, &sent);
            let mut failed = match sent {
                Ok(answered) => {
                    let Some(again) = copy.and_then(|copy| self.after_status(&answered, copy)) else {
                        return Ok(answered);
                    };
                    drop(answered);
                    self.conn.core().figures.upstream_retries.add(1);
                    self.tried.push(choice);
                    // Large and rare.
                    Box::pin(self.wait(again.1)).await?;
                    body = again.0;
                    continue;
                }
                Err(failed) => failed,
            };
            let is_stale = is_stale && (failed.unsent.is_some() || failed.is_repeatable);
            let is_refused = !was_refused && failed.refused.is_some();
            if (is_stale || is_refused)
                && let Some(again) = self.again(&mut failed)
            {
                self.attempts -= 1;
                self.conn.core().figures.upstream_retries.add(1);
                body = again;
                was_refused |= is_refused;
                if failed.refused != Some(Refused::Stream) {
                    // Other idle connections are likely to be dead as well.
                    is_fresh = true;
                    self.noting.reason = TryReason::StaleConnection;
                }
                continue;
            }
            let Some(again) = self.after_failure(&mut failed) else {
                return Err(failed.cause);
            };
            body = again;
            self.conn.core().figures.upstream_retries.add(1);
            self.tried.push(choice);
            Box::pin(self.wait(None)).await?;
        }
    }

    /// Notes what a target's answer says of it.
    fn observe(&self, choice: &Choice, took: Option<(Instant, Instant)>, sent: &Result<Answered, Failed>) {
        let Some(is_failure) = self.is_failure(sent.as_ref().map_err(|failed| &failed.cause)) else {
            return;
        };
        let now_ms = self.now_ms();
        if let Some((began, ended)) = took.filter(|_| self.upstream.measures) {
            let latency_us = u64::try_from((ended - began).as_micros()).unwrap_or(u64::MAX);
            if is_failure {
                choice.pool.load.failed(now_ms);
            } else {
                choice.pool.load.answered(latency_us, now_ms);
            }
            match &self.balancer.limit {
                Some(limit) if is_failure => limit.failed(latency_us, now_ms),
                Some(limit) => limit.answered(latency_us, now_ms),
                None => {}
            }
        }
        if self.upstream.hedge_after.is_some() && sent.is_ok() {
            choice.pool.load.heard();
        }
        self.note(choice, is_failure);
    }

    /// Whether the upstream failed; none if that cannot be told, as where a client did.
    fn is_failure(&self, sent: Result<&Answered, &Cause>) -> Option<bool> {
        match sent {
            Ok(answered) => self.meaning(answered).map(|status| status.is_server_error()),
            Err(cause) => cause.is_of_upstream().then_some(true),
        }
    }

    /// The status that an answer stands for; none if it says nothing of the upstream.
    fn meaning(&self, answered: &Answered) -> Option<StatusCode> {
        match &self.going.grpc {
            None => Some(answered.status),
            Some(call) => call.meaning(answered.status, &answered.headers),
        }
    }

    fn note(&self, choice: &Choice, is_failure: bool) {
        if let Some(asked) = &self.asked {
            asked.end();
        }
        let upstream = self.upstream;
        let rules = upstream.outlier_detection.as_ref();
        choice
            .health
            .note(is_failure, rules, &upstream.group, self.now_ms());
    }

    /// Whether a request may be sent again although a part of it may have taken effect.
    fn may_repeat(&self) -> bool {
        is_idempotent(self.going.method)
            || (self.upstream.retries.idempotency_key && self.going.headers.contains_key(IDEMPOTENCY_KEY))
    }

    /// Keeps what is sent of a body, so that it can be sent again.
    fn keep(&mut self, body: RequestBody, bytes_max: usize) -> RequestBody {
        let replay = Replay::new(body, bytes_max);
        let first = replay.again();
        self.replay = Some(replay);
        first.unwrap_or_else(RequestBody::empty)
    }

    /// The body for another try after a failure, if there may be one.
    fn after_failure(&self, failed: &mut Failed) -> Option<RequestBody> {
        let retries = &self.upstream.retries;
        if !failed.kind.is_some_and(|kind| retries.on.contains(&kind))
            || self.attempts >= retries.attempts_max
        {
            return None;
        }
        let body = self.again(failed)?;
        self.balancer.may_retry(self.now_ms()).then_some(body)
    }

    /// The body of a request that failed, if sending it again can do nothing twice and all of it is there.
    fn again(&self, failed: &mut Failed) -> Option<RequestBody> {
        if let Some(unsent) = failed.unsent.take() {
            return Some(unsent);
        }
        if failed.refused.is_none() && !self.may_repeat() {
            return None;
        }
        match &self.replay {
            Some(replay) => replay.again(),
            None => self.upload.is_none().then(RequestBody::empty),
        }
    }

    /// The body for another try after an answer, if there may be one, and how long to wait at least.
    fn after_status(
        &mut self,
        answered: &Answered,
        copy: HeaderMap,
    ) -> Option<(RequestBody, Option<Duration>)> {
        let retries = &self.upstream.retries;
        self.going.headers = copy;
        let status = self.meaning(answered)?.as_u16();
        if !retries.statuses.contains(&status) || !self.may_repeat() {
            return None;
        }
        let after = match answered.headers.get(RETRY_AFTER) {
            None => None,
            // A date, or a wait that is too long for a call: the client decides.
            Some(value) => {
                let seconds = value.to_str().ok()?.parse().ok()?;
                Some(Duration::from_secs(seconds)).filter(|after| *after <= retries.backoff_max)
            }
        };
        if answered.headers.contains_key(RETRY_AFTER) && after.is_none() {
            return None;
        }
        let body = match &self.replay {
            Some(replay) => replay.again()?,
            None if self.upload.is_none() => RequestBody::empty(),
            None => return None,
        };
        self.balancer.may_retry(self.now_ms()).then_some((body, after))
    }

    /// Waits before another try: random around a mean that doubles, but at least as long as was asked for.
    async fn wait(&self, at_least: Option<Duration>) -> Result<(), Cause> {
        let retries = &self.upstream.retries;
        let doubled = 1 << self.attempts.saturating_sub(1).min(16);
        let most = retries
            .backoff
            .saturating_mul(2 * doubled)
            .min(retries.backoff_max);
        let random = u32::try_from(self.conn.core().ids.random() >> 32).unwrap_or(u32::MAX);
        let wait = most.mul_f64(f64::from(random) / f64::from(u32::MAX));
        let wait = wait.max(at_least.unwrap_or_default());
        if self.left().is_some_and(|left| left <= wait) {
            return Err(Cause::Timeout {
                detail: "The time for all attempts was over.",
            });
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Finds a connection, an idle one if there is one; and since when there is, if somebody wants to know.
    async fn lease(&mut self, is_fresh: bool) -> Result<(Lease, Rc<Choice>, Option<Instant>), Cause> {
        let need = Need {
            is_fresh,
            is_http1: self.going.is_websocket,
        };
        let mut connects = 0;
        let failed = loop {
            let Some(choice) = self.balancer.next(self.key, &self.tried) else {
                return Err(Cause::NoTarget);
            };
            if let Some(asked) = &self.asked {
                asked.begin(&choice);
            }
            let pool = self.conn.pool(&choice.pool);
            if let Some(lease) = pool.take(need) {
                let since = self.begin_try(&choice, true);
                return Ok((lease, choice, since));
            }
            self.begin_try(&choice, false);
            self.arm(millis(self.timeouts().connect_ms));
            // Large and rare: each call would carry room for it.
            let connected = self.deadline.bound(Box::pin(pool.connect(need))).await;
            self.deadline.disarm();
            let failed = match connected {
                Some(Ok(lease)) => return Ok((lease, choice, self.connected())),
                Some(Err(ConnectError::Full)) => {
                    self.unconnected(TryOutcome::Full);
                    return Err(Cause::UpstreamOverloaded);
                }
                None if choice.pool.is_full() => {
                    self.unconnected(TryOutcome::Full);
                    return Err(Cause::UpstreamOverloaded);
                }
                // What its client does not wait for says nothing of the target.
                None if self.is_expired() => {
                    self.unconnected(TryOutcome::ConnectTimeout);
                    return Err(Cause::Expired);
                }
                Some(Err(error)) => Some(error),
                None => None,
            };
            self.unconnected(match failed {
                Some(_) => TryOutcome::Unreachable,
                None => TryOutcome::ConnectTimeout,
            });
            choice.pool.set_down();
            choice.pool.load.failed(self.now_ms());
            self.note(&choice, true);
            self.tried.push(choice);
            connects += 1;
            let connects_max = self.balancer.len().min(self.upstream.retries.connects_max);
            if connects >= connects_max || self.is_over() {
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

    fn now_ms(&self) -> u64 {
        self.conn.core().deadlines.now_ms()
    }

    const fn timeouts(&self) -> &Timeouts {
        &self.upstream.timeouts
    }

    /// What is left of the time for all of it.
    fn left(&self) -> Option<Duration> {
        self.conn.core().deadlines.left(self.going.due_ms)
    }

    fn is_over(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// Whether the time was over that the client gave.
    fn is_expired(&self) -> bool {
        self.is_due_by_client && self.is_over()
    }

    /// Sees that the client still waits: nobody else needs what is asked for.
    fn check_given(&self) -> Result<(), Cause> {
        let left = self.going.grpc.and_then(|call| call.left());
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Cause::Expired);
        }
        Ok(())
    }

    /// Arms the deadline for a part of the exchange.
    fn arm(&self, after: Duration) {
        self.deadline
            .arm(self.left().map_or(after, |left| left.min(after)));
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
        Self {
            kind: matches!(cause, Cause::Timeout { .. }).then_some(RetryOn::Timeout),
            cause,
            unsent: None,
            is_repeatable: false,
            refused: None,
        }
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
