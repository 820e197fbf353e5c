//! How a gateway node is set up; what it serves comes with the snapshot.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use domain::Name;
use domain::certificate::ClientAuthMode;
use domain::limit::CallRate;
use http::HeaderValue;
use policy::gate::GateSpec;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::framing::HeadLimits;
use crate::proxies::{Network, Says};
use crate::tls::Sealing;
use crate::together::LimitsStore;
use crate::traces::Traces;

mod check;

pub use self::check::Unfit;

/// The settings of a node; in a file, the table `[gateway]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where HTTP/1.1 and HTTP/2 (with prior knowledge) are served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the same is served over TLS; nowhere if absent.
    pub listen_tls: Option<SocketAddr>,
    /// The certificate for it, and for other listeners with TLS; without one, a development certificate is made in the
    /// data directory.
    ///
    /// Its files are read again when they change. Hosts with a certificate of the control plane are shown that one.
    pub certificate: Option<Certificate>,
    /// What clients have to show where the node's own certificate is shown; nothing if absent.
    pub client_certificates: Option<ClientCertificates>,
    /// Who says at `listen` and `listen_tls` whom connections come from; nobody if absent.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Further places to listen, beside `listen` and `listen_tls`.
    pub listeners: Vec<Listener>,
    /// HTTP/3, over UDP.
    pub http3: Http3,
    /// A socket (a path) at which the node hands its listeners to the next process, and takes them from the one
    /// before; without it, an upgrade refuses connections for a moment.
    pub handover: Option<PathBuf>,
    /// How many seconds calls, streams and WebSockets under way may take once the node is told to stop, or another
    /// process has its sockets: up to 86,400; then they are cut off.
    #[schemars(range(max = 86_400))]
    pub drain_seconds: u32,
    /// The environment whose routes and keys the node serves.
    pub environment: Name,
    /// The name servers that targets with `resolve` are looked up at, as `10.0.0.2:53`; the system's if empty.
    pub name_servers: Vec<SocketAddr>,
    /// Where files of targets are (`targets_file` of upstreams), a directory that is there at the start; without it,
    /// upstreams that name one are rejected.
    pub targets_directory: Option<PathBuf>,
    /// Where the node is; targets with the same `zone` are preferred.
    pub zone: Option<Name>,
    /// Threads that serve, each with its own connections; 0 takes one per core of the machine.
    pub cores: usize,
    /// Serve `/health/live`, `/health/ready` and `/metrics` where no route answers.
    pub observable: bool,
    /// Answer questions about feature flags, and take tracked events, where no route answers:
    /// `/api/v1/feature-flags/…/evaluate`, `/ofrep/v1/evaluate/flags`, `/api/v1/tracking/events`.
    pub flags: bool,
    /// A place of its own for providers of flagd, who ask over gRPC; elsewhere they are answered too.
    pub flagd: Option<Flagd>,
    /// Certificates (PEM) that upstreams are checked against, instead of those of the web.
    pub upstream_roots: Option<PathBuf>,
    /// Networks whose proxies are believed when they say whom they speak for; from everybody else
    /// `X-Forwarded-For`, `X-Forwarded-Host`, `X-Forwarded-Proto` and `Forwarded` are thrown away.
    pub trusted_proxies: Vec<Network>,
    /// The field by which they say it; the other one is not believed from anybody. Only with `trusted_proxies`.
    pub trusted_header: Says,
    /// How many of its last calls each core remembers, for `GET /api/v1/explain`: up to 100,000; about half a
    /// kilobyte each. None if 0.
    #[schemars(range(max = 100_000))]
    pub recent_calls: usize,
    /// How many routes have figures of their own in `/metrics`, those that are called first: up to 10,000.
    #[schemars(range(max = 10_000))]
    pub route_series: usize,
    /// Where OpenTelemetry traces are sent; nowhere if absent.
    pub traces: Option<Traces>,
    /// What is refused because it is too much.
    pub limits: Limits,
    /// Where nodes count limits together; each by itself if absent.
    pub limits_store: Option<LimitsStore>,
    /// Opens the private keys of snapshots; told by the program, not set.
    #[serde(skip)]
    pub sealing: Sealing,
}

/// What clients have to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificates {
    /// The authorities (PEM) that may have signed their certificates; read again when the file changes.
    pub authorities: PathBuf,
    /// Whether they have to.
    #[serde(default)]
    pub mode: ClientAuthMode,
    /// Tell upstreams the certificate as `Client-Cert` (RFC 9440).
    #[serde(default)]
    pub forward: bool,
}

/// How HTTP/3 is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http3 {
    /// Serve it over UDP wherever HTTP is served over TLS (`protocols = "http"`), at the same address.
    pub enabled: bool,
    /// How long clients of the other protocols may remember that it is served here (`Alt-Svc`); 0 tells them nothing.
    pub alt_svc_max_age_s: u32,
    /// The port that they are told, where it is another one outside; that of the listener if absent.
    pub alt_svc_port: Option<u16>,
    /// From so many handshakes under way on, per core, clients have to show first that they are where they say, which
    /// takes them a round trip more: who only pretends to be somewhere gets no more than that. 0 asks all of them.
    pub handshakes_free: u32,
}

