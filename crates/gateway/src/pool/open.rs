//! Opens connections to targets.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::ConnectError;
use crate::socket::Socket;
use crate::target::Endpoint;

/// Opens a connection to a target, with TLS if it wants that; `preface` is sent before anything else.
pub(crate) async fn open(
    endpoint: &Endpoint,
    tls: Option<&TlsConnector>,
    preface: Option<&[u8]>,
) -> Result<Socket, ConnectError> {
    let socket = open_any(endpoint, tls, preface).await?;
    if let Socket::Tls(stream) = &socket
        && endpoint.is_http2()
        && stream.get_ref().1.alpn_protocol() != Some(b"h2")
    {
        return Err(ConnectError::NoHttp2 {
            host: endpoint.host.clone(),
        });
    }
    Ok(socket)
}

/// The same, whatever is spoken inside.
pub(super) async fn open_any(
    endpoint: &Endpoint,
    tls: Option<&TlsConnector>,
    preface: Option<&[u8]>,
) -> Result<Socket, ConnectError> {
    let stream = open_tcp(endpoint, preface).await?;
    let Some(connector) = tls.filter(|_| endpoint.is_tls) else {
        return Ok(Socket::Plain(stream));
    };
    let host = &endpoint.host;
    let tls = |source| ConnectError::Tls {
        host: host.clone(),
        source,
    };
    let name = match endpoint.tls.as_ref().and_then(|out| out.name()) {
        Some(name) => name.clone(),
        None => rustls_pki_types::ServerName::try_from(endpoint.name.as_ref().unwrap_or(host).to_string())
            .map_err(|_| tls(std::io::Error::from(std::io::ErrorKind::InvalidInput)))?,
    };
    let stream = connector.connect(name, stream).await.map_err(tls)?;
    Ok(Socket::Tls(Box::new(stream)))
}

/// Opens a connection with nothing on it but a preface, if there is one.
pub(crate) async fn open_tcp(endpoint: &Endpoint, preface: Option<&[u8]>) -> Result<TcpStream, ConnectError> {
    let tcp = |source| ConnectError::Tcp {
        host: endpoint.host.clone(),
        source,
    };
    let mut stream = TcpStream::connect((&*endpoint.host, endpoint.port))
        .await
        .map_err(tcp)?;
    stream.set_nodelay(true).map_err(tcp)?;
    if let Some(preface) = preface {
        stream.write_all(preface).await.map_err(tcp)?;
    }
    Ok(stream)
}
