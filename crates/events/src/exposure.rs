//! Who was given which variant of a feature flag: gathered where flags are asked, recorded as tracked events.
//!
//! An exposure is an event of the type [`EXPOSURE`], about the unit, with flag, version and variant among its properties.
//! Whoever gives a variant does not wait for the disk: exposures of a short while are handed over together, and what
//! the intake has no room for is counted there as refused.

use domain::flag::EXPOSURE;
use domain::id::{EventTypeId, OrganizationId, SdkKeyId};
use domain::{Name, Timestamp};
use rustc_hash::FxHashMap;
use serde::Serialize;
use uuid::Uuid;

use crate::ingest::{Key, UNIT_CHARS_MAX};
use crate::intake::Intake;
use crate::wire::{Marks, Origin, Section};

/// Somebody was given a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure<'a> {
    /// The organization's type of events for it.
    pub event_type: EventTypeId,
    /// The flag's key.
    pub flag: &'a str,
    /// The flag's version.
    pub version: u64,
    /// The variant.
    pub variant: &'a str,
    /// The attribute that says who it is.
    pub by: &'a str,
    /// Its value.
    pub unit: &'a str,
}

#[derive(Serialize)]
struct Properties<'a> {
    flag: &'a str,
    variant: &'a str,
    flag_version: u64,
    by: &'a str,
}

/// Gathers exposures for one core or thread.
pub struct Exposures {
    intake: Intake,
    sections: FxHashMap<(OrganizationId, SdkKeyId), Section>,
    properties: Vec<u8>,
}

impl std::fmt::Debug for Exposures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exposures").finish_non_exhaustive()
    }
}

impl Exposures {
    /// Hands over to an intake.
    pub fn new(intake: Intake) -> Self {
        Self {
            intake,
            sections: FxHashMap::default(),
            properties: Vec::new(),
        }
    }

    /// Notes an exposure that the holder of a key has caused. A unit that is too long to be one of an event is left out.
    pub fn note(&mut self, key: &Key, exposure: &Exposure<'_>, now: Timestamp) {
        self.note_by((key.organization, &key.environment, key.id), exposure, now);
    }

    /// Notes an exposure that nobody has asked for with a key: a gateway went by the flag. The event has the key of zeros.
    pub fn note_own(
        &mut self,
        (organization, environment): (OrganizationId, &Name),
        exposure: &Exposure<'_>,
        now: Timestamp,
    ) {
        let nobody = SdkKeyId::new(Uuid::nil());
        self.note_by((organization, environment, nobody), exposure, now);
    }

    fn note_by(
        &mut self,
        (organization, environment, key): (OrganizationId, &Name, SdkKeyId),
        exposure: &Exposure<'_>,
        now: Timestamp,
    ) {
        let Exposure { unit, .. } = *exposure;
        if unit.is_empty() || unit.len() > UNIT_CHARS_MAX || unit.chars().any(char::is_control) {
            return;
        }
        let properties = Properties {
            flag: exposure.flag,
            variant: exposure.variant,
            flag_version: exposure.version,
            by: exposure.by,
        };
        self.properties.clear();
        if serde_json::to_writer(&mut self.properties, &properties).is_err() {
            return;
        }
        let section = self.sections.entry((organization, key)).or_insert_with(|| {
            let origin = Origin {
                organization,
                environment: environment.clone(),
                key,
            };
            Section::new(origin, now, Uuid::now_v7())
        });
        let kind = section.find_type(EXPOSURE);
        let kind = kind.unwrap_or_else(|| {
            let name = EXPOSURE.parse().expect("it is the name of a type");
            section.add_type(exposure.event_type, name)
        });
        let marks = Marks {
            user: Some(unit),
            properties: str::from_utf8(&self.properties).ok(),
            ..Marks::default()
        };
        section.push(kind, now, 0, &marks);
        if section.is_full() {
            self.flush(now);
        }
    }

    /// Hands over what was gathered.
    pub fn flush(&mut self, now: Timestamp) {
        if !self.sections.is_empty() {
            let sections = self.sections.drain().map(|(_, section)| section).collect();
            // What was refused is in the figures of the intake.
            let _ = self.intake.offer(sections, now);
        }
    }
}

impl Drop for Exposures {
    fn drop(&mut self) {
        let now = self.sections.values().map(Section::received_at).max();
        if let Some(now) = now {
            self.flush(now);
        }
    }
}

#[cfg(test)]
mod tests;
