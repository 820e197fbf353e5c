//! Invitations: how people come into an organization.

use control::Error;
use domain::Code;
use domain::id::WorkspaceId;
use domain::identity::Role;
use domain::invitation::{EXPIRES_IN_DEFAULT, Invitation, InvitationSpec, IssuedInvitation};
use serde_json::{Value, json};

use crate::answer;
use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, one_of};
use crate::schema::reference;

/// `list_invitations`, `create_invitation`, `read_invitation`, `delete_invitation`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        crud::list::<Invitation>(),
        create(),
        crud::read::<Invitation>(),
        withdraw(),
    ]
}

impl Shown for Invitation {
    const COLLECTION: &'static str = "/api/v1/invitations";
    const TAG: &'static str = "organizations";
    const ONE: &'static str = "an invitation";
    const MANY: &'static str = "invitations";
    const ABOUT: &'static str = "An invitation is a role that waits for the person with an address. Its link is told once, \
        when it is made, to be handed over by whatever way there is; only its hash is kept. It can be accepted once, \
        while whoever made it still has that role or a higher one, and is forgotten thirty days after it expired.";
    const REFUSALS: &'static [Code] = &[Code::Conflict];
    type Extra = Nothing;

    fn example() -> InvitationSpec {
        InvitationSpec {
            email: "lee@example.com".to_owned(),
            role: Role::Publisher,
            workspace_id: None,
            expires_in: EXPIRES_IN_DEFAULT,
        }
    }

    fn patch_example() -> Value {
        json!({})
    }

    fn filters() -> Vec<Filter> {
        vec![
            Filter {
                parameter: Parameter::query(
                    "filter[workspace]",
                    "Only those to this workspace.",
                    reference("WorkspaceId"),
                ),
                condition: |text| crud::is::<WorkspaceId>("workspace_id", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[accepted]",
                    "Only those that were accepted, or were not.",
                    one_of(&["true", "false"]),
                ),
                condition: accepted,
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        match self.spec.workspace_id {
            Some(id) => links.and("workspace", format!("/api/v1/workspaces/{id}")),
            None => links,
        }
    }
}

fn accepted(text: &str) -> Result<control::resource::Condition, String> {
    let value = text.parse().map_err(|_| "it is `true` or `false`".to_owned())?;
    Ok(control::resource::Condition::Is(
        "accepted",
        control::resource::Arg::Bool(value),
    ))
}

fn create() -> Endpoint {
    Endpoint::post(Invitation::COLLECTION, "create_invitation")
        .tag(Invitation::TAG)
        .says(
            "Invite somebody",
            format!(
                "An earlier invitation of the same address to the same place is replaced.\n\n{}",
                Invitation::ABOUT
            ),
        )
        .body(&Invitation::example())
        .answers_shown::<IssuedInvitation, Nothing>(201, "The invitation, with its link.")
        .with_headers(&["ETag", "Location"])
        .refuses(Invitation::REFUSALS)
        .to(|call| async move {
            let issued = call
                .control()
                .create_invitation(&call.caller, call.json()?)
                .await?;
            let (location, revision) = (crud::path_of(&issued.invitation), issued.invitation.revision);
            let mut shown = crud::shown_one(&call, issued.invitation).await?;
            shown["url"] = json!(issued.url);
            answer::made(&shown, &location, Some(revision))
        })
}

fn withdraw() -> Endpoint {
    crud::delete::<Invitation>()
        .says(
            "Withdraw an invitation",
            "Its link is of no use from now on. What came of an accepted one is a membership; remove that.",
        )
        .refuses(&[Code::Conflict])
}
