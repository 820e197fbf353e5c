//! API keys as a resource; they are made, rotated and revoked by the use cases of [`crate::key`].

use domain::code::Code;
use domain::consumer::{Application, Key, KeySpec, KeyState};
use domain::id::KeyId;
use domain::{Name, Timestamp, key};
use store::Tx;
use uuid::Uuid;

use super::fault::{Faults, TITLE_MAX};
use super::{New, Resource, own};
use crate::credential::{self, Credential};
use crate::{Caller, Error};

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
            hint: key::hint(&spec.environment, id.uuid()),
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
        credential::check_expiry(&mut faults, self, before, self.updated_at);
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
        credential::unless_revoked(self, before)
    }

    async fn removable(&self, _: &mut Tx, _: &Caller) -> Result<(), Error> {
        let detail = "Keys are revoked, not removed: `POST /api/v1/keys/{id}/revoke`.";
        Err(Error::refused(Code::Conflict, detail))
    }
}

impl Credential for Key {
    fn uuid(&self) -> Uuid {
        self.id.uuid()
    }

    fn environment(&self) -> &Name {
        &self.spec.environment
    }

    fn state(&self) -> KeyState {
        self.state
    }

    fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.spec.expires_at
    }

    fn replaced_by(&self) -> Option<KeyId> {
        self.replaced_by
    }

    fn spec_until(&self, expires_at: Option<Timestamp>) -> KeySpec {
        KeySpec {
            expires_at,
            ..self.spec.clone()
        }
    }

    fn replace_by(&mut self, other: KeyId) {
        self.replaced_by = Some(other);
    }

    fn revoke(&mut self, now: Timestamp) {
        self.state = KeyState::Revoked;
        self.revoked_at = Some(now);
    }
}
