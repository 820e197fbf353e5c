//! What keys of applications and SDK keys have in common: their text is told once and only its hash is kept, they are
//! followed by another, they end for good.

use std::time::Duration;

use aws_lc_rs::rand;
use domain::code::Code;
use domain::consumer::{KeyState, RotateSpec};
use domain::key::{self, SECRET_LEN};
use domain::{Name, Timestamp};
use store::{Arg, Tx};
use uuid::Uuid;

use crate::resource::Resource;
use crate::resource::fault::Faults;
use crate::{Caller, Control, Error};

/// The longest that a replaced key stays valid: 30 days.
const OVERLAP_SECONDS_MAX: u32 = 2_592_000;
/// The longest life that can be asked for: ten years.
const LIFE_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

/// A key, of whichever kind.
pub(crate) trait Credential: Resource<Parent = ()> {
    /// The UUID of its id.
    fn uuid(&self) -> Uuid;
    /// Where it is valid.
    fn environment(&self) -> &Name;
    /// Whether it is valid, apart from its expiry.
    fn state(&self) -> KeyState;
    /// When it was made.
    fn created_at(&self) -> Timestamp;
    /// When it stops to be valid.
    fn expires_at(&self) -> Option<Timestamp>;
    /// The key that replaced it.
    fn replaced_by(&self) -> Option<Self::Id>;
    /// The editable part with another expiry.
    fn spec_until(&self, expires_at: Option<Timestamp>) -> Self::Spec;
    /// Notes that another one replaced it.
    fn replace_by(&mut self, other: Self::Id);
    /// Ends it.
    fn revoke(&mut self, now: Timestamp);
}

/// A key that was just made, with its text.
pub(crate) struct Issued<T> {
    pub(crate) info: T,
    pub(crate) key: String,
}

impl Control {
    /// Follows a key by another with the same rights; see [`Control::rotate_key`].
    pub(crate) async fn rotate_credential<T: Credential>(
        &self,
        caller: &Caller,
        id: T::Id,
        how: RotateSpec,
    ) -> Result<Issued<T>, Error> {
        let action = format!("rotate_{}", T::KIND);
        let before = self.read::<T>(caller, id).await?;
        self.authorize(&mut self.store(), caller, &action, &before)
            .await?;
        let mut faults = Faults::default();
        faults.range("/overlap_seconds", how.overlap_seconds, 0, OVERLAP_SECONDS_MAX);
        faults.finish()?;
        let now = self.now();
        let in_the_way = match (before.state(), before.expires_at(), before.replaced_by()) {
            (KeyState::Revoked, ..) => Some("It was revoked.".to_owned()),
            (_, _, Some(other)) => Some(format!("It was replaced by {other} already.")),
            (_, Some(ends), _) if ends <= now => Some("It has expired.".to_owned()),
            _ => None,
        };
        if let Some(detail) = in_the_way {
            return Err(Error::refused(Code::Conflict, detail));
        }
        let life = |ends: Timestamp| {
            let micros = ends.as_micros() - before.created_at().as_micros();
            now.after(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
        };
        let spec = before.spec_until(before.expires_at().map(life));
        let mut tx = self.begin(caller).await?;
        let successor = self.new_credential::<T>(caller, spec)?;
        let issued = self.write_credential(&mut tx, caller, successor).await?;
        let overlap = now.after(Duration::from_secs(how.overlap_seconds.into()));
        let ends = before.expires_at().map_or(overlap, |ends| ends.min(overlap));
        let mut after = before.with(before.spec_until(Some(ends)), now);
        after.replace_by(issued.info.id());
        tx.update(&after, before.revision(), &[]).await?;
        self.note(&mut tx, caller, &action, Some(&before), Some(&after))
            .await?;
        self.mark(&mut tx).await?;
        tx.commit().await?;
        self.announce();
        Ok(issued)
    }

    /// Ends a key for good; one that was revoked already stays as it is.
    pub(crate) async fn revoke_credential<T: Credential>(
        &self,
        caller: &Caller,
        id: T::Id,
    ) -> Result<T, Error> {
        let action = format!("revoke_{}", T::KIND);
        let before = self.read::<T>(caller, id).await?;
        self.authorize(&mut self.store(), caller, &action, &before)
            .await?;
        if before.state() == KeyState::Revoked {
            return Ok(before);
        }
        let now = self.now();
        let mut after = before.with(before.spec().clone(), now);
        after.revoke(now);
        let mut tx = self.begin(caller).await?;
        tx.update(&after, before.revision(), &[]).await?;
        self.note(&mut tx, caller, &action, Some(&before), Some(&after))
            .await?;
        self.mark(&mut tx).await?;
        tx.commit().await?;
        self.announce();
        Ok(after)
    }

    /// Makes a key that is not written yet.
    pub(crate) fn new_credential<T: Credential>(&self, caller: &Caller, spec: T::Spec) -> Result<T, Error> {
        Ok(T::new(self.new_of(caller)?, &(), spec))
    }

    /// Writes a key under the hash of a new text.
    pub(crate) async fn write_credential<T: Credential>(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        made: T,
    ) -> Result<Issued<T>, Error> {
        let key = key::write(made.environment(), made.uuid(), secret()?)
            .expect("`secret` gives bytes below 248 only");
        let hash = key::hash(key.as_bytes());
        tx.insert(&made, &[("hash", Arg::text(hash))]).await?;
        let action = format!("create_{}", T::KIND);
        self.note(tx, caller, &action, None, Some(&made)).await?;
        self.mark(tx).await?;
        Ok(Issued { info: made, key })
    }
}

/// Wants an expiry that is ahead, and not for ever; one that was there before may stay.
pub(crate) fn check_expiry<T: Credential>(faults: &mut Faults, it: &T, before: Option<&T>, now: Timestamp) {
    let ends = it.expires_at();
    let Some(ends) = ends.filter(|_| before.is_none_or(|before| before.expires_at() != ends)) else {
        return;
    };
    let (detail, suggestion) = if ends <= now {
        (
            "The key would have expired already.",
            "Choose a later moment, or revoke the key.",
        )
    } else if ends > now.after(LIFE_MAX) {
        (
            "It is more than ten years away.",
            "Choose an earlier moment, or leave it out.",
        )
    } else {
        return;
    };
    faults.add("/expires_at", "field_out_of_range", detail, suggestion);
}

/// A revoked key stays as it is.
pub(crate) fn unless_revoked<T: Credential>(it: &T, before: Option<&T>) -> Result<(), Error>
where
    T::Spec: PartialEq,
{
    match before {
        Some(before) if before.state() == KeyState::Revoked && before.spec() != it.spec() => {
            let detail = "A revoked key cannot be changed.";
            Err(Error::refused(Code::Conflict, detail))
        }
        _ => Ok(()),
    }
}

/// Random bytes below 248, so that each of the 62 characters of a key is as likely as any other.
fn secret() -> Result<[u8; SECRET_LEN], Error> {
    let mut secret = [0; SECRET_LEN];
    let mut filled = 0;
    while filled < SECRET_LEN {
        let mut random = [0; 2 * SECRET_LEN];
        rand::fill(&mut random).map_err(|error| Error::internal("drawing random bytes", error))?;
        for byte in random.into_iter().filter(|byte| *byte < 248) {
            if let Some(place) = secret.get_mut(filled) {
                *place = byte;
                filled += 1;
            }
        }
    }
    Ok(secret)
}
