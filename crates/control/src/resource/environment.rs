//! Environments: keys and routes differ per environment.

use domain::certificate::Certificate;
use domain::consumer::Key;
use domain::id::EnvironmentId;
use domain::identity::{Environment, EnvironmentSpec};
use domain::stream::StreamRoute;
use domain::tracking::SdkKey;
use domain::traffic::Route;
use domain::{Code, Name, Timestamp};
use store::entity::{self, Condition, Read};
use store::{Arg, Tx};

use super::fault::{Faults, in_use};
use super::{New, Resource};
use crate::{Caller, Error};

impl Resource for Environment {
    type Spec = EnvironmentSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = false;

    fn new(new: New, (): &(), spec: EnvironmentSpec) -> Self {
        Self {
            id: EnvironmentId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &EnvironmentSpec {
        &self.spec
    }

    fn with(&self, spec: EnvironmentSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, _: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.title("/title", &self.spec.title);
        faults.finish()?;
        match before {
            Some(before) if before.spec.name != self.spec.name => unused(before, tx).await,
            _ => Ok(()),
        }
    }

    /// Who may not change what is protected does not take the protection away.
    async fn guarded(
        _: &mut (impl Read + Send),
        (before, after): (Option<&Self>, Option<&Self>),
    ) -> Result<Vec<Name>, Error> {
        let is_protected = |it: Option<&Self>| it.is_some_and(|it| it.spec.protected);
        let ends = is_protected(before) && after.is_some() && !is_protected(after);
        Ok(before
            .filter(|_| ends)
            .map(|it| it.spec.name.clone())
            .into_iter()
            .collect())
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let here = [Condition::Is("organization_id", Arg::text(self.organization_id))];
        if entity::count::<Self>(tx, &here).await? == 1 {
            return Err(Error::refused(
                Code::Conflict,
                "An organization keeps at least one environment.",
            ));
        }
        unused(self, tx).await
    }
}

/// Its name stands inside of every key and in routes.
async fn unused(it: &Environment, tx: &mut Tx) -> Result<(), Error> {
    let here = [
        Condition::Is("organization_id", Arg::text(it.organization_id)),
        Condition::Is("environment", Arg::text(&it.spec.name)),
    ];
    let keys = entity::count::<Key>(tx, &here).await?;
    let routes = entity::count::<Route>(tx, &here).await?;
    let certificates = entity::count::<Certificate>(tx, &here).await?;
    let streams = entity::count::<StreamRoute>(tx, &here).await?;
    let sdk_keys = entity::count::<SdkKey>(tx, &here).await?;
    let flags = store::flag::all(tx, it.organization_id).await?;
    let flags = flags
        .iter()
        .filter(|flag| flag.spec.environments.contains_key(&it.spec.name));
    let used = [
        (keys, "keys"),
        (routes, "routes"),
        (certificates, "certificates"),
        (streams, "stream routes"),
        (sdk_keys, "SDK keys"),
        (i64::try_from(flags.count()).unwrap_or(i64::MAX), "feature flags"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0);
    in_use(
        &used
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests;
