//! Tracked events: keys that record them, and how many came.

pub(crate) mod known;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_lc_rs::rand;
use bytes::Bytes;
use domain::consumer::RotateSpec;
use domain::id::{EventTypeId, SdkKeyId};
use domain::tracking::{
    EventType, EventTypeInterval, EventTypeUsage, EventTypeUse, IssuedSdkKey, SdkKey, SdkKeySpec,
};
use domain::{Code, Name, Timestamp};
use events::ingest::Key;
use events::{Batch, Tracked};
use flags::{Set, growthbook};
use store::tracking::{HourKey, HourSums};

use crate::credential::Issued;
use crate::resource::Resource as _;
use crate::{Caller, Control, Error};

pub use known::IdSettings;

/// The longest time that counts are told of, by hours.
const HOURS_MAX: u64 = 31 * 24;
/// The longest time that counts are told of, by days.
const DAYS_MAX: u64 = 366;
const HOUR: Duration = Duration::from_secs(3600);

/// Which counts of an event type are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventTypeQuery {
    /// From the span of this moment on; a day or 30 days ago if absent.
    pub from: Option<Timestamp>,
    /// Before this moment; until now if absent.
    pub to: Option<Timestamp>,
    /// How wide spans are.
    pub interval: EventTypeInterval,
}

impl Control {
    /// A new key as it is shown, once.
    fn shown(&self, issued: Issued<SdkKey>) -> IssuedSdkKey {
        let id = issued.info.id;
        let token = self.secrets().cluster_token();
        let is_encrypted = issued.info.spec.encrypt_payload;
        IssuedSdkKey {
            payload_key: is_encrypted.then(|| growthbook::payload_key(token, id)),
            info: issued.info,
            key: issued.key,
        }
    }

    /// What SDKs of GrowthBook get of a set: encrypted, if the key says so.
    ///
    /// # Errors
    /// There are no random numbers to encrypt with.
    pub fn growthbook_payload(&self, key: &Key, set: Option<&Set>) -> Result<Bytes, Error> {
        let none = || Bytes::from_static(growthbook::NOTHING);
        let plain = set.map_or_else(none, |set| set.growthbook().document.clone());
        if !key.encrypt_payload {
            return Ok(plain);
        }
        let mut ivs = [growthbook::Iv::default(); growthbook::IVS];
        for iv in &mut ivs {
            rand::fill(iv).map_err(|error| Error::internal("drawing random bytes", error))?;
        }
        let secret = growthbook::payload_key(self.secrets().cluster_token(), key.id);
        let encrypted = growthbook::encrypted(&plain, &secret, ivs);
        let encrypted = encrypted.map_err(|error| Error::internal("encrypting features", error))?;
        Ok(encrypted.into())
    }

    /// Makes a key that asks for flags and records events for the caller's organization.
    pub async fn issue_sdk_key(&self, caller: &Caller, spec: SdkKeySpec) -> Result<IssuedSdkKey, Error> {
        let mut tx = self.begin(caller).await?;
        let mut made = self.new_credential::<SdkKey>(caller, spec)?;
        self.authorize(&mut tx, caller, "create_sdk_key", &made).await?;
        made.check(&mut tx, caller, None).await?;
        let issued = self.write_credential(&mut tx, caller, made).await?;
        tx.commit().await?;
        self.announce();
        Ok(self.shown(issued))
    }

    /// Follows a key by another; as [`rotate_key`](Self::rotate_key).
    pub async fn rotate_sdk_key(
        &self,
        caller: &Caller,
        id: SdkKeyId,
        how: RotateSpec,
    ) -> Result<IssuedSdkKey, Error> {
        let issued = self.rotate_credential::<SdkKey>(caller, id, how).await?;
        Ok(self.shown(issued))
    }

    /// Ends a key for good; one that was revoked already stays as it is.
    pub async fn revoke_sdk_key(&self, caller: &Caller, id: SdkKeyId) -> Result<SdkKey, Error> {
        self.revoke_credential::<SdkKey>(caller, id).await
    }

    /// The hours in which keys last recorded events; callers pass keys that they may see.
    pub async fn sdk_key_uses(&self, keys: &[SdkKeyId]) -> Result<HashMap<SdkKeyId, Timestamp>, Error> {
        Ok(store::usage::key_uses(&mut self.store(), keys).await?)
    }

