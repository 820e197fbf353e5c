//! Alert rules, channels and silences.

use std::time::Duration;

use domain::Timestamp;
use domain::alert::{
    AlertChannel, AlertChannelSpec, AlertRule, AlertRuleSpec, AlertSilence, AlertSilenceSpec,
};
use domain::code::Code;
use domain::id::{AlertChannelId, AlertRuleId, AlertSilenceId};
use store::Arg;
use store::Tx;
use store::entity::{self, Condition, Entity};

use super::fault::{Faults, in_use};
use super::{New, Resource, own};
use crate::{Caller, Error, Settings, alert, notice};

/// The most rules of an organization: each is judged several times a minute.
const RULES_MAX: i64 = 500;
/// The most channels of an organization.
const CHANNELS_MAX: i64 = 200;
/// The most silences of an organization.
const SILENCES_MAX: i64 = 1000;
/// The most channels of a rule.
const RULE_CHANNELS_MAX: usize = 10;
/// The most rules of a silence.
const SILENCE_RULES_MAX: usize = 100;
/// The longest silence.
const SILENCE_MAX: Duration = Duration::from_hours(366 * 24);

/// Refuses one more than there may be.
pub(super) async fn has_room<T: Entity>(tx: &mut Tx, it: &T, most: i64) -> Result<(), Error> {
    let of = it.organization().map(Arg::text).into_iter();
    let of: Vec<_> = of.map(|id| Condition::Is("organization_id", id)).collect();
    if entity::count::<T>(tx, &of).await? >= most {
        let detail = format!(
            "The organization has {most} {} already.",
            super::plural(T::KIND).replace('_', " ")
        );
        return Err(Error::refused(Code::Conflict, detail));
    }
    Ok(())
}

impl Resource for AlertRule {
    type Spec = AlertRuleSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = false;

    fn new(new: New, (): &(), spec: AlertRuleSpec) -> Self {
        Self {
            id: AlertRuleId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &AlertRuleSpec {
        &self.spec
    }

    fn with(&self, spec: AlertRuleSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let spec = &self.spec;
        let mut faults = Faults::default();
        faults.title("/title", &spec.title);
        faults.description("/description", &spec.description);
        faults.range("/for_minutes", spec.for_minutes, 0, 1440);
        if let Some(minutes) = spec.repeat_minutes {
            faults.range("/repeat_minutes", minutes, 5, 10_080);
        }
        faults.count("/channels", spec.channels.len(), 0, RULE_CHANNELS_MAX);
        for (place, name) in spec.channels.iter().enumerate().take(RULE_CHANNELS_MAX) {
            let found = own::by_name::<AlertChannel>(tx, caller, name.as_str()).await?;
            faults.reference(&format!("/channels/{place}"), "alert channel", found);
        }
        faults.finish()?;
        alert::check(&spec.condition, "/condition", self.updated_at)?;
        match before {
            None => has_room(tx, self, RULES_MAX).await,
            Some(_) => Ok(()),
        }
    }
}

impl Resource for AlertChannel {
    type Spec = AlertChannelSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = false;

    fn new(new: New, (): &(), spec: AlertChannelSpec) -> Self {
        Self {
            id: AlertChannelId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &AlertChannelSpec {
        &self.spec
    }

    fn with(&self, spec: AlertChannelSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, _: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.title("/title", &self.spec.title);
        if let Some(before) = before {
            faults.fixed("/name", before.spec.name != self.spec.name);
        }
        faults.finish()?;
        match before {
            None => has_room(tx, self, CHANNELS_MAX).await,
            Some(_) => Ok(()),
        }
    }

    fn fits(&self, settings: &Settings) -> Result<(), Error> {
        let mut faults = Faults::default();
        notice::check_target(&settings.alerts, &self.spec.target, &mut faults);
        faults.finish()
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        in_use(&alert::users_of(tx, self).await?)
    }
}

impl Resource for AlertSilence {
    type Spec = AlertSilenceSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = false;

    fn new(new: New, (): &(), spec: AlertSilenceSpec) -> Self {
        Self {
            id: AlertSilenceId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &AlertSilenceSpec {
        &self.spec
    }

    fn with(&self, spec: AlertSilenceSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let spec = &self.spec;
        let mut faults = Faults::default();
        faults.title("/title", &spec.title);
        faults.count("/rules", spec.rules.len(), 0, SILENCE_RULES_MAX);
        for (place, name) in spec.rules.iter().enumerate().take(SILENCE_RULES_MAX) {
            let found = own::by_name::<AlertRule>(tx, caller, name.as_str()).await?;
            faults.reference(&format!("/rules/{place}"), "alert rule", found);
        }
        if spec.ends_at <= spec.starts_at || spec.ends_at > spec.starts_at.after(SILENCE_MAX) {
            let detail = "It does not end within a year after it begins.";
            faults.add(
                "/ends_at",
                "out_of_range",
                detail,
                "Let it end later than `starts_at`, and soon.",
            );
        } else if spec.ends_at <= self.updated_at && before.is_none() {
            faults.add(
                "/ends_at",
                "out_of_range",
                "It is over already.",
                "Let it end later.",
            );
        }
        faults.finish()?;
        match before {
            None => has_room(tx, self, SILENCES_MAX).await,
            Some(_) => Ok(()),
        }
    }
}
