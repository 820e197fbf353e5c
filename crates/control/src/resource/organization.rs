//! Organizations: the tenants.

use domain::Timestamp;
use domain::catalog::Api;
use domain::consumer::Application;
use domain::id::OrganizationId;
use domain::identity::{Organization, OrganizationSpec, User};
use domain::offer::Product;
use domain::traffic::Upstream;
use store::entity::{self, Condition, Entity};
use store::{Arg, Tx};

use super::fault::{Faults, in_use};
use super::{ListQuery, Listed, New, Resource};
use crate::access::Principal;
use crate::{Caller, Control, Error};

impl Resource for Organization {
    type Spec = OrganizationSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, (): &(), spec: OrganizationSpec) -> Self {
        Self {
            id: OrganizationId::new(new.uuid),
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &OrganizationSpec {
        &self.spec
    }

    fn with(&self, spec: OrganizationSpec, now: Timestamp) -> Self {
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
        faults.finish()
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let mut users = Vec::new();
        users.extend(left::<Api>(tx, self.id).await?);
        users.extend(left::<Upstream>(tx, self.id).await?);
        users.extend(left::<Product>(tx, self.id).await?);
        users.extend(left::<Application>(tx, self.id).await?);
        in_use(&users)?;
        Ok(store::tenant::empty(tx, self.id).await?)
    }

    fn visible(caller: &Caller) -> Result<Vec<Condition>, Error> {
        Ok(vec![Condition::Is("id", Arg::text(caller.organization()?))])
    }
}

/// How many of a kind are left, in words.
async fn left<T: Entity>(tx: &mut Tx, organization: OrganizationId) -> Result<Option<String>, Error> {
    let here = [Condition::Is("organization_id", Arg::text(organization))];
    let count = entity::count::<T>(tx, &here).await?;
    let kind = super::plural(T::KIND);
    Ok((count > 0).then(|| format!("{count} {kind}")))
}

impl Control {
    /// Makes an organization with all that one begins with; the caller becomes its owner.
    ///
    /// # Errors
    /// `not_found` if the caller is a machine, `name_taken`.
    pub async fn create_organization(
        &self,
        caller: &Caller,
        spec: OrganizationSpec,
    ) -> Result<Organization, Error> {
        self.access().check_personal(caller, "create_organization")?;
        let mut faults = Faults::default();
        faults.title("/title", &spec.title);
        faults.finish()?;
        let user = match caller.principal {
            Principal::System => None,
            _ => entity::find_id::<User>(&mut self.store(), caller.user()?).await?,
        };
        let mut tx = self.store().begin().await?;
        let made = self
            .found_organization(&mut tx, caller, spec, user.as_ref())
            .await?;
        tx.commit().await?;
        self.announce();
        Ok(made)
    }

    /// Lists the organizations that the caller belongs to; only these can be chosen for a call.
    pub async fn list_organizations(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Listed<Organization>, Error> {
        self.access().check_personal(caller, "list_organizations")?;
        let mine = match caller.principal {
            Principal::User(id) => Condition::Among {
                table: "memberships",
                column: "organization_id",
                by: "user_id",
                value: Arg::text(id),
            },
            _ => Condition::Is("id", Arg::text(caller.organization()?)),
        };
        let mut conditions = vec![mine];
        conditions.extend(query.conditions.iter().cloned());
        self.listed(&conditions, query).await
    }
}
