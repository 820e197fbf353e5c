//! API keys as a resource; they are made, rotated and revoked by the use cases of [`crate::key`].

use std::time::Duration;

use domain::Timestamp;
use domain::code::Code;
use domain::consumer::{Application, Key, KeySpec, KeyState};
use domain::id::KeyId;
use domain::key;
use store::Tx;

use super::fault::{Faults, TITLE_MAX};
use super::{New, Resource, own};
use crate::{Caller, Error};

/// The longest life that can be asked for: ten years.
const LIFE_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

impl Resource for Key {
    type Spec = KeySpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: KeySpec) -> Self {
        let id = KeyId::new(new.uuid);
        Self {
            id,
            organization_id: new.organization,
            state: KeyState::Active,
            hint: key::hint(&spec.environment, id),
            spec,
            replaced_by: None,
            revoked_at: None,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &KeySpec {
        &self.spec
    }

    fn with(&self, spec: KeySpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.line("/title", &self.spec.title, TITLE_MAX);
        let ends = self.spec.expires_at;
        if let Some(ends) = ends.filter(|_| before.is_none_or(|before| before.spec.expires_at != ends)) {
            if ends <= self.updated_at {
                let detail = "The key would have expired already.";
                faults.add(
                    "/expires_at",
                    "field_out_of_range",
                    detail,
                    "Choose a later moment, or revoke the key.",
                );
            } else if ends > self.updated_at.after(LIFE_MAX) {
                let detail = "It is more than ten years away.";
                faults.add(
                    "/expires_at",
                    "field_out_of_range",
                    detail,
                    "Choose an earlier moment, or leave it out.",
                );
            }
        }
        match before {
            None => {
                let application = own::by_id::<Application>(tx, caller, self.spec.application_id).await?;
                faults.reference("/application_id", "application", application);
            }
            Some(before) => {
                let (old, new) = (&before.spec, &self.spec);
                faults.fixed("/application_id", old.application_id != new.application_id);
                faults.fixed("/environment", old.environment != new.environment);
            }
        }
        faults.finish()?;
        match before {
            Some(before) if before.state == KeyState::Revoked && before.spec != self.spec => {
                let detail = "A revoked key cannot be changed.";
                Err(Error::refused(Code::Conflict, detail))
            }
            _ => Ok(()),
        }
    }

    async fn removable(&self, _: &mut Tx, _: &Caller) -> Result<(), Error> {
        let detail = "Keys are revoked, not removed: `POST /api/v1/keys/{id}/revoke`.";
        Err(Error::refused(Code::Conflict, detail))
    }
}
