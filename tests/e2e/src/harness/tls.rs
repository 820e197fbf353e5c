//! TLS connections that look at what they are shown.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::ClientConnection;

/// SHA-256 of the certificate that a host is shown at a port, in hexadecimal; `None` if nobody answers.
pub(crate) fn shown(port: u16, host: &str) -> Option<String> {
    let config = Arc::new(pki::testing::client(None, &[]));
    let name = host.to_owned().try_into().unwrap();
    let mut connection = ClientConnection::new(config, name).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    connection.complete_io(&mut stream).ok()?;
    let certificate = connection.peer_certificates()?.first()?;
    Some(pki::facts(certificate).unwrap().fingerprint_sha256)
}
