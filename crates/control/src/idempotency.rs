//! Answers to repeated requests: the same request with the same `Idempotency-Key` takes effect once.
//!
//! The edge calls [`Control::begin_once`] before the work and [`Control::finish_once`] after it. Answers are kept
//! sealed, because some hold what is shown once (keys, passwords).

use std::time::Duration;

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use store::idempotency::{self, Place};

use crate::audit::hex;
use crate::secret::Purpose;
use crate::{Caller, Control, Error};

/// How long answers are kept.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);
/// After this long a request without an answer is taken for lost: its process has died.
const LOST: Duration = Duration::from_secs(5 * 60);

/// An answer as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header fields worth repeating.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What is known of a request.
#[derive(Debug)]
pub enum Begun {
    /// Nothing: do the work, then hand the ticket to [`Control::finish_once`] or [`Control::give_up_once`].
    Fresh(Ticket),
    /// It was answered: send this again.
    Replay(Answer),
    /// It is under way.
    InFlight,
    /// The key was used for another request.
    Mismatch,
}

/// The right to answer a request.
#[derive(Debug)]
pub struct Ticket {
    place: Place,
    taken_at: Timestamp,
}

impl Control {
    /// Looks a request up by operation and key, and takes its place if it is new.
    ///
    /// `request` is everything that makes it the same request: method, path with query, body.
    pub async fn begin_once(
        &self,
        caller: &Caller,
        operation: &str,
        key: &str,
        request: &[&[u8]],
    ) -> Result<Begun, Error> {
        let place = Place {
            organization: caller.organization.map(|id| id.to_string()).unwrap_or_default(),
            operation: operation.to_owned(),
            key: key.to_owned(),
        };
        let fingerprint = self.fingerprint(caller, request);
        // Twice at most: the second round follows the removal of a lost or expired request.
        for _ in 0..2 {
            let now = self.now();
            let mut tx = self.store().begin().await?;
            if idempotency::take(&mut tx, &place, &fingerprint, now).await? {
                tx.commit().await?;
                return Ok(Begun::Fresh(Ticket { place, taken_at: now }));
            }
            drop(tx);
            let Some(kept) = idempotency::read(self.store(), &place).await? else {
                continue;
            };
            let life = if kept.answer.is_some() { KEPT } else { LOST };
            if kept.created_at.after(life) <= now {
                let mut tx = self.store().begin().await?;
                idempotency::remove(&mut tx, &place, kept.created_at).await?;
                tx.commit().await?;
                continue;
            }
            if kept.fingerprint != fingerprint {
                return Ok(Begun::Mismatch);
            }
            let Some(sealed) = kept.answer else {
                return Ok(Begun::InFlight);
            };
            let plain = self.secrets().unseal(context(&place).as_bytes(), &sealed);
            let answer = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
            return answer.map(Begun::Replay).ok_or_else(|| {
                Error::Internal(
                    "a kept answer cannot be read: were the secrets replaced?".to_owned(),
                    None,
                )
            });
        }
        Ok(Begun::InFlight)
    }

    /// Keeps the answer for whoever repeats the request.
    pub async fn finish_once(&self, ticket: Ticket, answer: &Answer) -> Result<(), Error> {
        let plain =
            serde_json::to_vec(answer).map_err(|error| Error::internal("keeping an answer", error))?;
        let sealed = self.secrets().seal(context(&ticket.place).as_bytes(), &plain)?;
        let mut tx = self.store().begin().await?;
        idempotency::answer(&mut tx, &ticket.place, ticket.taken_at, sealed).await?;
        Ok(tx.commit().await?)
    }

    /// Forgets a request that had no effect, so that a repetition is done again.
    pub async fn give_up_once(&self, ticket: Ticket) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        idempotency::remove(&mut tx, &ticket.place, ticket.taken_at).await?;
        Ok(tx.commit().await?)
    }

    /// Also of who asks, so that nobody gets another's answer by knowing the key.
    fn fingerprint(&self, caller: &Caller, request: &[&[u8]]) -> String {
        let mut text = caller.actor().into_bytes();
        for part in request {
            text.extend(part.len().to_be_bytes());
            text.extend_from_slice(part);
        }
        hex(&self.secrets().mac(Purpose::Fingerprint, &text))
    }
}

fn context(place: &Place) -> String {
    format!("{}\n{}\n{}", place.organization, place.operation, place.key)
}

#[cfg(test)]
mod tests;
