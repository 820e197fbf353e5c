//! Memberships: who has which role where.

use control::Error;
use control::resource::Condition;
use domain::Code;
use domain::id::{UserId, WorkspaceId};
use domain::identity::{Membership, MembershipSpec, Role};
use serde_json::{Value, json};

use crate::call::Call;
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::parameter::{Parameter, one_of};
use crate::schema::reference;

/// `list_memberships`, `read_membership`, `update_membership`, `delete_membership`.
///
/// One comes of accepting an invitation: nobody is made a member without having said yes.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        crud::list::<Membership>(),
        crud::read::<Membership>(),
        crud::update::<Membership>(),
        crud::delete::<Membership>(),
    ]
}

impl Shown for Membership {
    const COLLECTION: &'static str = "/api/v1/memberships";
    const TAG: &'static str = "organizations";
    const ONE: &'static str = "a membership";
    const MANY: &'static str = "memberships";
    const ABOUT: &'static str = "A membership is a person's role in the organization, or in one workspace of it; it comes of an \
        invitation. Only owners make owners, and the last owner stays.";
    const REFUSALS: &'static [Code] = &[Code::Conflict];
    type Extra = Nothing;

    fn example() -> MembershipSpec {
        MembershipSpec {
            user_id: "usr_01jd9zk5v8e7rbxq3m6t4n2w0c".parse().expect("it is an id"),
            workspace_id: None,
            role: Role::Publisher,
        }
    }

    fn patch_example() -> Value {
        json!({ "role": "viewer" })
    }

    fn filters() -> Vec<Filter> {
        vec![
            Filter {
                parameter: Parameter::query(
                    "filter[user]",
                    "Only those of this person.",
                    reference("UserId"),
                ),
                condition: |text| crud::is::<UserId>("user_id", text),
            },
            Filter {
                parameter: Parameter::query(
                    "filter[workspace]",
                    "Only those in this workspace.",
                    reference("WorkspaceId"),
                ),
                condition: |text| crud::is::<WorkspaceId>("workspace_id", text),
            },
            Filter {
                parameter: Parameter::query("filter[role]", "Only those with this role.", one_of(&roles())),
                condition: role,
            },
        ]
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }
}

fn roles() -> [&'static str; 5] {
    Role::ALL.map(Role::as_str)
}

fn role(text: &str) -> Result<Condition, String> {
    match Role::from_name(text) {
        Some(_) => crud::is::<String>("role", text),
        None => Err(format!("it is one of `{}`", roles().join("`, `"))),
    }
}
