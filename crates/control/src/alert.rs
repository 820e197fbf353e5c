//! Alerts: rules are judged by what was counted, and whoever is named in them is told.
//!
//! A round ([`run`]) takes the rules whose turn it is, asks for each what is so now ([`judge`]), moves its alerts on
//! ([`domain::alert::step`]) and writes down whom to tell, all of it in one transaction; another task sends what is
//! written down until it is received ([`crate::notice`]). Several control planes share the work: a rule or a notification is
//! taken with an update that only one of them can make.

mod anomaly;
mod engine;
mod judge;

use std::fmt;
use std::time::Duration;

use domain::alert::{Alert, AlertChannel, AlertCondition, AlertRule, AlertRuleUse};
use domain::alert::{ChannelSecret, ChannelTest, Preview};
use domain::id::{AlertChannelId, AlertId, AlertRuleId};
use domain::notice::Notice;
use domain::report::ReportSchedule;
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use store::entity::{self, Condition};
use store::{Arg, Tx};

use crate::resource::{ListQuery, Listed};
use crate::{Caller, Control, Error, notice};

pub use engine::run;
pub(crate) use judge::check;

/// How long alerts are kept that are over.
pub const KEPT: Duration = Duration::from_hours(90 * 24);
/// The most groups that a condition is told of.
const FOUND_MAX: usize = 100;

/// How alerts are looked for, and how people are told.
#[derive(Debug, Clone)]
pub struct AlertSettings {
    /// How often each rule is judged.
    pub every: Duration,
    /// Whether webhooks may go to addresses that are not of the public internet, and without TLS.
    pub allows_private: bool,
    /// How mails are sent; without it no channel can be one of mailboxes.
    pub mail: Option<MailSettings>,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(15),
            allows_private: false,
            mail: None,
        }
    }
}

/// How mails are sent.
#[derive(Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// `smtps://user:password@host:465`, or `smtp://host:587?tls=required`.
    pub url: String,
    /// The sender, as `Gateline <alerts@example.com>`.
    pub from: String,
}

impl MailSettings {
    /// Whether mails can be sent so.
    ///
    /// # Errors
    /// Why not; without the password.
    pub fn check(&self) -> Result<(), String> {
        self.from
            .parse::<Mailbox>()
            .map_err(|_| "`mail_from` is not the address of a mailbox".to_owned())?;
        AsyncSmtpTransport::<Tokio1Executor>::from_url(&self.url)
            .map(drop)
            .map_err(|_| {
                "`mail_url` is not the URL of a mail server: smtps://user:password@host:465".to_owned()
            })
    }
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSettings")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl Control {
    /// Lists the alerts of the caller's organization.
    pub async fn list_alerts(&self, caller: &Caller, query: &ListQuery) -> Result<Listed<Alert>, Error> {
        let organization = caller.organization()?;
        self.access().check(caller, "list_alerts", organization, None)?;
        let mut conditions = vec![Condition::Is("organization_id", Arg::text(organization))];
        conditions.extend(query.conditions.iter().cloned());
        self.listed(&conditions, query).await
    }

    /// Reads an alert of the caller's organization.
    pub async fn read_alert(&self, caller: &Caller, id: AlertId) -> Result<Alert, Error> {
        self.alert(caller, "read_alert", id).await
    }

    /// Tells the newest notifications of an alert of the caller's organization, the newest first.
    pub async fn alert_notices(&self, caller: &Caller, id: AlertId) -> Result<Vec<Notice>, Error> {
        self.alert(caller, "list_alert_notices", id).await?;
        Ok(store::notice::notices(&mut self.store(), &id.to_string(), notice::TOLD_MAX).await?)
    }

    async fn alert(&self, caller: &Caller, action: &str, id: AlertId) -> Result<Alert, Error> {
        let organization = caller.organization()?;
        let conditions = [
            Condition::Is("id", Arg::text(id)),
            Condition::Is("organization_id", Arg::text(organization)),
        ];
        let found = entity::find::<Alert>(&mut self.store(), &conditions).await?;
        let alert = found.ok_or_else(|| Error::not_found("alert"))?;
        self.access().check(caller, action, organization, None)?;
        Ok(alert)
    }

