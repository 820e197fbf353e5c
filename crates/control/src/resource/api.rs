//! APIs.

use domain::Timestamp;
use domain::catalog::{Api, ApiSpec, Version};
use domain::id::{ApiId, WorkspaceId};
use domain::identity::Workspace;
use store::entity::{self, Condition, Entity, Read};
use store::{Arg, Tx};

use super::fault::{Faults, in_use};
use super::{New, Resource, own, version};
use crate::{Caller, Error};

/// The most tags of an API.
const TAGS_MAX: usize = 20;
/// The most characters of a tag.
const TAG_MAX: usize = 50;

impl Resource for Api {
    type Spec = ApiSpec;
    type Parent = WorkspaceId;
    const IN_SNAPSHOT: bool = true;

    fn new(new: New, parent: &WorkspaceId, spec: ApiSpec) -> Self {
        Self {
            id: ApiId::new(new.uuid),
            organization_id: new.organization,
            workspace_id: *parent,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &ApiSpec {
        &self.spec
    }

    fn with(&self, spec: ApiSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn workspace(&self, _: &mut (impl Read + Send)) -> Result<Option<WorkspaceId>, Error> {
        Ok(Some(self.workspace_id))
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        faults.title("/title", &self.spec.title);
        faults.description("/description", &self.spec.description);
        tags(&mut faults, &self.spec.tags);
        faults.finish()?;
        if before.is_none() {
            workspace(tx, caller, self.workspace_id).await?;
        }
        Ok(())
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let versions =
            entity::all::<Version>(tx, &[Condition::Is("api_id", Arg::text(Entity::id(self)))]).await?;
        let mut users = Vec::new();
        for found in versions {
            users.extend(version::users(tx, &found).await?);
        }
        users.dedup();
        in_use(&users)
    }
}

/// Wants the workspace of a new resource to be one of the caller's organization.
pub(super) async fn workspace(tx: &mut Tx, caller: &Caller, id: WorkspaceId) -> Result<(), Error> {
    match own::by_id::<Workspace>(tx, caller, id).await? {
        Some(_) => Ok(()),
        None => Err(Error::not_found("workspace")),
    }
}

fn tags(faults: &mut Faults, tags: &[String]) {
    faults.count("/tags", tags.len(), 0, TAGS_MAX);
    for (index, tag) in tags.iter().take(TAGS_MAX).enumerate() {
        let pointer = format!("/tags/{index}");
        faults.line(&pointer, tag, TAG_MAX);
        if tag.trim().is_empty() {
            faults.add(&pointer, "field_empty", "A tag is empty.", "Remove it.");
        } else if tags[..index].contains(tag) {
            faults.add(
                &pointer,
                "field_twice",
                "A tag stands there twice.",
                "Remove one.",
            );
        }
    }
}
