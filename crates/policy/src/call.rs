//! What a policy sees of a call.

use std::net::IpAddr;

use domain::id::{ApiId, KeyId, OrganizationId, RouteId, VersionId};
use domain::{Name, Timestamp};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::directory::{Application, Directory, Subscription};
use crate::told::Limits;

/// The time, read once per call.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The calendar's time, for expiry and quotas.
    pub calendar: Timestamp,
    /// Nanoseconds since the process began; never goes back, for rates.
    pub steady_ns: u64,
}

/// The route that a call was matched to.
#[derive(Debug, Clone)]
pub struct Place {
    /// The route.
    pub route: RouteId,
    /// The provider's organization.
    pub organization: OrganizationId,
    /// The API.
    pub api: ApiId,
    /// The API's name, for advice.
    pub api_name: Name,
    /// The version.
    pub version: VersionId,
    /// The environment that the node serves.
    pub environment: Name,
}

/// Who calls, once an authenticating policy has found out.
#[derive(Debug, Clone, Copy)]
pub struct Consumer<'a> {
    /// The key that was used.
    pub key: KeyId,
    /// The program.
    pub application: &'a Application,
    /// Its right to call this version.
    pub subscription: &'a Subscription,
}

/// A call on its way to the upstream.
#[derive(Debug)]
pub struct Call<'a, 'h> {
    /// The method.
    pub method: &'a Method,
    /// The head that will be forwarded; policies may change it.
    pub headers: &'h mut HeaderMap,
    /// The address the connection came from.
    pub address: IpAddr,
    /// Now.
    pub moment: Moment,
    /// What was called.
    pub place: &'a Place,
    /// All keys, applications and subscriptions.
    pub directory: &'a Directory,
    /// Who calls, if known.
    pub consumer: Option<Consumer<'a>>,
    /// The limits that counted this call.
    pub limits: Limits<'a>,
}

/// The head of an answer on its way to the client.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its head.
    pub headers: &'a mut HeaderMap,
    /// The request's `Origin`.
    pub origin: Option<&'a HeaderValue>,
}
