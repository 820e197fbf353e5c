//! Orders certificates from ACME servers (RFC 8555) and renews them in time.
//!
//! One task per process looks for orders that are due. Whoever moves an order's time ahead in the database works on
//! it, so several control planes do not order the same; if one dies over it, another goes on when that time has
//! come. What the server looks for goes to every node with the snapshot, and the server is asked to look only when
//! the nodes have it.

mod http;
mod order;

use std::time::Duration;

use domain::certificate::{Certificate, OrderState};
use domain::id::CertificateId;
use domain::node::NodeState;
use domain::{Name, Timestamp};
use store::{certificate, entity};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::resource::certificate::Material;
use crate::{Caller, Control, Error, secret};

/// How often orders that are due are looked for.
const LOOK: Duration = Duration::from_secs(5);
/// How long one attempt has, before another process may try.
const ATTEMPT: Duration = Duration::from_secs(10 * 60);
/// How many orders one process works on at a time.
const AT_ONCE: usize = 4;
/// How long to wait after the first failure; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The longest wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(12 * 3600);
/// The most characters of an error that are kept.
const ERROR_MAX: usize = 500;
/// How long nodes have to show what the server looks for; it is asked to look then, whatever they say.
const NODES: Duration = Duration::from_secs(15);
/// A node that was not heard of for so long is not waited for.
const NODE_GONE: Duration = Duration::from_secs(120);

/// What was ordered, as it is kept.
struct Ordered {
    certificate: Certificate,
    material: Material,
}

/// Works on orders that are due until `stop` holds true or its sender is gone.
pub async fn run(control: Control, mut stop: watch::Receiver<bool>) {
    let mut changes = control.changes();
    let mut works = JoinSet::new();
    loop {
        if let Err(error) = begin(&control, &mut works).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "looking for certificates to order"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            // The sender lives as long as `control`.
            _ = changes.changed() => {}
            stopped = stop.wait_for(|stopped| *stopped) => {
                drop(stopped);
                return;
            }
        }
        while works.try_join_next().is_some() {}
    }
}

/// Takes what is due, and works on it beside everything else.
async fn begin(control: &Control, works: &mut JoinSet<()>) -> Result<(), Error> {
    for id in certificate::due(&mut control.store(), control.now()).await? {
        if works.len() >= AT_ONCE {
            return Ok(());
        }
        let now = control.now();
        let mut tx = control.store().begin().await?;
        let is_ours = certificate::take(&mut tx, id, now, now.after(ATTEMPT)).await?;
        tx.commit().await?;
        if is_ours {
            let control = control.clone();
            works.spawn(async move {
                let attempt = tokio::time::timeout(ATTEMPT / 2, control.order_due(id));
                let failed = match attempt.await {
                    Ok(result) => result.err(),
                    Err(_) => Some(Failure::Late),
                };
                if let Some(failure) = failed
                    && let Err(error) = control.order_failed(id, &failure).await
                {
                    tracing::error!(%id, error = &error as &dyn std::error::Error, "noting a failed order");
                }
            });
        }
    }
    Ok(())
}

