//! The gateway's own answers: the one place where a cause becomes a status and a problem (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use domain::Code;
use domain::recent::TryOutcome;
use events::ingest::{self, RefusalError};
use flags::{FormFault, QuestionFault};
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use policy::{Refusal, Reply};
use serde::Serialize;

use crate::body::{AnswerBody, Broken};
use crate::framing::Violation;
use crate::grpc;

/// Why the gateway answers itself.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The message is not one that can be forwarded safely; the connection is closed.
    Violation(Violation),
    /// The request's target is not one that can be forwarded safely; the connection is closed.
    Target(&'static str),
    /// Here is no tunnel for it; the connection is closed.
    Connect {
        detail: &'static str,
    },
    NotReady,
    Overloaded,
    NoRoute {
        host: String,
    },
    NoOperation {
        api: String,
    },
    OtherMethods {
        allow: String,
    },
    Retired {
        api: String,
    },
    /// The connection was opened for another host, which asks for other certificates of clients.
    Misdirected,
    TooLarge {
        bytes_max: u64,
    },
    ClientPaused,
    Policy(Box<Refusal>),
    /// Tracked events cannot be taken.
    Events(Box<ingest::Refusal>),
    /// A question about flags cannot be read.
    Question(Box<QuestionFault>),
    /// A policy answered; this is no refusal.
    Reply(Box<Reply>),
    /// HTTP/2 alone is spoken with the upstream.
    NoWebsocket,
    /// There is no target, or none is healthy.
    NoTarget,
    /// It has as many calls as it may have.
    UpstreamOverloaded,
    /// It has as many calls as it may have of those that matter as little.
    Shed,
    /// Most calls to it have failed.
    CircuitOpen {
        after: Duration,
    },
    /// No target could be reached.
    Unreachable {
        detail: Cow<'static, str>,
    },
    Invalid {
        detail: &'static str,
    },
    Timeout {
        detail: &'static str,
    },
    /// The time was over that the client gave.
    Expired,
}

/// What the gateway answers.
pub(crate) struct Own {
    pub(crate) code: Option<Code>,
    /// What is recorded; a client of gRPC gets another one.
    pub(crate) status: StatusCode,
    pub(crate) response: Response<AnswerBody>,
}

/// What an answer needs to know of the request.
pub(crate) struct Asked<'a> {
    /// `None` if the head was not read.
    pub(crate) method: Option<&'a Method>,
    pub(crate) request_id: &'a str,
    /// The content type of a call of gRPC.
    pub(crate) grpc: Option<&'a HeaderValue>,
    /// Where the pages about codes are; empty if unknown.
    pub(crate) control_url: &'a str,
}

/// A problem as it is written.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    suggestion: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation_url: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [RefusalError],
}

impl Cause {
    /// Whether the service behind gave no answer, whatever the reason is on its side.
    pub(crate) const fn calls_for_fallback(&self) -> bool {
        self.is_of_upstream()
            || matches!(
                self,
                Self::NoTarget | Self::UpstreamOverloaded | Self::Shed | Self::CircuitOpen { .. }
            )
    }

