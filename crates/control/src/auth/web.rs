//! Sessions of browsers: a cookie, and a CSRF token that belongs to it.

use std::time::Duration;

use domain::Code;
use domain::id::{SessionId, UserId};
use domain::identity::User;
use domain::session::{Belonging, WebSession};
use store::entity;
use store::session::{self, Kind, Session};

use super::caller::choose;
use super::grant::ended;
use super::{About, token_hash};
use crate::secret::{Purpose, same, token};
use crate::{Caller, Control, Error};

/// How long a browser stays signed in.
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a browser may be idle.
const IDLE: Duration = Duration::from_secs(12 * 3600);
/// How often it is noted that a session is in use, so that reading does not mean writing.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// Whether a request must prove that it comes from our pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Csrf<'a> {
    /// It changes nothing (GET, HEAD, OPTIONS).
    Safe,
    /// It changes something and sent this `X-CSRF-Token`.
    Token(Option<&'a str>),
}

/// A new web session, with the cookie that is shown once.
#[derive(Clone, PartialEq)]
pub struct WebSignIn {
    /// The cookie's value; to be set `HttpOnly; SameSite=Lax; Path=/`, and `Secure` on TLS.
    pub cookie: String,
    /// Seconds until the cookie expires.
    pub max_age: u64,
    /// What the page is told.
    pub session: WebSession,
}

impl Control {
    /// Signs a person in on the web.
    ///
    /// # Errors
    /// `credentials_invalid`, `sign_in_delayed` with the seconds to wait.
    pub async fn sign_in(&self, email: &str, password: &str, about: &About) -> Result<WebSignIn, Error> {
        let user = self.check_password(email, password, about).await?;
        self.begin_web_session(user, about).await
    }

    pub(super) async fn begin_web_session(&self, user: UserId, about: &About) -> Result<WebSignIn, Error> {
        let cookie = token("")?;
        let now = self.now();
        let session = Session {
            id: SessionId::new(self.uuid()),
            user_id: user,
            kind: Kind::Web,
            token_hash: token_hash(&cookie),
            generation: 1,
            created_at: now,
            seen_at: now,
            expires_at: now.after(LIFE),
        };
        let (mut tx, organization) = self.begin_of(user).await?;
        session::insert(&mut tx, &session).await?;
        self.note_sign_in(&mut tx, organization, user, "create_session", about)
            .await?;
        tx.commit().await?;
        let belongings = self.belongings(user, None).await?.unwrap_or_default();
        let session = self.web_session(&session, belongings).await?;
        Ok(WebSignIn {
            cookie,
            max_age: LIFE.as_secs(),
            session,
        })
    }

    /// Finds out who sends a cookie, and what they may do.
    ///
    /// # Errors
    /// `authentication_required` if the session has ended, `csrf_rejected`, and `not_found` if the organization
    /// in `about` is none of theirs.
    pub async fn authenticate_session(
        &self,
        cookie: &str,
        csrf: Csrf<'_>,
        about: &About,
    ) -> Result<Caller, Error> {
        let (session, belongings) = self.find_web_session(cookie).await?;
        if let Csrf::Token(sent) = csrf
            && !same(
                self.csrf_token(session.id).as_bytes(),
                sent.unwrap_or_default().as_bytes(),
            )
        {
            return Err(Error::refused(
                Code::CsrfRejected,
                "`X-CSRF-Token` is missing or does not belong to this session.",
            ));
        }
        if session.seen_at.after(TOUCH_EVERY) <= self.now() {
            let mut tx = self.store().begin().await?;
            session::touch(&mut tx, session.id, self.now()).await?;
            tx.commit().await?;
        }
        choose(session.user_id, &belongings, None, about)
    }

    /// Who a web session is of, without keeping it alive: for what goes on while nobody does anything.
    ///
    /// # Errors
    /// As for [`authenticate_session`](Self::authenticate_session).
    pub async fn recall_session(&self, cookie: &str, about: &About) -> Result<Caller, Error> {
        let (session, belongings) = self.find_web_session(cookie).await?;
        choose(session.user_id, &belongings, None, about)
    }

    /// What the page is told about its session, as at sign-in.
    ///
    /// # Errors
    /// `authentication_required` if the session has ended.
    pub async fn read_session(&self, cookie: &str) -> Result<WebSession, Error> {
        let (session, belongings) = self.find_web_session(cookie).await?;
        self.web_session(&session, belongings).await
    }

    /// Ends a web session; one that has ended already is no error.
    pub async fn sign_out(&self, cookie: &str, about: &About) -> Result<(), Error> {
        match session::find_by_hash(self.store(), &token_hash(cookie)).await? {
            Some(session) => self.end_session(session.id, "delete_session", about).await,
            None => Ok(()),
        }
    }

    async fn find_web_session(&self, cookie: &str) -> Result<(Session, Vec<Belonging>), Error> {
        let session = session::find_by_hash(self.store(), &token_hash(cookie)).await?;
        let session = session
            .filter(|session| session.kind == Kind::Web && !ended(session, IDLE, self.now()))
            .ok_or_else(Error::anonymous)?;
        let belongings = self
            .belongings(session.user_id, None)
            .await?
            .ok_or_else(Error::anonymous)?;
        Ok((session, belongings))
    }

    async fn web_session(
        &self,
        session: &Session,
        organizations: Vec<Belonging>,
    ) -> Result<WebSession, Error> {
        let user = entity::find_id::<User>(&mut self.store(), session.user_id).await?;
        Ok(WebSession {
            user: user.ok_or_else(Error::anonymous)?,
            csrf_token: self.csrf_token(session.id),
            organizations,
            expires_at: session.expires_at,
        })
    }

    fn csrf_token(&self, session: SessionId) -> String {
        let mac = self
            .inner
            .secrets
            .mac(Purpose::Csrf, session.to_string().as_bytes());
        crate::audit::hex(&mac)
    }
}