    /// When events of types came last, and how many lately; callers pass types that they may see.
    pub async fn event_type_uses(
        &self,
        types: &[EventTypeId],
    ) -> Result<HashMap<EventTypeId, EventTypeUse>, Error> {
        let since = self.now().hour().before(HOUR * 23);
        Ok(store::tracking::uses(&mut self.store(), types, since).await?)
    }

    /// Tells how many events of a type came, span by span.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the type; `parameter_invalid` if the time is empty or too long.
    pub async fn event_type_usage(
        &self,
        caller: &Caller,
        id: EventTypeId,
        query: EventTypeQuery,
    ) -> Result<EventTypeUsage, Error> {
        let event_type = self.read::<EventType>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "read_event_type_usage", &event_type)
            .await?;
        let (width, usual, most) = match query.interval {
            EventTypeInterval::Hour => (HOUR, 24, HOURS_MAX),
            EventTypeInterval::Day => (HOUR * 24, 30, DAYS_MAX),
        };
        let spans = |count: u64| width * u32::try_from(count).unwrap_or(u32::MAX);
        let to = query
            .to
            .unwrap_or_else(|| self.now().after(Duration::from_micros(1)));
        let from = begin(query.from.unwrap_or_else(|| to.before(spans(usual - 1))), width);
        if from >= to {
            return Err(Error::refused(
                Code::ParameterInvalid,
                "`from` is not before `to`.",
            ));
        }
        if from < to.before(spans(most)) {
            let detail =
                format!("At most {most} spans are told at once; ask for a shorter time or wider spans.");
            return Err(Error::refused(Code::ParameterInvalid, detail));
        }
        let counts = store::tracking::counts(&mut self.store(), id, (from, to), query.interval).await?;
        Ok(EventTypeUsage {
            event_type_id: id,
            from,
            to,
            interval: query.interval,
            events: counts.iter().map(|count| count.events).sum(),
            bytes: counts.iter().map(|count| count.bytes).sum(),
            counts,
        })
    }
}

/// The beginning of the span that a moment is in.
fn begin(moment: Timestamp, width: Duration) -> Timestamp {
    let width = i64::try_from(width.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(moment.as_micros() - moment.as_micros().rem_euclid(width))
}

/// What is counted of tracked events.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    hours: BTreeMap<HourKey, HourSums>,
    key_uses: BTreeMap<SdkKeyId, Timestamp>,
}

impl Counts {
    /// Counts what a batch has.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn add(&mut self, batch: &Batch) -> Result<(), events::wire::DecodeError> {
        // Events of one call come in runs, and a comparison is cheaper than a look into the tree.
        let mut run: Option<(Tracked<'_>, HourSums)> = None;
        for event in batch.tracked()? {
            let bytes = i64::try_from(event.bytes()).unwrap_or(i64::MAX);
            match &mut run {
                Some((first, sums)) if is_of(first, &event) => {
                    sums.events += 1;
                    sums.bytes += bytes;
                }
                _ => {
                    let before = run.replace((event, HourSums { events: 1, bytes }));
                    self.add_run(before)?;
                }
            }
        }
        self.add_run(run)
    }

    fn add_run(&mut self, run: Option<(Tracked<'_>, HourSums)>) -> Result<(), events::wire::DecodeError> {
        let Some((event, run)) = run else { return Ok(()) };
        let environment: Result<Name, _> = event.environment.parse();
        let hour = event.received_at.hour();
        let key = HourKey {
            event_type: event.event_type,
            hour,
            environment: environment.map_err(|_| events::wire::DecodeError::Malformed)?,
            organization: event.organization,
        };
        let sums = self.hours.entry(key).or_default();
        sums.events += run.events;
        sums.bytes += run.bytes;
        let last = self.key_uses.entry(event.key).or_insert(hour);
        *last = hour.max(*last);
        Ok(())
    }

    /// Writes what was counted.
    pub(crate) async fn write(self, tx: &mut store::Tx) -> Result<(), store::Error> {
        let hours: Vec<_> = self.hours.into_iter().collect();
        tx.add_event_hours(&hours).await?;
        let key_uses: Vec<_> = self.key_uses.into_iter().collect();
        tx.note_key_uses(&key_uses).await
    }
}

/// Whether two events are counted in the same place.
fn is_of(one: &Tracked<'_>, other: &Tracked<'_>) -> bool {
    one.event_type == other.event_type
        && one.key == other.key
        && one.received_at == other.received_at
        && one.environment == other.environment
}

#[cfg(test)]
mod tests;
