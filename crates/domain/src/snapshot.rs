//! The complete configuration that a gateway node runs on: immutable, versioned, without secrets (private keys are
//! sealed for those who know the cluster's token).
//!
//! `control` builds it from the store, nodes receive it whole, compile it and swap it in. It refers to things
//! by id; a node resolves ids to indices when it compiles. A snapshot that names something it does not hold is
//! refused by the node, which keeps the one it has.

mod packed;

use std::collections::BTreeMap;

pub use packed::{Error as PackedError, Mac, Packed};

use crate::catalog::Stage;
use crate::certificate::ClientAuth;
use crate::consumer::{KeyState, SubscriptionState};
use crate::flag::{Audience, FlagKey, FlagType};
use crate::id::{
    ApiId, ApplicationId, CertificateId, EventTypeId, KeyId, OperationId, OrganizationId, PlanId, PolicyId,
    ProductId, RouteId, SdkKeyId, StreamRouteId, SubscriptionId, UpstreamId, VersionId,
};
use crate::limit::CallRate;
use crate::offer::{Quota, RateLimit, TierCosts, WhenStoreIsAway};
use crate::release::{Importance, Mirror, Split};
use crate::routing::{Connect, FixedAnswer, Match, Redirect, Rewrite};
use crate::tracking::{EventTypeName, EventTypeState, SdkKeyKind};
use crate::traffic::UpstreamSpec;
use crate::{Name, Timestamp, key};
use eval::definition::Segment;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The form of [`Snapshot`] that this build writes; a node refuses others.
pub const FORMAT: u32 = 1;

/// Everything a gateway node of one environment needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// Rises with every change; a node never goes back.
    pub revision: u64,
    /// The environment it is for.
    pub environment: Name,
    /// When it was built.
    pub built_at: Timestamp,
    /// Where portal and error pages are, without a path, for links in refusals; empty if unknown.
    pub control_url: String,
    /// The services behind.
    pub upstreams: Vec<Upstream>,
    /// How requests find versions.
    pub routes: Vec<Route>,
    /// The plans that subscriptions name.
    pub plans: Vec<Plan>,
    /// The products that somebody has subscribed to.
    #[serde(default)]
    pub products: Vec<Product>,
    /// The applications that have keys.
    pub applications: Vec<Application>,
    /// What they may call.
    #[serde(default)]
    pub subscriptions: Vec<Subscription>,
    /// The keys of the environment, revoked ones of the last 30 days included.
    pub keys: Vec<Key>,
    /// What is shown to clients of some hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// What hosts ask of clients that have a certificate which cannot be shown at the moment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unshown: Vec<Unshown>,
    /// How connections that are not read find services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamRoute>,
    /// What ACME servers ask for at the moment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub challenges: Vec<Challenge>,
    /// Feature flags, by organization.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagSet>,
    /// Who may ask for them and record events: SDK keys of the environment, revoked ones of the last 30 days included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sdk_keys: Vec<SdkKey>,
    /// What events the organizations of these keys know, archived types included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<EventType>,
}

/// The feature flags of an organization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagSet {
    /// Whose they are.
    pub organization: OrganizationId,
    /// Another one whenever a flag or a segment is.
    pub tag: String,
    /// The flags, in the order of their keys.
    pub flags: Vec<Flag>,
    /// The segments that they name, by their keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<String, Segment>,
    /// The type of events that tell who was given which variant; nothing is recorded if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposures: Option<EventTypeId>,
}

/// A feature flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// What programs ask for.
    pub key: FlagKey,
    /// What values it has.
    pub r#type: FlagType,
    /// Whether keys of kind `client` may ask for it.
    pub client_side: bool,
    /// Who gets which variant.
    pub definition: eval::definition::Flag,
}

/// A kind of events that may be recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventType {
    /// Its id.
    pub id: EventTypeId,
    /// Changes whenever the type does.
    pub revision: i64,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What events call it.
    pub name: EventTypeName,
    /// Whether events are taken.
    #[serde(default, skip_serializing_if = "EventTypeState::is_active")]
    pub state: EventTypeState,
    /// JSON Schema that properties must satisfy; anything goes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Map<String, Value>>,
}

