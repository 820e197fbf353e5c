//! Calls as a busy installation has them: few callers and operations make most of them.

use domain::id::{
    ApiId, ApplicationId, KeyId, OperationId, OrganizationId, PlanId, RequestId, RouteId, SubscriptionId,
    TargetId, VersionId,
};
use domain::{Code, Timestamp};
use events::{Call, Callee, Caller, Event, Method, Subscribed, Variant};
use uuid::Uuid;

/// Providers.
pub(crate) const PROVIDERS: u64 = 20;
/// Applications, each of which has an organization.
pub(crate) const APPLICATIONS: u64 = 2000;
/// The first moment: 2026-11-20T22:00:00Z.
pub(crate) const START_MICROS: i64 = 1_795_212_000_000_000;

/// Makes calls, the same from the same seed.
pub(crate) struct Sample {
    state: u64,
    now_micros: i64,
    step_micros: u64,
}

impl Sample {
    /// Begins at a moment; calls follow each other at `step_micros` on average.
    pub(crate) fn new(seed: u64, start_micros: i64, step_micros: u64) -> Self {
        Self {
            state: seed,
            now_micros: start_micros,
            step_micros,
        }
    }

    /// The next calls.
    pub(crate) fn events(&mut self, count: usize) -> Vec<Event> {
        (0..count).map(|_| Event::Call(self.call())).collect()
    }

    /// The next call.
    pub(crate) fn call(&mut self) -> Call {
        let step = self.below(2 * self.step_micros);
        self.now_micros += i64::try_from(step).unwrap_or(0);
        let application = self.skewed(APPLICATIONS);
        let provider = self.skewed(PROVIDERS);
        let api = provider * 8 + self.skewed(4);
        let operation = self.skewed(12);
        let fate = self.below(1000);
        let (status, refusal) = match fate {
            0..=949 => (200, None),
            950..=969 => (404, None),
            970..=984 => (429, Some(Code::RateLimited)),
            985..=994 => (400, None),
            _ => (502, Some(Code::UpstreamUnreachable)),
        };
        let is_known = self.below(100) > 0;
        let has_variant = api.is_multiple_of(7);
        Call {
            request: self.request(),
            started_at: Timestamp::from_micros(self.now_micros),
            callee: (self.below(200) > 0).then(|| Callee {
                organization: provider_id(provider),
                api: ApiId::new(id(2, api)),
                version: VersionId::new(id(3, api * 2 + self.below(10) / 9)),
                operation: Some(OperationId::new(id(4, api * 16 + operation))),
            }),
            caller: is_known.then(|| caller(application, api)),
            method: if operation.is_multiple_of(4) {
                Method::Post
            } else {
                Method::Get
            },
            status,
            refusal,
            bytes_in: if operation.is_multiple_of(4) {
                200 + self.below(800)
            } else {
                0
            },
            bytes_out: if refusal.is_some() {
                240
            } else {
                self.spread(200 + operation * 400)
            },
            latency_us: if refusal.is_some() {
                30 + self.below(40)
            } else {
                self.spread(2000 + operation * 3000)
            },
            quota_period_start: 1_793_491_200,
            counted: refusal.is_none(),
            units: 1,
            over_limit: None,
            target: (refusal != Some(Code::RateLimited))
                .then(|| TargetId::new(id(12, api * 2 + self.below(2)))),
            variant: has_variant.then(|| Variant {
                route: RouteId::new(id(10, api)),
                name: if application.is_multiple_of(2) {
                    "blue"
                } else {
                    "green"
                }
                .parse()
                .expect("a name"),
            }),
        }
    }

    fn request(&mut self) -> RequestId {
        let millis = u128::from(self.now_micros.unsigned_abs() / 1000);
        let random = u128::from(self.next()) << 64 | u128::from(self.next());
        let bits = millis << 80 | 7 << 76 | (random >> 52 & 0xfff) << 64 | 2 << 62 | random & ((1 << 62) - 1);
        RequestId::new(Uuid::from_u128(bits))
    }

    /// A number around another one, sometimes a multiple of it.
    fn spread(&mut self, middle: u64) -> u64 {
        let tail = 1 << self.below(1024).trailing_ones().min(6);
        middle / 2 + self.below(middle) * tail
    }

    /// A number below a bound; small ones are likelier, about as Zipf says.
    fn skewed(&mut self, bound: u64) -> u64 {
        let unit = self.below(1 << 20) as f64 / f64::from(1 << 20);
        let place = ((bound as f64 + 1.0).powf(unit) - 1.0).floor();
        (place as u64).min(bound - 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

fn caller(application: u64, api: u64) -> Caller {
    Caller {
        organization: consumer_id(application),
        application: application_id(application),
        key: KeyId::new(id(7, application)),
        subscribed: Some(Subscribed {
            subscription: SubscriptionId::new(id(8, application * 100 + api)),
            plan: PlanId::new(id(9, api * 3 + application % 3)),
        }),
    }
}

/// The id of a provider.
pub(crate) fn provider_id(number: u64) -> OrganizationId {
    OrganizationId::new(id(1, number))
}

/// The id of the organization that an application belongs to.
pub(crate) fn consumer_id(application: u64) -> OrganizationId {
    OrganizationId::new(id(5, application))
}

/// The id of an application.
pub(crate) fn application_id(number: u64) -> ApplicationId {
    ApplicationId::new(id(6, number))
}

/// An id that looks made at some time, with bits that look random.
fn id(kind: u64, number: u64) -> Uuid {
    let mut bits = Sample::new(kind << 32 | number, 0, 1);
    let millis = u128::from(1_780_000_000_000 + number * 86_400_000 / 7);
    Uuid::from_u128(millis << 80 | 7 << 76 | 2 << 62 | u128::from(bits.next() >> 2))
}
