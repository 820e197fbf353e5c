//! What is offered for tokens: a password, a refresh token, a client secret (RFC 6749).

use std::time::Duration;

use domain::id::{ClientId, OrganizationId, SessionId, UserId};
use domain::identity::Client;
use domain::session::Tokens;
use domain::{Code, Timestamp};
use serde_json::Value;
use store::session::{self, Kind, Session};
use store::{Tx, entity};

use super::{About, session_id, token_hash};
use crate::counter::Counters;
use crate::secret::Purpose;
use crate::{Control, Error};

/// How long an access token is valid.
const ACCESS_SECONDS: u64 = 15 * 60;
/// How long refreshing is possible without signing in again.
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a refresh token may lie unused.
const REFRESH_IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the token is valid that a script finds in the ready file.
const SCRIPT_SECONDS: u64 = 24 * 3600;
const PREFIX: &str = "glr_";

/// What is offered for an access token (RFC 6749 §4.3, §4.4, §6).
#[derive(Clone, PartialEq, Eq)]
pub enum Grant {
    /// The credentials of a person.
    Password {
        /// The e-mail address.
        username: String,
        /// The password.
        password: String,
    },
    /// A refresh token; each can be used once.
    RefreshToken {
        /// The token.
        refresh_token: String,
    },
    /// The credentials of a machine.
    ClientCredentials {
        /// The client's id.
        client_id: String,
        /// Its secret.
        client_secret: String,
    },
}

impl Control {
    /// Gives tokens for what was offered.
    ///
    /// # Errors
    /// `credentials_invalid` (the same for what is wrong and what is not there), `sign_in_delayed` with the
    /// seconds to wait.
    pub async fn grant(&self, grant: &Grant, about: &About) -> Result<Tokens, Error> {
        match grant {
            Grant::Password { username, password } => {
                let user = self.check_password(username, password, about).await?;
                self.begin_refreshing(user, about).await
            }
            Grant::RefreshToken { refresh_token } => self.refresh(refresh_token, about).await,
            Grant::ClientCredentials {
                client_id,
                client_secret,
            } => self.grant_client(client_id, client_secret, about).await,
        }
    }

    /// Ends what a token stands for (RFC 7009); a token that means nothing is no error.
    pub async fn revoke(&self, token: &str, about: &About) -> Result<(), Error> {
        let session = match self.read_refresh(token) {
            Some((session, _)) => Some(session),
            None => self
                .inner
                .tokens
                .read(token, self.now())
                .ok()
                .and_then(|claims| claims.sid),
        };
        match session {
            Some(session) => self.end_session(session, "revoke_token", about).await,
            None => Ok(()),
        }
    }

    /// The public keys that verify access tokens (RFC 7517).
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice.
    pub fn jwks(&self) -> Result<Value, Error> {
        serde_json::to_value(self.inner.tokens.keys())
            .map_err(|error| Error::internal("writing the public keys", error))
    }

    /// An access token of 24 hours for a user's scripts, as the program writes it into the ready file.
    ///
    /// It belongs to a session like others: it ends when the user signs out everywhere or is disabled.
    pub async fn script_token(&self, user: UserId) -> Result<String, Error> {
        let (mut tx, organization) = self.begin_of(user).await?;
        let now = self.now();
        let life = Duration::from_secs(SCRIPT_SECONDS);
        let id = SessionId::new(self.uuid());
        let session = Session {
            id,
            user_id: user,
            kind: Kind::Script,
            token_hash: token_hash(&id.to_string()),
            generation: 1,
            created_at: now,
            seen_at: now,
            expires_at: now.after(life),
        };
        session::insert(&mut tx, &session).await?;
        let about = About::default();
        self.note_sign_in(&mut tx, organization, user, "create_token", &about)
            .await?;
        tx.commit().await?;
        self.access_token(user.to_string(), SCRIPT_SECONDS, organization, Some(id))
    }

    async fn begin_refreshing(&self, user: UserId, about: &About) -> Result<Tokens, Error> {
        let now = self.now();
        let id = SessionId::new(self.uuid());
        let refresh_token = self.refresh_token(id, 1);
        let session = Session {
            id,
            user_id: user,
            kind: Kind::Refresh,
            token_hash: token_hash(&refresh_token),
            generation: 1,
            created_at: now,
            seen_at: now,
            expires_at: now.after(REFRESH_LIFE),
        };
        let (mut tx, organization) = self.begin_of(user).await?;
        session::insert(&mut tx, &session).await?;
        self.note_sign_in(&mut tx, organization, user, "create_token", about)
            .await?;
        tx.commit().await?;
        self.tokens(user, organization, id, refresh_token)
    }

