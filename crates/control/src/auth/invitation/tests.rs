use domain::Code;
use domain::identity::{Client, ClientSpec, Membership, Role, Workspace};
use domain::invitation::{Acceptance, Invitation};
use serde_json::{Value, json};
use store::on_both;

use super::Accepted;
use crate::auth::tests::{PASSWORD, World, about, code, token_of};
use crate::resource::ListQuery;
use crate::{Caller, jobs};

fn spec(fields: &Value) -> domain::invitation::InvitationSpec {
    let mut spec = json!({ "email": "lee@example.org", "role": "viewer" });
    spec.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

on_both! {
    async fn an_invitation_makes_an_account_once(url: String) {
        let world = World::new(url).await;
        let (control, owner) = (&world.control, world.owner().await);
        let issued = world.invite(&owner, " Lee@Example.org ", Role::Publisher).await.unwrap();
        assert_eq!(issued.invitation.spec.email, "lee@example.org");
        assert_eq!(issued.invitation.created_by, owner.actor());
        assert!(issued.url.starts_with("http://127.0.0.1:2/console/invitation#gli_"), "{}", issued.url);
        let told = control.read_invitation_link(token_of(&issued.url), &about()).await.unwrap();
        let shown = serde_json::to_value(&told).unwrap();
        assert_eq!(shown, json!({
            "organization": "Default", "email": "lee@example.org", "role": "publisher",
            "expires_at": issued.invitation.expires_at, "has_account": false,
        }));
        let nobody = Caller::anonymous(None);
        let without = Acceptance { token: token_of(&issued.url).to_owned(), name: None, password: None };
        assert_eq!(code(control.accept_invitation(&nobody, &without, &about()).await), Code::RequestInvalid);
        let Accepted::SignedIn(web) = world.accept(&nobody, &issued).await.unwrap() else { panic!("no session") };
        assert_eq!(web.session.organizations[0].role, Some(Role::Publisher));
        control.read_session(&web.cookie).await.unwrap();
        assert_eq!(code(world.accept(&nobody, &issued).await), Code::LinkInvalid);
        let read = control.read_invitation_link(token_of(&issued.url), &about()).await;
        assert_eq!(code(read), Code::LinkInvalid);
        assert_eq!(world.person("lee@example.org").await.roles.organization, Some(Role::Publisher));
        for action in ["create_invitation", "accept_invitation", "create_user"] {
            assert_eq!(world.audit(&owner, action).await.len(), 1, "{action}");
        }
        let noted = world.audit(&owner, "accept_invitation").await;
        assert_eq!(noted[0].actor, web.session.user.id.to_string());
        let kept = control.read::<Invitation>(&owner, issued.invitation.id).await.unwrap();
        assert!(kept.accepted_at.is_some());
        assert_eq!(code(control.delete::<Invitation>(&owner, kept.id, None).await), Code::Conflict);
    }

    async fn an_account_that_is_there_signs_in_first(url: String) {
        let world = World::new(url).await;
        let (control, owner) = (&world.control, world.owner().await);
        for email in ["ann@example.org", "bob@example.org"] {
            world.sign_up(email).await.unwrap();
        }
        let issued = world.invite(&owner, "ann@example.org", Role::Viewer).await.unwrap();
        let told = control.read_invitation_link(token_of(&issued.url), &about()).await.unwrap();
        assert!(told.has_account);
        let refused = world.accept(&Caller::anonymous(None), &issued).await;
        assert_eq!(code(refused), Code::InvitationNeedsSignIn);
        let bob = world.person("bob@example.org").await;
        assert_eq!(code(world.accept(&bob, &issued).await), Code::InvitationOfAnother);
        let ann = world.person("ann@example.org").await;
        let Accepted::Joined(membership) = world.accept(&ann, &issued).await.unwrap() else { panic!("signed in") };
        assert_eq!((membership.organization_id, membership.spec.role), (owner.organization.unwrap(), Role::Viewer));
        assert_eq!(control.whoami(&ann).await.unwrap().organizations.len(), 2);
        // The password that was sent along has not become theirs.
        world.password("ann@example.org", PASSWORD).await.unwrap();
        assert_eq!(code(world.invite(&owner, "ann@example.org", Role::Admin).await), Code::Conflict);
    }

    async fn of_two_who_accept_at_once_one_does(url: String) {
        let world = World::new(url).await;
        let owner = world.owner().await;
        world.sign_up("ann@example.org").await.unwrap();
        let ann = world.person("ann@example.org").await;
        let issued = world.invite(&owner, "ann@example.org", Role::Viewer).await.unwrap();
        let (one, other) = tokio::join!(world.accept(&ann, &issued), world.accept(&ann, &issued));
        let told = [one, other].map(|result| result.map(drop).map_err(|error| error.code()));
        assert!(told.contains(&Ok(())) && told.contains(&Err(Code::LinkInvalid)), "{told:?}");
        let issued = world.invite(&owner, "new@example.org", Role::Viewer).await.unwrap();
        let nobody = Caller::anonymous(None);
        let (one, other) = tokio::join!(world.accept(&nobody, &issued), world.accept(&nobody, &issued));
        assert_eq!([one, other].iter().filter(|result| result.is_ok()).count(), 1);
    }

    async fn what_was_withdrawn_replaced_or_expired_is_of_no_use(url: String) {
        let world = World::new(url).await;
        let (control, owner) = (&world.control, world.owner().await);
        let nobody = Caller::anonymous(None);
        let first = world.invite(&owner, "lee@example.org", Role::Viewer).await.unwrap();
        let second = world.invite(&owner, "lee@example.org", Role::Publisher).await.unwrap();
        assert_eq!(code(world.accept(&nobody, &first).await), Code::LinkInvalid);
        let listed = control.list::<Invitation>(&owner, &ListQuery::default()).await.unwrap().data;
        assert_eq!(listed.len(), 1);
        control.delete::<Invitation>(&owner, second.invitation.id, Some(1)).await.unwrap();
        assert_eq!(code(world.accept(&nobody, &second).await), Code::LinkInvalid);
        assert_eq!(world.audit(&owner, "delete_invitation").await.len(), 2);
        let third = control.create_invitation(&owner, spec(&json!({ "expires_in": 60 }))).await.unwrap();
        world.pass(60);
        assert_eq!(code(world.accept(&nobody, &third).await), Code::LinkInvalid);
        world.pass(31 * 24 * 3600);
        jobs::tidy(control).await.unwrap();
        let owner = world.owner().await;
        let listed = control.list::<Invitation>(&owner, &ListQuery::default()).await.unwrap().data;
        assert_eq!(listed, []);
    }

    async fn nobody_gives_more_than_they_have(url: String) {
        let world = World::new(url).await;
        let (control, owner) = (&world.control, world.owner().await);
        let eve = world.joined(&owner, "eve@example.org", Role::Admin).await;
        assert_eq!(code(world.invite(&eve, "o@example.org", Role::Owner).await), Code::PermissionDenied);
        let fay = world.joined(&eve, "fay@example.org", Role::Publisher).await;
        assert_eq!(code(world.invite(&fay, "g@example.org", Role::Viewer).await), Code::PermissionDenied);
        // What an admin has given away is worth nothing once they are none any more.
        let issued = world.invite(&eve, "friend@example.org", Role::Admin).await.unwrap();
        let members = control.list::<Membership>(&owner, &ListQuery::default()).await.unwrap().data;
        let hers = members.iter().find(|it| it.email == "eve@example.org").unwrap();
        let lower = json!({ "role": "publisher" });
        control.update::<Membership>(&owner, hers.id, &lower, None).await.unwrap();
        assert_eq!(code(world.accept(&Caller::anonymous(None), &issued).await), Code::LinkInvalid);
        // The same for machines.
        let client = ClientSpec { title: "CI".to_owned(), role: Role::Admin };
        let client = control.create_client(&owner, client).await.unwrap().client;
        let mut machine = owner.clone();
        machine.principal = crate::access::Principal::Client(client.id);
        let issued = world.invite(&machine, "m@example.org", Role::Viewer).await.unwrap();
        control.read_invitation_link(token_of(&issued.url), &about()).await.unwrap();
        control.delete::<Client>(&owner, client.id, None).await.unwrap();
        assert_eq!(code(world.accept(&Caller::anonymous(None), &issued).await), Code::LinkInvalid);
    }

    async fn an_invitation_can_be_for_a_workspace(url: String) {
        let world = World::new(url).await;
        let (control, owner) = (&world.control, world.owner().await);
        let made = json!({ "name": "team", "title": "The team" });
        let made = serde_json::from_value(made).unwrap();
        let team = control.create::<Workspace>(&owner, &(), made).await.unwrap();
        let into = |id, role| spec(&json!({ "workspace_id": id, "role": role }));
        let refused = control.create_invitation(&owner, into(team.id, "owner")).await;
        assert_eq!(code(refused), Code::RequestInvalid);
        let elsewhere = domain::id::WorkspaceId::new(uuid::Uuid::now_v7());
        assert_eq!(code(control.create_invitation(&owner, into(elsewhere, "viewer")).await), Code::RequestInvalid);
        let long = spec(&json!({ "expires_in": 40 * 24 * 3600 }));
        assert_eq!(code(control.create_invitation(&owner, long).await), Code::RequestInvalid);
        let issued = control.create_invitation(&owner, into(team.id, "publisher")).await.unwrap();
        let told = control.read_invitation_link(token_of(&issued.url), &about()).await.unwrap();
        assert_eq!(told.workspace.as_deref(), Some("The team"));
        world.accept(&Caller::anonymous(None), &issued).await.unwrap();
        let lee = world.person("lee@example.org").await;
        assert_eq!(lee.roles.workspaces, [(team.id, Role::Publisher)]);
        // A workspace that is removed takes what waits for it along.
        let other = json!({ "name": "other", "title": "Other" });
        let other = control.create::<Workspace>(&owner, &(), serde_json::from_value(other).unwrap()).await.unwrap();
        control.create_invitation(&owner, into(other.id, "viewer")).await.unwrap();
        control.delete::<Workspace>(&owner, other.id, None).await.unwrap();
        let listed = control.list::<Invitation>(&owner, &ListQuery::default()).await.unwrap().data;
        assert_eq!(listed.len(), 1);
    }

    async fn trying_tokens_is_slowed_down(url: String) {
        let world = World::new(url).await;
        let owner = world.owner().await;
        for _ in 0..6 {
            let tried = world.control.read_invitation_link("gli_x", &about()).await;
            assert_eq!(code(tried), Code::LinkInvalid);
        }
        let tried = world.control.read_invitation_link("gli_x", &about()).await;
        assert_eq!(code(tried), Code::SignInDelayed);
        world.pass(2);
        let issued = world.invite(&owner, "lee@example.org", Role::Viewer).await.unwrap();
        // Who has a right one is let in once the wait is over, as with a password.
        world.control.read_invitation_link(token_of(&issued.url), &about()).await.unwrap();
    }
}
