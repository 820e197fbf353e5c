//! The services behind: their targets, and how these are chosen, asked and watched.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::id::{OrganizationId, TargetId, UpstreamId, WorkspaceId};
use crate::{Name, Timestamp};

mod balancing;
mod failure;
mod health;
mod tls;

pub use self::balancing::{Algorithm, Balancing, HashOn};
pub use self::failure::{
    CircuitBreaker, Concurrency, Connections, Fallback, Hedging, LastGood, Retries, RetryOn,
};
pub use self::health::{HealthCheck, HealthCheckKind, OutlierDetection};
pub use self::tls::{ClientCertificateFiles, UpstreamDanger, UpstreamTls};

/// The HTTP version spoken to an upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: by ALPN on TLS, with prior knowledge (h2c) otherwise. There are no WebSockets then.
    Http2,
    /// HTTP/2 if a target offers it in the TLS handshake, HTTP/1.1 otherwise.
    Auto,
}

/// How targets are told whom a connection comes from, before anything else is said on it: the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyVersion {
    /// Version 1: a line of text.
    V1,
    /// Version 2: bytes.
    V2,
}

/// How the name in a target's URL is looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolve {
    /// By the system whenever a connection is opened; whatever it stands for is one target.
    #[default]
    System,
    /// By the gateway, as often as its records say (A, AAAA); each address is a target of its own.
    Dns,
    /// The name of a service (SRV): each record is a target with its own port, weight and priority.
    Srv,
}

/// How the URL of a target begins that is no service of HTTP.
pub const STREAM_SCHEME: &str = "tcp://";

/// One address of an upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `http://` or `https://`, host, port and an optional base path: `http://127.0.0.1:9000/base`; for stream routes
    /// `tcp://`, host and port.
    #[schema(max_length = 2000)]
    pub url: String,
    /// Share of the traffic in relation to the other targets: 1 to 1000.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: u32,
    /// Targets of a higher number are used only as far as those of lower numbers are not healthy: 0 to 9.
    #[serde(default)]
    #[schema(maximum = 9)]
    pub priority: u8,
    /// Who looks the URL's host up, and what for.
    #[serde(default)]
    pub resolve: Resolve,
    /// Where it is; nodes whose setting `zone` says the same prefer it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Name>,
}

impl Target {
    /// A target with nothing but an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            weight: one(),
            priority: 0,
            resolve: Resolve::default(),
            zone: None,
        }
    }

    /// Its id among the targets of an upstream: a hash of the URL, so that everybody who meets it calls it the same.
    pub fn id(&self, upstream: UpstreamId) -> TargetId {
        let mut hash = Sha256::new();
        hash.update(upstream.uuid().as_bytes());
        hash.update(&self.url);
        TargetId::new(crate::id::hashed(hash))
    }
}

const fn one() -> u32 {
    1
}

/// How long parts of a call may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To open a connection, TLS included.
    #[schema(minimum = 1, maximum = 600_000)]
    pub connect_ms: u32,
    /// From the request sent to the head of the answer.
    #[schema(minimum = 1, maximum = 3_600_000)]
    pub answer_ms: u32,
    /// Between two pieces of a body, either way.
    #[schema(minimum = 1, maximum = 3_600_000)]
    pub idle_ms: u32,
    /// From the call's arrival to the head of its answer, all retries and waits included; 0 for any time.
    #[schema(maximum = 3_600_000)]
    pub total_ms: u32,
    /// Without a byte in either direction of a WebSocket.
    #[schema(minimum = 1, maximum = 86_400_000)]
    pub tunnel_idle_ms: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 2_000,
            answer_ms: 30_000,
            idle_ms: 60_000,
            total_ms: 0,
            tunnel_idle_ms: 3_600_000,
        }
    }
}

