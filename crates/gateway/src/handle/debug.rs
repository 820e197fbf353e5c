//! Calls of which more is noted: those that carry a debug token, and those that are traced.

use http::{HeaderName, HeaderValue, Response};
use policy::Moment;

use super::Request;
use crate::body::AnswerBody;
use crate::conn::Conn;
use crate::core::Core;
use crate::course::{Course, Full};
use crate::forward;
use crate::traces::Tracer;
use crate::traces::span::{Begun, Head};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What is noted besides of a call whose debug token is good.
///
/// Nothing tells a client whether its token was good, but for what it may read then.
pub(super) fn debugged(core: &Core, request: &Request, moment: Moment) -> Option<Box<Full>> {
    let token = request.headers.get(forward::DEBUG)?;
    let settings = &core.settings;
    let key = settings.sealing.debug()?;
    let claims = key.read(&settings.environment, token.as_bytes(), moment.calendar)?;
    Some(Box::new(Full {
        claims,
        path: request.uri.path().to_owned(),
        misses: Vec::new(),
        steps: Vec::new(),
        shares: Vec::new(),
        candidates: Vec::new(),
    }))
}

/// Begins the span of a call that is sampled.
pub(super) fn begin_span(tracer: &Tracer, (conn, request): (&Conn, &Request), course: &mut Course) {
    let Some(context) = tracer.sample(&request.headers, &conn.core().ids) else {
        return;
    };
    let head = Head {
        method: &request.method,
        version: request.version,
        scheme: conn.scheme(),
        uri: &request.uri,
        headers: &request.headers,
    };
    course.traced(Begun::new(context, &head, tracer.has_query));
}

/// Says how long what took, to whoever may know.
pub(super) fn tell_timing(response: &mut Response<AnswerBody>, course: &Course) {
    if course.full.is_some()
        && let Ok(value) = HeaderValue::from_str(&course.server_timing())
    {
        response.headers_mut().append(SERVER_TIMING, value);
    }
}
