//! What is done with a link that somebody handed over: accept an invitation, choose a new password.

use control::auth::Accepted;
use domain::Code;
use domain::identity::Membership;
use domain::invitation::{Acceptance, InvitationDetails, InvitationToken, PasswordReset};
use domain::session::WebSession;
use http::StatusCode;

use super::sessions::answer_signed_in;
use crate::answer;
use crate::auth;
use crate::crud::{self, Nothing};
use crate::endpoint::{Access, Endpoint};

/// `read_invitation_link`, `accept_invitation`, `reset_password`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![read(), accept(), reset()]
}

fn read() -> Endpoint {
    let example = InvitationToken {
        token: "gli_…".to_owned(),
    };
    Endpoint::post("/api/v1/auth/invitations/read", "read_invitation_link")
        .tag("auth")
        .says(
            "Read the invitation of a link",
            "What the page shows before somebody accepts. Tries with tokens that are none are slowed down like wrong \
             passwords.",
        )
        .access(Access::Open)
        .not_idempotent()
        .body(&example)
        .answers::<InvitationDetails>(200, "The invitation.")
        .refuses(&[Code::LinkInvalid, Code::SignInDelayed, Code::StoreUnavailable])
        .to(|call| async move {
            let body: InvitationToken = call.json()?;
            let control = call.control();
            let details = control.read_invitation_link(&body.token, &call.about()).await?;
            answer::json(StatusCode::OK, &details)
        })
}

fn accept() -> Endpoint {
    let example = Acceptance {
        token: "gli_…".to_owned(),
        name: Some("Lee".to_owned()),
        password: Some("correct horse battery staple".to_owned()),
    };
    Endpoint::post("/api/v1/auth/invitations/accept", "accept_invitation")
        .tag("auth")
        .says(
            "Accept an invitation",
            "Who is signed in with the invited address has the role from now on. If there is no account with that \
             address, one is made with `name` and `password`, and signed in as `create_session` does. An invitation can \
             be accepted once.",
        )
        .access(Access::Optional)
        .not_idempotent()
        .body(&example)
        .answers_shown::<Membership, Nothing>(200, "The role of who is signed in.")
        .answers::<WebSession>(201, "An account was made, and is signed in.")
        .with_headers(&["Set-Cookie"])
        .refuses(&[
            Code::LinkInvalid,
            Code::InvitationNeedsSignIn,
            Code::InvitationOfAnother,
            Code::Conflict,
            Code::NotFound,
            Code::SignInDelayed,
            Code::CsrfRejected,
            Code::StoreUnavailable,
            Code::StorageFull,
        ])
        .to(|call| async move {
            auth::from_our_pages(&call.app, &call.headers)?;
            let body: Acceptance = call.json()?;
            let control = call.control();
            match control.accept_invitation(&call.caller, &body, &call.about()).await? {
                Accepted::Joined(membership) => {
                    answer::json(StatusCode::OK, &crud::shown_one(&call, membership).await?)
                }
                Accepted::SignedIn(signed_in) => answer_signed_in(&call, &signed_in),
            }
        })
}

fn reset() -> Endpoint {
    let example = PasswordReset {
        token: "glp_…".to_owned(),
        password: "correct horse battery staple".to_owned(),
    };
    Endpoint::post("/api/v1/auth/password-reset", "reset_password")
        .tag("auth")
        .says(
            "Choose a new password by a link",
            "The link is used up, and every session of the account ends; sign in with the new password.",
        )
        .access(Access::Open)
        .not_idempotent()
        .body(&example)
        .answers_with(204, "It is set.", Vec::new())
        .refuses(&[
            Code::LinkInvalid,
            Code::SignInDelayed,
            Code::StoreUnavailable,
            Code::StorageFull,
        ])
        .to(|call| async move {
            auth::from_our_pages(&call.app, &call.headers)?;
            let body: PasswordReset = call.json()?;
            call.control().reset_password(&body, &call.about()).await?;
            Ok(answer::nothing())
        })
}
