//! Applications: consumers' programs.

use domain::Timestamp;
use domain::consumer::{Application, ApplicationSpec, Key, KeyState};
use domain::id::ApplicationId;
use store::entity::{self, Condition};
use store::{Arg, Tx};

use super::fault::{Faults, in_use};
use super::{New, Resource, subscription};
use crate::{Caller, Error};

impl Resource for Application {
    type Spec = ApplicationSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: ApplicationSpec) -> Self {
        Self {
            id: ApplicationId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &ApplicationSpec {
        &self.spec
    }

    fn with(&self, spec: ApplicationSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, _: &mut Tx, _: &Caller, _: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.title("/title", &self.spec.title);
        faults.description("/description", &self.spec.description);
        faults.finish()
    }

    /// Keys that were not revoked and subscriptions that were not cancelled keep it.
    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let of = Condition::Is("application_id", Arg::text(self.id));
        let keys = entity::all::<Key>(tx, std::slice::from_ref(&of)).await?;
        let active = keys.iter().filter(|key| key.state == KeyState::Active);
        let mut users: Vec<_> = active.map(|key| format!("key {}", key.id)).collect();
        let live = subscription::live(tx, of.clone()).await?;
        users.extend(
            live.iter()
                .map(|subscription| format!("subscription {}", subscription.id)),
        );
        in_use(&users)?;
        subscription::forget_cancelled(tx, of).await?;
        let sql = "DELETE FROM keys WHERE application_id = $1 AND state = 'revoked'";
        tx.execute(sql, &[Arg::text(self.id)]).await?;
        Ok(())
    }
}
