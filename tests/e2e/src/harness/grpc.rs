//! gRPC for tests: messages of Protocol Buffers over HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Flags and a length, before each message.
const PREFIX_BYTES: usize = 5;
const STATUS: &str = "grpc-status";

/// A connection on which methods are called.
pub(crate) struct Grpc {
    sender: http2::SendRequest<Full<Bytes>>,
    /// Sent with every call.
    head: Vec<(&'static str, String)>,
}

/// The messages of an answer, one after the other.
pub(crate) struct Messages {
    body: Incoming,
    read: BytesMut,
    /// The status, once it has come.
    status: Option<String>,
}

impl Grpc {
    /// Connects without TLS.
    pub(crate) async fn connect(address: SocketAddr, head: &[(&'static str, &str)]) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), head).await
    }

    /// Connects with TLS, whatever certificate is shown.
    pub(crate) async fn connect_tls(address: SocketAddr, head: &[(&'static str, &str)]) -> Self {
        let connector = TlsConnector::from(Arc::new(pki::testing::client(None, &["h2"])));
        let stream = TcpStream::connect(address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        Self::over(connector.connect(name, stream).await.unwrap(), head).await
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        head: &[(&'static str, &str)],
    ) -> Self {
        let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, driver) = shaken.unwrap();
        tokio::spawn(driver);
        let head = head.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Self {
            sender,
            head: head.collect(),
        }
    }

    /// Calls a method with one message.
    pub(crate) async fn call(&mut self, path: &str, message: &impl Message) -> Messages {
        let mut body = BytesMut::new();
        body.put_u8(0);
        body.put_u32(u32::try_from(message.encoded_len()).unwrap());
        message.encode(&mut body).unwrap();
        let mut request = Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in &self.head {
            request = request.header(*name, value);
        }
        let request = request.body(Full::from(body.freeze())).unwrap();
        let (head, body) = self.sender.send_request(request).await.unwrap().into_parts();
        assert_eq!(head.status, 200);
        assert_eq!(head.headers["content-type"], "application/grpc");
        Messages {
            body,
            read: BytesMut::new(),
            status: status(&head.headers),
        }
    }

    /// Calls a method that answers with one message; the status if it answers with none.
    pub(crate) async fn one<T: Message + Default>(
        &mut self,
        path: &str,
        message: &impl Message,
    ) -> Result<T, String> {
        let mut answer = self.call(path, message).await;
        let message = answer.next().await;
        assert!(answer.next::<T>().await.is_none());
        let status = answer.status.unwrap();
        assert_eq!(message.is_some(), status == "0");
        message.ok_or(status)
    }
}

impl Messages {
    /// The next message; nothing at the end.
    pub(crate) async fn next<T: Message + Default>(&mut self) -> Option<T> {
        loop {
            if let Some(message) = self.whole() {
                return Some(T::decode(message).unwrap());
            }
            let frame = self.body.frame().await?.unwrap();
            match frame.into_data() {
                Ok(data) => self.read.put(data),
                Err(frame) => self.status = status(frame.trailers_ref().unwrap()),
            }
        }
    }

    fn whole(&mut self) -> Option<Bytes> {
        let mut length = self.read.get(1..PREFIX_BYTES)?;
        let length = length.get_u32() as usize;
        (self.read.len() >= PREFIX_BYTES + length).then(|| {
            self.read.advance(PREFIX_BYTES);
            self.read.split_to(length).freeze()
        })
    }

    /// The status that the answer ended with.
    pub(crate) fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }
}

fn status(fields: &HeaderMap) -> Option<String> {
    Some(fields.get(STATUS)?.to_str().unwrap().to_owned())
}