impl Default for Http3 {
    fn default() -> Self {
        Self {
            enabled: false,
            alt_svc_max_age_s: 86_400,
            alt_svc_port: None,
            handshakes_free: 64,
        }
    }
}

/// What clients are told about HTTP/3: RFC 7838.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AltSvc {
    max_age_s: u32,
    port: Option<u16>,
}

impl AltSvc {
    /// The field's value at a listener with this port.
    pub(crate) fn value(self, port: u16) -> HeaderValue {
        let Self {
            max_age_s,
            port: told,
        } = self;
        let text = format!("h3=\":{}\"; ma={max_age_s}", told.unwrap_or(port));
        HeaderValue::from_str(&text).expect("visible ASCII")
    }
}

/// A place to listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether TLS is spoken.
    #[serde(default)]
    pub tls: bool,
    /// Which HTTP.
    #[serde(default)]
    pub protocols: Protocols,
    /// Who says here whom connections come from; nobody if absent.
    #[serde(default)]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Questions about flags are answered here, and nothing else is; told by `flagd`, not set.
    #[serde(skip)]
    pub flagd: Option<Flagd>,
}

/// A place for providers of flagd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flagd {
    /// The address; port 0 takes a free one. flagd's own is 8013.
    pub listen: SocketAddr,
    /// Whether TLS is spoken.
    #[serde(default)]
    pub tls: bool,
    /// A file with the SDK key of those who come without one, as most providers do: then whoever reaches the address
    /// may ask. Without it, they send theirs as selector.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
}

/// Who says by the PROXY protocol, version 1 or 2, whom connections come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyProtocol {
    /// The networks of the proxies that say it: each of their connections has to begin with it. Whoever is in one of
    /// them decides which address the gateway takes for the client's.
    #[serde(deserialize_with = "some_networks")]
    #[schemars(length(min = 1))]
    pub from: Vec<Network>,
    /// What becomes of connections from elsewhere.
    #[serde(default)]
    pub others: Others,
    /// How long it may take to arrive: 1 to 600,000.
    #[serde(default = "header_ms", deserialize_with = "some_time")]
    #[schemars(range(min = 1, max = 600_000))]
    pub header_ms: u32,
}

/// What becomes of connections that do not come from a proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// They are closed.
    #[default]
    Refuse,
    /// They are served as they come; a PROXY header makes no request.
    Serve,
}

impl ProxyProtocol {
    /// Of proxies in these networks; others are refused.
    pub const fn new(from: Vec<Network>) -> Self {
        Self {
            from,
            others: Others::Refuse,
            header_ms: header_ms(),
        }
    }

    /// Whether connections from an address begin with a header.
    pub(crate) fn expects(&self, address: IpAddr) -> bool {
        self.from.iter().any(|network| network.contains(address))
    }

    pub(crate) const fn header(&self) -> Duration {
        Duration::from_millis(self.header_ms as u64)
    }
}

const fn header_ms() -> u32 {
    5_000
}

fn some_networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Network>, D::Error> {
    let networks = Vec::deserialize(deserializer)?;
    if networks.is_empty() {
        return Err(D::Error::custom(
            "name the networks of the proxies; without one, nobody could connect",
        ));
    }
    Ok(networks)
}

fn some_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let millis = u32::deserialize(deserializer)?;
    if !(1..=600_000).contains(&millis) {
        return Err(D::Error::custom("from 1 to 600,000 milliseconds"));
    }
    Ok(millis)
}

impl Settings {
    /// Every place to listen, `listen` and `listen_tls` first, that of `flagd` last.
    pub fn all_listeners(&self) -> Vec<Listener> {
        let simple = |address, tls| Listener {
            address,
            tls,
            protocols: Protocols::default(),
            proxy_protocol: self.proxy_protocol.clone(),
            flagd: None,
        };
        let flagd = self.flagd.clone().map(|flagd| Listener {
            flagd: Some(flagd.clone()),
            ..simple(flagd.listen, flagd.tls)
        });
        let tls = self.listen_tls.map(|address| simple(address, true));
        let first = [Some(simple(self.listen, false)), tls];
        first
            .into_iter()
            .flatten()
            .chain(self.listeners.iter().cloned())
            .chain(flagd)
            .collect()
    }

    /// Whether HTTP/3 is served at a listener's address.
    pub(crate) fn has_http3(&self, listener: &Listener) -> bool {
        let is_beside = self.http3.enabled
            && listener.tls
            && listener.protocols == Protocols::Http
            // Datagrams have no PROXY header: who sends them would be believed without one.
            && listener.proxy_protocol.is_none();
        is_beside || listener.protocols == Protocols::Http3
    }

