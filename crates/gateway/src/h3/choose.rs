//! TLS in QUIC: which certificate a client is shown, and what it is asked for, chosen by the host that it names.
//!
//! As over TCP, there is one rustls configuration per certificate; so the client's first message is read before one
//! is chosen. Sources: RFC 9001 section 4.

use std::any::Any;
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::crypto::{
    ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, ServerConfig, Session, UnsupportedVersion,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side, TransportError, TransportErrorCode};
use rustls::crypto::aws_lc_rs;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCertUsingSni};
use rustls::version::TLS13;
use tokio::sync::watch;

use super::endpoint::quic;
use crate::node::Node;
use crate::tls::{Asks, Shown};

/// The most bytes of a client's first message.
const HELLO_BYTES_MAX: usize = 64 * 1024;
/// The bytes of a TLS record, and of its beginning: RFC 8446 section 5.1.
const RECORD_BYTES_MAX: usize = 16 * 1024;
const HANDSHAKE: u8 = 22;
/// The alert `unrecognized_name`: RFC 6066 section 3.
const UNRECOGNIZED_NAME: u8 = 112;
/// The alert `decode_error`.
const DECODE_ERROR: u8 = 50;

/// Chooses by what the node serves at the moment.
#[derive(Clone)]
pub(crate) struct Choosing {
    node: Arc<Node>,
    /// What is shown to clients of hosts without a certificate in the snapshot.
    own: watch::Receiver<Option<Arc<Shown>>>,
    any: Arc<QuicServerConfig>,
}

impl Choosing {
    pub(crate) fn new(node: Arc<Node>, own: watch::Receiver<Option<Arc<Shown>>>) -> Self {
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has TLS 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
        Self {
            node,
            own,
            any: quic(Arc::new(config)),
        }
    }

    pub(super) fn chooser(&self) -> Chooser {
        Chooser {
            choosing: self.clone(),
            any: Arc::clone(&self.any),
        }
    }

    /// What a client is shown and asked for.
    fn choose(&self, hello: &ClientHello<'_>) -> Option<Arc<Shown>> {
        let serving = self.node.serving();
        let host = hello.server_name().map(str::to_ascii_lowercase);
        let found = serving.zip(host).and_then(|(serving, host)| {
            let shown = serving.shelf.find(&host)?;
            Some(Arc::clone(shown))
        });
        found.or_else(|| self.own.borrow().clone())
    }
}

/// Makes a session for each connection.
pub(super) struct Chooser {
    choosing: Choosing,
    /// For what is the same with every certificate: the keys of the first packets.
    any: Arc<QuicServerConfig>,
}

/// What was agreed on.
pub(super) struct Agreed {
    /// What the client was asked for.
    pub(super) asks: Option<Arc<Asks>>,
}

impl ServerConfig for Chooser {
    fn initial_keys(&self, version: u32, dst_cid: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        self.any.initial_keys(version, dst_cid)
    }

    fn retry_tag(&self, version: u32, orig_dst_cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.any.retry_tag(version, orig_dst_cid, packet)
    }

    fn start_session(self: Arc<Self>, version: u32, params: &TransportParameters) -> Box<dyn Session> {
        Box::new(Choice {
            // Only its keys for the first packets are used, until there is another one.
            session: Arc::clone(&self.any).start_session(version, params),
            hello: Some((Vec::new(), *params)),
            chooser: self,
            version,
            asks: None,
        })
    }
}

/// A session whose configuration is chosen when the client has said what it wants.
struct Choice {
    chooser: Arc<Chooser>,
    version: u32,
    session: Box<dyn Session>,
    /// What the client has said so far, and what we say to it; nothing once it was chosen.
    hello: Option<(Vec<u8>, TransportParameters)>,
    asks: Option<Arc<Asks>>,
}

impl Choice {
    /// Chooses as soon as the first message is whole.
    fn choose(&mut self, bytes: &[u8]) -> Result<Option<bool>, TransportError> {
        let Some((hello, params)) = &mut self.hello else {
            return Ok(None);
        };
        hello.extend_from_slice(bytes);
        if hello.len() > HELLO_BYTES_MAX {
            return Err(alert(DECODE_ERROR, "the first message is too long"));
        }
        let Some(message) = message(hello) else {
            return Ok(Some(false));
        };
        let shown = chosen(&self.chooser.choosing, message)?;
        self.session = Arc::clone(shown.quic()).start_session(self.version, params);
        self.asks = shown.asks.clone();
        let read = self.session.read_handshake(hello)?;
        self.hello = None;
        Ok(Some(read))
    }
}

/// The first message, if it is whole: RFC 8446 section 4.
fn message(bytes: &[u8]) -> Option<&[u8]> {
    let [_, length @ ..] = bytes.first_chunk::<4>()?;
    let length = length
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte));
    bytes.get(..4 + length)
}

/// Reads what the client wants, by giving it to rustls as if it had come over TCP.
fn chosen(choosing: &Choosing, message: &[u8]) -> Result<Arc<Shown>, TransportError> {
    let mut acceptor = Acceptor::default();
    for part in message.chunks(RECORD_BYTES_MAX) {
        let length = u16::try_from(part.len())
            .expect("a record is short")
            .to_be_bytes();
        let record = [&[HANDSHAKE, 3, 1], &length[..], part].concat();
        let mut rest = &record[..];
        while !rest.is_empty() {
            if acceptor.read_tls(&mut rest).is_err() {
                return Err(alert(DECODE_ERROR, "the first message cannot be read"));
            }
        }
    }
    match acceptor.accept() {
        Ok(Some(accepted)) => choosing
            .choose(&accepted.client_hello())
            .ok_or_else(|| alert(UNRECOGNIZED_NAME, "there is no certificate for the host")),
        _ => Err(alert(DECODE_ERROR, "the first message cannot be read")),
    }
}

fn alert(alert: u8, reason: &str) -> TransportError {
    TransportError {
        code: TransportErrorCode::crypto(alert),
        frame: None,
        reason: reason.to_owned(),
    }
}

impl Session for Choice {
    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.session.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.session.handshake_data()?;
        let asks = self.asks.clone();
        Some(Box::new(Agreed { asks }))
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.session.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        // Nothing is taken before the handshake has ended: whatever it was could be sent again by anybody.
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        self.hello.is_some() || self.session.is_handshaking()
    }

    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        match self.choose(bytes)? {
            Some(read) => Ok(read),
            None => self.session.read_handshake(bytes),
        }
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.session.transport_parameters()
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Keys> {
        if self.hello.is_some() {
            return None;
        }
        self.session.write_handshake(out)
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.session.next_1rtt_keys()
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.session.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.session.export_keying_material(output, label, context)
    }
}
