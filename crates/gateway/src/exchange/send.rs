//! One try of an exchange, over one connection.

use std::future::poll_fn;

use domain::traffic::RetryOn;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version};
use hyper::body::Body as _;

use super::refused::{Refused, is_lost};
use super::{Answered, Exchange, Failed, is_idempotent, millis};
use crate::body::RequestBody;
use crate::forward;
use crate::h1::{self, Fault, Head, said};
use crate::pool::{Lease, Line};
use crate::refusal::Cause;
use crate::target::Target;
use crate::websocket;

impl Exchange<'_> {
    pub(super) async fn send_http1(
        &mut self,
        mut lease: Lease,
        target: &Target,
        body: RequestBody,
    ) -> Result<Answered, Failed> {
        let Line::Http1(counted) = lease.line() else {
            unreachable!("the lease says which line it has");
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
        let interims = self.going.interims.clone();
        let takes_interim = self.going.version == Version::HTTP_11 && !self.going.is_copy;
        let conn = self.conn;
        let mut interim = |status, headers: &mut HeaderMap| {
            forward::remove_hop_by_hop(headers);
            if takes_interim {
                said::say_interim(&mut conn.interim.borrow_mut(), status, headers);
            } else if let Some(interims) = &interims {
                interims.say(status, std::mem::take(headers));
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
            .await;
        let fault = match answered {
            Ok(Ok((StatusCode::SWITCHING_PROTOCOLS, _))) if !is_accepted(&headers) => {
                return Err(Cause::Invalid {
                    detail: "It did not accept the WebSocket that it was asked for.",
                }
                .into());
            }
            Ok(Ok((status, version))) => {
                return Ok(Answered {
                    lease,
                    status,
                    version,
                    headers,
                    stream: None,
                });
            }
            Ok(Err(fault)) => fault,
            Err(cause) => {
                self.going.headers = headers;
                return Err(cause.into());
            }
        };
        self.going.headers = headers;
        Err(self.failed(line, &fault, may_repeat))
    }

    /// What a fault of a line means for another try.
    fn failed(&self, line: &mut h1::Line, fault: &Fault, may_repeat: bool) -> Failed {
        let is_reset = !matches!(fault, Fault::Invalid(_) | Fault::Request(_));
        Failed {
            kind: (is_reset && line.is_unanswered()).then_some(RetryOn::Reset),
            is_repeatable: may_repeat && line.is_unanswered(),
            refused: None,
            unsent: line.is_unsent().then(|| line.take_body()),
            cause: self.cause(matches!(fault, Fault::Invalid(_)), fault),
        }
    }

    pub(super) async fn send_http2(
        &self,
        mut lease: Lease,
        target: &Target,
        body: RequestBody,
    ) -> Result<Answered, Failed> {
        let Line::Http2(connection) = lease.line() else {
            unreachable!("the lease says which line it has");
        };
        let going = &self.going;
        let may_repeat = body.is_end_stream() && is_idempotent(going.method);
        let kept = Some(going.host).filter(|_| self.upstream.preserve_host);
        let host = going.host_sent.or(kept);
        let mut request = Request::new(body);
        *request.method_mut() = going.method.clone();
        *request.uri_mut() = target
            .uri(host, going.path, going.query)
            .ok_or(Cause::Target("The path is too long to be forwarded."))?;
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().clone_from(&going.headers);
        going.added.apply(request.headers_mut());
        // `:authority` says it, and a field that says otherwise makes a request malformed: RFC 9113 section 8.3.1.
        request.headers_mut().remove(HOST);
        // A connection that was closed is never ready, and sending then fails with the request intact.
        let _ = connection.sender.ready().await;
        let answered = self.bound(connection.sender.try_send_request(request)).await?;
        match answered {
            Ok(response) => {
                lease.is_answered = true;
                let (head, stream) = response.into_parts();
                Ok(Answered {
                    lease,
                    status: head.status,
                    version: head.version,
                    headers: head.headers,
                    stream: Some(stream),
                })
            }
            Err(mut failed) => {
                let unsent = failed.take_message().map(Request::into_body);
                let error = failed.error();
                let refused = Refused::read(error);
                if refused == Some(Refused::Connection) {
                    connection.retire();
                }
                // A service is told the time as well, and breaks off when it is over.
                self.check_given()?;
                let is_invalid = error.is_parse();
                Err(Failed {
                    unsent,
                    is_repeatable: may_repeat && is_lost(error),
                    refused,
                    kind: (!is_invalid).then_some(RetryOn::Reset),
                    cause: self.cause(is_invalid, error),
                })
            }
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

    /// Waits for an answer's head as long as it may take.
    ///
    /// The time begins when the request has been sent; while its body is on the way, it has to make progress.
    async fn bound<F: Future>(&self, answer: F) -> Result<F::Output, Cause> {
        let answer_max = millis(self.timeouts().answer_ms);
        let mut answer = std::pin::pin!(answer);
        let mut bytes_before = 0;
        self.arm(answer_max);
        loop {
            if let Some(output) = self.deadline.bound(answer.as_mut()).await {
                self.deadline.disarm();
                return Ok(output);
            }
            let upload = self.upload.as_ref().map(|upload| upload.bytes.get());
            match upload.filter(|bytes| *bytes > bytes_before && !self.is_over()) {
                Some(bytes) => bytes_before = bytes,
                None if self.is_expired() => return Err(Cause::Expired),
                None => {
                    return Err(Cause::Timeout {
                        detail: "The answer did not begin in time.",
                    });
                }
            }
            self.arm(answer_max);
        }
    }
}