    async fn refresh(&self, token: &str, about: &About) -> Result<Tokens, Error> {
        let refused = || {
            Error::refused(
                Code::CredentialsInvalid,
                "The refresh token is not valid any more.",
            )
        };
        let (id, generation) = self.read_refresh(token).ok_or_else(refused)?;
        let session = session::find(&mut self.store(), id).await?.ok_or_else(refused)?;
        let (user, now) = (session.user_id, self.now());
        if ended(&session, REFRESH_IDLE, now) {
            return Err(refused());
        }
        let members = session::members(&mut self.store(), user, None).await?;
        let members = members.ok_or_else(refused)?;
        let next = self.refresh_token(id, generation + 1);
        let mut tx = self.store().begin().await?;
        let current = session.generation == generation
            && session::rotate(&mut tx, &session, &token_hash(&next), now).await?;
        tx.commit().await?;
        if !current {
            // Somebody uses a token that was replaced: one of two holders is not the user.
            self.end_session(id, "refresh_token_reused", about).await?;
            Counters::count(&self.inner.counters.refresh_reused);
            return Err(refused());
        }
        let organization = members.first().map(|member| member.organization_id);
        self.tokens(user, organization, id, next)
    }

    async fn grant_client(&self, id: &str, secret: &str, about: &About) -> Result<Tokens, Error> {
        let subject = format!("client:{}", id.chars().take(64).collect::<String>());
        let attempt = self.attempt(&subject, about).await?;
        let found = match id.parse::<ClientId>() {
            Ok(id) => self.client_with_hash(id).await?,
            Err(_) => None,
        };
        let stored = found.as_ref().map_or("", |(_, hash)| hash);
        let right = crate::secret::same(token_hash(secret).as_bytes(), stored.as_bytes());
        let client = match found {
            Some((client, _)) if right => client,
            other => {
                let organization = other.map(|(client, _)| client.organization_id);
                return Err(self.failed(attempt, organization, about).await?);
            }
        };
        self.succeeded(attempt).await?;
        let organization = Some(client.organization_id);
        let access_token = self.access_token(client.id.to_string(), ACCESS_SECONDS, organization, None)?;
        Ok(Tokens {
            access_token,
            token_type: "Bearer".to_owned(),
            expires_in: ACCESS_SECONDS,
            refresh_token: None,
        })
    }

    async fn client_with_hash(&self, id: ClientId) -> Result<Option<(Client, String)>, Error> {
        let hash = session::client_secret(&mut self.store(), id).await?;
        let client = entity::find_id::<Client>(&mut self.store(), id).await?;
        Ok(client.zip(hash))
    }

    fn tokens(
        &self,
        user: UserId,
        organization: Option<OrganizationId>,
        session: SessionId,
        refresh_token: String,
    ) -> Result<Tokens, Error> {
        let access_token =
            self.access_token(user.to_string(), ACCESS_SECONDS, organization, Some(session))?;
        Ok(Tokens {
            access_token,
            token_type: "Bearer".to_owned(),
            expires_in: ACCESS_SECONDS,
            refresh_token: Some(refresh_token),
        })
    }

    fn access_token(
        &self,
        subject: String,
        seconds: u64,
        organization: Option<OrganizationId>,
        session: Option<SessionId>,
    ) -> Result<String, Error> {
        let id = self.uuid().to_string();
        let mut claims = self.inner.tokens.claims(subject, id, self.now(), seconds);
        claims.org = organization;
        claims.sid = session;
        self.inner.tokens.sign(&claims)
    }

    /// `glr_<session>_<generation>_<mac>`: an old one can so be told from one that we never gave.
    fn refresh_token(&self, session: SessionId, generation: i64) -> String {
        let id = domain::id::encode(session.uuid().as_u128());
        let mac = self
            .inner
            .secrets
            .mac(Purpose::Refresh, format!("{id}.{generation}").as_bytes());
        format!("{PREFIX}{id}_{generation}_{}", crate::audit::hex(&mac))
    }

    fn read_refresh(&self, token: &str) -> Option<(SessionId, i64)> {
        let mut parts = token.strip_prefix(PREFIX)?.split('_');
        let (id, generation) = (parts.next()?, parts.next()?);
        let session = session_id(id)?;
        let generation: i64 = generation.parse().ok()?;
        let expected = self.refresh_token(session, generation);
        crate::secret::same(expected.as_bytes(), token.as_bytes()).then_some((session, generation))
    }

    /// Begins a change of somebody's own session, noted in the chain of the organization they joined first.
    ///
    /// The chain is locked before anything else, as for every change.
    pub(super) async fn begin_of(&self, user: UserId) -> Result<(Tx, Option<OrganizationId>), Error> {
        let members = session::members(&mut self.store(), user, None).await?;
        let organization = members.and_then(|members| members.first().map(|member| member.organization_id));
        let mut tx = self.store().begin().await?;
        if let Some(organization) = organization {
            crate::audit::lock(&mut tx, organization).await?;
        }
        Ok((tx, organization))
    }

    /// Ends a session and notes it.
    pub(super) async fn end_session(&self, id: SessionId, action: &str, about: &About) -> Result<(), Error> {
        let Some(session) = session::find(&mut self.store(), id).await? else {
            return Ok(());
        };
        let (mut tx, organization) = self.begin_of(session.user_id).await?;
        if session::remove(&mut tx, id).await? {
            self.note_sign_in(&mut tx, organization, session.user_id, action, about)
                .await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Whether a session has ended by now, given how long it may lie unused.
pub(super) fn ended(session: &Session, idle: Duration, now: Timestamp) -> bool {
    session.expires_at <= now || session.seen_at.after(idle) <= now
}
