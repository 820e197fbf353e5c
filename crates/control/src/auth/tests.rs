use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::audit::AuditEntry;
use domain::identity::{Client, ClientSpec, Membership, Organization, OrganizationSpec, Role};
use domain::invitation::{Acceptance, IssuedInvitation};
use domain::session::{FirstAdmin, PasswordChange, SignUp, Tokens};
use domain::{Code, Timestamp};
use serde_json::json;
use store::entity::{self, Condition};
use store::on_both;

use super::{About, Accepted, Csrf, Grant};
use crate::audit::Filter;
use crate::resource::ListQuery;
use crate::{Caller, Control, Error, Settings};

pub(super) const PASSWORD: &str = "correct horse battery";

/// A control plane as the program opens it.
pub(super) struct World {
    pub(super) control: Control,
    pub(super) admin: FirstAdmin,
    now: Arc<AtomicI64>,
    data: tempfile::TempDir,
    url: String,
}

impl World {
    pub(super) async fn new(url: String) -> Self {
        let now = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let data = tempfile::tempdir().unwrap();
        let control = open(&url, &data, &now).await;
        let admin = control.first_admin().unwrap().unwrap();
        Self {
            control,
            admin,
            now,
            data,
            url,
        }
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    pub(super) async fn password(&self, email: &str, password: &str) -> Result<Tokens, Error> {
        let grant = Grant::Password {
            username: email.to_owned(),
            password: password.to_owned(),
        };
        self.control.grant(&grant, &about()).await
    }

    pub(super) async fn refresh(&self, token: &str) -> Result<Tokens, Error> {
        let grant = Grant::RefreshToken {
            refresh_token: token.to_owned(),
        };
        self.control.grant(&grant, &About::default()).await
    }

    pub(super) async fn bearer(&self, token: &str) -> Result<Caller, Error> {
        self.control.authenticate_bearer(token, &About::default()).await
    }

    pub(super) async fn owner(&self) -> Caller {
        let tokens = self
            .password(&self.admin.email, &self.admin.password)
            .await
            .unwrap();
        self.bearer(&tokens.access_token).await.unwrap()
    }

    pub(super) async fn sign_up(&self, email: &str) -> Result<(Organization, super::WebSignIn), Error> {
        let body = SignUp {
            email: email.to_owned(),
            password: PASSWORD.to_owned(),
            name: "Ann".to_owned(),
            organization_title: None,
        };
        let (made, signed_in) = self.control.sign_up(&body, &about()).await?;
        Ok((made.organization, signed_in))
    }

    /// Somebody who signs in with the password of these tests.
    pub(super) async fn person(&self, email: &str) -> Caller {
        let tokens = self.password(email, PASSWORD).await.unwrap();
        self.bearer(&tokens.access_token).await.unwrap()
    }

    pub(super) async fn invite(
        &self,
        caller: &Caller,
        email: &str,
        role: Role,
    ) -> Result<IssuedInvitation, Error> {
        let spec = json!({ "email": email, "role": role });
        self.control
            .create_invitation(caller, serde_json::from_value(spec).unwrap())
            .await
    }

    pub(super) async fn accept(
        &self,
        caller: &Caller,
        invitation: &IssuedInvitation,
    ) -> Result<Accepted, Error> {
        let body = Acceptance {
            token: token_of(&invitation.url).to_owned(),
            name: Some("Lee".to_owned()),
            password: Some(PASSWORD.to_owned()),
        };
        self.control.accept_invitation(caller, &body, &about()).await
    }

    /// Somebody new who was invited and has accepted.
    pub(super) async fn joined(&self, caller: &Caller, email: &str, role: Role) -> Caller {
        let invitation = self.invite(caller, email, role).await.unwrap();
        self.accept(&Caller::anonymous(None), &invitation).await.unwrap();
        self.person(email).await
    }

    pub(super) async fn audit(&self, caller: &Caller, action: &str) -> Vec<AuditEntry> {
        let filter = Filter {
            action: Some(action.to_owned()),
            limit: 100,
            ..Filter::default()
        };
        self.control.list_audit(caller, &filter).await.unwrap().data
    }
}

async fn open(url: &str, data: &tempfile::TempDir, now: &Arc<AtomicI64>) -> Control {
    let clock = Arc::clone(now);
    let settings = Settings {
        database: url.to_owned(),
        data_dir: data.path().to_owned(),
        gateway_url: "http://127.0.0.1:1".to_owned(),
        control_url: "http://127.0.0.1:2".to_owned(),
        clock: Arc::new(move || Timestamp::from_micros(clock.load(Ordering::Relaxed))),
        lake: None,
        alerts: crate::alert::AlertSettings::default(),
        event_ids: crate::tracking::IdSettings::default(),
    };
    Control::open(settings).await.unwrap()
}

pub(super) fn about() -> About {
    About {
        address: Some("192.0.2.7".parse().unwrap()),
        request_id: Some("req-1".into()),
        organization: None,
    }
}

/// What stands in a link.
pub(super) fn token_of(url: &str) -> &str {
    url.split_once('#').unwrap().1
}

fn in_organization(name: &str) -> About {
    About {
        organization: Some(name.to_owned()),
        ..About::default()
    }
}

pub(super) fn code<T>(result: Result<T, Error>) -> Code {
    match result {
        Ok(_) => panic!("it was allowed"),
        Err(error) => error.code(),
    }
}

on_both! {
    async fn a_first_start_leaves_an_administrator(url: String) {
        let world = World::new(url).await;
        let owner = world.owner().await;
        assert_eq!(owner.roles.organization, Some(Role::Owner));
        let identity = world.control.whoami(&owner).await.unwrap();
        assert_eq!(identity.organizations[0].name.as_str(), "default");
        let file = world.data.path().join("admin.json");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        // A second start keeps everything, tokens and the administrator included.
        let tokens = world.password(&world.admin.email, &world.admin.password).await.unwrap();
        let again = open(&world.url, &world.data, &world.now).await;
        assert_eq!(again.first_admin().unwrap().as_ref(), Some(&world.admin));
        again.authenticate_bearer(&tokens.access_token, &About::default()).await.unwrap();
        assert_eq!(entity::count::<Organization>(&mut again.store(), &[]).await.unwrap(), 1);
        let script = again.script_token(world.admin.user_id).await.unwrap();
        world.pass(23 * 3600);
        world.bearer(&script).await.unwrap();
        world.pass(2 * 3600);
        assert_eq!(code(world.bearer(&script).await), Code::TokenExpired);
    }

    async fn wrong_credentials_are_all_the_same(url: String) {
        let world = World::new(url).await;
        let wrong = world.password(&world.admin.email, "wrong").await.unwrap_err();
        let unknown = world.password("nobody@example.org", "wrong").await.unwrap_err();
        assert_eq!(wrong.to_string(), unknown.to_string());
        assert_eq!((wrong.code(), unknown.code()), (Code::CredentialsInvalid, Code::CredentialsInvalid));
        let owner = world.owner().await;
        let noted = world.audit(&owner, "sign_in_failed").await;
        assert_eq!(noted.len(), 1);
        assert_eq!(noted[0].after, Some(json!({ "failures": 1, "address": "192.0.2.7" })));
        // Upper case and spaces around do not matter.
        world.password(" ADMIN@gateline.local ", &world.admin.password).await.unwrap();
        assert_eq!(world.audit(&owner, "create_token").await.len(), 2);
        let counts = world.control.counts();
        assert_eq!((counts.sign_ins, counts.sign_ins_failed), (2, 2));
    }

    async fn guessing_is_slowed_and_success_forgets(url: String) {
        let world = World::new(url).await;
        let email = world.admin.email.clone();
        for _ in 0..6 {
            assert_eq!(code(world.password(&email, "wrong").await), Code::CredentialsInvalid);
        }
        let delayed = world.password(&email, &world.admin.password).await.unwrap_err();
        let Error::Refused { code: told, retry_after, .. } = delayed else { panic!("{delayed:?}") };
        assert_eq!((told, retry_after), (Code::SignInDelayed, Some(2)));
        // From another address the account is slowed too, and from this address other accounts.
        let elsewhere = Grant::Password { username: email.clone(), password: "wrong".to_owned() };
        assert_eq!(code(world.control.grant(&elsewhere, &About::default()).await), Code::SignInDelayed);
        assert_eq!(code(world.password("other@example.org", "x").await), Code::SignInDelayed);
        world.pass(2);
        assert_eq!(code(world.password(&email, "wrong").await), Code::CredentialsInvalid);
        world.pass(3);
        assert_eq!(code(world.password(&email, &world.admin.password).await), Code::SignInDelayed);
        world.pass(1);
        world.password(&email, &world.admin.password).await.unwrap();
        assert_eq!(world.control.counts().sign_ins_delayed, 4);
        // Without the address, which remembers longer, the account begins anew.
        assert_eq!(code(world.control.grant(&elsewhere, &About::default()).await), Code::CredentialsInvalid);
    }

    async fn asking_which_addresses_have_accounts_is_slowed(url: String) {
        let world = World::new(url).await;
        let email = world.admin.email.clone();
        for _ in 0..6 {
            assert_eq!(code(world.sign_up(&email).await), Code::NameTaken);
        }
        // The network is slowed for whatever address, and for signing in; the account itself is not.
        assert_eq!(code(world.sign_up("new@example.org").await), Code::SignInDelayed);
        assert_eq!(code(world.password(&email, &world.admin.password).await), Code::SignInDelayed);
        let right = Grant::Password { username: email.clone(), password: world.admin.password.clone() };
        world.control.grant(&right, &About::default()).await.unwrap();
        // From everywhere else the address is.
        let elsewhere = About { address: Some("198.51.100.7".parse().unwrap()), ..about() };
        let body = SignUp {
            email,
            password: PASSWORD.to_owned(),
            name: "Ann".to_owned(),
            organization_title: None,
        };
        assert_eq!(code(world.control.sign_up(&body, &elsewhere).await), Code::SignInDelayed);
        world.pass(2);
        world.sign_up("new@example.org").await.unwrap();
    }

    async fn a_refresh_token_is_good_once(url: String) {
        let world = World::new(url).await;
        let first = world.password(&world.admin.email, &world.admin.password).await.unwrap();
        let old = first.refresh_token.unwrap();
        let second = world.refresh(&old).await.unwrap();
        let new = second.refresh_token.unwrap();
        world.bearer(&second.access_token).await.unwrap();
        // The old one is used again: both holders are signed out.
        assert_eq!(code(world.refresh(&old).await), Code::CredentialsInvalid);
        assert_eq!(code(world.refresh(&new).await), Code::CredentialsInvalid);
        assert_eq!(code(world.bearer(&second.access_token).await), Code::TokenInvalid);
        assert_eq!(world.control.counts().refresh_reused, 1);
        let owner = world.owner().await;
        assert_eq!(world.audit(&owner, "refresh_token_reused").await.len(), 1);
        // What we never gave ends nobody's session.
        let kept = world.password(&world.admin.email, &world.admin.password).await.unwrap();
        let text = kept.refresh_token.unwrap();
        let forged = format!("{}{}", &text[..text.len() - 1], if text.ends_with('0') { '1' } else { '0' });
        assert_eq!(code(world.refresh(&forged).await), Code::CredentialsInvalid);
        assert_eq!(code(world.refresh("glr_").await), Code::CredentialsInvalid);
        world.pass(8 * 24 * 3600);
        assert_eq!(code(world.refresh(&text).await), Code::CredentialsInvalid);
    }

    async fn access_tokens_expire_are_signed_and_can_be_revoked(url: String) {
        let world = World::new(url).await;
        let tokens = world.password(&world.admin.email, &world.admin.password).await.unwrap();
        assert_eq!(tokens.expires_in, 900);
        let (head, rest) = tokens.access_token.split_once('.').unwrap();
        let forged = format!("{head}.{}{rest}", if rest.starts_with('a') { "b" } else { "a" });
        for bad in ["", "x", "a.b.c", &forged] {
            assert_eq!(code(world.bearer(bad).await), Code::TokenInvalid, "{bad}");
        }
        let keys = world.control.jwks().unwrap();
        assert_eq!((keys["keys"][0]["kty"].as_str(), keys["keys"][0]["crv"].as_str()), (Some("OKP"), Some("Ed25519")));
        assert!(keys["keys"][0]["d"].is_null());
        world.pass(899);
        world.bearer(&tokens.access_token).await.unwrap();
        world.pass(1);
        assert_eq!(code(world.bearer(&tokens.access_token).await), Code::TokenExpired);
        let renewed = world.refresh(&tokens.refresh_token.unwrap()).await.unwrap();
        world.control.revoke(&renewed.access_token, &about()).await.unwrap();
        assert_eq!(code(world.bearer(&renewed.access_token).await), Code::TokenInvalid);
        assert_eq!(code(world.refresh(&renewed.refresh_token.unwrap()).await), Code::CredentialsInvalid);
        world.control.revoke("nonsense", &about()).await.unwrap();
    }

    async fn tenants_do_not_see_each_other(url: String) {
        let world = World::new(url).await;
        let (organization, _) = world.sign_up("ann@example.org").await.unwrap();
        assert_eq!(organization.spec.name.as_str(), "ann");
        let tokens = world.password("ann@example.org", PASSWORD).await.unwrap();
        let ann = world.bearer(&tokens.access_token).await.unwrap();
        assert_eq!((ann.organization, ann.roles.organization), (Some(organization.id), Some(Role::Owner)));
        for chosen in ["ann".to_owned(), organization.id.to_string()] {
            let about = in_organization(&chosen);
            world.control.authenticate_bearer(&tokens.access_token, &about).await.unwrap();
        }
        for chosen in ["default", "nowhere", ""] {
            let about = in_organization(chosen);
            let answer = world.control.authenticate_bearer(&tokens.access_token, &about).await;
            assert_eq!(code(answer), Code::NotFound, "{chosen}");
        }
        let owner = world.owner().await;
        let theirs = owner.organization.unwrap();
        assert_eq!(code(world.control.read::<Organization>(&ann, theirs).await), Code::NotFound);
        assert_eq!(code(world.control.read_user(&ann, world.admin.user_id).await), Code::NotFound);
        let seen = world.control.list_users(&ann, &ListQuery::default()).await.unwrap();
        assert_eq!(seen.data.len(), 1);
        let seen = world.control.list_organizations(&ann, &ListQuery::default()).await.unwrap();
        assert_eq!(seen.data, [organization]);
    }

    async fn sign_up_checks_what_it_is_given(url: String) {
        let world = World::new(url).await;
        let good = SignUp {
            email: "Bob@Example.org".to_owned(),
            password: PASSWORD.to_owned(),
            name: "Bob".to_owned(),
            organization_title: Some("Bob & Sons".to_owned()),
        };
        let (made, _) = world.control.sign_up(&good, &about()).await.unwrap();
        assert_eq!((made.user.email.as_str(), made.organization.spec.name.as_str()), ("bob@example.org", "bob-sons"));
        assert_eq!(code(world.control.sign_up(&good, &about()).await), Code::NameTaken);
        let table = [
            SignUp { email: "bob".to_owned(), ..good.clone() },
            SignUp { email: "b ob@example.org".to_owned(), ..good.clone() },
            SignUp { email: "@".to_owned(), ..good.clone() },
            SignUp { password: "short".to_owned(), ..good.clone() },
            SignUp { password: "aaaaaaaaaaaa".to_owned(), ..good.clone() },
            SignUp { password: "x1".repeat(600), ..good.clone() },
            SignUp { name: "\u{0}".to_owned(), ..good.clone() },
            SignUp { organization_title: Some(" ".to_owned()), email: "c@example.org".to_owned(), ..good.clone() },
        ];
        for bad in table {
            assert_eq!(code(world.control.sign_up(&bad, &about()).await), Code::RequestInvalid, "{bad:?}");
        }
        let other = SignUp { email: "second@example.org".to_owned(), ..good };
        let (made, _) = world.control.sign_up(&other, &about()).await.unwrap();
        assert_eq!(made.organization.spec.name.as_str(), "bob-sons-2");
    }

    async fn web_sessions_need_their_csrf_token_and_end(url: String) {
        let world = World::new(url).await;
        let admin = &world.admin;
        let signed_in = world.control.sign_in(&admin.email, &admin.password, &about()).await.unwrap();
        let (cookie, csrf) = (signed_in.cookie.as_str(), signed_in.session.csrf_token.as_str());
        let none = About::default();
        let control = &world.control;
        control.authenticate_session(cookie, Csrf::Safe, &none).await.unwrap();
        control.authenticate_session(cookie, Csrf::Token(Some(csrf)), &none).await.unwrap();
        for wrong in [None, Some(""), Some("x"), Some(cookie)] {
            let answer = control.authenticate_session(cookie, Csrf::Token(wrong), &none).await;
            assert_eq!(code(answer), Code::CsrfRejected);
        }
        let another = control.sign_in(&admin.email, &admin.password, &about()).await.unwrap();
        let answer = control.authenticate_session(&another.cookie, Csrf::Token(Some(csrf)), &none).await;
        assert_eq!(code(answer), Code::CsrfRejected);
        assert_eq!(control.read_session(cookie).await.unwrap(), signed_in.session);
        control.sign_out(&another.cookie, &about()).await.unwrap();
        assert_eq!(code(control.read_session(&another.cookie).await), Code::AuthenticationRequired);
        // Used every eleven hours it lives a week; after twelve idle hours it is over.
        for _ in 0..5 {
            world.pass(11 * 3600);
            control.authenticate_session(cookie, Csrf::Safe, &none).await.unwrap();
        }
        world.pass(12 * 3600);
        assert_eq!(code(control.read_session(cookie).await), Code::AuthenticationRequired);
        let fresh = control.sign_in(&admin.email, &admin.password, &about()).await.unwrap();
        for _ in 0..15 {
            world.pass(11 * 3600);
            control.authenticate_session(&fresh.cookie, Csrf::Safe, &none).await.unwrap();
        }
        world.pass(11 * 3600);
        assert_eq!(code(control.read_session(&fresh.cookie).await), Code::AuthenticationRequired);
        crate::jobs::tidy(control).await.unwrap();
    }

    async fn a_new_password_ends_other_sessions(url: String) {
        let world = World::new(url).await;
        let (_, web) = world.sign_up("ann@example.org").await.unwrap();
        let tokens = world.password("ann@example.org", PASSWORD).await.unwrap();
        let ann = world.bearer(&tokens.access_token).await.unwrap();
        let change = |current: &str, new: &str| PasswordChange { current: current.to_owned(), new: new.to_owned() };
        let new = "another long enough one";
        let control = &world.control;
        let answer = control.change_password(&ann, &change("wrong", new), None, &about()).await;
        assert_eq!(code(answer), Code::CredentialsInvalid);
        let answer = control.change_password(&ann, &change(PASSWORD, "short"), None, &about()).await;
        assert_eq!(code(answer), Code::RequestInvalid);
        let cookie = Some(web.cookie.as_str());
        control.change_password(&ann, &change(PASSWORD, new), cookie, &about()).await.unwrap();
        assert_eq!(code(world.bearer(&tokens.access_token).await), Code::TokenInvalid);
        control.read_session(&web.cookie).await.unwrap();
        assert_eq!(code(world.password("ann@example.org", PASSWORD).await), Code::CredentialsInvalid);
        world.password("ann@example.org", new).await.unwrap();
        let me = control.update_me(&ann, &json!({ "name": "Anna" }), Some(1)).await.unwrap();
        assert_eq!((me.name.as_str(), me.revision), ("Anna", 2));
        assert_eq!(code(control.update_me(&ann, &json!({ "name": "x" }), Some(1)).await), Code::PreconditionFailed);
        assert_eq!(code(control.update_me(&ann, &json!({ "email": "x" }), None).await), Code::RequestInvalid);
    }

    async fn people_are_added_disabled_and_owners_stay(url: String) {
        let world = World::new(url).await;
        let (control, owner) = (&world.control, world.owner().await);
        let eve = world.joined(&owner, "eve@example.org", Role::Admin).await;
        assert_eq!(eve.roles.organization, Some(Role::Admin));
        // An admin does not touch owners, nor becomes one.
        assert_eq!(code(world.invite(&eve, "o@example.org", Role::Owner).await), Code::PermissionDenied);
        let disabled = control.set_user_disabled(&eve, world.admin.user_id, true, None).await;
        assert_eq!(code(disabled), Code::PermissionDenied);
        let members = control.list::<Membership>(&eve, &ListQuery::default()).await.unwrap().data;
        let of = |id| members.iter().find(|it| it.spec.user_id == id).unwrap();
        let (first, hers) = (of(world.admin.user_id), of(eve.user().unwrap()));
        let raise = json!({ "role": "owner" });
        assert_eq!(code(control.update::<Membership>(&eve, hers.id, &raise, None).await), Code::PermissionDenied);
        assert_eq!(code(control.delete::<Membership>(&eve, first.id, None).await), Code::PermissionDenied);
        // The last owner stays one.
        let lower = json!({ "role": "viewer" });
        assert_eq!(code(control.update::<Membership>(&owner, first.id, &lower, None).await), Code::Conflict);
        assert_eq!(code(control.delete::<Membership>(&owner, first.id, None).await), Code::Conflict);
        assert_eq!(code(control.set_user_disabled(&owner, world.admin.user_id, true, None).await), Code::Conflict);
        control.update::<Membership>(&owner, hers.id, &raise, None).await.unwrap();
        control.update::<Membership>(&owner, first.id, &lower, None).await.unwrap();
        assert_eq!(world.owner().await.roles.organization, Some(Role::Viewer));
        // Disabled: at once, for tokens and passwords.
        let eve = world.person("eve@example.org").await;
        world.joined(&eve, "fay@example.org", Role::Viewer).await;
        let fay = world.password("fay@example.org", PASSWORD).await.unwrap();
        let id = world.bearer(&fay.access_token).await.unwrap().user().unwrap();
        control.set_user_disabled(&eve, id, true, Some(1)).await.unwrap();
        assert_eq!(code(world.bearer(&fay.access_token).await), Code::TokenInvalid);
        // Members of other organizations are not ours to disable.
        world.sign_up("ann@example.org").await.unwrap();
        let ann = world.person("ann@example.org").await;
        let invitation = world.invite(&eve, "ann@example.org", Role::Viewer).await.unwrap();
        world.accept(&ann, &invitation).await.unwrap();
        let disabled = control.set_user_disabled(&eve, ann.user().unwrap(), true, None).await;
        assert_eq!(code(disabled), Code::Conflict);
    }

    async fn machines_sign_in_with_their_secret(url: String) {
        let world = World::new(url).await;
        let (control, owner) = (&world.control, world.owner().await);
        let spec = |role| ClientSpec { title: "CI".to_owned(), role };
        let made = control.create_client(&owner, spec(Role::Publisher)).await.unwrap();
        let grant = |secret: &str| Grant::ClientCredentials {
            client_id: made.client.id.to_string(),
            client_secret: secret.to_owned(),
        };
        let tokens = control.grant(&grant(&made.client_secret), &about()).await.unwrap();
        assert_eq!(tokens.refresh_token, None);
        let caller = world.bearer(&tokens.access_token).await.unwrap();
        assert_eq!(caller.roles.organization, Some(Role::Publisher));
        assert_eq!(code(control.grant(&grant("gls_wrong"), &about()).await), Code::CredentialsInvalid);
        let about_it = in_organization("default");
        control.authenticate_bearer(&tokens.access_token, &about_it).await.unwrap();
        let elsewhere = control.authenticate_bearer(&tokens.access_token, &in_organization("x")).await;
        assert_eq!(code(elsewhere), Code::NotFound);
        let rotated = control.rotate_client_secret(&owner, made.client.id).await.unwrap();
        assert_eq!(code(control.grant(&grant(&made.client_secret), &about()).await), Code::CredentialsInvalid);
        control.grant(&grant(&rotated.client_secret), &about()).await.unwrap();
        control.delete::<Client>(&owner, made.client.id, None).await.unwrap();
        assert_eq!(code(world.bearer(&tokens.access_token).await), Code::TokenInvalid);
        // Nothing secret is in the chain.
        let filter = Filter { limit: 200, ..Filter::default() };
        let chain = control.list_audit(&owner, &filter).await.unwrap().data;
        let text = serde_json::to_string(&chain).unwrap();
        for secret in [&made.client_secret, &rotated.client_secret, &world.admin.password] {
            assert!(!text.contains(secret.as_str()));
        }
        assert!(!text.contains("argon2") && control.verify_audit(&owner).await.unwrap().valid);
    }

    async fn organizations_are_made_and_removed_whole(url: String) {
        let world = World::new(url).await;
        let (control, owner) = (&world.control, world.owner().await);
        let spec = OrganizationSpec { name: "second".parse().unwrap(), title: "Second".to_owned() };
        let made = control.create_organization(&owner, spec.clone()).await.unwrap();
        assert_eq!(code(control.create_organization(&owner, spec).await), Code::NameTaken);
        let tokens = world.password(&world.admin.email, &world.admin.password).await.unwrap();
        let about = in_organization("second");
        let inside = control.authenticate_bearer(&tokens.access_token, &about).await.unwrap();
        assert_eq!((inside.organization, inside.roles.organization), (Some(made.id), Some(Role::Owner)));
        let here = [Condition::Is("organization_id", store::Arg::text(made.id))];
        let count = entity::count::<domain::identity::Environment>(&mut control.store(), &here).await.unwrap();
        assert_eq!(count, 2);
        assert!(control.verify_audit(&inside).await.unwrap().valid);
        control.delete::<Organization>(&inside, made.id, Some(1)).await.unwrap();
        let gone = control.authenticate_bearer(&tokens.access_token, &about).await;
        assert_eq!(code(gone), Code::NotFound);
    }
}

#[tokio::test]
async fn one_address_makes_a_few_accounts_in_a_row() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::new(store::testing::fresh_sqlite(directory.path())).await;
    for number in 0..21 {
        world.sign_up(&format!("u{number}@example.org")).await.unwrap();
    }
    assert_eq!(code(world.sign_up("late@example.org").await), Code::SignInDelayed);
    world.pass(2);
    world.sign_up("late@example.org").await.unwrap();
}

/// Guesses at once count as many, not as one.
#[tokio::test]
async fn guesses_in_parallel_are_all_counted() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::new(store::testing::fresh_sqlite(directory.path())).await;
    let guesses: Vec<_> = (0..12)
        .map(|_| {
            let (control, email) = (world.control.clone(), world.admin.email.clone());
            tokio::spawn(async move {
                let grant = Grant::Password {
                    username: email,
                    password: "wrong".to_owned(),
                };
                code(control.grant(&grant, &About::default()).await)
            })
        })
        .collect();
    let mut checked = 0;
    for guess in guesses {
        checked += usize::from(guess.await.unwrap() == Code::CredentialsInvalid);
    }
    assert_eq!(checked, 6);
    world.pass(Duration::from_secs(600).as_secs().try_into().unwrap());
    world.owner().await;
}
