//! Sign-ins, and who belongs where.

use domain::Timestamp;
use domain::id::{ClientId, OrganizationId, SessionId, UserId, WorkspaceId};
use domain::identity::Role;

use crate::entity::Read;
use crate::{Arg, Error, Row, Store, Tx};

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A browser, with a cookie.
    Web,
    /// A program, with refresh tokens.
    Refresh,
    /// A script, with one long-lived access token.
    Script,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Refresh => "refresh",
            Self::Script => "script",
        }
    }
}

/// A sign-in.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who signed in.
    pub user_id: UserId,
    /// What for.
    pub kind: Kind,
    /// Hash of the cookie or of the latest refresh token.
    pub token_hash: String,
    /// Counts the refresh tokens, from 1.
    pub generation: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// Somebody's role in an organization or in a workspace of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Where.
    pub organization_id: OrganizationId,
    /// The organization's name.
    pub name: String,
    /// The organization's title.
    pub title: String,
    /// In this workspace only.
    pub workspace_id: Option<WorkspaceId>,
    /// As what.
    pub role: Role,
}

const COLUMNS: &str = "id, user_id, kind, token_hash, generation, created_at, seen_at, expires_at";

fn session(row: &Row) -> Result<Session, Error> {
    Ok(Session {
        id: row.parse("id")?,
        user_id: row.parse("user_id")?,
        kind: match row.text("kind")?.as_str() {
            "web" => Kind::Web,
            "refresh" => Kind::Refresh,
            _ => Kind::Script,
        },
        token_hash: row.text("token_hash")?,
        generation: row.int("generation")?,
        created_at: row.time("created_at")?,
        seen_at: row.time("seen_at")?,
        expires_at: row.time("expires_at")?,
    })
}

/// Keeps a new session.
pub async fn insert(tx: &mut Tx, session: &Session) -> Result<(), Error> {
    let sql = format!("INSERT INTO sessions ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    let args = [
        Arg::text(session.id),
        Arg::text(session.user_id),
        Arg::text(session.kind.as_str()),
        Arg::text(&session.token_hash),
        Arg::int(session.generation),
        Arg::time(session.created_at),
        Arg::time(session.seen_at),
        Arg::time(session.expires_at),
    ];
    tx.execute(&sql, &args).await.map(drop)
}

/// Finds the session with this hash of its cookie.
pub async fn find_by_hash(store: &Store, hash: &str) -> Result<Option<Session>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE token_hash = $1");
    let row = store.fetch_optional(&sql, &[Arg::text(hash)]).await?;
    row.as_ref().map(session).transpose()
}

/// Finds a session.
pub async fn find(read: &mut impl Read, id: SessionId) -> Result<Option<Session>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = $1");
    let row = read.row(&sql, &[Arg::text(id)]).await?;
    row.as_ref().map(session).transpose()
}

/// Notes that a session was used.
pub async fn touch(tx: &mut Tx, id: SessionId, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE sessions SET seen_at = $1 WHERE id = $2";
    tx.execute(sql, &[Arg::time(now), Arg::text(id)]).await.map(drop)
}

/// Replaces the refresh token of a generation; false if that generation was replaced before.
pub async fn rotate(tx: &mut Tx, before: &Session, hash: &str, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE sessions SET generation = generation + 1, token_hash = $1, seen_at = $2
               WHERE id = $3 AND generation = $4";
    let args = [
        Arg::text(hash),
        Arg::time(now),
        Arg::text(before.id),
        Arg::int(before.generation),
    ];
    Ok(tx.execute(sql, &args).await? == 1)
}

/// Ends a session; false if there was none.
pub async fn remove(tx: &mut Tx, id: SessionId) -> Result<bool, Error> {
    let sql = "DELETE FROM sessions WHERE id = $1";
    Ok(tx.execute(sql, &[Arg::text(id)]).await? == 1)
}

/// Ends all sessions of a user, but for one if given; returns how many.
pub async fn remove_all(tx: &mut Tx, user: UserId, but: Option<SessionId>) -> Result<u64, Error> {
    let sql = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
    let but = but.map(|id| id.to_string()).unwrap_or_default();
    tx.execute(sql, &[Arg::text(user), Arg::text(but)]).await
}

