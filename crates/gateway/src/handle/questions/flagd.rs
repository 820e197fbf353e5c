//! What providers of flagd ask for: over gRPC, and over Connect as pages do.
//!
//! Source: gRPC over HTTP/2; <https://connectrpc.com/docs/protocol>; messages are in [`flags::flagd`].

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use domain::Code;
use flags::flagd::{self, Format, Fractional, Kind, Method};
use flags::ofrep::Found;
use flags::{Missing, Seen, Set, Words};
use futures_util::stream::{self, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::Frame;

use super::changes::{self, End, Tell};
use super::{
    Asked, Holder, QUESTION_BYTES_MAX, admits, asker, expose, holder_of, refused, said, text_of_key,
    unreadable, wants_server, whole,
};
use crate::body::{AnswerBody, Arriving};
use crate::compile::Compiled;
use crate::conn::Conn;
use crate::grpc;
use crate::refusal::Cause;

/// Where providers say which definitions they want: the only text that they send with everything.
const SELECTOR: &str = "flagd-selector";
/// The flag of Connect's last message.
const LAST: u8 = 2;

/// How messages are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Grpc,
    /// One message each way.
    Connect(Format),
    /// Messages behind each other.
    ConnectStream(Format),
}

/// Why there is no value.
struct Failure {
    /// The number of the status in gRPC.
    grpc: u16,
    /// Its name in Connect.
    name: &'static str,
    status: StatusCode,
    detail: String,
}

impl Form {
    fn of(headers: &HeaderMap, method: Method) -> Result<Self, Cause> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        match kind {
            "application/grpc" | "application/grpc+proto" => Ok(Self::Grpc),
            "application/json" if !method.is_stream() => Ok(Self::Connect(Format::Json)),
            "application/proto" if !method.is_stream() => Ok(Self::Connect(Format::Binary)),
            "application/connect+json" if method.is_stream() => Ok(Self::ConnectStream(Format::Json)),
            "application/connect+proto" if method.is_stream() => Ok(Self::ConnectStream(Format::Binary)),
            _ => Err(refused(
                Code::MediaTypeUnsupported,
                "flagd's services are called over gRPC or Connect, as `application/grpc` or `application/json`",
            )),
        }
    }

    const fn format(self) -> Format {
        match self {
            Self::Grpc => Format::Binary,
            Self::Connect(format) | Self::ConnectStream(format) => format,
        }
    }

    /// The message that a body holds.
    fn message(self, body: &[u8]) -> Result<&[u8], Cause> {
        if matches!(self, Self::Connect(_)) {
            return Ok(body);
        }
        grpc::only_message(body).map_err(|detail| refused(Code::RequestInvalid, detail))
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::Connect(Format::Json) => "application/json",
            Self::Connect(Format::Binary) => "application/proto",
            Self::ConnectStream(Format::Json) => "application/connect+json",
            Self::ConnectStream(Format::Binary) => "application/connect+proto",
        }
    }

    fn answer(self, body: AnswerBody) -> Response<AnswerBody> {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// An answer of one message.
    fn one(self, message: &[u8]) -> Response<AnswerBody> {
        if self != Self::Grpc {
            return self.answer(AnswerBody::own(Bytes::copy_from_slice(message)));
        }
        let frames = [
            Frame::data(grpc::enveloped(0, message)),
            Frame::trailers(grpc::trailers(0)),
        ];
        self.answer(AnswerBody::live(stream::iter(frames).boxed_local()))
    }

    fn failed(self, failure: &Failure) -> Response<AnswerBody> {
        if self == Self::Grpc {
            return grpc::failed(failure.grpc, &failure.detail);
        }
        let told = serde_json::json!({ "code": failure.name, "message": failure.detail });
        let body = told.to_string().into_bytes();
        said(failure.status, body.into(), HeaderValue::from_static("no-store"))
    }
}

fn fractional_of(headers: &HeaderMap) -> Fractional {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    flagd::fractional(agent.unwrap_or_default())
}

