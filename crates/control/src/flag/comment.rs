//! What people say about flags.

use domain::code::Code;
use domain::flag::{FeatureFlag, FlagComment, FlagCommentSpec};
use domain::id::{FeatureFlagId, FlagCommentId};
use store::Arg;
use store::entity::{self, Condition, Window};

use crate::resource::fault::Faults;
use crate::resource::{ListQuery, Listed, expect_revision};
use crate::{Caller, Control, Error};

/// The most comments of a flag.
const COMMENTS_MAX: i64 = 1000;

impl Control {
    /// Lists what was said about a flag.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the flag.
    pub async fn flag_comments(
        &self,
        caller: &Caller,
        flag: FeatureFlagId,
        window: Window,
    ) -> Result<Listed<FlagComment>, Error> {
        let flag = self.read::<FeatureFlag>(caller, flag).await?;
        self.authorize(&mut self.store(), caller, "list_feature_flag_comments", &flag)
            .await?;
        let conditions = [Condition::Is("flag_id", Arg::text(flag.id))];
        let query = ListQuery {
            conditions: Vec::new(),
            window,
        };
        let mut listed = self.listed::<FlagComment>(&conditions, &query).await?;
        let authors = listed.data.iter().map(|it| it.author.clone()).collect();
        let names = self.actor_names(flag.organization_id, authors).await?;
        for it in &mut listed.data {
            it.author_name = names.get(&it.author).cloned();
        }
        Ok(listed)
    }

    /// Says something about a flag.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the flag, `request_invalid`, `conflict` if too much was said.
    pub async fn comment_on_flag(
        &self,
        caller: &Caller,
        flag: FeatureFlagId,
        spec: FlagCommentSpec,
    ) -> Result<FlagComment, Error> {
        const ACTION: &str = "create_feature_flag_comment";
        let flag = self.read::<FeatureFlag>(caller, flag).await?;
        let mut tx = self.begin(caller).await?;
        self.authorize(&mut tx, caller, ACTION, &flag).await?;
        let mut faults = Faults::default();
        faults.description("/text", &spec.text);
        if spec.text.trim().is_empty() {
            faults.add("/text", "field_empty", "It is empty.", "Write something.");
        }
        faults.finish()?;
        let of = [Condition::Is("flag_id", Arg::text(flag.id))];
        if entity::count::<FlagComment>(&mut tx, &of).await? >= COMMENTS_MAX {
            let detail = format!("The flag has {COMMENTS_MAX} comments; remove some.");
            return Err(Error::refused(Code::Conflict, detail));
        }
        let mut comment = FlagComment {
            id: FlagCommentId::new(self.uuid()),
            organization_id: flag.organization_id,
            flag_id: flag.id,
            author: caller.actor(),
            author_name: None,
            spec,
            created_at: self.now(),
            revision: 1,
        };
        tx.insert(&comment, &[]).await?;
        self.note(&mut tx, caller, ACTION, None, Some(&unsaid(&comment)))
            .await?;
        tx.commit().await?;
        let names = self
            .actor_names(flag.organization_id, vec![comment.author.clone()])
            .await?;
        comment.author_name = names.get(&comment.author).cloned();
        Ok(comment)
    }

    /// Removes what was said about a flag: one's own words, or those of others with a right to that.
    ///
    /// # Errors
    /// `not_found` if the caller may not see the flag or there is no such comment, `not_author`.
    pub async fn remove_flag_comment(
        &self,
        caller: &Caller,
        (flag, comment): (FeatureFlagId, FlagCommentId),
        if_match: Option<i64>,
    ) -> Result<(), Error> {
        const ACTION: &str = "delete_feature_flag_comment";
        let flag = self.read::<FeatureFlag>(caller, flag).await?;
        let mut tx = self.begin(caller).await?;
        self.authorize(&mut tx, caller, ACTION, &flag).await?;
        let one = [
            Condition::Is("id", Arg::text(comment)),
            Condition::Is("flag_id", Arg::text(flag.id)),
        ];
        let found = entity::find::<FlagComment>(&mut tx, &one).await?;
        let found = found.ok_or_else(|| Error::not_found("comment"))?;
        if found.author != caller.actor() {
            let others = "delete_feature_flag_comment_of_others";
            let organization = Some(flag.organization_id);
            if !self.access().allows(caller, others, organization, None)? {
                return Err(Error::refused(Code::NotAuthor, "Somebody else has said it."));
            }
        }
        expect_revision(found.revision, if_match)?;
        tx.remove(&found).await?;
        self.note(&mut tx, caller, ACTION, Some(&unsaid(&found)), None)
            .await?;
        Ok(tx.commit().await?)
    }
}

/// The same without the words: they can be taken back, and the audit chain cannot forget.
fn unsaid(comment: &FlagComment) -> FlagComment {
    FlagComment {
        spec: FlagCommentSpec { text: String::new() },
        ..comment.clone()
    }
}
