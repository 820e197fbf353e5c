//! What people say about flags.

use domain::Code;
use domain::flag::{FlagComment, FlagCommentSpec};
use domain::id::{FeatureFlagId, FlagCommentId};

use super::{COLLECTION, TAG};
use crate::endpoint::Endpoint;
use crate::parameter::Parameter;
use crate::{answer, page};

/// `list_feature_flag_comments`, `create_feature_flag_comment`, `delete_feature_flag_comment`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list(), create(), delete()]
}

fn list() -> Endpoint {
    Endpoint::get(
        format!("{COLLECTION}/{{id}}/comments"),
        "list_feature_flag_comments",
    )
    .tag(TAG)
    .says(
        "List what was said about a feature flag",
        "The newest come first unless asked otherwise.",
    )
    .takes_id::<FeatureFlagId>("The flag's id.")
    .takes_all(Parameter::page(&["-created_at", "created_at"]))
    .answers_page_of::<FlagComment>("A page.")
    .to(|call| async move {
        let window = page::asked(&call)?.window();
        let listed = call
            .control()
            .flag_comments(&call.caller, call.id()?, window)
            .await?;
        let last = listed.data.last().filter(|_| listed.has_more);
        let next = last.map(|it| (it.id.to_string(), it.id.to_string()));
        page::answer(&call, page::values(&listed.data)?, next)
    })
}

fn create() -> Endpoint {
    let example = FlagCommentSpec {
        text: "Half of the users since Monday; nothing unusual so far.".to_owned(),
    };
    Endpoint::post(
        format!("{COLLECTION}/{{id}}/comments"),
        "create_feature_flag_comment",
    )
    .tag(TAG)
    .says(
        "Say something about a feature flag",
        "A flag has at most 1,000 comments. What was said is not changed, only removed.",
    )
    .takes_id::<FeatureFlagId>("The flag's id.")
    .body(&example)
    .answers::<FlagComment>(201, "It was said.")
    .with_headers(&["Location"])
    .refuses(&[Code::Conflict])
    .to(|call| async move {
        let flag: FeatureFlagId = call.id()?;
        let made = call
            .control()
            .comment_on_flag(&call.caller, flag, call.json()?)
            .await?;
        let location = format!("{COLLECTION}/{flag}/comments/{}", made.id);
        answer::made(&made, &location, None)
    })
}

fn delete() -> Endpoint {
    Endpoint::delete(
        format!("{COLLECTION}/{{id}}/comments/{{comment}}"),
        "delete_feature_flag_comment",
    )
    .tag(TAG)
    .says(
        "Remove what was said about a feature flag",
        "Authors remove their own words, administrators those of others.",
    )
    .takes_id::<FeatureFlagId>("The flag's id.")
    .takes_path_id::<FlagCommentId>("comment", "The comment's id.")
    .answers_with(204, "It is gone.", Vec::new())
    .refuses(&[Code::NotAuthor])
    .to(|call| async move {
        let place: (FeatureFlagId, FlagCommentId) = (call.id()?, call.path("comment")?);
        call.control()
            .remove_flag_comment(&call.caller, place, call.if_match()?)
            .await?;
        Ok(answer::nothing())
    })
}
