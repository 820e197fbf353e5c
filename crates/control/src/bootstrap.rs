//! What an empty database gets: an organization, a workspace, environments, a plan, an administrator.

use std::io;
use std::path::Path;

use domain::identity::{
    Environment, EnvironmentSpec, MembershipSpec, Organization, OrganizationSpec, Role, User, Workspace,
    WorkspaceSpec,
};
use domain::offer::Plan;
use domain::session::FirstAdmin;
use store::{Tx, entity};

use crate::resource::{New, Resource, plan};
use crate::secret::write_private;
use crate::{Caller, Control, Error};

/// The address of the first administrator.
const ADMIN_EMAIL: &str = "admin@gateline.local";
const ADMIN_FILE: &str = "admin.json";

impl Control {
    /// Fills an empty database, in one transaction.
    ///
    /// The password is on disk before the transaction is committed: a crash in between leaves a file that the
    /// next start replaces, never an account whose password nobody knows.
    pub(crate) async fn bootstrap(&self) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        tx.lock("bootstrap").await?;
        if entity::count::<Organization>(&mut tx, &[]).await? > 0 {
            // Upstreams may be older than the names of targets.
            for upstream in store::rollup::nameless(&mut tx).await? {
                tx.name_targets(&upstream).await?;
            }
            tx.commit().await?;
            return Ok(());
        }
        let password = crate::secret::token("")?;
        let hash = self.inner.passwords.hash(&password).await?;
        let user = self
            .insert_user(&mut tx, ADMIN_EMAIL, "Administrator", hash)
            .await?;
        let spec = OrganizationSpec {
            name: name("default")?,
            title: "Default".to_owned(),
        };
        self.found_organization(&mut tx, &Caller::system(None), spec, Some(&user))
            .await?;
        let admin = FirstAdmin {
            user_id: user.id,
            email: user.email,
            password,
        };
        write_admin(&self.inner.settings.data_dir, &admin)?;
        tx.commit().await?;
        self.announce();
        Ok(())
    }

    /// Makes an organization with all that one begins with, and its first owner.
    pub(crate) async fn found_organization(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        spec: OrganizationSpec,
        owner: Option<&User>,
    ) -> Result<Organization, Error> {
        let id = domain::id::OrganizationId::new(self.uuid());
        let new = || New {
            uuid: self.uuid(),
            organization: id,
            now: self.now(),
        };
        let organization = Organization::new(
            New {
                uuid: id.uuid(),
                ..new()
            },
            &(),
            spec,
        );
        crate::audit::lock(tx, id).await?;
        // From here on the founder acts in the new organization, in whose chain all of this stands.
        let caller = &Caller {
            organization: Some(id),
            ..caller.clone()
        };
        tx.insert(&organization, &[]).await?;
        self.note(tx, caller, "create_organization", None, Some(&organization))
            .await?;
        let spec = WorkspaceSpec {
            name: name("default")?,
            title: "Default".to_owned(),
        };
        self.seed(tx, caller, Workspace::new(new(), &(), spec)).await?;
        for (text, title) in [("sandbox", "Sandbox"), ("production", "Production")] {
            let spec = EnvironmentSpec {
                name: name(text)?,
                title: title.to_owned(),
                protected: false,
            };
            self.seed(tx, caller, Environment::new(new(), &(), spec)).await?;
        }
        self.seed(tx, caller, Plan::new(new(), &(), plan::free())).await?;
        if let Some(owner) = owner {
            let spec = MembershipSpec {
                user_id: owner.id,
                workspace_id: None,
                role: Role::Owner,
            };
            self.insert_membership(tx, caller, (id, spec), &owner.email)
                .await?;
        }
        self.mark(tx).await?;
        Ok(organization)
    }

    async fn seed<T: Resource>(&self, tx: &mut Tx, caller: &Caller, it: T) -> Result<(), Error> {
        tx.insert(&it, &[]).await?;
        let action = format!("create_{}", T::KIND);
        self.note(tx, caller, &action, None, Some(&it)).await
    }
}

fn name(text: &str) -> Result<domain::Name, Error> {
    text.parse()
        .map_err(|error| Error::internal("making a name", error))
}

fn write_admin(data_dir: &Path, admin: &FirstAdmin) -> Result<(), Error> {
    let text =
        serde_json::to_vec_pretty(admin).map_err(|error| Error::internal("writing admin.json", error))?;
    write_private(&data_dir.join(ADMIN_FILE), &text, true)
        .map_err(|error| Error::internal("writing admin.json", error))
}

pub(crate) fn read_admin(data_dir: &Path) -> Result<Option<FirstAdmin>, Error> {
    let text = match std::fs::read(data_dir.join(ADMIN_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::internal("reading admin.json", error)),
    };
    let admin =
        serde_json::from_slice(&text).map_err(|error| Error::internal("reading admin.json", error))?;
    Ok(Some(admin))
}
