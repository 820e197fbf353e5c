//! The beginning of a client's TLS connection: what it asks for, and what it is shown.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{Accepted, Acceptor, ClientHello};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::shown::{ACME_TLS, Asks, ClientCertificate};
use crate::conn::Conn;
use crate::rewound::Rewound;
use crate::settings::Protocols;

/// What is read at once of a client's first message.
const HELLO_BYTES: usize = 2048;
/// The most bytes of a client's first message, records included.
const HELLO_BYTES_MAX: usize = 64 * 1024;

/// Ends TLS on a connection; `None` if that fails, or if it only was to check a host.
pub(crate) async fn shake<S>(
    conn: &Rc<Conn>,
    stream: S,
    protocols: Protocols,
) -> Option<TlsStream<Rewound<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (stream, accepted, first) = match hello(stream).await {
        Ok(whole) => whole,
        Err(error) => {
            tracing::debug!(%error, "a client does not speak TLS");
            return None;
        }
    };
    let (config, asks) = choose(conn, &accepted.client_hello(), protocols)?;
    drop(accepted);
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
async fn hello<S>(mut stream: S) -> io::Result<(S, Accepted, Vec<u8>)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut acceptor = Acceptor::default();
    let mut bytes = Vec::with_capacity(HELLO_BYTES);
    loop {
        let before = bytes.len();
        if before >= HELLO_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut new = &bytes[before..];
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
fn choose(
    conn: &Conn,
    hello: &ClientHello<'_>,
    protocols: Protocols,
) -> Option<(Arc<ServerConfig>, Option<Arc<Asks>>)> {
    let core = conn.core();
    let installed = core.installed();
    let host = hello.server_name().map(str::to_ascii_lowercase);
    let shelf = installed.as_ref().map(|installed| &installed.compiled.shelf);
    if let (Some(host), Some(shelf)) = (&host, shelf) {
        let is_check = hello
            .alpn()
            .is_some_and(|mut names| names.any(|name| name == ACME_TLS));
        if let Some(config) = shelf.challenge(host).filter(|_| is_check) {
            return Some((Arc::clone(config), None));
        }
        if let Some(shown) = shelf.find(host) {
            return Some((Arc::clone(shown.config(protocols)), shown.asks.clone()));
        }
    }
    let own = core.own_certificate()?;
    Some((Arc::clone(own.config(protocols)), own.asks.clone()))
}
