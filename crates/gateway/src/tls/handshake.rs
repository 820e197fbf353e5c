//! The beginning of a client's TLS connection: what it asks for, and what it is shown.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{Accepted, Acceptor};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Shelf;
use super::shown::{ACME_TLS, Asks, ClientCertificate};
use crate::conn::Conn;
use crate::rewound::Rewound;
use crate::settings::Protocols;

/// What is read at once of a client's first message.
const HELLO_BYTES: usize = 2048;
/// The most bytes of a client's first message, records included.
const HELLO_BYTES_MAX: usize = 64 * 1024;

/// Says to a client that there is nobody of that name: RFC 6066 section 3, as a record of RFC 8446 section 5.1.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// What a client says first, and the connection as it was before.
pub(crate) struct Greeting<S> {
    stream: S,
    bytes: Vec<u8>,
    accepted: Accepted,
    /// In lower case.
    host: Option<String>,
}

/// Reads what a client says first, of which the first bytes may have been read; `None` if that is not TLS.
pub(crate) async fn greet<S>(stream: S, first: &[u8]) -> Option<Greeting<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match hello(stream, first).await {
        Ok((stream, accepted, bytes)) => {
            let host = accepted.client_hello().server_name().map(str::to_ascii_lowercase);
            Some(Greeting {
                stream,
                bytes,
                accepted,
                host,
            })
        }
        Err(error) => {
            tracing::debug!(%error, "a client does not speak TLS");
            None
        }
    }
}

impl<S> Greeting<S> {
    /// The host that the client names, in lower case.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Whether it is an ACME server that checks a host.
    pub(crate) fn is_challenge(&self, conn: &Conn) -> bool {
        let installed = conn.core().installed();
        installed.is_some_and(|installed| self.challenge(&installed.compiled.shelf).is_some())
    }

    /// What an ACME server is shown that checks a host.
    fn challenge<'a>(&self, shelf: &'a Shelf) -> Option<&'a Arc<ServerConfig>> {
        let config = shelf.challenge(self.host()?)?;
        let mut names = self.accepted.client_hello().alpn()?;
        names.any(|name| name == ACME_TLS).then_some(config)
    }

    /// The connection, and what was read of it.
    pub(crate) fn unread(self) -> (S, Vec<u8>) {
        (self.stream, self.bytes)
    }
}

impl<S: AsyncWrite + Unpin> Greeting<S> {
    /// Says that nobody has the name.
    pub(crate) async fn refuse(&mut self) {
        // It is small: it fits where nothing was written yet, or the client is gone.
        let _ = self.stream.write_all(&UNRECOGNIZED_NAME).await;
        let _ = self.stream.shutdown().await;
    }
}

/// Ends TLS on a connection; `None` if that fails, or if it only was to check a host.
pub(crate) async fn shake<S>(
    conn: &Rc<Conn>,
    greeting: Greeting<S>,
    protocols: Protocols,
) -> Option<TlsStream<Rewound<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (config, asks) = choose(conn, &greeting, protocols)?;
    let (stream, first) = greeting.unread();
    let stream = Rewound::new(stream, first);
    let stream = match TlsAcceptor::from(config).accept(stream).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake failed");
            return None;
        }
    };
    let session = stream.get_ref().1;
    if session.alpn_protocol() == Some(ACME_TLS) {
        return None;
    }
    let shown = session.peer_certificates().and_then(<[_]>::first);
    let certificate = match (shown, &asks) {
        (Some(certificate), Some(asks)) => Some(ClientCertificate::read(certificate, asks)?),
        _ => None,
    };
    conn.shaken(asks, certificate);
    Some(stream)
}

/// Reads a client's first message; also gives the bytes that were read.
async fn hello<S>(mut stream: S, first: &[u8]) -> io::Result<(S, Accepted, Vec<u8>)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut acceptor = Acceptor::default();
    let mut bytes = Vec::with_capacity(HELLO_BYTES);
    bytes.extend_from_slice(first);
    let mut taken = 0;
    loop {
        if taken == bytes.len() {
            if taken >= HELLO_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let mut new = &bytes[taken..];
        taken = bytes.len();
        while !new.is_empty() {
            acceptor.read_tls(&mut new)?;
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => return Ok((stream, accepted, bytes)),
                Err((error, mut alert)) => {
                    let mut text = Vec::new();
                    alert.write_all(&mut text)?;
                    stream.write_all(&text).await?;
                    stream.shutdown().await?;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
    }
}

/// The configuration for a client, by the host and protocol that it names.
fn choose<S>(
    conn: &Conn,
    greeting: &Greeting<S>,
    protocols: Protocols,
) -> Option<(Arc<ServerConfig>, Option<Arc<Asks>>)> {
    let core = conn.core();
    let installed = core.installed();
    let shelf = installed.as_ref().map(|installed| &installed.compiled.shelf);
    if let (Some(host), Some(shelf)) = (greeting.host(), shelf) {
        if let Some(config) = greeting.challenge(shelf) {
            return Some((Arc::clone(config), None));
        }
        if let Some(shown) = shelf.find(host) {
            return Some((Arc::clone(shown.config(protocols)), shown.asks.clone()));
        }
    }
    let own = core.own_certificate()?;
    Some((Arc::clone(own.config(protocols)), own.asks.clone()))
}
