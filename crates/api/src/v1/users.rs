//! People's accounts: one's own, and those that an admin looks after.

use control::Error;
use control::resource::ListQuery;
use domain::Code;
use domain::id::UserId;
use domain::identity::User;
use domain::invitation::PasswordResetLink;
use domain::session::{PasswordChange, UserSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::answer;
use crate::auth::Credential;
use crate::call::Call;
use crate::crud::{self, Nothing};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::page;
use crate::parameter::Parameter;

/// `list_users`, `read_user`, `update_user`, `read_me`, `update_me`, `change_password`, `create_password_reset`.
///
/// Nobody makes an account for somebody else: people are invited (`create_invitation`).
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        list(),
        read(),
        update(),
        read_me(),
        update_me(),
        change_password(),
        create_reset(),
    ]
}

/// What an admin may change of somebody's account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountSpec {
    /// Whether they are kept from signing in; their sessions end at once.
    disabled: bool,
}

fn list() -> Endpoint {
    Endpoint::get("/api/v1/users", "list_users")
        .tag("organizations")
        .says("List users", "The people who belong to the organization.")
        .takes_all(Parameter::page(&["-created_at", "created_at"]))
        .answers_page_of_shown::<User, Nothing>("A page.")
        .to(|call| async move {
            let query = ListQuery {
                conditions: Vec::new(),
                window: page::asked(&call)?.window(),
            };
            let listed = call.control().list_users(&call.caller, &query).await?;
            let last = listed.data.last().filter(|_| listed.has_more);
            let next = last.map(|user| (user.id.to_string(), user.id.to_string()));
            let rows = listed.data.iter().map(shown).collect::<Result<_, _>>()?;
            page::answer(&call, rows, next)
        })
}

fn read() -> Endpoint {
    Endpoint::get("/api/v1/users/{id}", "read_user")
        .tag("organizations")
        .says("Read a user", "One of the people who belong to the organization.")
        .takes_id::<UserId>("The user's id.")
        .takes(crud::if_none_match())
        .answers_shown::<User, Nothing>(200, "The account.")
        .with_headers(&["ETag"])
        .answers_with(304, "It is what `If-None-Match` names.", Vec::new())
        .to(|call| async move {
            let user = call.control().read_user(&call.caller, call.id()?).await?;
            answer_user(&call, &user)
        })
}

fn update() -> Endpoint {
    Endpoint::patch("/api/v1/users/{id}", "update_user")
        .tag("organizations")
        .says(
            "Keep a user from signing in, or let them again",
            "Their sessions end at once. Who belongs to other organizations too cannot be disabled; remove the membership \
             instead.",
        )
        .takes_id::<UserId>("The user's id.")
        .patches::<AccountSpec>(json!({ "disabled": true }))
        .answers_shown::<User, Nothing>(200, "The account as it is now.")
        .with_headers(&["ETag"])
        .refuses(&[Code::Conflict])
        .to(|call| async move {
            let body: AccountSpec = call.json()?;
            let (id, if_match) = (call.id()?, call.if_match()?);
            let control = call.control();
            let user = control.set_user_disabled(&call.caller, id, body.disabled, if_match).await?;
            answer_user(&call, &user)
        })
}

fn read_me() -> Endpoint {
    Endpoint::get("/api/v1/users/me", "read_me")
        .tag("auth")
        .says("Read your account", "The account of the person who is signed in.")
        .takes(crud::if_none_match())
        .answers_shown::<User, Nothing>(200, "The account.")
        .with_headers(&["ETag"])
        .answers_with(304, "It is what `If-None-Match` names.", Vec::new())
        .to(|call| async move {
            let user = call.control().read_me(&call.caller).await?;
            answer_user(&call, &user)
        })
}

fn update_me() -> Endpoint {
    Endpoint::patch("/api/v1/users/me", "update_me")
        .tag("auth")
        .says(
            "Change your account",
            "Send what is to change (JSON Merge Patch, RFC 7396).",
        )
        .patches::<UserSpec>(json!({ "name": "Dana D." }))
        .answers_shown::<User, Nothing>(200, "The account as it is now.")
        .with_headers(&["ETag"])
        .to(|call| async move {
            let (patch, if_match) = (call.json_value()?, call.if_match()?);
            let user = call.control().update_me(&call.caller, &patch, if_match).await?;
            answer_user(&call, &user)
        })
}

fn change_password() -> Endpoint {
    let example = PasswordChange {
        current: "correct horse battery staple".to_owned(),
        new: "a much better one".to_owned(),
    };
    Endpoint::post("/api/v1/users/me/password", "change_password")
        .tag("auth")
        .says("Change your password", "Every other session of the account ends.")
        .not_idempotent()
        .body(&example)
        .answers_with(204, "It is changed.", Vec::new())
        .refuses(&[Code::CredentialsInvalid, Code::SignInDelayed])
        .to(|call| async move {
            let body: PasswordChange = call.json()?;
            let cookie = match &call.credential {
                Credential::Cookie(cookie) => Some(cookie.as_str()),
                Credential::None | Credential::Bearer => None,
            };
            let control = call.control();
            control
                .change_password(&call.caller, &body, cookie, &call.about())
                .await?;
            Ok(answer::nothing())
        })
}

fn create_reset() -> Endpoint {
    Endpoint::post("/api/v1/users/{id}/password-reset", "create_password_reset")
        .tag("organizations")
        .says(
            "Make a link for a new password",
            "For somebody who has forgotten theirs: hand the link over, it is good once and for 24 hours. An earlier one \
             is replaced. Only for accounts that belong to no organization but those that you administer.",
        )
        .takes_id::<UserId>("The user's id.")
        .answers::<PasswordResetLink>(201, "The link.")
        .refuses(&[Code::Conflict])
        .to(|call| async move {
            let control = call.control();
            let made = control
                .create_password_reset(&call.caller, call.id()?, &call.about())
                .await?;
            answer::json(http::StatusCode::CREATED, &made)
        })
}

fn path(user: &User) -> String {
    format!("/api/v1/users/{}", user.id)
}

fn shown(user: &User) -> Result<Value, Error> {
    let mut value =
        serde_json::to_value(user).map_err(|error| Error::internal("writing an answer", error))?;
    value["links"] = json!(Links::to(path(user)));
    Ok(value)
}

fn answer_user(call: &Call, user: &User) -> Result<axum::response::Response, Error> {
    answer::revised(call, &shown(user)?, user.revision)
}