/// The editable part of an [`Upstream`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamSpec {
    /// Unique in the organization.
    pub name: Name,
    /// Where it is: 1 to 64 addresses; none if they stand in a file.
    #[serde(default)]
    #[schema(required = true, max_items = 64)]
    pub targets: Vec<Target>,
    /// A file on the gateway nodes with a list of targets (YAML or JSON, the same fields), below their setting
    /// `gateway.targets_directory`; it is read again when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub targets_file: Option<String>,
    /// How a call finds one of them.
    #[serde(default)]
    pub balancing: Balancing,
    /// What is spoken to it.
    #[serde(default)]
    pub protocol: UpstreamProtocol,
    /// How targets at `https://` are called.
    #[serde(default)]
    pub tls: UpstreamTls,
    /// How long to wait for it.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Asks targets regularly how they are; not at all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Leaves targets out whose calls fail; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    /// Refuses calls while most of them fail; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Which calls are sent again.
    #[serde(default)]
    pub retries: Retries,
    /// Asks a second target when the first one takes long; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedging: Option<Hedging>,
    /// What is answered when it gives no answer; a problem if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// How many calls it may have at a time.
    #[serde(default)]
    pub concurrency: Concurrency,
    /// Bounds of its connections.
    #[serde(default)]
    pub connections: Connections,
    /// Idle connections kept per core: 0 to 1024.
    #[serde(default = "idle_connections")]
    #[schema(maximum = 1024)]
    pub idle_connections_max: u32,
    /// Send the client's `Host` on instead of the target's.
    #[serde(default)]
    pub preserve_host: bool,
    /// Say by the PROXY protocol whom each connection comes from; each then serves one connection of a client, and
    /// ends with it. Not at all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<ProxyVersion>,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

impl UpstreamSpec {
    /// Whether it is for stream routes and not for routes: its targets are at `tcp://`.
    pub fn is_stream(&self) -> bool {
        self.targets
            .iter()
            .any(|target| target.url.starts_with(STREAM_SCHEME))
    }

    /// The fields that are set and mean nothing where bytes pass unread, as JSON pointers.
    pub fn unfit_for_streams(&self) -> Vec<&'static str> {
        let plain = Self::new(self.name.clone(), Vec::new());
        let (retries, connections) = (&self.retries, &self.connections);
        let hash_on = self.balancing.hash_on;
        let is_other_check = |check: &HealthCheck| check.kind != HealthCheckKind::Tcp;
        [
            ("/protocol", self.protocol != plain.protocol),
            ("/tls", self.tls != plain.tls),
            ("/preserve_host", self.preserve_host),
            (
                "/balancing/hash_on",
                hash_on.is_some_and(|on| on != HashOn::ClientAddress),
            ),
            (
                "/timeouts",
                self.timeouts
                    != Timeouts {
                        connect_ms: self.timeouts.connect_ms,
                        ..plain.timeouts
                    },
            ),
            (
                "/health_check/kind",
                self.health_check.as_ref().is_some_and(is_other_check),
            ),
            (
                "/retries",
                *retries
                    != Retries {
                        attempts_max: retries.attempts_max,
                        on: retries.on.clone(),
                        ..plain.retries
                    },
            ),
            (
                "/retries/on",
                retries.on.iter().any(|on| *on != RetryOn::ConnectFailure),
            ),
            ("/hedging", self.hedging.is_some()),
            ("/fallback", self.fallback.is_some()),
            ("/concurrency/adaptive", self.concurrency.adaptive),
            (
                "/connections",
                *connections
                    != Connections {
                        max: connections.max,
                        waiting_max: connections.waiting_max,
                        ..plain.connections
                    },
            ),
            (
                "/idle_connections_max",
                self.idle_connections_max != plain.idle_connections_max,
            ),
        ]
        .into_iter()
        .filter_map(|(pointer, is_set)| is_set.then_some(pointer))
        .collect()
    }

    /// An upstream at these addresses, everything else as it is by default.
    pub fn new(name: Name, targets: Vec<Target>) -> Self {
        Self {
            name,
            targets,
            targets_file: None,
            balancing: Balancing::default(),
            protocol: UpstreamProtocol::default(),
            tls: UpstreamTls::default(),
            timeouts: Timeouts::default(),
            health_check: None,
            outlier_detection: None,
            circuit_breaker: None,
            retries: Retries::default(),
            hedging: None,
            fallback: None,
            concurrency: Concurrency::default(),
            connections: Connections::default(),
            idle_connections_max: idle_connections(),
            preserve_host: false,
            proxy_protocol: None,
            managed_by: None,
        }
    }
}

const fn idle_connections() -> u32 {
    64
}

/// The service behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Upstream {
    /// Its id.
    pub id: UpstreamId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The team it belongs to.
    pub workspace_id: WorkspaceId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: UpstreamSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}
