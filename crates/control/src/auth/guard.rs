//! Slows down who guesses passwords.

use std::net::IpAddr;
use std::time::Duration;

use domain::id::{OrganizationId, UserId};
use domain::{Code, Timestamp};
use store::failure::{self, Failures};
use store::{Tx, session};

use super::{About, token_hash};
use crate::audit::Change;
use crate::counter::Counters;
use crate::{Caller, Control, Error};

/// Failed attempts that cost nothing but their number.
const FREE: i64 = 5;
/// Accounts that may be made from one network address in a row.
const SIGN_UPS_FREE: i64 = 20;
/// The longest wait. Longer ones would mostly help who wants to keep somebody out.
const WAIT_MAX: u64 = 300;
/// After this long without a failure all is forgotten.
pub(crate) const MEMORY: Duration = Duration::from_secs(24 * 3600);

/// An attempt to sign in, counted as failed until it succeeds, so that many at once do not count as one.
pub(super) struct Attempt {
    /// None if it is not about an account: who tries links tries all of them at once.
    account: Option<String>,
    address: Option<String>,
    failures: i64,
}

impl Control {
    /// Checks a person's password; slows down who guesses.
    pub(super) async fn check_password(
        &self,
        email: &str,
        password: &str,
        about: &About,
    ) -> Result<UserId, Error> {
        let email = super::account::normal(email);
        let attempt = self.attempt(&account(&email), about).await?;
        let found = session::credentials(&mut self.store(), &email).await?;
        let stored = found
            .as_ref()
            .filter(|found| !found.disabled)
            .map(|found| found.password_hash.clone());
        let right = self.inner.passwords.verify(password, stored).await?;
        match found {
            Some(found) if right => {
                self.succeeded(attempt).await?;
                Ok(found.user_id)
            }
            found => {
                let organization = match found {
                    Some(found) => {
                        let members = session::members(&mut self.store(), found.user_id, None).await?;
                        members
                            .unwrap_or_default()
                            .first()
                            .map(|member| member.organization_id)
                    }
                    None => None,
                };
                Err(self.failed(attempt, organization, about).await?)
            }
        }
    }

    /// Counts an attempt, or refuses it because it comes too soon after failed ones.
    pub(super) async fn attempt(&self, account: &str, about: &About) -> Result<Attempt, Error> {
        self.attempt_of(Some(account.to_owned()), about).await
    }

    /// The same for an attempt to use a link.
    pub(super) async fn attempt_link(&self, about: &About) -> Result<Attempt, Error> {
        self.attempt_of(None, about).await
    }

    async fn attempt_of(&self, account: Option<String>, about: &About) -> Result<Attempt, Error> {
        let address = about.address.map(network);
        let mut tx = self.store().begin().await?;
        let mut failures = 0;
        for subject in [account.as_deref(), address.as_deref()].into_iter().flatten() {
            failures = failures.max(self.count(&mut tx, subject, FREE).await?);
        }
        tx.commit().await?;
        Ok(Attempt {
            account,
            address,
            failures,
        })
    }

    /// The same for an attempt to sign up: for the address that may have an account, and as one of the accounts
    /// that are made from a network address, of which there may be some more.
    ///
    /// The address has a count of its own: who signs up does not keep anybody from signing in.
    pub(super) async fn attempt_sign_up(&self, email: &str, about: &About) -> Result<Attempt, Error> {
        let subject = format!("sign-up:{}", account(email));
        let attempt = self.attempt(&subject, about).await?;
        if let Some(address) = &attempt.address {
            let mut tx = self.store().begin().await?;
            self.count(&mut tx, &format!("sign-up:{address}"), SIGN_UPS_FREE)
                .await?;
            tx.commit().await?;
        }
        Ok(attempt)
    }

