//! Watches a policy decide, for calls that carry a debug token: what it found, what it changed, how long it took.

use std::time::Instant;

use domain::id::PolicyId;
use domain::recent::{CallStep, StepVerdict};
use flags::Outside;
use http::{HeaderMap, HeaderName};
use policy::{Call, Cost, Counted, Verdict};

/// The most details of a step that are noted.
const DETAILS_MAX: usize = 50;

/// What a call is like before a policy sees it.
pub(crate) struct Before {
    began: Instant,
    headers: HeaderMap,
    limits: usize,
    cost: Cost,
    has_consumer: bool,
    delay_ns: u64,
    degraded: Option<&'static str>,
    is_warned: bool,
    flows: usize,
    later: usize,
    passed_over: u32,
}

impl Before {
    pub(crate) fn of(call: &Call<'_, '_>) -> Self {
        Self {
            headers: call.headers.clone(),
            limits: call.limits.counted().count(),
            cost: call.cost,
            has_consumer: call.consumer.is_some(),
            delay_ns: call.effects.delay_ns,
            degraded: call.effects.degraded,
            is_warned: call.effects.is_warned,
            flows: call.effects.flows.len(),
            later: call.effects.later.len(),
            passed_over: passed_over(call).0,
            began: Instant::now(),
        }
    }

    /// What has become of it since.
    pub(crate) fn step(
        self,
        (kind, policy_id): (&str, Option<PolicyId>),
        call: &Call<'_, '_>,
        verdict: &Verdict,
    ) -> CallStep {
        let took = self.began.elapsed();
        let mut details = Vec::new();
        if let Some(consumer) = call.consumer.filter(|_| !self.has_consumer) {
            details.push(format!(
                "{} calls with {}, under plan `{}` ({})",
                consumer.application.id,
                consumer.key,
                consumer.subscription.plan_name(),
                consumer.subscription.id,
            ));
        }
        details.extend(
            call.limits
                .counted()
                .skip(self.limits)
                .map(|counted| limit(&counted)),
        );
        if call.cost != self.cost {
            details.push(format!("the call counts for {}", call.units()));
        }
        let effects = &call.effects;
        if effects.delay_ns > self.delay_ns {
            details.push(format!("the call waits {} ms", effects.delay_ns / 1_000_000));
        }
        if let Some(limit) = effects.degraded.filter(|_| self.degraded.is_none()) {
            details.push(format!("the service behind is told to do less: `{limit}`"));
        }
        if effects.is_warned && !self.is_warned {
            details.push("the call is over a limit that only warns".to_owned());
        }
        if effects.flows.len() > self.flows {
            details.push("the bodies may flow no faster than a bandwidth".to_owned());
        }
        if effects.later.len() > self.later {
            details.push("the call may count when its answer's status is known".to_owned());
        }
        if let (count, Some(outside)) = passed_over(call)
            && count > self.passed_over
        {
            details.push(format!("it is for others: `/audience{outside}` does not hold"));
        }
        fields(&self.headers, call.headers, &mut details);
        let said = match verdict {
            Verdict::Continue => StepVerdict::Passed,
            Verdict::Refuse(refusal) => {
                details.push(format!("{}: {}", refusal.code.as_str(), refusal.detail));
                StepVerdict::Refused
            }
            Verdict::Answer(reply) => {
                details.push(format!("it answers {}", reply.status.as_u16()));
                StepVerdict::Answered
            }
        };
        details.truncate(DETAILS_MAX);
        CallStep {
            kind: kind.to_owned(),
            policy_id,
            verdict: said,
            details,
            took_ns: Some(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
        }
    }
}

/// How many policies are for others, and why the last one is.
fn passed_over(call: &Call<'_, '_>) -> (u32, Option<Outside>) {
    call.effects
        .passed_over
        .map_or((0, None), |(count, outside)| (count, Some(outside)))
}

fn limit(counted: &Counted) -> String {
    let Counted {
        counts,
        quota,
        window_seconds,
        remaining,
        ..
    } = counted;
    let window = match window_seconds {
        0 => "at a time".to_owned(),
        seconds => format!("in {seconds} s"),
    };
    format!("`{counts}`: {remaining} of {quota} {window} are left")
}

/// Names the fields that are new, changed or gone; never their values, which may be secret.
fn fields(before: &HeaderMap, after: &HeaderMap, details: &mut Vec<String>) {
    let values =
        |headers: &HeaderMap, name: &HeaderName| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        details.push(format!("removes `{name}`"));
    }
    for name in after.keys() {
        if !before.contains_key(name) {
            details.push(format!("adds `{name}`"));
        } else if values(before, name) != values(after, name) {
            details.push(format!("changes `{name}`"));
        }
    }
}
