//! The PROXY protocol: what a proxy says in front of a connection that it passes on.
//!
//! Read strictly, since whoever may say it says who the client is: what is not exactly one of the two forms ends the
//! connection. Source: "The PROXY protocol", versions 1 and 2, of HAProxy (proxy-protocol.txt, 2020).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bytes::BytesMut;
use domain::traffic::ProxyVersion;
use tokio::io::{AsyncRead, AsyncReadExt as _};

mod binary;
mod line;

/// Both ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Who opened it.
    pub(crate) source: SocketAddr,
    /// What it was opened to.
    pub(crate) destination: SocketAddr,
}

/// A header that came whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Its bytes; what follows belongs to the connection.
    pub(crate) length: usize,
    /// Whom the proxy speaks for; nobody if it speaks for itself, or says no address.
    pub(crate) ends: Option<Ends>,
}

/// Why something is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("it begins with no PROXY header")]
    None,
    #[error("the header of version 1 is not a line as it has to be")]
    Line,
    #[error("the header has another version than 1 or 2, or a command or family that there is not")]
    Kind,
    #[error("the header is longer than it may be, or too short for what it says")]
    Length,
    #[error("the further values of the header are not as they have to be")]
    Values,
    #[error("the checksum of the header is another one")]
    Checksum,
}

/// Why no header came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("the connection ended before its PROXY header")]
    Closed,
    #[error("reading the PROXY header")]
    Read(#[source] std::io::Error),
}

/// Reads a header from the first bytes of a connection; nothing if there are too few yet.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Header>, Invalid> {
    match bytes.first() {
        None => Ok(None),
        Some(b'P') => line::read(bytes),
        Some(_) => binary::read(bytes),
    }
}

/// Takes the header off a connection and says whom it speaks for; `first` keeps what was read behind it.
pub(crate) async fn receive<S>(stream: &mut S, first: &mut BytesMut) -> Result<Option<Ends>, Error>
where
    S: AsyncRead + Unpin,
{
    loop {
        if let Some(header) = read(first)? {
            let _ = first.split_to(header.length);
            return Ok(header.ends);
        }
        match stream.read_buf(first).await {
            Ok(0) => return Err(Error::Closed),
            Ok(_) => {}
            Err(error) => return Err(Error::Read(error)),
        }
    }
}

/// The header for a connection that is passed on, or for one of our own if there are no `ends`.
pub(crate) fn write(version: ProxyVersion, ends: Option<&Ends>) -> Box<[u8]> {
    let ends = ends.map(Ends::of_one_family);
    match version {
        ProxyVersion::V1 => line::write(ends.as_ref()),
        ProxyVersion::V2 => binary::write(ends.as_ref()),
    }
}

impl Ends {
    /// The same with addresses of one family, as every header wants them.
    fn of_one_family(&self) -> Self {
        let (source, destination) = (canonical(self.source), canonical(self.destination));
        if source.is_ipv4() == destination.is_ipv4() {
            return Self { source, destination };
        }
        Self {
            source: SocketAddr::new(mapped(source.ip()).into(), source.port()),
            destination: SocketAddr::new(mapped(destination.ip()).into(), destination.port()),
        }
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

const fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests;