/// A key of a program that asks for flags and records events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SdkKey {
    /// Its id.
    pub id: SdkKeyId,
    /// [`key::hash`](crate::key::hash) of the whole key.
    pub hash: key::Hash,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Who holds it.
    pub kind: SdkKeyKind,
    /// Whose pages may use it; any if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Whether features are encrypted for SDKs of GrowthBook.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypt_payload: bool,
    /// How many calls may come with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<CallRate>,
    /// Whether it is valid.
    pub state: KeyState,
    /// When it stops to be valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// How connections that are not read find a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamRoute {
    /// Its id.
    pub id: StreamRouteId,
    /// The port that clients connect to; with hosts, any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The hosts that clients name in TLS, in lower case, or `*.` and what they end with; whatever comes if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The service behind.
    pub upstream: UpstreamId,
    /// How long nothing may come either way, in milliseconds.
    pub idle_ms: u32,
    /// Connections that a node has open at a time; 0 for no bound.
    #[serde(default)]
    pub connections_max: u32,
}

/// A certificate with its private key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Its id.
    pub id: CertificateId,
    /// Changes whenever the certificate, its key or its hosts do.
    pub revision: i64,
    /// The hosts in lower case; `*.` stands for one label.
    pub hosts: Vec<String>,
    /// The certificates in PEM, the hosts' own first.
    pub chain: String,
    /// The private key in PEM, sealed for the cluster with the id as context.
    pub sealed_key: String,
    /// What clients have to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
}

/// What hosts ask of clients while they have no certificate to show: it is being ordered, or its key cannot be opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unshown {
    /// The certificate that says so.
    pub id: CertificateId,
    /// The hosts in lower case; `*.` stands for one label.
    pub hosts: Vec<String>,
    /// What clients have to show.
    pub client_auth: ClientAuth,
}

/// What proves to an ACME server that a host is ours: RFC 8555 section 8.3, RFC 8737.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Challenge {
    /// Answers `GET /.well-known/acme-challenge/{token}` on the host.
    Http {
        /// The host in lower case.
        host: String,
        /// What stands in the path.
        token: String,
        /// The answer; it is no secret.
        key_authorization: String,
    },
    /// Is shown to whoever asks for the protocol `acme-tls/1` of the host.
    TlsAlpn {
        /// The host in lower case.
        host: String,
        /// The certificate in PEM.
        chain: String,
        /// Its private key in PEM, sealed for the cluster with the host as context.
        sealed_key: String,
    },
}

/// A service behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Its id.
    pub id: UpstreamId,
    /// What it is and how it is asked.
    pub spec: UpstreamSpec,
}

/// How requests find a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its id.
    pub id: RouteId,
    /// The provider's organization.
    pub organization: OrganizationId,
    /// The API.
    pub api: ApiId,
    /// The API's name, for advice in refusals.
    pub api_name: Name,
    /// The version.
    pub version: VersionId,
    /// How far the version is in its life; never [`Stage::Draft`].
    pub stage: Stage,
    /// When the version was deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<Timestamp>,
    /// When the version will be retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset_at: Option<Timestamp>,
    /// The host in lower case, without port, or `*.` and what it ends with; any host if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What stands before the operations' paths, without a slash at the end; empty for none.
    pub base_path: String,
    /// Further conditions.
    #[serde(rename = "match", default, skip_serializing_if = "Match::is_empty")]
    pub matches: Match,
    /// Routes of one host and base path are tried in falling order.
    #[serde(default)]
    pub priority: i32,
    /// The service behind, unless the route splits its calls, redirects or answers itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamId>,
    /// Several services behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Sends clients elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<Redirect>,
    /// Answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<FixedAnswer>,
    /// Joins clients that ask for a tunnel with the service behind, and takes nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Connect>,
    /// Changes path and host before forwarding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Rewrite>,
    /// Another service that gets copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// How much its calls matter.
    #[serde(default, skip_serializing_if = "Importance::is_default")]
    pub importance: Importance,
    /// The largest request body forwarded, in bytes.
    pub body_bytes_max: u64,
    /// The operations; others are answered with `operation_not_found` or `method_not_allowed`.
    pub operations: Vec<Operation>,
    /// The policies, those of single operations included, in the order they run.
    pub policies: Vec<Policy>,
}