    /// Whether the service behind is to blame, and has been asked.
    pub(crate) const fn is_of_upstream(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Invalid { .. } | Self::Timeout { .. }
        )
    }

    /// How a try that ended so is told.
    pub(crate) const fn outcome(&self) -> TryOutcome {
        match self {
            Self::Timeout { .. } | Self::Expired => TryOutcome::Timeout,
            Self::Unreachable { .. } => TryOutcome::Unreachable,
            Self::Invalid { .. } => TryOutcome::Broken,
            _ => TryOutcome::RequestBroken,
        }
    }

    /// Makes the answer; the one function of this edge that decides on statuses.
    pub(crate) fn answer(self, asked: &Asked<'_>) -> Own {
        if let Self::Reply(reply) = self {
            let response = reply_response(*reply);
            return Own {
                code: None,
                status: response.status(),
                response,
            };
        }
        let (code, headers) = (self.code(), self.headers());
        let (detail, errors) = self.words();
        let response = problem(code, (&detail, &errors), headers, asked);
        Own {
            code: Some(code),
            status: response.status(),
            response: match asked.grpc {
                Some(content_type) => grpc::answer(response, content_type.clone(), &detail),
                None => response,
            },
        }
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Violation(violation) => violation.code(),
            Self::Target(_) => Code::MessageMalformed,
            Self::Connect { .. } => Code::ConnectRefused,
            Self::NotReady => Code::NotReady,
            Self::Overloaded => Code::Overloaded,
            Self::NoRoute { .. } => Code::RouteNotFound,
            Self::NoOperation { .. } => Code::OperationNotFound,
            Self::OtherMethods { .. } => Code::MethodNotAllowed,
            Self::Retired { .. } => Code::ApiRetired,
            Self::Misdirected => Code::MisdirectedRequest,
            Self::TooLarge { .. } => Code::BodyTooLarge,
            Self::ClientPaused => Code::RequestTimeout,
            Self::Policy(refusal) => refusal.code,
            Self::Events(refusal) => refusal.code(),
            Self::Question(_) => Code::RequestInvalid,
            Self::NoWebsocket => Code::WebsocketUnsupported,
            Self::NoTarget => Code::UpstreamNone,
            Self::UpstreamOverloaded => Code::UpstreamOverloaded,
            Self::Shed => Code::CallShed,
            Self::CircuitOpen { .. } => Code::CircuitOpen,
            Self::Unreachable { .. } => Code::UpstreamUnreachable,
            Self::Invalid { .. } => Code::UpstreamInvalid,
            Self::Timeout { .. } | Self::Expired => Code::UpstreamTimeout,
            Self::Reply(_) => unreachable!("answered before"),
        }
    }

    /// What is special about this call, and what is wrong place by place.
    fn words(self) -> (Cow<'static, str>, Vec<RefusalError>) {
        match self {
            Self::Events(refusal) => (refusal.detail().into(), refusal.into_errors()),
            Self::Question(fault) => (fault.detail().into(), errors_of(*fault)),
            other => (other.detail(), Vec::new()),
        }
    }

    fn detail(self) -> Cow<'static, str> {
        match self {
            Self::Violation(violation) => violation.to_string().into(),
            Self::Target(detail)
            | Self::Connect { detail }
            | Self::Invalid { detail }
            | Self::Timeout { detail } => detail.into(),
            Self::NotReady => "This node has not got its configuration yet.".into(),
            Self::Overloaded => "Usage records cannot be written as fast as requests come.".into(),
            Self::NoRoute { host } => format!("No route fits this path on `{host}`.").into(),
            Self::NoOperation { api } => format!("`{api}` has no operation with this path.").into(),
            Self::OtherMethods { allow } => format!("The path has {allow}.").into(),
            Self::Retired { api } => format!("This version of `{api}` is not served any more.").into(),
            Self::Misdirected => {
                "The connection was not opened for this host, which asks clients for a certificate.".into()
            }
            Self::TooLarge { bytes_max } => format!("At most {bytes_max} bytes are taken here.").into(),
            Self::ClientPaused => "The rest of the request did not come.".into(),
            Self::Policy(refusal) => refusal.detail,
            Self::Events(refusal) => refusal.detail().into(),
            Self::Question(fault) => fault.detail().into(),
            Self::NoWebsocket => "The gateway speaks HTTP/2 alone with it.".into(),
            Self::Expired => "The time that the client gives the call is over.".into(),
            Self::NoTarget => "No target of the service behind is healthy.".into(),
            Self::UpstreamOverloaded => "It has as many calls as it may have at a time.".into(),
            Self::Shed => "What is left is kept for calls that matter more.".into(),
            Self::CircuitOpen { .. } => "Calls to it are refused for a while.".into(),
            Self::Unreachable { detail } => detail,
            Self::Reply(_) => unreachable!("answered before"),
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self {
            // What follows on the connection cannot be trusted, or will not be read.
            Self::Violation(_) | Self::Target(_) | Self::TooLarge { .. } | Self::ClientPaused => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Connect { .. } => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
                // What was asked for is a host and a port, which has no other methods: RFC 9110 section 15.5.6.
                headers.insert(ALLOW, HeaderValue::from_static(""));
            }
            Self::CircuitOpen { after } => {
                let seconds = after.as_millis().div_ceil(1000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            Self::NotReady | Self::Overloaded | Self::NoTarget | Self::UpstreamOverloaded | Self::Shed => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Events(refusal) if refusal.is_passing() => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::OtherMethods { allow } => {
                headers.extend(HeaderValue::from_str(allow).map(|allow| (ALLOW, allow)));
            }
            Self::Policy(refusal) => {
                headers.extend(
                    refusal
                        .retry_after_seconds
                        .map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))),
                );
            }
            _ => {}
        }
        headers
    }
}

impl Own {
    /// The answer as HTTP/1.1, for connections that end with it.
    pub(crate) fn text(self, request_id: &str) -> Vec<u8> {
        let (head, body) = self.response.into_parts();
        let mut text = format!("HTTP/1.1 {}\r\nx-request-id: {request_id}\r\n", head.status).into_bytes();
        for (name, value) in &head.headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(&body.into_own());
        text
    }
}

impl From<Broken> for Cause {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooLarge { bytes_max } => Self::TooLarge { bytes_max },
            Broken::Paused => Self::ClientPaused,
            Broken::NotBase64 => Self::Target("The body is not base 64, as gRPC-Web has it."),
            // Nobody reads this answer, unless the body was malformed; then the caller knows.
            Broken::Gone => Self::ClientPaused,
        }
    }
}

fn errors_of(fault: QuestionFault) -> Vec<RefusalError> {
    let error = |fault: FormFault| RefusalError {
        index: None,
        pointer: fault.pointer,
        code: fault.code.to_owned(),
        detail: fault.detail,
        suggestion: fault.suggestion.to_owned(),
        line: None,
        column: None,
    };
    fault.into_faults().into_iter().map(error).collect()
}

fn reply_response(reply: Reply) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::own(Bytes::new()));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

fn problem(
    code: Code,
    (detail, errors): (&str, &[RefusalError]),
    mut headers: HeaderMap,
    asked: &Asked<'_>,
) -> Response<AnswerBody> {
    let url = if asked.control_url.is_empty() {
        String::new()
    } else {
        asked.control_url.to_owned() + &code.page()
    };
    let problem = Problem {
        r#type: if url.is_empty() { "about:blank" } else { &url },
        title: code.title(),
        status: code.status(),
        detail,
        code: code.as_str(),
        request_id: asked.request_id,
        suggestion: code.suggestion(),
        documentation_url: Some(&*url).filter(|url| !url.is_empty()),
        errors,
    };
    let body = Bytes::from(serde_json::to_vec(&problem).expect("texts and numbers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let status = StatusCode::from_u16(code.status()).expect("the catalogue's statuses are valid");
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("ApiKey realm=\"gateway\""),
        );
    }
    let is_head = asked.method.is_some_and(|method| *method == Method::HEAD);
    let mut response = Response::new(AnswerBody::own(if is_head { Bytes::new() } else { body }));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
