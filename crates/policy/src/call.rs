//! What a policy sees of a call.

use std::net::IpAddr;

use domain::id::{ApiId, KeyId, OrganizationId, RouteId, VersionId};
use domain::{Name, Timestamp};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::directory::{Application, Directory, Subscription};

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

/// One limit and what is left of it.
#[derive(Debug, Clone, Copy)]
pub struct Limit<'a> {
    /// Its name, in characters that need no escape within quotes.
    pub name: &'a str,
    /// Calls per window.
    pub quota: u64,
    /// The window in seconds.
    pub window_seconds: u64,
    /// Calls that may still come now.
    pub remaining: u64,
    /// Seconds until the limit is whole again.
    pub reset_seconds: u64,
}

/// The limits that counted a call; at most [`Limits::MAX`], further ones are enforced but not told.
#[derive(Debug, Default)]
pub struct Limits<'a> {
    entries: [Option<Limit<'a>>; Limits::MAX],
}

impl<'a> Limits<'a> {
    /// How many limits an answer tells.
    pub const MAX: usize = 4;

    /// Adds a limit to those that the answer tells.
    pub fn push(&mut self, limit: Limit<'a>) {
        if let Some(free) = self.entries.iter_mut().find(|entry| entry.is_none()) {
            *free = Some(limit);
        }
    }

    /// Whether no limit counted the call.
    pub const fn is_empty(&self) -> bool {
        self.entries[0].is_none()
    }

    /// The values of `RateLimit-Policy` and `RateLimit`, written into `text`, which is emptied first.
    ///
    /// Source: draft-ietf-httpapi-ratelimit-headers. `None` if no limit counted the call.
    pub fn fields(&self, text: &mut String) -> Option<(HeaderValue, HeaderValue)> {
        if self.is_empty() {
            return None;
        }
        let policy = self.list(text, |text, limit| {
            push(text, ";q=", limit.quota);
            push(text, ";w=", limit.window_seconds);
        });
        let left = self.list(text, |text, limit| {
            push(text, ";r=", limit.remaining);
            push(text, ";t=", limit.reset_seconds);
        });
        Some((policy?, left?))
    }

    /// The limits as a list, each with its name and what `tell` says of it.
    fn list(&self, text: &mut String, tell: impl Fn(&mut String, &Limit<'_>)) -> Option<HeaderValue> {
        text.clear();
        for limit in self.entries.iter().flatten() {
            text.push_str(if text.is_empty() { "\"" } else { ", \"" });
            text.push_str(limit.name);
            text.push('"');
            tell(text, limit);
        }
        HeaderValue::from_str(text).ok()
    }
}

/// A parameter with a number; every answer has some, so they do not go through `format!`.
fn push(text: &mut String, name: &str, number: u64) {
    text.push_str(name);
    text.push_str(itoa::Buffer::new().format(number));
}
