//! A gateway with HTTP/3, and two kinds of clients.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use domain::traffic::UpstreamProtocol;
use gateway::Settings;
use gateway::settings::Certificate;
use h3::client::SendRequest;
use h3_quinn::quinn;
use http::{HeaderMap, Request, Response};
use pki::testing::{self, Pair};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, ReadError, RecvStream, SendStream, VarInt};
use tempfile::TempDir;

use crate::bench::{Bench, PATIENCE};
use crate::certificates::TOKEN;
use crate::listeners::free;

pub(super) const HOST: &str = "own.example";

/// A gateway with HTTP/3 beside HTTP over TLS.
pub(super) struct World {
    pub(super) bench: Bench,
    pub(super) own: Pair,
    pub(super) address: SocketAddr,
    _directory: TempDir,
}

impl World {
    pub(super) fn new(urls: &[String]) -> Self {
        Self::with(urls, |_| {})
    }

    pub(super) fn with(urls: &[String], change: impl FnOnce(&mut Settings)) -> Self {
        Self::made(urls, UpstreamProtocol::Http1, change)
    }

    pub(super) fn with_protocol(urls: &[String], protocol: UpstreamProtocol) -> Self {
        Self::made(urls, protocol, |_| {})
    }

    fn made(urls: &[String], protocol: UpstreamProtocol, change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let own = Pair::of(&[HOST]);
        let certificate = Certificate {
            chain: directory.path().join("chain.pem"),
            key: directory.path().join("key.pem"),
        };
        own.write(&certificate.chain, &certificate.key);
        let bench = Bench::with(urls, |settings, snapshot| {
            snapshot.upstreams[0].spec.protocol = protocol;
            settings.listen_tls = Some(free());
            settings.http3.enabled = true;
            settings.certificate = Some(certificate);
            settings.sealing.trust(TOKEN);
            change(settings);
        });
        let gateway = bench.gateway.as_ref().unwrap();
        let address = gateway.addresses().tls.unwrap();
        assert_eq!(gateway.listening_http3(), [address], "at the same address");
        Self {
            bench,
            own,
            address,
            _directory: directory,
        }
    }

    /// A connection for a host.
    pub(super) async fn dial(&self, host: &str, shown: Option<&Pair>) -> Result<Connection, ConnectionError> {
        dial(self.address, host, shown).await
    }

    /// A client of another implementation.
    pub(super) async fn client(&self) -> Client {
        Client::of(self.dial(HOST, None).await.unwrap()).await
    }

    /// A request with the bench's key.
    pub(super) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("https://{HOST}{path}"))
            .header("x-api-key", &self.bench.key)
    }

    /// A client that says what it is told.
    pub(super) async fn raw(&self) -> Raw {
        Raw::of(self.dial(HOST, None).await.unwrap()).await
    }
}

pub(super) async fn dial(
    address: SocketAddr,
    host: &str,
    shown: Option<&Pair>,
) -> Result<Connection, ConnectionError> {
    let config = Arc::new(testing::client(shown, &["h3"]));
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()));
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.connect_with(config, address, host).unwrap().await
}

/// What a client got.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Option<HeaderMap>,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Status and code of a problem.
    pub(super) fn problem(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        format!("{} {}", self.status, body["code"].as_str().unwrap_or_default())
    }
}

pub(super) struct Client {
    pub(super) send: SendRequest<h3_quinn::OpenStreams, Bytes>,
    driver: tokio::task::JoinHandle<h3::error::ConnectionError>,
}

impl Client {
    pub(super) async fn of(connection: Connection) -> Self {
        let quic = h3_quinn::Connection::new(connection);
        let (mut driver, send) = h3::client::new(quic).await.unwrap();
        let driver =
            tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
        Self { send, driver }
    }

    pub(super) async fn ask(&mut self, request: Request<()>, body: &[u8]) -> Answer {
        self.try_ask(request, body).await.unwrap()
    }

    pub(super) async fn try_ask(
        &mut self,
        request: Request<()>,
        body: &[u8],
    ) -> Result<Answer, h3::error::StreamError> {
        let mut stream = self.send.send_request(request).await?;
        if !body.is_empty() {
            stream.send_data(Bytes::copy_from_slice(body)).await?;
        }
        stream.finish().await?;
        let response: Response<()> = stream.recv_response().await?;
        let mut found = Vec::new();
        while let Some(mut part) = stream.recv_data().await? {
            found.extend_from_slice(&part.copy_to_bytes(part.remaining()));
        }
        let trailers = stream.recv_trailers().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            fields: response.headers().clone(),
            body: found,
            trailers,
        })
    }

    /// How the connection ended.
    pub(super) async fn ended(self) -> h3::error::ConnectionError {
        drop(self.send);
        tokio::time::timeout(PATIENCE, self.driver)
            .await
            .unwrap()
            .unwrap()
    }
}