/// Removes what has expired.
pub async fn remove_expired(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM sessions WHERE expires_at <= $1", &[Arg::time(now)])
        .await
}

/// Where somebody belongs, the oldest membership first; `None` if the user is gone or disabled, or the session
/// (if given) has ended.
pub async fn members(
    read: &mut impl Read,
    user: UserId,
    session: Option<SessionId>,
) -> Result<Option<Vec<Member>>, Error> {
    let sql = "SELECT m.organization_id, m.workspace_id, m.role, o.name, o.body ->> 'title' AS title
               FROM users u
               LEFT JOIN memberships m ON m.user_id = u.id
               LEFT JOIN organizations o ON o.id = m.organization_id
               WHERE u.id = $1 AND NOT u.disabled
               AND ($2 = '' OR EXISTS (SELECT 1 FROM sessions s WHERE s.id = $2 AND s.user_id = u.id))
               ORDER BY m.id";
    let session = session.map(|id| id.to_string()).unwrap_or_default();
    let rows = read.rows(sql, &[Arg::text(user), Arg::text(session)]).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    // A user without memberships is one row of nulls.
    let belongs = |row: &&Row| row.text_or_null("organization_id").is_ok_and(|id| id.is_some());
    rows.iter()
        .filter(belongs)
        .map(member)
        .collect::<Result<_, _>>()
        .map(Some)
}

fn member(row: &Row) -> Result<Member, Error> {
    let workspace = row.text("workspace_id")?;
    let role = row.text("role")?;
    Ok(Member {
        organization_id: row.parse("organization_id")?,
        name: row.text("name")?,
        title: row.text("title")?,
        workspace_id: if workspace.is_empty() {
            None
        } else {
            Some(row.parse("workspace_id")?)
        },
        role: Role::from_name(&role).ok_or_else(|| Error::Corrupt {
            what: "role",
            source: format!("`{role}` is not a role").into(),
        })?,
    })
}

/// What a person signs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who.
    pub user_id: UserId,
    /// The password's PHC string.
    pub password_hash: String,
    /// Whether they may not sign in.
    pub disabled: bool,
}

/// Finds what a person signs in with by their address in lower case.
pub async fn credentials(read: &mut impl Read, email: &str) -> Result<Option<Credentials>, Error> {
    let sql = "SELECT id, password_hash, disabled FROM users WHERE email = $1";
    let Some(row) = read.row(sql, &[Arg::text(email)]).await? else {
        return Ok(None);
    };
    Ok(Some(Credentials {
        user_id: row.parse("id")?,
        password_hash: row.text("password_hash")?,
        disabled: row.bool("disabled")?,
    }))
}

/// Replaces a person's password.
pub async fn set_password(tx: &mut Tx, user: UserId, hash: &str) -> Result<(), Error> {
    let sql = "UPDATE users SET password_hash = $1 WHERE id = $2";
    tx.execute(sql, &[Arg::text(hash), Arg::text(user)])
        .await
        .map(drop)
}

/// The hash of a machine client's secret.
pub async fn client_secret(read: &mut impl Read, client: ClientId) -> Result<Option<String>, Error> {
    let sql = "SELECT secret_hash FROM clients WHERE id = $1";
    let row = read.row(sql, &[Arg::text(client)]).await?;
    row.map(|row| row.text("secret_hash")).transpose()
}

/// Replaces a machine client's secret.
pub async fn set_client_secret(tx: &mut Tx, client: ClientId, hash: &str) -> Result<(), Error> {
    let sql = "UPDATE clients SET secret_hash = $1 WHERE id = $2";
    tx.execute(sql, &[Arg::text(hash), Arg::text(client)])
        .await
        .map(drop)
}

/// All memberships of a person, whether they may sign in or not.
pub async fn memberships_of(read: &mut impl Read, user: UserId) -> Result<Vec<Member>, Error> {
    let sql = "SELECT m.organization_id, m.workspace_id, m.role, o.name, o.body ->> 'title' AS title
               FROM memberships m JOIN organizations o ON o.id = m.organization_id
               WHERE m.user_id = $1 ORDER BY m.id";
    let rows = read.rows(sql, &[Arg::text(user)]).await?;
    rows.iter().map(member).collect()
}
