//! One check of one target.

use std::rc::Rc;

use bytes::{BufMut as _, Bytes, BytesMut};
use domain::traffic::{HealthCheck, HealthCheckKind, UpstreamProtocol};
use http::header::{CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::task::{JoinHandle, spawn_local};

use super::is_grpc;
use crate::local::LocalExecutor;
use crate::pool::{self, ConnectError};
use crate::socket::Socket;
use crate::target::Target;
use crate::tls::{self, Outward};

/// How much of an answer is read.
const BODY_BYTES_MAX: usize = 64 * 1024;
const GRPC_METHOD: &str = "/grpc.health.v1.Health/Check";
/// `HealthCheckResponse.status`: field 1, `SERVING`. Source: grpc/health/v1/health.proto.
const SERVING: [u8; 2] = [0x08, 1];

/// How targets are checked.
pub(super) struct Probe<'a> {
    pub(super) rules: &'a HealthCheck,
    pub(super) outward: Rc<Outward>,
    /// What is said on every connection before anything else.
    pub(super) preface: Option<Box<[u8]>>,
}

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Tls(#[from] tls::Error),
    #[error("HTTP failed")]
    Http(#[from] hyper::Error),
    #[error("the target's URL fits no request")]
    Request(#[from] http::Error),
    #[error("the answer broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The task of a connection, which ends with the check.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Probe<'_> {
    /// Whether a target is healthy; takes as long as it takes.
    pub(super) async fn run(&self, target: &Target) -> bool {
        self.try_run(target).await.unwrap_or_else(|error| {
            tracing::debug!(target = %target.url(), %error, "a check failed");
            false
        })
    }

    async fn try_run(&self, target: &Target) -> Result<bool, Failed> {
        let mut endpoint = target.endpoint.clone();
        if let Some(port) = self.rules.port {
            endpoint.port = port;
        }
        if self.rules.kind == HealthCheckKind::Tcp {
            pool::open_tcp(&endpoint, self.preface.as_deref()).await?;
            return Ok(true);
        }
        if is_grpc(self.rules.kind) {
            endpoint.protocol = UpstreamProtocol::Http2;
        }
        let connector = self
            .outward
            .connector(endpoint.tls.as_deref(), endpoint.protocol)?;
        let socket = pool::open(&endpoint, Some(&connector), self.preface.as_deref()).await?;
        let (answer, _driver) = if socket.is_http2(endpoint.is_http2()) {
            self.ask_http2(socket, target).await?
        } else {
            self.ask_http1(socket, target).await?
        };
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let (bytes, trailers) = match body {
            Ok(body) => {
                let trailers = body.trailers().cloned();
                (body.to_bytes(), trailers)
            }
            // More than is looked at; the status is known.
            Err(error) if error.is::<LengthLimitError>() => (Bytes::new(), None),
            Err(error) => return Err(Failed::Body(error)),
        };
        if is_grpc(self.rules.kind) {
            return Ok(is_serving(&head.headers, trailers.as_ref(), &bytes));
        }
        let status = head.status.as_u16();
        let is_expected = if self.rules.statuses.is_empty() {
            (200..400).contains(&status)
        } else {
            self.rules.statuses.contains(&status)
        };
        let wanted = self.rules.body_contains.as_deref().unwrap_or_default();
        Ok(is_expected && memchr::memmem::find(&bytes, wanted.as_bytes()).is_some())
    }

    async fn ask_http1(
        &self,
        socket: Socket,
        target: &Target,
    ) -> Result<(Response<Incoming>, Driver), Failed> {
        let (mut sender, driver) = http1::handshake(TokioIo::new(socket)).await?;
        let driver = Driver(spawn_local(async move {
            let _ = driver.await;
        }));
        let mut request = self.request(Uri::try_from(self.rules.path.as_str()).map_err(http::Error::from)?);
        request.headers_mut().insert(HOST, target.host.clone());
        Ok((sender.send_request(request).await?, driver))
    }

    async fn ask_http2(
        &self,
        socket: Socket,
        target: &Target,
    ) -> Result<(Response<Incoming>, Driver), Failed> {
        let (mut sender, driver) = http2::handshake(LocalExecutor, TokioIo::new(socket)).await?;
        let driver = Driver(spawn_local(async move {
            let _ = driver.await;
        }));
        let path = if is_grpc(self.rules.kind) {
            GRPC_METHOD
        } else {
            self.rules.path.as_str()
        };
        let scheme = if target.endpoint.is_tls { "https" } else { "http" };
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(target.authority.clone())
            .path_and_query(path)
            .build()?;
        Ok((sender.send_request(self.request(uri)).await?, driver))
    }

    fn request(&self, uri: Uri) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static("gateline-health"));
        if is_grpc(self.rules.kind) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            headers.insert(TE, HeaderValue::from_static("trailers"));
            *request.method_mut() = Method::POST;
            *request.body_mut() = Full::new(grpc_question(&self.rules.grpc_service));
        }
        request
    }
}

/// `HealthCheckRequest` as gRPC frames it: five bytes, then field 1.
fn grpc_question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        // At most 200 bytes, so two of a varint.
        let length = u8::try_from(service.len()).unwrap_or(u8::MAX);
        if length >= 0x80 {
            message.put_u8(length | 0x80);
            message.put_u8(length >> 7);
        } else {
            message.put_u8(length);
        }
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(&message);
    framed.freeze()
}

fn is_serving(head: &HeaderMap, trailers: Option<&HeaderMap>, body: &[u8]) -> bool {
    let status = trailers
        .and_then(|trailers| trailers.get("grpc-status"))
        .or_else(|| head.get("grpc-status"));
    let is_good = status.is_some_and(|status| status.as_bytes() == b"0");
    is_good && body.get(5..).is_some_and(|message| message == SERVING)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{grpc_question, is_serving};

    #[test]
    fn the_question_is_framed_as_grpc_does() {
        assert_eq!(&grpc_question("")[..], &[0, 0, 0, 0, 0]);
        assert_eq!(&grpc_question("a.B")[..], b"\0\0\0\0\x05\x0a\x03a.B");
        assert_eq!(grpc_question(&"x".repeat(200))[5..8], [0x0a, 0xc8, 0x01]);
    }

    #[test]
    fn only_serving_is_healthy() {
        let trailers = |status: &'static str| -> HeaderMap {
            [("grpc-status".parse().unwrap(), status.parse().unwrap())]
                .into_iter()
                .collect()
        };
        let none = HeaderMap::new();
        let serving = b"\0\0\0\0\x02\x08\x01";
        assert!(is_serving(&none, Some(&trailers("0")), serving));
        assert!(!is_serving(&none, Some(&trailers("0")), b"\0\0\0\0\x02\x08\x02"));
        assert!(
            !is_serving(&trailers("5"), None, b""),
            "an answer of trailers only"
        );
        assert!(!is_serving(&none, None, serving));
    }
}
