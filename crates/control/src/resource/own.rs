//! Looks things up in the caller's organization: what belongs to another tenant is not there.

use domain::Name;
use domain::id::OrganizationId;
use domain::identity::Environment;
use store::entity::{self, Condition, Entity, Read};
use store::{Arg, Tx};

use crate::{Caller, Error};

/// Finds one of the caller's organization by its id.
pub(crate) async fn by_id<T: Entity>(
    read: &mut impl Read,
    caller: &Caller,
    id: T::Id,
) -> Result<Option<T>, Error> {
    let conditions = [
        Condition::Is("id", Arg::text(id)),
        Condition::Is("organization_id", Arg::text(caller.organization()?)),
    ];
    Ok(entity::find(read, &conditions).await?)
}

/// Finds one of the caller's organization by its name; only for those that have one.
pub(crate) async fn by_name<T: Entity>(
    read: &mut impl Read,
    caller: &Caller,
    name: &str,
) -> Result<Option<T>, Error> {
    debug_assert!(T::HAS_NAME, "{} has no name", T::KIND);
    let conditions = [
        Condition::Is("name", Arg::text(name)),
        Condition::Is("organization_id", Arg::text(caller.organization()?)),
    ];
    Ok(entity::find(read, &conditions).await?)
}

/// Whether the caller's organization has an environment of that name.
pub(crate) async fn has_environment(tx: &mut Tx, caller: &Caller, name: &Name) -> Result<bool, Error> {
    Ok(by_name::<Environment>(tx, caller, name.as_str()).await?.is_some())
}

/// The names of an organization's environments, in their order.
pub(crate) async fn environments(
    read: &mut impl Read,
    organization: OrganizationId,
) -> Result<Vec<Name>, Error> {
    let of = [Condition::Is("organization_id", Arg::text(organization))];
    let all = entity::all::<Environment>(read, &of).await?;
    Ok(all.into_iter().map(|it| it.spec.name).collect())
}

/// The names of an organization's environments that are protected, in their order.
pub(crate) async fn protected_environments(
    read: &mut impl Read,
    organization: OrganizationId,
) -> Result<Vec<Name>, Error> {
    let of = [Condition::Is("organization_id", Arg::text(organization))];
    let all = entity::all::<Environment>(read, &of).await?;
    let protected = all.into_iter().filter(|it| it.spec.protected);
    Ok(protected.map(|it| it.spec.name).collect())
}