    /// Whether the node's own certificate may be shown at a listener.
    pub(crate) fn ends_tls(&self, listener: &Listener) -> bool {
        (listener.tls && listener.protocols != Protocols::Tcp) || self.has_http3(listener)
    }

    /// What clients are told at a listener that has HTTP/3 beside it.
    pub(crate) fn alt_svc(&self, listener: &Listener) -> Option<AltSvc> {
        let said = AltSvc {
            max_age_s: self.http3.alt_svc_max_age_s,
            port: self.http3.alt_svc_port,
        };
        (self.has_http3(listener) && said.max_age_s > 0).then_some(said)
    }

    /// How long calls under way may take at the end.
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds as u64)
    }

    /// The names of settings in which another differs and that take effect only at a start.
    pub fn fixed_changes(&self, other: &Self) -> Vec<String> {
        const LIVE: [&str; 9] = [
            "drain_seconds",
            "flagd",
            "http3",
            "listen",
            "listen_tls",
            "proxy_protocol",
            "listeners",
            "certificate",
            "client_certificates",
        ];
        let fields = |settings: &Self| match serde_json::to_value(settings) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let (own, others) = (fields(self), fields(other));
        let differ = own
            .iter()
            .filter(|(name, value)| others.get(*name) != Some(value));
        differ
            .map(|(name, _)| name.clone())
            .filter(|name| !LIVE.contains(&name.as_str()))
            .collect()
    }
}

/// What is spoken on a listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocols {
    /// HTTP/1.1 and HTTP/2, as the client likes; over TLS also HTTP/3, if that is enabled.
    #[default]
    Http,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
    /// Nothing: connections pass unread, as stream routes say; with TLS by the host that the client names.
    Tcp,
    /// HTTP/3 only: over UDP, always with TLS.
    Http3,
}

/// The certificate a node shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The chain in PEM, the node's own certificate first.
    pub chain: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

/// What is refused because it is too much or takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Client connections per core, at least 1; further ones are closed at once.
    #[schemars(range(min = 1))]
    pub connections_max: usize,
    /// The request line and all header fields, in bytes: 1024 to 262,144.
    #[schemars(range(min = 1024, max = 262_144))]
    pub head_bytes_max: usize,
    /// Header fields of a request: 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub fields_max: usize,
    /// From the first byte of a request to the end of its head; also for TLS handshakes.
    pub head_ms: u32,
    /// How long a connection may stay without a request.
    pub keep_alive_ms: u32,
    /// Between two pieces of a request's body, and while a client does not take its answer (HTTP/1.1).
    pub body_idle_ms: u32,
    /// Requests that one connection of HTTP/2 or HTTP/3 may have open at a time, at least 1.
    #[schemars(range(min = 1))]
    pub streams_max: u32,
    /// How many calls the node takes in what time, whatever they call; any if absent.
    pub rate: Option<CallRate>,
    /// The same for the calls of one client's address.
    pub address_rate: Option<CallRate>,
    /// Leading bits of IPv6 addresses that make one client for `address_rate`: 1 to 128.
    pub ipv6_prefix: u8,
    /// Calls that the node has open at a time; 0 for no bound.
    pub calls_max: u32,
}

impl Limits {
    pub(crate) const fn gate(&self) -> GateSpec {
        GateSpec {
            rate: self.rate,
            address_rate: self.address_rate,
            calls_max: self.calls_max,
            ipv6_prefix: self.ipv6_prefix,
        }
    }

    pub(crate) const fn head(&self) -> Duration {
        Duration::from_millis(self.head_ms as u64)
    }

    pub(crate) const fn head_limits(&self) -> HeadLimits {
        HeadLimits {
            bytes_max: self.head_bytes_max,
            fields_max: self.fields_max,
        }
    }

    pub(crate) const fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive_ms as u64)
    }

    pub(crate) const fn body_idle(&self) -> Duration {
        Duration::from_millis(self.body_idle_ms as u64)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            listen_tls: None,
            proxy_protocol: None,
            listeners: Vec::new(),
            http3: Http3::default(),
            handover: None,
            drain_seconds: 15,
            certificate: None,
            client_certificates: None,
            environment: "sandbox".parse().expect("a valid name"),
            name_servers: Vec::new(),
            targets_directory: None,
            zone: None,
            cores: 0,
            observable: true,
            flags: true,
            flagd: None,
            upstream_roots: None,
            trusted_proxies: Vec::new(),
            trusted_header: Says::default(),
            recent_calls: 1000,
            route_series: 100,
            traces: None,
            limits: Limits::default(),
            limits_store: None,
            sealing: Sealing::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            head_bytes_max: 64 * 1024,
            fields_max: 100,
            head_ms: 15_000,
            keep_alive_ms: 75_000,
            body_idle_ms: 60_000,
            streams_max: 128,
            rate: None,
            address_rate: None,
            ipv6_prefix: 64,
            calls_max: 0,
        }
    }
}
