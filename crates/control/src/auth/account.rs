//! Accounts: signing up, disabling users, changing passwords.

use domain::id::{MembershipId, OrganizationId, UserId};
use domain::identity::{Membership, MembershipSpec, Organization, OrganizationSpec, Role, User};
use domain::session::{PasswordChange, SignUp, SignedUp, UserSpec};
use domain::{Code, Name};
use serde_json::Value;
use store::entity::{self, Condition};
use store::{Arg, Tx, session};

use super::{About, WebSignIn, password};
use crate::access::{Principal, Roles};
use crate::resource::{ListQuery, Listed, parse_patch};
use crate::{Caller, Control, Error};

const EMAIL_BYTES_MAX: usize = 254;
const NAME_CHARS_MAX: usize = 200;

/// The form of an address that is stored and compared.
pub(super) fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

impl Control {
    /// Makes an account with an organization of its own, and signs it in on the web.
    ///
    /// # Errors
    /// `request_invalid` with the fields, `name_taken` if there is an account with this address,
    /// `sign_in_delayed` if many accounts were made from one network address, or addresses tried that have one.
    pub async fn sign_up(&self, body: &SignUp, about: &About) -> Result<(SignedUp, WebSignIn), Error> {
        let email = check_email("/email", &body.email)?;
        let name = check_name("/name", &body.name)?;
        password::check("/password", &body.password, &email)?;
        // Who hears that an address has an account has made a failed attempt, as with a wrong password.
        let attempt = self.attempt_sign_up(&email, about).await?;
        let hash = self.inner.passwords.hash(&body.password).await?;
        let title = body
            .organization_title
            .as_deref()
            .unwrap_or(&name)
            .trim()
            .to_owned();
        let mut tx = self.store().begin().await?;
        let user = self.insert_user(&mut tx, &email, &name, hash).await?;
        let spec = OrganizationSpec {
            name: self.free_name(&mut tx, &title).await?,
            title: check_name("/organization_title", &title)?,
        };
        let caller = Caller {
            principal: Principal::User(user.id),
            organization: None,
            roles: Roles::default(),
            request_id: about.request_id.clone(),
        };
        let organization = self
            .found_organization(&mut tx, &caller, spec, Some(&user))
            .await?;
        tx.commit().await?;
        self.succeeded(attempt).await?;
        let signed_in = self.begin_web_session(user.id, about).await?;
        Ok((SignedUp { user, organization }, signed_in))
    }

    /// Lists the people who belong to the caller's organization.
    pub async fn list_users(&self, caller: &Caller, query: &ListQuery) -> Result<Listed<User>, Error> {
        let organization = caller.organization()?;
        self.access().check(caller, "list_users", organization, None)?;
        let mut conditions = vec![belongs_to(organization)];
        conditions.extend(query.conditions.iter().cloned());
        self.listed(&conditions, query).await
    }

    /// Reads one of the people who belong to the caller's organization.
    pub async fn read_user(&self, caller: &Caller, id: UserId) -> Result<User, Error> {
        let organization = caller.organization()?;
        self.access().check(caller, "read_user", organization, None)?;
        let conditions = [belongs_to(organization), Condition::Is("id", Arg::text(id))];
        let found = entity::find::<User>(&mut self.store(), &conditions).await?;
        found.ok_or_else(|| Error::not_found("user"))
    }

