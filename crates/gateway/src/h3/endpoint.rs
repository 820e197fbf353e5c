//! A core's socket for HTTP/3, and the connections that come by it.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, Incoming, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use rustls_pki_types::CertificateDer;
use tokio::task::spawn_local;

use super::choose::{Agreed, Choosing};
use super::ports::Port;
use super::server;
use crate::conn::Conn;
use crate::core::Core;
use crate::listen::Leaving;
use crate::proxy_protocol::Ends;
use crate::serve::Guest;
use crate::settings::Limits;
use crate::tls::ClientCertificate;

/// What of answers may wait in a connection for its client.
pub(super) const SEND_WINDOW: u64 = 2 * 1024 * 1024;
/// What of requests may wait in a connection for us, and in one of its streams.
const WINDOW: u32 = 2 * 1024 * 1024;
const STREAM_WINDOW: u32 = 512 * 1024;
/// The streams that a client may open beside those of requests: three that it needs, and some that mean nothing.
const OTHER_STREAMS_MAX: u32 = 16;
/// How long a client may be silent before it is taken for gone, and how often it is asked.
const SILENCE: Duration = Duration::from_secs(30);
const ASKED: Duration = Duration::from_secs(10);
/// Clients whose first packets wait for us, and how much of each and of all is kept.
const WAITING_MAX: usize = 1024;
const WAITING_BYTES: u64 = 64 * 1024;
const WAITING_BYTES_ALL: u64 = 8 * 1024 * 1024;

/// A socket with what it takes to listen at it.
pub(crate) struct Seat {
    pub(crate) core: Rc<Core>,
    pub(crate) socket: UdpSocket,
    /// Keeps the sockets of all cores open: without one, the kernel would deal packets out anew.
    pub(crate) port: Arc<Port>,
    pub(crate) choosing: Choosing,
    pub(crate) leaving: Rc<Leaving>,
    /// Each connection of the core holds one.
    pub(crate) connections: Rc<()>,
}

/// Handshakes that are under way.
#[derive(Default)]
struct Shaking(Cell<u32>);

struct Shake(Rc<Shaking>);

impl Shake {
    fn new(shaking: &Rc<Shaking>) -> Self {
        shaking.0.set(shaking.0.get() + 1);
        Self(Rc::clone(shaking))
    }
}

impl Drop for Shake {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get() - 1);
    }
}

impl Seat {
    /// Listens until the door is left, and serves what has come by it to its end.
    pub(crate) async fn serve(self) {
        let address = self.port.address;
        let endpoint = match self.endpoint() {
            Ok(endpoint) => endpoint,
            Err(error) => return tracing::error!(%error, %address, "listening for HTTP/3"),
        };
        let shaking = Rc::new(Shaking::default());
        let mut left = pin!(self.leaving.left());
        loop {
            let incoming = tokio::select! {
                biased;
                () = left.as_mut() => break,
                incoming = endpoint.accept() => incoming,
            };
            let Some(incoming) = incoming else { break };
            self.meet(incoming, &shaking);
        }
        let mut idle = pin!(endpoint.wait_idle());
        loop {
            tokio::select! {
                () = idle.as_mut() => return,
                incoming = endpoint.accept() => match incoming {
                    // So it need not wait before it tries HTTP over TCP.
                    Some(incoming) => incoming.refuse(),
                    None => return,
                }
            }
        }
    }

    fn endpoint(&self) -> io::Result<Endpoint> {
        let socket = self.socket.try_clone()?;
        let limits = &self.core.settings.limits;
        let config = server_config(&self.choosing, limits);
        Endpoint::new(
            EndpointConfig::default(),
            Some(config),
            socket,
            Arc::new(TokioRuntime),
        )
    }

    /// The address that a client has reached.
    fn destination(&self, incoming: &Incoming) -> SocketAddr {
        let ip = incoming.local_ip().unwrap_or(self.port.address.ip());
        SocketAddr::new(ip, self.port.address.port())
    }

    /// Begins a connection, unless there are too many.
    fn meet(&self, incoming: Incoming, shaking: &Rc<Shaking>) {
        let figures = &self.core.figures;
        if figures.connections_open.get() >= self.core.settings.limits.connections_max as u64 {
            figures.connections_refused.add(1);
            return incoming.refuse();
        }
        if shaking.0.get() >= self.core.settings.http3.handshakes_free && !incoming.remote_address_validated()
        {
            figures.http3_retries.add(1);
            // Fails only for an address that is known already.
            let _ = incoming.retry();
            return;
        }
        let guest = Guest::new(&self.core, &self.connections);
        let conn = Conn::new(
            &self.core,
            Ends {
                source: incoming.remote_address(),
                destination: self.destination(&incoming),
            },
            true,
            Rc::clone(&self.leaving),
        );
        spawn_local(welcome(guest, conn, incoming, Shake::new(shaking)));
    }
}

/// Serves one connection from its first packet to its last.
async fn welcome(guest: Guest, conn: Rc<Conn>, incoming: Incoming, shake: Shake) {
    let connection = match incoming.accept() {
        Ok(connecting) => conn.deadline.bound(connecting).await,
        Err(error) => Some(Err(error)),
    };
    drop(shake);
    let connection = match connection {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => return tracing::debug!(%error, "a handshake of QUIC failed"),
        None => return,
    };
    conn.core().figures.http3_connections.add(1);
    let agreed = connection
        .handshake_data()
        .and_then(|data| data.downcast::<Agreed>().ok());
    let asks = agreed.and_then(|agreed| agreed.asks);
    let shown = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    let certificate = match (shown.as_deref().and_then(|chain| chain.first()), &asks) {
        (Some(certificate), Some(asks)) => match ClientCertificate::read(certificate, asks) {
            Some(certificate) => Some(certificate),
            None => return,
        },
        _ => None,
    };
    conn.shaken(asks, certificate);
    server::serve(conn, connection).await;
    drop(guest);
}

fn server_config(choosing: &Choosing, limits: &Limits) -> ServerConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(limits.streams_max))
        .max_concurrent_uni_streams(VarInt::from_u32(OTHER_STREAMS_MAX))
        .receive_window(VarInt::from_u32(WINDOW))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .send_window(SEND_WINDOW)
        .max_idle_timeout(Some(
            IdleTimeout::try_from(SILENCE).expect("half a minute is short"),
        ))
        .keep_alive_interval(Some(ASKED))
        .datagram_receive_buffer_size(None);
    let mut config = ServerConfig::with_crypto(Arc::new(choosing.chooser()));
    config
        .transport_config(Arc::new(transport))
        .max_incoming(WAITING_MAX)
        .incoming_buffer_size(WAITING_BYTES)
        .incoming_buffer_size_total(WAITING_BYTES_ALL);
    config
}

/// Makes the form in which QUIC takes a configuration of TLS.
pub(crate) fn quic(config: Arc<rustls::ServerConfig>) -> Arc<QuicServerConfig> {
    let quic = QuicServerConfig::try_from(config);
    Arc::new(quic.expect("the provider has TLS13_AES_128_GCM_SHA256"))
}