impl Route {
    /// The services behind.
    pub fn upstreams(&self) -> impl Iterator<Item = UpstreamId> + '_ {
        let variants = self.split.iter().flat_map(|split| &split.variants);
        self.upstream
            .into_iter()
            .chain(variants.map(|variant| variant.upstream_id))
            .chain(self.mirror.as_ref().map(|mirror| mirror.upstream_id))
    }
}

/// One method and path of a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// HTTP method in upper case.
    pub method: String,
    /// Path template, as `/pets/{pet_id}`.
    pub path: String,
}

/// One configured step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its id; absent for those that every route has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PolicyId>,
    /// Only for this operation, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The name of a builtin.
    pub kind: String,
    /// Its configuration; the node compiles it with the same code that checked it when it was saved.
    pub config: Value,
    /// Whom it is for; all calls if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
}

/// Limits that subscriptions share by name, each with counters of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Its name, for headers and refusals.
    pub name: Name,
    /// Calls per short window and application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Calls per calendar period and subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// Calls that a subscription may have open at a time on a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_calls_max: Option<u32>,
    /// What calls cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier_costs: Option<TierCosts>,
    /// What holds while the limits' store is away.
    #[serde(default, skip_serializing_if = "WhenStoreIsAway::is_default")]
    pub when_store_is_away: WhenStoreIsAway,
}

/// A consumer's program and what it may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// The consumer's organization.
    pub organization: OrganizationId,
}

/// Versions that are subscribed to together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// The versions in it that are served.
    pub versions: Vec<VersionId>,
}

/// An application's use of a product under a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Who uses it.
    pub application: ApplicationId,
    /// What is used.
    pub product: ProductId,
    /// The plan.
    pub plan: PlanId,
    /// Whether calls pass.
    pub state: SubscriptionState,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// [`key::hash`](crate::key::hash) of the whole key.
    pub hash: key::Hash,
    /// The program that uses it.
    pub application: ApplicationId,
    /// Whether it is valid.
    pub state: KeyState,
    /// When it stops to be valid.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl SdkKey {
    /// Whether it opens anything at a moment.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.state != KeyState::Revoked && self.expires_at.is_none_or(|ends| now < ends)
    }
}

impl Snapshot {
    /// Everything but keys, applications and subscriptions.
    fn without_callers(&self) -> Self {
        Self {
            format: self.format,
            revision: self.revision,
            environment: self.environment.clone(),
            built_at: self.built_at,
            control_url: self.control_url.clone(),
            upstreams: self.upstreams.clone(),
            routes: self.routes.clone(),
            plans: self.plans.clone(),
            products: self.products.clone(),
            applications: Vec::new(),
            subscriptions: Vec::new(),
            keys: Vec::new(),
            certificates: self.certificates.clone(),
            unshown: self.unshown.clone(),
            streams: self.streams.clone(),
            challenges: self.challenges.clone(),
            flags: self.flags.clone(),
            sdk_keys: self.sdk_keys.clone(),
            event_types: self.event_types.clone(),
        }
    }

    /// A snapshot without anything in it, for a node that has not heard from the control plane.
    pub fn empty(environment: Name) -> Self {
        Self {
            format: FORMAT,
            revision: 0,
            environment,
            built_at: Timestamp::from_micros(0),
            control_url: String::new(),
            upstreams: Vec::new(),
            routes: Vec::new(),
            plans: Vec::new(),
            products: Vec::new(),
            applications: Vec::new(),
            subscriptions: Vec::new(),
            keys: Vec::new(),
            certificates: Vec::new(),
            unshown: Vec::new(),
            streams: Vec::new(),
            challenges: Vec::new(),
            flags: Vec::new(),
            sdk_keys: Vec::new(),
            event_types: Vec::new(),
        }
    }
}
