//! Connections to the upstream that wait for their next request.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::spawn_local;

/// The idle upstream connections of one core, the most recently used on top.
pub(crate) struct Pool {
    upstream: SocketAddr,
    idle: RefCell<Vec<SendRequest<Incoming>>>,
}

impl Pool {
    pub(crate) fn new(upstream: SocketAddr) -> Rc<Self> {
        Rc::new(Self {
            upstream,
            idle: RefCell::default(),
        })
    }

    /// Sends a request on an idle connection, or on a new one if there is none.
    pub(crate) async fn send(self: &Rc<Self>, request: Request<Incoming>) -> io::Result<Response<Relayed>> {
        let mut connection = self.connection().await?;
        let response = connection.send_request(request).await.map_err(io::Error::other)?;
        Ok(response.map(|body| Relayed {
            body,
            is_finished: false,
            connection: Some(connection),
            pool: Rc::clone(self),
        }))
    }

    async fn connection(&self) -> io::Result<SendRequest<Incoming>> {
        while let Some(mut connection) = self.take() {
            // Fails on a connection that the upstream has closed meanwhile.
            if connection.ready().await.is_ok() {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> io::Result<SendRequest<Incoming>> {
        let stream = TcpStream::connect(self.upstream).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        spawn_local(driver);
        Ok(sender)
    }

    fn take(&self) -> Option<SendRequest<Incoming>> {
        self.idle.borrow_mut().pop()
    }

    fn put(&self, connection: SendRequest<Incoming>) {
        self.idle.borrow_mut().push(connection);
    }
}

/// The body of an upstream answer; returns its connection to the pool once it was read in full.
pub(crate) struct Relayed {
    body: Incoming,
    is_finished: bool,
    connection: Option<SendRequest<Incoming>>,
    pool: Rc<Pool>,
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.is_finished |= frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        // A body of known length ends without a last empty frame.
        if (self.is_finished || self.body.is_end_stream())
            && let Some(connection) = self.connection.take()
        {
            self.pool.put(connection);
        }
    }
}
