//! What flags and segments were, and making them so again.

use domain::code::Code;
use store::flag::history::{self, Past};

use crate::resource::{Listed, Replacing, Resource};
use crate::{Caller, Control, Error};

impl Control {
    /// Lists what something was, the newest first: at most `limit` before the revision `below`.
    ///
    /// # Errors
    /// `not_found` if the caller may not see it.
    pub async fn revisions<T: Resource>(
        &self,
        caller: &Caller,
        id: T::Id,
        below: Option<i64>,
        limit: u32,
    ) -> Result<Listed<Past<T>>, Error> {
        let it = self.read::<T>(caller, id).await?;
        let action = format!("list_{}_revisions", T::KIND);
        self.authorize(&mut self.store(), caller, &action, &it).await?;
        let place = (caller.organization()?, id);
        let mut data = history::list::<T>(&mut self.store(), place, below, limit.saturating_add(1)).await?;
        let has_more = data.len() > limit as usize;
        data.truncate(limit as usize);
        Ok(Listed { data, has_more })
    }

    /// What something was after one of its changes.
    ///
    /// # Errors
    /// `not_found` if the caller may not see it, or the revision is not kept.
    pub async fn revision<T: Resource>(
        &self,
        caller: &Caller,
        id: T::Id,
        revision: i64,
    ) -> Result<Past<T>, Error> {
        let it = self.read::<T>(caller, id).await?;
        let action = format!("read_{}_revision", T::KIND);
        self.authorize(&mut self.store(), caller, &action, &it).await?;
        let place = (caller.organization()?, id);
        let found = history::find::<T>(&mut self.store(), place, revision).await?;
        found.ok_or_else(|| Error::not_found("revision"))
    }

    /// Makes something as it was after one of its changes: a change like any other.
    ///
    /// # Errors
    /// `conflict` if the revision is not kept; those of a change.
    pub async fn revert<T: Resource>(
        &self,
        caller: &Caller,
        id: T::Id,
        revision: i64,
        if_match: Option<i64>,
    ) -> Result<T, Error> {
        let before = self.read::<T>(caller, id).await?;
        let action = format!("revert_{}", T::KIND);
        let mut tx = self.begin(caller).await?;
        self.authorize(&mut tx, caller, &action, &before).await?;
        let place = (caller.organization()?, id);
        let past = history::find::<T>(&mut tx, place, revision).await?;
        let past = past.ok_or_else(|| {
            let newest = history::KEPT;
            let detail = format!("There is no revision {revision}; the newest {newest} are kept.");
            Error::refused(Code::Conflict, detail)
        })?;
        let change = Replacing {
            action: &action,
            before: &before,
            spec: past.it.spec().clone(),
            if_match,
            is_approved: false,
        };
        let after = self.replace_by(&mut tx, caller, change).await?;
        tx.commit().await?;
        self.announce_if::<T>();
        Ok(after)
    }
}
