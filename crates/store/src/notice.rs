//! Notifications on their way: written down with what they are about, and taken until they are received.

use domain::alert::AlertChannel;
use domain::id::{AlertChannelId, NoticeId, OrganizationId};
use domain::notice::{Notice, NoticeKind, NoticeState};
use domain::{Name, Timestamp};
use serde_json::Value;

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// Rows written with one statement.
const ROWS_MAX: usize = 200;

/// A notification that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNotice {
    /// Its id.
    pub id: NoticeId,
    /// The organization.
    pub organization: OrganizationId,
    /// The id of the alert or the schedule that it is about.
    pub about: String,
    /// The channel.
    pub channel: AlertChannelId,
    /// The channel's name.
    pub channel_name: Name,
    /// What it says.
    pub kind: NoticeKind,
    /// What is sent.
    pub body: Value,
}

/// A notification whose time has come.
#[derive(Debug, Clone, PartialEq)]
pub struct DueNotice {
    /// Its id.
    pub id: NoticeId,
    /// How often it was tried before.
    pub attempts: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// What is sent.
    pub body: Value,
    /// The channel, and the number of its secret; none if it was removed.
    pub channel: Option<(AlertChannel, i64)>,
}

impl Tx {
    /// Writes down notifications that are to be sent from a moment on.
    pub async fn add_notices(&mut self, notices: &[NewNotice], now: Timestamp) -> Result<(), Error> {
        const COLUMNS: usize = 11;
        for rows in notices.chunks(ROWS_MAX) {
            let args = rows.iter().flat_map(|notice| {
                [
                    Arg::text(notice.id),
                    Arg::text(notice.organization),
                    Arg::text(&notice.about),
                    Arg::text(notice.channel),
                    Arg::text(&notice.channel_name),
                    Arg::text(kind_name(notice.kind)),
                    Arg::text("waiting"),
                    Arg::int(0),
                    Arg::time(now),
                    Arg::Json(notice.body.clone()),
                    Arg::time(now),
                ]
            });
            let args: Vec<_> = args.collect();
            let sql = format!(
                "INSERT INTO notices (id, organization_id, about_id, channel_id, channel, kind, state, attempts,
                                            next_at, body, created_at)
                 VALUES {}",
                crate::db::places(rows.len(), COLUMNS, "")
            );
            self.execute(&sql, &args).await?;
        }
        Ok(())
    }

    /// Takes notifications whose time has come; they come again at `again`, unless it is told before what became of
    /// them.
    pub async fn claim_notices(
        &mut self,
        now: Timestamp,
        again: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueNotice>, Error> {
        self.lock("notices").await?;
        let sql = format!(
            "SELECT n.id AS id, n.attempts AS attempts, n.created_at AS created_at, n.body AS body,
                    c.body AS channel, c.secret AS secret
             FROM notices n LEFT JOIN alert_channels c ON c.id = n.channel_id
             WHERE n.ended_at IS NULL AND n.next_at <= $1 ORDER BY n.next_at, n.id LIMIT {limit}"
        );
        let rows = self.fetch_all(&sql, &[Arg::time(now)]).await?;
        let mut due = Vec::with_capacity(rows.len());
        for row in &rows {
            let secret = row.int_or_null("secret")?;
            let channel = secret.map(|secret| Ok::<_, Error>((row.read("channel", "channel")?, secret)));
            let notice = DueNotice {
                id: row.parse("id")?,
                attempts: row.int("attempts")?,
                created_at: row.time("created_at")?,
                body: row.json("body")?,
                channel: channel.transpose()?,
            };
            let sql = "UPDATE notices SET next_at = $1, attempts = attempts + 1 WHERE id = $2";
            self.execute(sql, &[Arg::time(again), Arg::text(notice.id)])
                .await?;
            due.push(notice);
        }
        Ok(due)
    }

    /// Says that a notification was received.
    pub async fn deliver_notice(&mut self, id: NoticeId, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE notices SET state = 'delivered', error = NULL, ended_at = $1 WHERE id = $2";
        self.execute(sql, &[Arg::time(now), Arg::text(id)]).await?;
        Ok(())
    }

    /// Says that a notification was not received, and when it is tried again; never if absent.
    pub async fn fail_notice(
        &mut self,
        id: NoticeId,
        error: &str,
        next: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        match next {
            Some(next) => {
                let sql = "UPDATE notices SET error = $1, next_at = $2 WHERE id = $3";
                self.execute(sql, &[Arg::text(error), Arg::time(next), Arg::text(id)])
                    .await?;
            }
            None => {
                let sql = "UPDATE notices SET state = 'failed', error = $1, ended_at = $2 WHERE id = $3";
                self.execute(sql, &[Arg::text(error), Arg::time(now), Arg::text(id)])
                    .await?;
            }
        }
        Ok(())
    }

    /// Forgets notifications of what is gone for long: those that ended before a moment.
    pub async fn forget_notices_before(&mut self, before: Timestamp) -> Result<u64, Error> {
        let sql = "DELETE FROM notices WHERE ended_at < $1";
        self.execute(sql, &[Arg::time(before)]).await
    }
}

/// Reads the notifications about an alert or a schedule, the newest first.
pub async fn notices(read: &mut impl Read, about: &str, limit: u32) -> Result<Vec<Notice>, Error> {
    let sql = format!(
        "SELECT id, channel, kind, state, attempts, error, created_at, ended_at FROM notices
         WHERE about_id = $1 ORDER BY id DESC LIMIT {limit}"
    );
    let rows = read.rows(&sql, &[Arg::text(about)]).await?;
    rows.iter()
        .map(|row| {
            let corrupt = |what| Error::Corrupt {
                what,
                source: "it is none of those that there are".into(),
            };
            Ok(Notice {
                id: row.parse("id")?,
                channel: row.parse("channel")?,
                kind: kind(&row.text("kind")?).ok_or_else(|| corrupt("kind"))?,
                state: match row.text("state")?.as_str() {
                    "waiting" => NoticeState::Waiting,
                    "delivered" => NoticeState::Delivered,
                    "failed" => NoticeState::Failed,
                    _ => return Err(corrupt("state")),
                },
                attempts: row.int("attempts")?,
                error: row.text_or_null("error")?,
                created_at: row.time("created_at")?,
                ended_at: row.time_or_null("ended_at")?,
            })
        })
        .collect()
}

const fn kind_name(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Firing => "firing",
        NoticeKind::Repeated => "repeated",
        NoticeKind::Resolved => "resolved",
        NoticeKind::Report => "report",
    }
}

fn kind(name: &str) -> Option<NoticeKind> {
    let kinds = [
        NoticeKind::Firing,
        NoticeKind::Repeated,
        NoticeKind::Resolved,
        NoticeKind::Report,
    ];
    kinds.into_iter().find(|kind| kind_name(*kind) == name)
}