    /// Says what a condition would find now in the caller's organization.
    ///
    /// # Errors
    /// `request_invalid` with the field that cannot be judged.
    pub async fn preview_alert(&self, caller: &Caller, condition: &AlertCondition) -> Result<Preview, Error> {
        let organization = caller.organization()?;
        self.access().check(caller, "preview_alert", organization, None)?;
        check(condition, "", self.now())?;
        let judged = judge::judge(self, organization, condition, &mut anomaly::Cache::default()).await?;
        Ok(judged.preview())
    }

    /// Says of rules when they were looked at, and how many of their alerts are firing; callers pass rules that they
    /// may see.
    pub async fn alert_rule_uses(
        &self,
        rules: &[AlertRuleId],
    ) -> Result<std::collections::HashMap<AlertRuleId, AlertRuleUse>, Error> {
        Ok(store::alert::uses(&mut self.store(), rules).await?)
    }

    /// Tells the secret with which a channel's webhooks are signed.
    pub async fn alert_channel_secret(
        &self,
        caller: &Caller,
        id: AlertChannelId,
    ) -> Result<ChannelSecret, Error> {
        let channel = self.read::<AlertChannel>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "read_alert_channel_secret", &channel)
            .await?;
        let number = store::alert::channel_secret(&mut self.store(), id).await?;
        Ok(ChannelSecret {
            secret: notice::secret(self, id, number),
        })
    }

    /// Gives a channel another secret; the one before is not used any more from then on.
    pub async fn rotate_alert_channel_secret(
        &self,
        caller: &Caller,
        id: AlertChannelId,
    ) -> Result<ChannelSecret, Error> {
        let channel = self.read::<AlertChannel>(caller, id).await?;
        let mut tx = self.begin(caller).await?;
        self.authorize(&mut tx, caller, "rotate_alert_channel_secret", &channel)
            .await?;
        tx.rotate_channel_secret(id).await?;
        let number = store::alert::channel_secret(&mut tx, id).await?;
        let it = Some(&channel);
        self.note(&mut tx, caller, "rotate_alert_channel_secret", it, it)
            .await?;
        tx.commit().await?;
        Ok(ChannelSecret {
            secret: notice::secret(self, id, number),
        })
    }

    /// Sends a notification to try a channel, and says what became of it.
    pub async fn test_alert_channel(
        &self,
        caller: &Caller,
        id: AlertChannelId,
    ) -> Result<ChannelTest, Error> {
        let channel = self.read::<AlertChannel>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "test_alert_channel", &channel)
            .await?;
        let number = store::alert::channel_secret(&mut self.store(), id).await?;
        let sent = notice::try_out(self, &channel, number).await;
        Ok(ChannelTest {
            delivered: sent.is_ok(),
            error: sent.err().map(|error| error.to_string()),
        })
    }
}

/// The rules and schedules of an organization that name a channel.
pub(crate) async fn users_of(tx: &mut Tx, channel: &AlertChannel) -> Result<Vec<String>, Error> {
    let of = [Condition::Is(
        "organization_id",
        Arg::text(channel.organization_id),
    )];
    let rules = entity::all::<AlertRule>(tx, &of).await?;
    let using = rules
        .iter()
        .filter(|rule| rule.spec.channels.contains(&channel.spec.name));
    let mut users: Vec<_> = using
        .map(|rule| format!("alert rule {}", rule.spec.name))
        .collect();
    let schedules = entity::all::<ReportSchedule>(tx, &of).await?;
    let using = schedules
        .iter()
        .filter(|schedule| schedule.spec.channels.contains(&channel.spec.name));
    users.extend(using.map(|schedule| format!("report schedule {}", schedule.spec.name)));
    Ok(users)
}

/// Forgets alerts that were over long ago.
pub(crate) async fn forget_old(tx: &mut Tx, now: domain::Timestamp) -> Result<(), Error> {
    tx.forget_alerts_before(now.before(KEPT)).await?;
    tx.forget_notices_before(now.before(KEPT)).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
