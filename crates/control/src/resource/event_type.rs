//! Event types: what users may be recorded to do.

use domain::Timestamp;
use domain::code::Code;
use domain::id::EventTypeId;
use domain::tracking::{EventType, EventTypeSpec};
use events::ingest::Schema;
use serde_json::json;
use store::entity::{self, Condition};
use store::{Arg, Tx};

use super::fault::Faults;
use super::{New, Resource};
use crate::{Caller, Error};

/// The most event types of an organization: every edge knows them all.
const TYPES_MAX: i64 = 2000;

impl Resource for EventType {
    type Spec = EventTypeSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: EventTypeSpec) -> Self {
        Self {
            id: EventTypeId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &EventTypeSpec {
        &self.spec
    }

    fn with(&self, spec: EventTypeSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, _: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        let spec = &self.spec;
        faults.title("/title", &spec.title);
        faults.description("/description", &spec.description);
        if let Some(before) = before {
            faults.fixed("/name", before.spec.name != spec.name);
        }
        if let Some(Err(error)) = spec.schema.as_ref().map(Schema::new) {
            faults.add(
                &format!("/schema{}", error.pointer),
                "schema_invalid",
                error.detail,
                "See https://json-schema.org; references may lead to parts of the same schema, and not in circles.",
            );
        }
        faults.without_nul("/schema", &json!(spec.schema));
        faults.finish()?;
        if before.is_none() {
            let of = [Condition::Is("organization_id", Arg::text(self.organization_id))];
            if entity::count::<Self>(tx, &of).await? >= TYPES_MAX {
                let detail = format!("The organization has {TYPES_MAX} event types.");
                return Err(Error::refused(Code::Conflict, detail));
            }
        }
        Ok(())
    }

    /// What was counted would be of nothing.
    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        if store::tracking::has_events(tx, self.id).await? {
            let detail = "Events of this type were counted: set its state to `archived` instead.";
            return Err(Error::refused(Code::InUse, detail));
        }
        Ok(())
    }
}