/// Why no certificate came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server refuses, or does not answer.
    #[error("{0}")]
    Server(#[from] instant_acme::Error),
    /// The server could not be called at all.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// The server did not find what it looked for.
    #[error("{host}: {detail}")]
    Challenge {
        /// The host.
        host: String,
        /// What the server says.
        detail: String,
    },
    /// The server offers no such challenge for a host.
    #[error("the server does not check `{host}` in the chosen way")]
    NoChallenge {
        /// The host.
        host: String,
    },
    /// What the server gave is not what was ordered.
    #[error("the server gave a certificate that cannot be used")]
    Unusable(#[source] pki::Error),
    /// What the server gave does not hold for all hosts.
    #[error("the server gave a certificate for other hosts")]
    OtherHosts,
    /// What the server gave has ended already.
    #[error("the server gave a certificate that has ended")]
    Ended,
    /// It took too long.
    #[error("the server took too long")]
    Late,
    /// Not the server's fault.
    #[error(transparent)]
    Control(#[from] Error),
    /// No certificate for the server's check could be made.
    #[error("making the certificate for the server's check")]
    Check(#[source] rcgen::Error),
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Control(error.into())
    }
}

impl Control {
    async fn order_due(&self, id: CertificateId) -> Result<(), Failure> {
        let Some(certificate) = entity::find_id::<Certificate>(&mut self.store(), id).await? else {
            return Ok(());
        };
        let Some(acme) = certificate.spec.acme.clone() else {
            let mut tx = self.store().begin().await?;
            certificate::unschedule(&mut tx, id).await?;
            return Ok(tx.commit().await?);
        };
        let material = self.order(&certificate, &acme).await?;
        self.issued(Ordered {
            certificate,
            material,
        })
        .await
    }

    /// Keeps a certificate that has come, unless another one is wanted by now.
    async fn issued(&self, ordered: Ordered) -> Result<(), Failure> {
        let Ordered {
            certificate,
            material,
        } = ordered;
        let chain = pki::chain(&material.chain).map_err(Failure::Unusable)?;
        let facts = pki::facts(&chain[0]).ok_or(Failure::Unusable(pki::Error::NoCertificate))?;
        pki::read(&material.chain, &material.key).map_err(Failure::Unusable)?;
        let hosts = &certificate.spec.hosts;
        if !hosts.iter().all(|host| pki::covers(&facts.names, host)) {
            return Err(Failure::OtherHosts);
        }
        if facts.not_after <= self.now() {
            return Err(Failure::Ended);
        }
        let (caller, mut tx) = self.begin_for(&certificate).await?;
        let before = entity::find_id::<Certificate>(&mut tx, certificate.id).await?;
        // Whoever has changed what is wanted has asked for a new order, too.
        let Some(before) = before.filter(|before| before.spec == certificate.spec) else {
            return Ok(());
        };
        let now = self.now();
        // One that is old when it comes is not ordered again at once.
        let rest = u64::try_from(facts.not_after.as_micros() - now.as_micros()).unwrap_or(0);
        let soonest = now.after(Duration::from_micros(rest / 3));
        let next_at = renewal(facts.not_before, facts.not_after, fraction()?).max(soonest);
        let mut after = before.clone();
        after.facts = Some(facts);
        after.order = Some(OrderState {
            next_at: Some(next_at),
            failures: 0,
            error: None,
        });
        self.keep(
            &mut tx,
            &caller,
            "issue_certificate",
            (&before, after),
            Some(material),
        )
        .await?;
        tx.commit().await?;
        self.announce();
        tracing::info!(id = %before.id, name = %before.spec.name, "a certificate was issued");
        Ok(())
    }

    async fn order_failed(&self, id: CertificateId, failure: &Failure) -> Result<(), Error> {
        let reason = reason(failure);
        tracing::warn!(%id, %reason, "a certificate could not be ordered");
        let Some(certificate) = entity::find_id::<Certificate>(&mut self.store(), id).await? else {
            return Ok(());
        };
        let (caller, mut tx) = self.begin_for(&certificate).await?;
        let Some(before) = entity::find_id::<Certificate>(&mut tx, id).await? else {
            return Ok(());
        };
        let now = self.now();
        let Some(order) = &before.order else { return Ok(()) };
        if before.spec != certificate.spec || order.next_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        let failures = order.failures.saturating_add(1);
        let mut after = before.clone();
        after.order = Some(OrderState {
            next_at: Some(now.after(pause(failures, fraction()?))),
            failures,
            error: Some(reason),
        });
        self.keep(&mut tx, &caller, "fail_certificate", (&before, after), None)
            .await?;
        tx.commit().await?;
        self.announce();
        Ok(())
    }

    /// Writes how an order has ended; what the server looked for is forgotten.
    async fn keep(
        &self,
        tx: &mut store::Tx,
        caller: &Caller,
        action: &str,
        (before, mut after): (&Certificate, Certificate),
        material: Option<Material>,
    ) -> Result<(), Error> {
        after.revision += 1;
        after.updated_at = self.now();
        tx.update(&after, before.revision, &[]).await?;
        if let Some(material) = material {
            let sealed = material.seal(self.secrets(), after.id)?;
            certificate::write_key(tx, after.id, sealed).await?;
        }
        let next_at = after.order.as_ref().and_then(|order| order.next_at);
        certificate::schedule(tx, &after, next_at.unwrap_or_else(|| self.now())).await?;
        self.note(tx, caller, action, Some(before), Some(&after)).await?;
        self.mark(tx).await
    }

    async fn begin_for(&self, certificate: &Certificate) -> Result<(Caller, store::Tx), Error> {
        let caller = Caller::system(Some(certificate.organization_id));
        let tx = self.begin(&caller).await?;
        Ok((caller, tx))
    }

    /// Brings what the server looks for to the nodes, and waits until they have it.
    async fn publish(
        &self,
        certificate: &Certificate,
        challenges: &[domain::snapshot::Challenge],
    ) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        certificate::write_challenges(&mut tx, certificate.id, challenges).await?;
        self.mark(&mut tx).await?;
        let revision = store::snapshot::revision(&mut tx).await?;
        tx.commit().await?;
        self.announce();
        let environment = &certificate.spec.environment;
        let shown = async {
            while !self.has_reached(environment, revision).await? {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok(())
        };
        tokio::time::timeout(NODES, shown).await.unwrap_or(Ok(()))
    }

    /// Whether every living node of an environment has this revision.
    async fn has_reached(&self, environment: &Name, revision: u64) -> Result<bool, Error> {
        let since = self.now().before(NODE_GONE);
        let nodes = store::node::all(&mut self.store()).await?;
        let mut here = nodes
            .iter()
            .filter(|node| node.environment == *environment && node.seen_at >= since);
        Ok(here.all(|node| {
            node.state == NodeState::Applied && u64::try_from(node.revision).unwrap_or(0) >= revision
        }))
    }
}

/// When to renew: after two thirds of the life, up to a thirtieth of it earlier, so that those that were ordered
/// together are not renewed together.
fn renewal(not_before: Timestamp, not_after: Timestamp, fraction: f64) -> Timestamp {
    let life = not_after
        .as_micros()
        .saturating_sub(not_before.as_micros())
        .max(0);
    let earlier = scaled(life / 30, fraction);
    Timestamp::from_micros(not_before.as_micros().saturating_add(life / 3 * 2 - earlier))
}

/// How long to wait after so many failures, up to a tenth longer.
fn pause(failures: u32, fraction: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let pause = doubled.min(LONGEST_PAUSE);
    pause + pause.mul_f64(fraction / 10.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a random part of a time need not be exact"
)]
fn scaled(micros: i64, fraction: f64) -> i64 {
    (micros as f64 * fraction) as i64
}

/// A random number from 0 to 1.
fn fraction() -> Result<f64, Error> {
    let bytes: [u8; 4] = secret::random()?;
    Ok(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

/// A failure and its causes in one line of bounded length.
fn reason(failure: &Failure) -> String {
    use std::error::Error as _;

    let mut text = failure.to_string();
    let mut next = failure.source();
    while let Some(error) = next {
        let cause = error.to_string();
        next = error.source();
        // Some say their cause themselves.
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text.chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(ERROR_MAX)
        .collect()
}

#[cfg(test)]
mod tests;
