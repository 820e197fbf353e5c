//! Machine clients: OAuth2 client credentials.

use domain::Timestamp;
use domain::id::ClientId;
use domain::identity::{Client, ClientSpec};
use domain::session::MadeClient;
use store::{Arg, Tx};

use super::fault::Faults;
use super::{New, Resource};
use crate::auth::token_hash;
use crate::secret::token;
use crate::{Caller, Control, Error};

/// What a client's secret begins with, for secret scanners.
const PREFIX: &str = "gls_";

impl Resource for Client {
    type Spec = ClientSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = false;

    fn new(new: New, (): &(), spec: ClientSpec) -> Self {
        Self {
            id: ClientId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &ClientSpec {
        &self.spec
    }

    fn with(&self, spec: ClientSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, _: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.title("/title", &self.spec.title);
        faults.finish()?;
        let highest = before.map_or(self.spec.role, |before| before.spec.role.max(self.spec.role));
        caller.within(highest)
    }

    async fn removable(&self, _: &mut Tx, caller: &Caller) -> Result<(), Error> {
        caller.within(self.spec.role)
    }
}

impl Control {
    /// Makes a machine client; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// `permission_denied` if the role is higher than the caller's own.
    pub async fn create_client(&self, caller: &Caller, spec: ClientSpec) -> Result<MadeClient, Error> {
        let client_secret = token(PREFIX)?;
        let beside = [("secret_hash", Arg::text(token_hash(&client_secret)))];
        let mut tx = self.begin(caller).await?;
        let client = self
            .create_in::<Client>(&mut tx, caller, &(), spec, &beside)
            .await?;
        tx.commit().await?;
        Ok(MadeClient {
            client,
            client_secret,
        })
    }

    /// Replaces a client's secret; the old one ends at once, access tokens given for it within 15 minutes.
    pub async fn rotate_client_secret(&self, caller: &Caller, id: ClientId) -> Result<MadeClient, Error> {
        let client = self.read::<Client>(caller, id).await?;
        self.authorize(&mut self.store(), caller, "rotate_client_secret", &client)
            .await?;
        caller.within(client.spec.role)?;
        let client_secret = token(PREFIX)?;
        let mut tx = self.begin(caller).await?;
        let after = client.with(client.spec.clone(), self.now());
        let beside = [("secret_hash", Arg::text(token_hash(&client_secret)))];
        tx.update(&after, client.revision, &beside).await?;
        self.note(
            &mut tx,
            caller,
            "rotate_client_secret",
            Some(&client),
            Some(&after),
        )
        .await?;
        tx.commit().await?;
        Ok(MadeClient {
            client: after,
            client_secret,
        })
    }
}
