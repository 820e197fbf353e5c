//! Versions of APIs and how they age.

use domain::Timestamp;
use domain::catalog::{Api, Stage, Version, VersionSpec};
use domain::code::Code;
use domain::id::{ApiId, VersionId, WorkspaceId};
use domain::offer::Product;
use store::entity::{self, Condition, Read};
use store::{Arg, Tx};

use super::fault::{Faults, in_use};
use super::{New, Resource, own};
use crate::{Caller, Error};

/// The most characters of a version's name.
pub(crate) const NAME_MAX: usize = 100;

impl Resource for Version {
    type Spec = VersionSpec;
    type Parent = ApiId;
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, parent: &ApiId, spec: VersionSpec) -> Self {
        let deprecated_at = (spec.stage == Stage::Deprecated).then_some(new.now);
        Self {
            id: VersionId::new(new.uuid),
            organization_id: new.organization,
            api_id: *parent,
            spec,
            contract_id: None,
            operations: 0,
            deprecated_at,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &VersionSpec {
        &self.spec
    }

    fn with(&self, spec: VersionSpec, now: Timestamp) -> Self {
        let deprecated_at = match spec.stage {
            Stage::Deprecated => self.deprecated_at.or(Some(now)),
            Stage::Retired => self.deprecated_at,
            _ => None,
        };
        Self {
            spec,
            deprecated_at,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn workspace(&self, read: &mut (impl Read + Send)) -> Result<Option<WorkspaceId>, Error> {
        let api = entity::find_id::<Api>(read, self.api_id).await?;
        let own = api.filter(|api| api.organization_id == self.organization_id);
        Ok(own.map(|api| api.workspace_id))
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.line("/name", &self.spec.name, NAME_MAX);
        if self.spec.name.trim().is_empty() || self.spec.name.trim() != self.spec.name {
            let detail = "It is empty, or begins or ends with a space.";
            faults.add(
                "/name",
                "field_invalid",
                detail,
                "Write it as in the contract's `info.version`.",
            );
        }
        if let Some(sunset) = self.spec.sunset_at {
            match self.deprecated_at {
                Some(deprecated) if sunset >= deprecated => {}
                Some(_) => faults.add(
                    "/sunset_at",
                    "field_out_of_range",
                    "The version would be retired before it was deprecated.",
                    "Choose a later moment.",
                ),
                None => faults.add(
                    "/sunset_at",
                    "field_invalid",
                    "Only a deprecated version has a date of retirement.",
                    "Set `stage` to `deprecated` as well, or leave the date out.",
                ),
            }
        }
        faults.finish()?;
        match before {
            None if own::by_id::<Api>(tx, caller, self.api_id).await?.is_none() => {
                Err(Error::not_found("api"))
            }
            Some(before) if !can_become(before.spec.stage, self.spec.stage) => Err(Error::refused(
                Code::Conflict,
                format!(
                    "A version that is {} cannot become {}.",
                    word(before.spec.stage),
                    word(self.spec.stage)
                ),
            )),
            _ => Ok(()),
        }
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        in_use(&users(tx, self).await?)
    }
}

/// Whether a version may go from one stage to another.
///
/// What was promised is not taken back: a stable version stays compatible until it is deprecated and retired;
/// a deprecation can be called off; retired is final.
pub(crate) const fn can_become(from: Stage, to: Stage) -> bool {
    use Stage::{Alpha, Beta, Deprecated, Draft, Retired, Stable};

    match from {
        Draft => true,
        Alpha => !matches!(to, Deprecated),
        Beta => !matches!(to, Draft | Alpha),
        Stable => matches!(to, Stable | Deprecated | Retired),
        Deprecated => matches!(to, Stable | Deprecated | Retired),
        Retired => matches!(to, Retired),
    }
}

const fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Draft => "a draft",
        Stage::Alpha => "alpha",
        Stage::Beta => "beta",
        Stage::Stable => "stable",
        Stage::Deprecated => "deprecated",
        Stage::Retired => "retired",
    }
}

/// The products that hold a version, in words.
pub(super) async fn users(tx: &mut Tx, version: &Version) -> Result<Vec<String>, Error> {
    let holding = Condition::Among {
        table: "product_versions",
        column: "product_id",
        by: "version_id",
        value: Arg::text(version.id),
    };
    let products = entity::all::<Product>(tx, &[holding]).await?;
    Ok(products
        .iter()
        .map(|product| format!("product `{}`", product.spec.name))
        .collect())
}