    async fn count(&self, tx: &mut Tx, subject: &str, free: i64) -> Result<i64, Error> {
        let now = self.now();
        tx.lock(subject).await?;
        let before = failure::read(tx, subject).await?;
        let before = before.filter(|before| before.last_at.after(MEMORY) > now);
        let count = before.map_or(0, |before| before.count);
        if let Some(wait) = before.and_then(|before| wait(before, free, now)) {
            Counters::count(&self.inner.counters.sign_ins_delayed);
            return Err(Error::Refused {
                code: Code::SignInDelayed,
                detail: format!("{count} attempts were made; the next one is possible in {wait} s."),
                errors: Vec::new(),
                retry_after: Some(wait),
            });
        }
        let counted = Failures {
            count: count + 1,
            last_at: now,
        };
        failure::write(tx, subject, counted).await?;
        Ok(counted.count)
    }

    /// Forgets the account's failures. Those of the address stay, but for this attempt: else who guesses would
    /// sign in to an account of their own in between.
    pub(super) async fn succeeded(&self, attempt: Attempt) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        if let Some(account) = &attempt.account {
            failure::forget(&mut tx, account).await?;
        }
        if let Some(address) = &attempt.address {
            failure::take_back(&mut tx, address).await?;
        }
        tx.commit().await?;
        if attempt.account.is_some() {
            Counters::count(&self.inner.counters.sign_ins);
        }
        Ok(())
    }

    /// Notes a failure; returns what to answer.
    pub(super) async fn failed(
        &self,
        attempt: Attempt,
        organization: Option<OrganizationId>,
        about: &About,
    ) -> Result<Error, Error> {
        Counters::count(&self.inner.counters.sign_ins_failed);
        let subject = attempt.account.unwrap_or_default();
        tracing::warn!(
            %subject, failures = attempt.failures, address = ?about.address,
            "a sign-in failed"
        );
        if let Some(organization) = organization {
            let mut tx = self.store().begin().await?;
            let caller = Caller::anonymous(about.request_id.clone());
            let address = about.address.map(|address| address.to_string());
            let change = Change {
                organization,
                action: "sign_in_failed",
                resource: subject,
                before: None,
                after: Some(serde_json::json!({ "failures": attempt.failures, "address": address })),
            };
            self.append(&mut tx, &caller, change).await?;
            tx.commit().await?;
        }
        Ok(Error::refused(
            Code::CredentialsInvalid,
            "Name or password is wrong.",
        ))
    }
}

/// The subject of an account. Hashed, because what is typed into the field of an address may be a password.
pub(super) fn account(email: &str) -> String {
    format!("account:{}", token_hash(email))
}

/// Seconds until the next attempt: 2, 4, 8… when more than the free ones were made.
fn wait(before: Failures, free: i64, now: Timestamp) -> Option<u64> {
    let over = u32::try_from(before.count - free).ok().filter(|over| *over > 0)?;
    let seconds = 2_u64.checked_pow(over).unwrap_or(WAIT_MAX).min(WAIT_MAX);
    let until = before.last_at.after(Duration::from_secs(seconds));
    let left = until.as_micros() - now.as_micros();
    u64::try_from(left)
        .ok()
        .filter(|left| *left > 0)
        .map(|left| left.div_ceil(1_000_000))
}

/// The subject of an address: an IPv6 customer has a whole /64 to choose from.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("address:{address}"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("address:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;
    use store::failure::Failures;

    use super::{FREE, WAIT_MAX, network, wait};

    #[test]
    fn waits_grow_from_the_sixth_failure_on() {
        let at = Timestamp::from_micros(1_000_000);
        let after = |count| wait(Failures { count, last_at: at }, FREE, at);
        assert_eq!(
            [0, 5, 6, 7, 8].map(after),
            [None, None, Some(2), Some(4), Some(8)]
        );
        assert_eq!(after(1_000_000), Some(WAIT_MAX));
        let later = Timestamp::from_micros(3_000_000);
        assert_eq!(
            wait(
                Failures {
                    count: 6,
                    last_at: at
                },
                FREE,
                later
            ),
            None
        );
    }

    #[test]
    fn neighbours_in_ipv6_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
