use domain::Code;
use domain::identity::{Membership, Role};
use domain::invitation::{PasswordReset, PasswordResetLink};
use serde_json::json;
use store::on_both;

use crate::Error;
use crate::auth::tests::{PASSWORD, World, about, code, token_of};
use crate::resource::ListQuery;

const NEW: &str = "another one that is long";

async fn reset(world: &World, made: &PasswordResetLink) -> Result<(), Error> {
    let body = PasswordReset {
        token: token_of(&made.url).to_owned(),
        password: NEW.to_owned(),
    };
    world.control.reset_password(&body, &about()).await
}

on_both! {
    async fn a_link_sets_a_password_once_and_ends_sessions(url: String) {
        let world = World::new(url).await;
        let (control, owner) = (&world.control, world.owner().await);
        let lee = world.joined(&owner, "lee@example.org", Role::Viewer).await.user().unwrap();
        let tokens = world.password("lee@example.org", PASSWORD).await.unwrap();
        let first = control.create_password_reset(&owner, lee, &about()).await.unwrap();
        let made = control.create_password_reset(&owner, lee, &about()).await.unwrap();
        assert!(made.url.starts_with("http://127.0.0.1:2/console/reset#glp_"), "{}", made.url);
        assert_eq!(code(reset(&world, &first).await), Code::LinkInvalid);
        let short = PasswordReset { token: token_of(&made.url).to_owned(), password: "short".to_owned() };
        assert_eq!(code(control.reset_password(&short, &about()).await), Code::RequestInvalid);
        reset(&world, &made).await.unwrap();
        assert_eq!(code(reset(&world, &made).await), Code::LinkInvalid);
        assert_eq!(code(world.bearer(&tokens.access_token).await), Code::TokenInvalid);
        let refreshed = world.refresh(&tokens.refresh_token.unwrap()).await;
        assert_eq!(code(refreshed), Code::CredentialsInvalid);
        assert_eq!(code(world.password("lee@example.org", PASSWORD).await), Code::CredentialsInvalid);
        world.password("lee@example.org", NEW).await.unwrap();
        assert_eq!(world.audit(&owner, "create_password_reset").await.len(), 2);
        assert_eq!(world.audit(&owner, "reset_password").await[0].actor, lee.to_string());
        let late = control.create_password_reset(&owner, lee, &about()).await.unwrap();
        world.pass(24 * 3600);
        assert_eq!(code(reset(&world, &late).await), Code::LinkInvalid);
    }

    async fn nobody_takes_over_what_they_do_not_administer(url: String) {
        let world = World::new(url).await;
        let (control, owner) = (&world.control, world.owner().await);
        let own = control.create_password_reset(&owner, world.admin.user_id, &about()).await;
        assert_eq!(code(own), Code::Conflict);
        let eve = world.joined(&owner, "eve@example.org", Role::Admin).await;
        let above = control.create_password_reset(&eve, world.admin.user_id, &about()).await;
        assert_eq!(code(above), Code::PermissionDenied);
        // Who has an organization of their own, or is a stranger.
        world.sign_up("ann@example.org").await.unwrap();
        let ann = world.person("ann@example.org").await;
        let stranger = control.create_password_reset(&owner, ann.user().unwrap(), &about()).await;
        assert_eq!(code(stranger), Code::NotFound);
        let issued = world.invite(&owner, "ann@example.org", Role::Viewer).await.unwrap();
        world.accept(&ann, &issued).await.unwrap();
        let other = control.create_password_reset(&owner, ann.user().unwrap(), &about()).await;
        assert_eq!(code(other), Code::Conflict);
        // Who joins another organization after the link was made.
        let lee = world.joined(&owner, "lee@example.org", Role::Viewer).await;
        let made = control.create_password_reset(&eve, lee.user().unwrap(), &about()).await.unwrap();
        let issued = world.invite(&ann, "lee@example.org", Role::Viewer).await.unwrap();
        world.accept(&lee, &issued).await.unwrap();
        assert_eq!(code(reset(&world, &made).await), Code::LinkInvalid);
        // Who made the link and is no admin any more.
        let kim = world.joined(&owner, "kim@example.org", Role::Viewer).await;
        let made = control.create_password_reset(&eve, kim.user().unwrap(), &about()).await.unwrap();
        let members = control.list::<Membership>(&owner, &ListQuery::default()).await.unwrap().data;
        let hers = members.iter().find(|it| it.email == "eve@example.org").unwrap();
        control.update::<Membership>(&owner, hers.id, &json!({ "role": "viewer" }), None).await.unwrap();
        assert_eq!(code(reset(&world, &made).await), Code::LinkInvalid);
    }

    async fn whoever_has_the_machine_helps_anybody(url: String) {
        let world = World::new(url).await;
        let made = world.control.offer_password_reset(&world.admin.email).await.unwrap();
        reset(&world, &made).await.unwrap();
        world.password(&world.admin.email, NEW).await.unwrap();
        assert_eq!(code(world.control.offer_password_reset("nobody@example.org").await), Code::NotFound);
    }
}