/// A client without rules.
pub(super) struct Raw {
    pub(super) connection: Connection,
    _control: SendStream,
}

/// How a stream or connection ended: by which code.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Stream(u64),
    Connection(u64),
    /// With an answer.
    Answered(Vec<u8>),
}

impl Raw {
    pub(super) async fn of(connection: Connection) -> Self {
        let mut control = connection.open_uni().await.unwrap();
        control.write_all(b"\0\x04\0").await.unwrap();
        Self {
            connection,
            _control: control,
        }
    }

    /// Sends bytes on the stream of a request, and says how it ended.
    pub(super) async fn say(&self, bytes: &[u8]) -> Ended {
        let (mut send, recv) = self.connection.open_bi().await.unwrap();
        let _ = send.write_all(bytes).await;
        let _ = send.finish();
        self.ended(recv).await
    }

    pub(super) async fn ended(&self, mut recv: RecvStream) -> Ended {
        match tokio::time::timeout(PATIENCE, recv.read_to_end(1 << 20))
            .await
            .unwrap()
        {
            Ok(bytes) => Ended::Answered(bytes),
            Err(quinn::ReadToEndError::Read(ReadError::Reset(code))) => Ended::Stream(code.into_inner()),
            Err(quinn::ReadToEndError::Read(ReadError::ConnectionLost(error))) => {
                Ended::Connection(code_of(&error))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens another stream, and says how the connection ended.
    pub(super) async fn say_beside(&self, bytes: &[u8], is_whole: bool) -> u64 {
        let mut send = self.connection.open_uni().await.unwrap();
        let _ = send.write_all(bytes).await;
        if is_whole {
            let _ = send.finish();
        }
        let error = tokio::time::timeout(PATIENCE, self.connection.closed()).await;
        code_of(&error.unwrap())
    }
}

fn code_of(error: &ConnectionError) -> u64 {
    match error {
        ConnectionError::ApplicationClosed(closed) => closed.error_code.into_inner(),
        other => panic!("{other}"),
    }
}

/// A frame.
pub(super) fn frame(kind: u64, content: &[u8]) -> Vec<u8> {
    [&number(kind)[..], &number(content.len() as u64), content].concat()
}

pub(super) fn number(number: u64) -> Vec<u8> {
    match number {
        0..0x40 => vec![u8::try_from(number).unwrap()],
        0x40..0x4000 => (u16::try_from(number).unwrap() | 0x4000).to_be_bytes().to_vec(),
        _ => (u32::try_from(number).unwrap() | 0x8000_0000)
            .to_be_bytes()
            .to_vec(),
    }
}

/// A head with these fields, each written out.
pub(super) fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut section = vec![0, 0];
    for (name, value) in fields {
        prefixed(&mut section, 0x20, 7, name.len());
        section.extend_from_slice(name.as_bytes());
        prefixed(&mut section, 0, 127, value.len());
        section.extend_from_slice(value.as_bytes());
    }
    frame(1, &section)
}

fn prefixed(out: &mut Vec<u8>, pattern: u8, most: usize, number: usize) {
    if number < most {
        return out.push(pattern | u8::try_from(number).unwrap());
    }
    out.push(pattern | u8::try_from(most).unwrap());
    let mut rest = number - most;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap());
}

/// The frames of a stream: types and contents.
pub(super) fn frames(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let (mut rest, mut found) = (bytes, Vec::new());
    let take = |rest: &mut &[u8]| {
        let length = 1 << (rest[0] >> 6);
        let first = u64::from(rest[0] & 0x3f);
        let number = rest[1..length]
            .iter()
            .fold(first, |number, byte| number << 8 | u64::from(*byte));
        *rest = &rest[length..];
        number
    };
    while !rest.is_empty() {
        let (kind, length) = (take(&mut rest), take(&mut rest));
        let (content, more) = rest.split_at(usize::try_from(length).unwrap());
        found.push((kind, content.to_vec()));
        rest = more;
    }
    found
}

pub(super) const fn code(number: u32) -> VarInt {
    VarInt::from_u32(number)
}
