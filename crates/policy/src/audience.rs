//! Policies that are for an audience: for calls of all others they do nothing.

use std::sync::Arc;

use flags::{Audience, Caller, FormFault, Head, Outside};

use crate::call::{Call, Consumer};
use crate::shared::Ledger;
use crate::verdict::Verdict;
use crate::{Phase, Policy, State};

/// Lets a policy be for an audience only.
///
/// # Errors
/// All that is wrong with the audience; pointers are in it.
pub fn only_for(
    policy: Arc<dyn Policy>,
    audience: &domain::flag::Audience,
) -> Result<Arc<dyn Policy>, Vec<FormFault>> {
    let audience = Audience::compile(audience)?;
    Ok(Arc::new(OnlyFor { policy, audience }))
}

/// A policy that is for an audience.
#[derive(Debug)]
struct OnlyFor {
    policy: Arc<dyn Policy>,
    audience: Audience,
}

impl Policy for OnlyFor {
    /// Whom it is for may depend on who calls.
    fn phase(&self) -> Phase {
        match self.policy.phase() {
            Phase::First => Phase::Decide,
            other => other,
        }
    }

    fn request<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        if let Err(outside) = call.is_of(&self.audience) {
            call.effects.passed_over(outside);
            return Verdict::Continue;
        }
        if self.policy.changes_answers() {
            call.effects.answers.push(&*self.policy);
        }
        self.policy.request(call)
    }

    fn flags(&self) -> Vec<&str> {
        self.policy.flags()
    }

    fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        self.policy.ledger()
    }

    fn state(&self) -> Option<State> {
        self.policy.state()
    }
}

impl Call<'_, '_> {
    /// Whether the call is of an audience.
    fn is_of(&self, audience: &Audience) -> Result<(), Outside> {
        // Where there are no flags, nobody is in an audience.
        let flags = self.flags.ok_or_else(|| audience.first())?;
        flags.fits(self.place.organization, audience, self.head())
    }

    /// What flags are asked about.
    pub(crate) fn head(&self) -> Head<'_> {
        Head {
            headers: self.headers,
            caller: self.consumer.as_ref().map(caller),
        }
    }
}

fn caller<'a>(consumer: &Consumer<'a>) -> Caller<'a> {
    Caller {
        application: consumer.application.id,
        organization: consumer.application.organization,
        subscription: consumer.subscription.id,
        plan: consumer.subscription.plan_name(),
        key: consumer.key,
    }
}

#[cfg(test)]
mod tests;
