//! What a failure over HTTP/2 says of the request.

use std::error::Error as _;

use h2::Reason;

/// The upstream's word that it has not looked at a request, so that sending it again does nothing twice: RFC 9113
/// section 8.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It takes others over the same connection, now or a little later.
    Stream,
    /// It takes no more over this connection.
    Connection,
}

impl Refused {
    pub(super) fn read(error: &hyper::Error) -> Option<Self> {
        let error = of_http2(error).filter(|error| error.is_remote())?;
        // Only what is above the last stream that was looked at hears of a GOAWAY.
        if error.is_go_away() {
            return Some(Self::Connection);
        }
        (error.reason() == Some(Reason::REFUSED_STREAM)).then_some(Self::Stream)
    }
}

/// Whether the connection broke, which says nothing of this request: no frame ended it, and none was wrong.
pub(super) fn is_lost(error: &hyper::Error) -> bool {
    of_http2(error).is_none() && !error.is_parse()
}

fn of_http2(error: &hyper::Error) -> Option<&h2::Error> {
    error.source()?.downcast_ref()
}