    /// Keeps somebody from signing in, or lets them again; their sessions end at once.
    ///
    /// # Errors
    /// `conflict` if they belong to other organizations too (remove the membership instead), or if it is the
    /// caller.
    pub async fn set_user_disabled(
        &self,
        caller: &Caller,
        id: UserId,
        disabled: bool,
        if_match: Option<i64>,
    ) -> Result<User, Error> {
        let organization = caller.organization()?;
        let before = self.read_user(caller, id).await?;
        self.access().check(caller, "update_user", organization, None)?;
        crate::resource::expect_revision(before.revision, if_match)?;
        if caller.principal == Principal::User(id) {
            return Err(Error::refused(Code::Conflict, "This is your own account."));
        }
        let mut tx = self.begin(caller).await?;
        let members = session::memberships_of(&mut tx, id).await?;
        if members
            .iter()
            .any(|member| member.organization_id != organization)
        {
            return Err(Error::refused(
                Code::Conflict,
                "The account belongs to other organizations too; remove its membership of yours instead.",
            ));
        }
        if members.iter().any(|member| member.role == Role::Owner)
            && caller.roles.organization != Some(Role::Owner)
        {
            return Err(Error::refused(
                Code::PermissionDenied,
                "Only an owner may do this to an owner.",
            ));
        }
        let after = User {
            disabled,
            updated_at: self.now(),
            revision: before.revision + 1,
            ..before.clone()
        };
        tx.update(&after, before.revision, &[]).await?;
        if disabled {
            session::remove_all(&mut tx, id, None).await?;
        }
        self.note(&mut tx, caller, "update_user", Some(&before), Some(&after))
            .await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Reads the caller's own account.
    ///
    /// # Errors
    /// `authentication_required` if the caller is not a person.
    pub async fn read_me(&self, caller: &Caller) -> Result<User, Error> {
        let id = caller.user()?;
        let found = entity::find_id::<User>(&mut self.store(), id).await?;
        found.ok_or_else(Error::anonymous)
    }

    /// Applies a JSON Merge Patch to the editable part of the caller's own account.
    pub async fn update_me(
        &self,
        caller: &Caller,
        patch: &Value,
        if_match: Option<i64>,
    ) -> Result<User, Error> {
        let before = self.read_me(caller).await?;
        crate::resource::expect_revision(before.revision, if_match)?;
        let spec: UserSpec = parse_patch(
            &UserSpec {
                name: before.name.clone(),
            },
            patch,
        )?;
        let after = User {
            name: check_name("/name", &spec.name)?,
            updated_at: self.now(),
            revision: before.revision + 1,
            ..before.clone()
        };
        let mut tx = self.begin(caller).await?;
        tx.update(&after, before.revision, &[]).await?;
        self.note(&mut tx, caller, "update_me", Some(&before), Some(&after))
            .await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Changes the caller's own password. Every session ends but the one of `cookie`, if given.
    ///
    /// # Errors
    /// `credentials_invalid` if the current password is wrong, `sign_in_delayed` as for signing in.
    pub async fn change_password(
        &self,
        caller: &Caller,
        body: &PasswordChange,
        cookie: Option<&str>,
        about: &About,
    ) -> Result<(), Error> {
        let user = self.read_me(caller).await?;
        password::check("/new", &body.new, &user.email)?;
        self.check_password(&user.email, &body.current, about).await?;
        let hash = self.inner.passwords.hash(&body.new).await?;
        let kept = match cookie {
            Some(cookie) => session::find_by_hash(self.store(), &super::token_hash(cookie)).await?,
            None => None,
        };
        let kept = kept
            .filter(|session| session.user_id == user.id)
            .map(|session| session.id);
        let mut tx = self.begin(caller).await?;
        session::set_password(&mut tx, user.id, &hash).await?;
        session::remove_all(&mut tx, user.id, kept).await?;
        let about = About {
            organization: None,
            ..about.clone()
        };
        self.note_sign_in(&mut tx, caller.organization, user.id, "change_password", &about)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Inserts an account.
    pub(crate) async fn insert_user(
        &self,
        tx: &mut Tx,
        email: &str,
        name: &str,
        hash: String,
    ) -> Result<User, Error> {
        let now = self.now();
        let user = User {
            id: UserId::new(self.uuid()),
            email: email.to_owned(),
            name: name.to_owned(),
            disabled: false,
            created_at: now,
            updated_at: now,
            revision: 1,
        };
        tx.insert(&user, &[("password_hash", Arg::text(hash))]).await?;
        Ok(user)
    }

    /// Inserts a membership without asking whether the caller may: for founders of organizations, and for who
    /// was invited.
    pub(crate) async fn insert_membership(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        (organization, spec): (OrganizationId, MembershipSpec),
        email: &str,
    ) -> Result<Membership, Error> {
        let now = self.now();
        let membership = Membership {
            id: MembershipId::new(self.uuid()),
            organization_id: organization,
            spec,
            email: email.to_owned(),
            created_at: now,
            updated_at: now,
            revision: 1,
        };
        tx.insert(&membership, &[]).await?;
        self.note(tx, caller, "create_membership", None, Some(&membership))
            .await?;
        Ok(membership)
    }

    /// A name for an organization that nobody has: made of the title, with a number or letters if taken.
    async fn free_name(&self, tx: &mut Tx, title: &str) -> Result<Name, Error> {
        let stem = Name::from_title(title).map_or_else(|| "team".to_owned(), |name| name.to_string());
        let stem: String = stem.chars().take(48).collect();
        let stem = stem.trim_end_matches('-');
        let unique = domain::id::encode(self.uuid().as_u128());
        for text in [
            stem.to_owned(),
            format!("{stem}-2"),
            format!("{stem}-3"),
            format!("{stem}-{}", &unique[16..]),
        ] {
            let name: Name = text
                .parse()
                .map_err(|error| Error::internal("making a name", error))?;
            let taken = [Condition::Is("name", Arg::text(&name))];
            if entity::count::<Organization>(tx, &taken).await? == 0 {
                return Ok(name);
            }
        }
        Err(Error::refused(
            Code::NameTaken,
            "Choose another title for the organization.",
        ))
    }
}

fn belongs_to(organization: OrganizationId) -> Condition {
    Condition::Among {
        table: "memberships",
        column: "user_id",
        by: "organization_id",
        value: Arg::text(organization),
    }
}

/// The normal form of an address that could be one; only sending a message would prove it.
pub(crate) fn check_email(pointer: &str, email: &str) -> Result<String, Error> {
    let email = normal(email);
    let parts = email.rsplit_once('@');
    let whole = parts.is_some_and(|(local, host)| {
        !local.is_empty() && !host.is_empty() && !host.starts_with('.') && !host.ends_with('.')
    });
    let plain = !email
        .chars()
        .any(|letter| letter.is_whitespace() || letter.is_control());
    if whole && plain && email.len() <= EMAIL_BYTES_MAX {
        return Ok(email);
    }
    let detail = "This is not an e-mail address.";
    Err(Error::field(
        pointer,
        "email_invalid",
        detail,
        "Write it as `name@example.org`.",
    ))
}

pub(crate) fn check_name(pointer: &str, name: &str) -> Result<String, Error> {
    let name = name.trim();
    let fits =
        !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
    if fits {
        return Ok(name.to_owned());
    }
    let detail = "1 to 200 characters are wanted here, no control characters.";
    Err(Error::field(
        pointer,
        "text_invalid",
        detail,
        "Write what people shall read.",
    ))
}
