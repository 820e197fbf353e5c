//! Calls for tests.

use std::fmt::Write as _;

use domain::key::Hash;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::ask::{Ask, Standing};
use crate::call::{Call, Consumer, Cost, Moment, Place};
use crate::directory::tests::{at, id};
use crate::effects::Holds;
use crate::{Directory, Effects, Limits, Policy, Verdict};

/// A question at some nanoseconds, of one unit.
pub(crate) fn ask(steady_ns: u64) -> Ask {
    Ask {
        moment: Moment {
            steady_ns,
            ..at("2026-11-21T12:00:00Z")
        },
        units: 1,
        standing: Standing::Alone,
        is_held: false,
    }
}

pub(crate) fn place() -> Place {
    Place {
        route: domain::id::RouteId::new(id(6)),
        organization: domain::id::OrganizationId::new(id(7)),
        api: domain::id::ApiId::new(id(8)),
        api_name: "shop".parse().unwrap(),
        version: domain::id::VersionId::new(id(2)),
        environment: "sandbox".parse().unwrap(),
    }
}

/// What a call looks like.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) address: &'static str,
    pub(crate) head: Vec<(&'static str, &'static str)>,
    pub(crate) method: Method,
    pub(crate) host: &'static str,
    pub(crate) path: &'static str,
    pub(crate) query: &'static str,
    pub(crate) is_known: bool,
    pub(crate) after_ms: u64,
    pub(crate) cost: Cost,
    pub(crate) standing: Standing,
    pub(crate) status: u16,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            address: "192.0.2.1",
            head: Vec::new(),
            method: Method::GET,
            host: "api.example.com",
            path: "/pets/7",
            query: "",
            is_known: true,
            after_ms: 0,
            cost: Cost::default(),
            standing: Standing::Alone,
            status: 200,
        }
    }
}

/// Who decides about a call.
#[derive(Clone, Copy)]
pub(crate) enum By<'a> {
    Policy(&'a dyn Policy),
    Plan,
}

impl Scene {
    /// What becomes of it, in words; what it holds open goes to `held`.
    #[expect(clippy::too_many_lines, reason = "one call from its head to its words")]
    pub(crate) fn play(&self, directory: &Directory, by: By<'_>, held: &mut Vec<Holds>) -> String {
        let place = place();
        let mut headers = HeaderMap::new();
        for (name, value) in &self.head {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let start = at("2026-11-21T12:00:00Z").calendar.as_micros();
        let (_, application) = directory.key(&Hash([7; 32])).unwrap();
        let subscription = directory.subscription(application, place.version).unwrap();
        let consumer = Consumer {
            key: domain::id::KeyId::new(id(1)),
            application,
            subscription,
        };
        let mut call = Call {
            method: &self.method,
            headers: &mut headers,
            host: self.host,
            path: self.path,
            query: self.query,
            template: "/pets/{pet_id}",
            address: self.address.parse().unwrap(),
            moment: Moment {
                calendar: domain::Timestamp::from_micros(start + self.after_ms as i64 * 1000),
                steady_ns: (1_000 + self.after_ms) * 1_000_000,
            },
            standing: self.standing,
            place: &place,
            directory,
            consumer: self.is_known.then_some(consumer),
            flags: None,
            limits: Limits::default(),
            cost: self.cost,
            effects: Effects::default(),
        };
        let verdict = match by {
            By::Policy(policy) => policy.request(&mut call),
            By::Plan => match subscription.admit_rate(&mut call) {
                Verdict::Continue => subscription.admit_quota(&mut call),
                refused => refused,
            },
        };
        let mut text = match verdict {
            Verdict::Continue => "pass".to_owned(),
            Verdict::Refuse(refusal) => {
                format!(
                    "{} after {:?}",
                    refusal.code.as_str(),
                    refusal.retry_after_seconds
                )
            }
            Verdict::Answer(reply) => reply.status.to_string(),
        };
        if let Some((policy, left)) = call.limits.fields(&mut String::new()) {
            let _ = write!(
                text,
                " | {} | {}",
                policy.to_str().unwrap(),
                left.to_str().unwrap()
            );
        }
        if let Some(over) = call.limits.over() {
            let _ = write!(text, " | over {}", over.to_str().unwrap());
        }
        let units = call.units();
        let effects = call.effects;
        let _ = write!(
            text,
            " | delay {} ms, warned {}, degraded {:?}, {units} units",
            effects.delay_ns / 1_000_000,
            effects.is_warned,
            effects.degraded
        );
        for flow in &effects.flows {
            let wait = flow.passed(4096, (1_000 + self.after_ms) * 1_000_000);
            let _ = write!(text, " | {:?} waits {} ms", flow.way, wait / 1_000_000);
        }
        for later in effects.later {
            // What is no status is a call that ends without an answer.
            if let Ok(status) = StatusCode::from_u16(self.status) {
                later.answered(status);
            }
        }
        held.push(effects.holds);
        text
    }
}

mod fields;
mod steps;
