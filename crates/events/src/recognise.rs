//! By what tracked events are recognised that have come to different logs.
//!
//! A log tells what comes to it twice, by hashes that are its own ([`Intake`](crate::Intake)). Where the events of all
//! logs come together, ids are hashed anew, with a secret that belongs to no log.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use crate::wire::{EventId, Tracked};

/// Hashes what events are recognised by; clones hash alike.
#[derive(Debug, Clone)]
pub struct Recogniser(SipHasher13);

impl Recogniser {
    /// Hashes with a secret, so that nobody can choose ids that are taken for those of others.
    pub fn new(key: [u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(&key))
    }

    /// What an event is recognised by; nothing if its sender gave it no id, because then it is another one each time.
    ///
    /// Ids are unique in an organization and environment, and in a source if there is one.
    pub fn hash(&self, event: &Tracked<'_>) -> Option<u64> {
        if !event.is_named {
            return None;
        }
        let mut hasher = self.0;
        hasher.write(event.organization.uuid().as_bytes());
        // No text has this sign.
        for text in [Some(event.environment), event.source].into_iter().flatten() {
            hasher.write(text.as_bytes());
            hasher.write_u8(0);
        }
        match event.id {
            EventId::Uuid(uuid) => {
                hasher.write_u8(1);
                hasher.write(uuid.as_bytes());
            }
            EventId::Text(text) => hasher.write(text.as_bytes()),
        }
        Some(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;
    use domain::id::{EventTypeId, OrganizationId, SdkKeyId};
    use uuid::Uuid;

    use super::Recogniser;
    use crate::Batch;
    use crate::wire::{Marks, Origin, Section};

    /// What the events of a batch are recognised by.
    fn hashes(organization: u128, environment: &str, received: i64, marks: &[Marks<'_>]) -> Vec<Option<u64>> {
        let origin = Origin {
            organization: OrganizationId::new(Uuid::from_u128(organization)),
            environment: environment.parse().unwrap(),
            key: SdkKeyId::new(Uuid::now_v7()),
        };
        let at = Timestamp::from_micros(received);
        let mut section = Section::new(origin, at, Uuid::now_v7());
        let kind = section.add_type(EventTypeId::new(Uuid::now_v7()), "visit".parse().unwrap());
        marks.iter().for_each(|marks| section.push(kind, at, 0, marks));
        let batches = Batch::of_tracked(1, &[section]);
        let recogniser = Recogniser::new([7; 16]);
        let tracked = batches[0].tracked().unwrap();
        tracked.iter().map(|event| recogniser.hash(event)).collect()
    }

    #[test]
    fn an_id_is_the_same_wherever_it_came_and_only_in_its_place() {
        let uuid = "01945fcb-9f3e-7a61-b3a5-6f1f9d1c2b3a";
        let id = |id| Marks {
            id: Some(id),
            user: Some("u"),
            ..Marks::default()
        };
        let sourced = Marks {
            source: Some("s"),
            ..id("a")
        };
        let all = [id("a"), id("b"), id(uuid), sourced, Marks::default()];
        let found = hashes(1, "production", 0, &all);
        assert_eq!(found, hashes(1, "production", 1_000_000, &all));
        assert_eq!(found[4], None);
        let mut known: Vec<_> = found.into_iter().flatten().collect();
        known.extend(hashes(2, "production", 0, &all).into_iter().flatten());
        known.extend(hashes(1, "sandbox", 0, &all).into_iter().flatten());
        known.sort_unstable();
        known.dedup();
        assert_eq!(known.len(), 12);
    }
}
