//! Takes tracked events, whoever carries them: reads, checks, tells duplicates, and hands over to the log.
//!
//! Nothing here knows of HTTP: an edge passes what the headers say ([`Facts`]), the body, and a [`Directory`] of keys
//! and types, and answers with what comes back. The way of a call: [`Directory::key`] (who sends) →
//! [`Key::admits`] (from which page) → [`Ingest::read`] (what; takes time in proportion to the body, so large bodies
//! are read where that harms nobody) → [`Ingest::submit`] (waits for the disk).
//!
//! Texts are checked and copied once, from the body into the form of the log. Only an event whose type has a schema
//! becomes a tree of values.

mod body;
mod directory;
mod event;
mod form;
mod refusal;
mod schema;

use std::time::Duration;

use domain::Timestamp;
use domain::tracking::{EventError, EventReceipt};
use siphasher::sip::SipHasher13;

use crate::intake::Intake;
use crate::wire::Section;

pub use directory::{Directory, EventKind, Key, KeyFault};
pub use refusal::{Refusal, RefusalError};
pub use schema::{Schema, SchemaError};

/// The most bytes of a body, and of what it becomes when it is unpacked.
pub const BODY_BYTES_MAX: usize = 5 << 20;
/// The most events of a call.
pub const CALL_EVENTS_MAX: u32 = 10_000;
/// The most characters of an event's id.
pub const ID_CHARS_MAX: usize = 128;
/// The most characters of a user's or device's id, and of a CloudEvent's source.
pub const UNIT_CHARS_MAX: usize = 256;
/// How far ahead of our clock an event may be.
pub const FUTURE_MAX: Duration = Duration::from_secs(600);
/// The content types that events come in, the one that documents name first.
pub const MEDIA_TYPES: &[&str] = &[
    "application/json",
    "application/x-ndjson",
    "text/plain",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
];

/// How tracked events are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestSettings {
    /// How old an event may be when it comes.
    pub age_max: Duration,
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self {
            age_max: Duration::from_secs(7 * 86_400),
        }
    }
}

/// What the headers of a call say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// `Content-Type`.
    pub media_type: Option<&'a str>,
    /// `Content-Encoding`.
    pub encoding: Option<&'a str>,
    /// The attributes of a CloudEvent in binary mode: headers that begin with `ce-`, without that.
    pub attributes: Vec<(&'a str, &'a str)>,
}

/// Events that were read and are good, and what is wrong with the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    sections: Vec<Section>,
    received_at: Timestamp,
    errors: Vec<EventError>,
    errors_total: u64,
}

impl Events {
    /// The good ones, in the form of the log.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// What is wrong with the others.
    pub fn errors(&self) -> &[EventError] {
        &self.errors
    }
}

/// Takes tracked events; clones share the queue before the log.
#[derive(Debug, Clone)]
pub struct Ingest {
    intake: Intake,
    settings: IngestSettings,
    /// Knows the key of this log, and nothing else yet.
    hasher: SipHasher13,
}

impl Ingest {
    /// Takes events into a log.
    pub fn new(intake: Intake, settings: IngestSettings) -> Self {
        let hasher = SipHasher13::new_with_key(&intake.seen_key().to_le_bytes());
        Self {
            intake,
            settings,
            hasher,
        }
    }

    /// The queue before the log.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Reads and checks the events of a call that a key may make; `now` is when it came.
    ///
    /// # Errors
    /// Every [`Refusal`] but those of [`submit`](Self::submit).
    pub fn read(
        &self,
        (directory, key): (&Directory, &Key),
        facts: &Facts<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Events, Refusal> {
        let unpacked = body::unpack(body, facts.encoding, BODY_BYTES_MAX)?;
        let judge = event::Judge::new(directory, key, self, now);
        form::read(judge, facts, &unpacked)
    }

    /// Waits until the good events are on the disk.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if there are only bad ones, [`Refusal::Refused`] if the good ones could not be kept.
    pub async fn submit(&self, events: Events) -> Result<EventReceipt, Refusal> {
        let Events {
            sections,
            received_at,
            errors,
            errors_total,
        } = events;
        if sections.is_empty() && errors_total > 0 {
            return Err(Refusal::Invalid {
                errors,
                total: errors_total,
            });
        }
        let taken = if sections.is_empty() {
            crate::intake::Taken::default()
        } else {
            self.intake.submit(sections, received_at).await?
        };
        Ok(EventReceipt {
            accepted: taken.accepted,
            duplicates: taken.duplicates,
            errors_total,
            errors,
        })
    }
}

#[cfg(test)]
mod tests;