pub(super) async fn answer(
    conn: &Rc<Conn>,
    compiled: &Compiled,
    (asked, method): (&Asked<'_>, Method),
    body: Arriving,
    page: &mut Option<Box<HeaderValue>>,
) -> Result<Response<AnswerBody>, Cause> {
    let form = Form::of(asked.headers, method)?;
    let body = whole(conn, body, QUESTION_BYTES_MAX).await?;
    if method == Method::Metadata {
        // It says nothing, and there are providers that send no key with it and wait for it.
        return Ok(form.one(&flagd::no_metadata(form.format())));
    }
    let question = flagd::Asked::read(method, form.format(), form.message(&body)?).map_err(unreadable)?;
    let text = text_of_key(asked)
        .or_else(|| Some(asked.headers.get(SELECTOR)?.to_str().ok()?.to_owned()))
        .or_else(|| Some(question.selector.to_string()).filter(|text| !text.is_empty()))
        .or_else(|| conn.flagd_key().map(str::to_owned));
    let holder = holder_of(conn, compiled, asked, text)?;
    admits(compiled, asked, &holder, page)?;
    let set = compiled.flags.sets.get(holder.key.organization);
    if method.is_about_rules() {
        wants_server(&holder)?;
    }
    Ok(match method {
        Method::Resolve(kind) => {
            match resolve(
                conn,
                (set.map(|set| &**set), &holder),
                (kind, form, &question),
                asked,
            ) {
                Ok(message) => form.one(&message),
                Err(failure) => form.failed(&failure),
            }
        }
        Method::ResolveAll => {
            let told = (asker(&holder), form.format());
            form.one(&flagd::all_told(
                set.map(|set| &**set),
                told,
                &question.attributes,
                asked.now(),
            ))
        }
        Method::Fetch => {
            let fractional = fractional_of(asked.headers);
            if let Some(set) = set {
                compiled.flags.desk.written(set, Words::Flagd(fractional)).await;
            }
            form.one(&flagd::definitions(
                set.map(|set| &**set),
                fractional,
                form.format(),
            ))
        }
        Method::Metadata => unreachable!("it is answered whoever asks"),
        Method::Events | Method::Sync => {
            let told = Told {
                form,
                method,
                asker: asker(&holder),
                fractional: fractional_of(asked.headers),
                before: None,
            };
            form.answer(changes::told(conn, &holder, told))
        }
    })
}

fn resolve(
    conn: &Conn,
    (set, holder): (Option<&Set>, &Holder<'_>),
    (kind, form, question): (Kind, Form, &flagd::Asked<'_>),
    asked: &Asked<'_>,
) -> Result<Vec<u8>, Failure> {
    let missing = || Missing::new(&question.flag, &holder.key.environment);
    let set = set.ok_or_else(missing);
    let found = set.and_then(|set| {
        let found = set.evaluate(asker(holder), &question.flag, &question.attributes, asked.now())?;
        Ok((set, found))
    });
    let (set, found) = found.map_err(|missing| Failure {
        grpc: 5,
        name: "not_found",
        status: StatusCode::NOT_FOUND,
        detail: format!("FLAG_NOT_FOUND: {missing}"),
    })?;
    let exposed = found.clone();
    let told = flagd::told(kind, form.format(), &Found::from(found)).map_err(|other| Failure {
        grpc: 3,
        name: "invalid_argument",
        status: StatusCode::BAD_REQUEST,
        detail: format!("TYPE_MISMATCH: {other}"),
    })?;
    expose(conn, holder, (set, &exposed), &question.attributes, asked.now());
    Ok(told)
}

/// A stream of flagd's.
struct Told {
    form: Form,
    method: Method,
    asker: flags::Asker,
    fractional: Fractional,
    /// What was told last; nothing yet if absent.
    before: Option<Option<Arc<Seen>>>,
}

impl Tell for Told {
    fn news(&mut self, set: Option<&Arc<Set>>) -> Bytes {
        let format = self.form.format();
        if self.method == Method::Sync {
            let set = set.map(|set| &**set);
            let write = || grpc::enveloped(0, &flagd::definitions(set, self.fractional, format));
            return match (set, format) {
                (Some(set), Format::Binary) => set.flagd(self.fractional).streamed(write),
                _ => write(),
            };
        }
        let now = set.map(|set| Arc::clone(set.seen()));
        let message = match self.before.replace(now.clone()) {
            None => flagd::ready(format),
            Some(before) => flagd::changed((before.as_deref(), now.as_deref()), self.asker, format),
        };
        grpc::enveloped(0, &message)
    }

    fn words(&self) -> Option<Words> {
        (self.method == Method::Sync).then_some(Words::Flagd(self.fractional))
    }

    fn sign_of_life(&self) -> Option<Bytes> {
        // A stream of definitions has no word for it.
        let sign = || grpc::enveloped(0, &flagd::sign_of_life(self.form.format()));
        (self.method == Method::Events).then(sign)
    }

    fn end(&self, end: End) -> Option<Frame<Bytes>> {
        let (status, name) = match end {
            End::Left => (14, "unavailable"),
            End::KeyEnded => (16, "unauthenticated"),
        };
        Some(match self.form {
            Form::Grpc => Frame::trailers(grpc::trailers(status)),
            Form::Connect(_) | Form::ConnectStream(_) => {
                let last = serde_json::json!({ "error": { "code": name } });
                Frame::data(grpc::enveloped(LAST, last.to_string().as_bytes()))
            }
        })
    }
}
