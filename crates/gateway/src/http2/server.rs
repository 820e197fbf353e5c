//! A connection with a client over HTTP/2.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::spawn_local;

use super::exchange;
use crate::conn::{Conn, Open};
use crate::patience::Watched;
use crate::settings::Limits;

/// How long a client that was told to go may stay.
const LINGER: Duration = Duration::from_secs(1);
/// What a client may send before we take it, on a stream and on a connection.
const WINDOW_BYTES: u32 = 1024 * 1024;
/// The largest frame that is taken: what every side has to take.
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// What of an answer may wait in the connection.
const WAITING_BYTES_MAX: usize = 400 * 1024;
/// How often a client may make us reset its streams before its connection is ended.
const ERRORS_MAX: usize = 1024;

/// Serves a connection to its end; what is under way then is given up.
pub(crate) async fn serve<S>(conn: &Rc<Conn>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = Watched::new(stream, Rc::clone(conn));
    let handshake = builder(&conn.core().settings.limits).handshake(stream);
    // Its client has as long for the handshake and its first head as others for the head alone.
    let Some(Ok(connection)) = conn.deadline.bound(handshake).await else {
        return;
    };
    let mut serving = Serving {
        conn,
        connection,
        is_ending: false,
        is_draining: false,
    };
    poll_fn(|context| serving.poll(context)).await;
}

fn builder(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_send_buffer_size(WAITING_BYTES_MAX)
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .max_local_error_reset_streams(Some(ERRORS_MAX))
        .enable_connect_protocol();
    builder
}

/// A connection while it is served.
struct Serving<'a, S> {
    conn: &'a Rc<Conn>,
    connection: Connection<Watched<S>, Bytes>,
    /// Whether the client was told that the connection ends.
    is_ending: bool,
    /// Whether that is because its listener is left.
    is_draining: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Serving<'_, S> {
    /// Ready when nothing more is to be done for the connection.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let conn = self.conn;
        if !self.is_draining && conn.is_leaving() {
            self.is_draining = true;
            self.is_ending = true;
            self.connection.graceful_shutdown();
        }
        let is_over = conn.deadline.poll_over(context).is_ready();
        if conn.is_idle() && is_over {
            if self.is_ending {
                return Poll::Ready(());
            }
            // GOAWAY first; who does not react to it within the same time is cut off.
            self.is_ending = true;
            self.connection.graceful_shutdown();
            conn.deadline.arm(LINGER);
            let _ = conn.deadline.poll_over(context);
        }
        if conn.taking.poll_over(context).is_ready() {
            return Poll::Ready(());
        }
        loop {
            // Polling it is also what reads, writes and wakes the streams.
            match ready!(self.connection.poll_accept(context)) {
                Some(Ok((request, respond))) => {
                    // Counted here already: the end of the connection may be looked for before the task runs.
                    let open = Open::new(conn);
                    spawn_local(exchange::serve(open, request, respond));
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "a connection of HTTP/2 ended");
                    return Poll::Ready(());
                }
                None => return Poll::Ready(()),
            }
        }
    }
}
