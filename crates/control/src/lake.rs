//! Every single call: asking about them with SQL, keeping them in order, and forgetting them.
//!
//! What holds them is a crate of its own with large libraries; [`Lake`] is what use cases need of it, so that they are
//! built and tested without those.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::consumer::Application;
use domain::id::{ApplicationId, NodeId, OrganizationId};
use domain::identity::Organization;
use domain::lake::{CallSums, CallsQuery, Retention, RowFormat, Subject, SumsQuery};
use domain::tracking::EventUnit;
use domain::work::Work;
use domain::{Code, Timestamp};
use events::ingest::UNIT_CHARS_MAX;
use events::sink::SinkError;
use events::{Batch, Sink};
use serde_json::json;
use store::Arg;
use store::entity::{self, Condition};
use tokio::sync::watch;

use crate::audit::Change;
use crate::jobs::Ticks;
use crate::resource::own;
use crate::{Caller, Control, Error, FieldError};

/// The most rows of an answer.
pub const ROWS_MAX: u32 = 1_000_000;
/// How often small files are joined.
const EVERY: Duration = Duration::from_hours(1);
/// How long after the start the first time is.
const FIRST: Duration = Duration::from_secs(120);
/// Of so many times that files are joined, one also removes what is not kept any more.
const EXPIRES: u32 = 6;

/// How long after an organization is gone something may still come of it.
const LATE: Duration = Duration::from_hours(30 * 24);

/// Something that is ready later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What keeps every single call.
pub trait Lake: Send + Sync {
    /// Commits batches of a node, as [`Sink::commit`].
    fn commit<'a>(&'a self, node: NodeId, batches: &'a [Batch]) -> Later<'a, Result<u64, SinkError>>;

    /// Answers a query.
    fn query(&self, query: Query) -> Later<'_, Result<Box<dyn Rows>, QueryError>>;

    /// Sums calls up.
    fn sums(&self, query: SumsQuery) -> Later<'_, Result<Vec<CallSums>, QueryError>>;

    /// Joins small files, so that queries stay quick.
    fn compact(&self) -> Later<'_, Result<(), Trouble>>;

    /// Removes calls that are older than they are kept, and files that nobody reads any more.
    fn expire(&self, retention: Retention, now: Timestamp) -> Later<'_, Result<(), Trouble>>;

    /// Removes all calls of somebody.
    fn erase(&self, subject: Subject) -> Later<'_, Result<(), Trouble>>;
}

/// The lake cannot do what it is asked at present.
#[derive(Debug, thiserror::Error)]
#[error("the lake is in trouble")]
pub struct Trouble(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The lake and how it is kept.
#[derive(Clone)]
pub struct Kept {
    /// What keeps the calls.
    pub lake: Arc<dyn Lake>,
    /// How many days calls are kept; for ever if absent.
    pub days: Option<u32>,
    /// The same for the calls of some providers, by the names of their organizations.
    pub days_of: BTreeMap<String, Option<u32>>,
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// One `SELECT`, or `EXPLAIN SELECT`.
    pub sql: String,
    /// Whose calls it sees.
    pub organization: OrganizationId,
    /// The most rows; those after them are left out.
    pub rows_max: u32,
    /// How the rows are written.
    pub format: RowFormat,
}

/// An answer, piece by piece; dropped, the query ends.
pub trait Rows: Send {
    /// The next piece; after an error there is none, and what came before is not all.
    fn next(&mut self) -> Later<'_, Option<Result<Bytes, QueryError>>>;
}

/// Why a query has no answer, or no more rows.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// What kind of reason it is.
    pub kind: QueryErrorKind,
    /// A stable name of the reason.
    pub reason: &'static str,
    /// What is wrong, for the asker.
    pub message: String,
    /// Line and column of the statement where it is, from 1, as far as they are known.
    pub place: Option<(u32, u32)>,
}

/// What can be done about a query that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryErrorKind {
    /// Another query.
    Invalid,
    /// A query that needs less.
    Stopped,
    /// The same, when others have been answered.
    Busy,
    /// The same, when the store answers again.
    Unavailable,
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        let field = |code| {
            let suggestion = "The tables are `calls`, `calls_made` and `events`; the reference names their columns and the functions.";
            let mut field = FieldError::new("/sql", error.reason, &*error.message, suggestion);
            (field.line, field.column) = error.place.unwrap_or_default();
            Self::fields(code, error.message.clone(), vec![field])
        };
        match error.kind {
            QueryErrorKind::Invalid => field(Code::QueryInvalid),
            QueryErrorKind::Stopped => field(Code::QueryStopped),
            QueryErrorKind::Busy => Self::Refused {
                code: Code::Overloaded,
                detail: error.message,
                errors: Vec::new(),
                retry_after: Some(1),
            },
            QueryErrorKind::Unavailable => Self::Refused {
                code: Code::LakeUnavailable,
                detail: "The store of the calls does not answer.".to_owned(),
                errors: Vec::new(),
                retry_after: Some(10),
            },
        }
    }
}

/// The lake as a sink, where there is one. Tracked events are kept once they are counted, and the same ones.
#[derive(Clone)]
pub struct LakeSink {
    lake: Option<Arc<dyn Lake>>,
    control: Control,
}

impl Sink for LakeSink {
    async fn commit(&self, node: NodeId, batches: &[Batch]) -> Result<u64, SinkError> {
        let lake = self.lake.as_ref().ok_or(SinkError::Unwanted)?;
        if !batches.iter().any(Batch::is_tracked) {
            return lake.commit(node, batches).await;
        }
        let left = self.control.without_duplicates(node, batches).await?;
        let committed = lake.commit(node, &left).await?;
        if left != batches
            && let Err(error) = self.control.forget_duplicates(node, committed).await
        {
            // The next ones take them along.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "duplicates of events are still noted"
            );
        }
        Ok(committed)
    }
}

impl Control {
    /// Keeps what nodes report in the lake, if there is one.
    pub fn lake_sink(&self) -> LakeSink {
        LakeSink {
            lake: self.settings().lake.as_ref().map(|kept| Arc::clone(&kept.lake)),
            control: self.clone(),
        }
    }

    /// Answers SQL about single calls: of a provider's APIs as `calls`, of a consumer's applications as `calls_made`.
    ///
    /// # Errors
    /// `query_invalid` and `query_stopped` with the reason, `lake_off` where no single calls are kept.
    pub async fn query_calls(&self, caller: &Caller, query: CallsQuery) -> Result<Box<dyn Rows>, Error> {
        let organization = caller.organization()?;
        self.access().check(caller, "query_calls", organization, None)?;
        if !(1..=ROWS_MAX).contains(&query.limit) {
            let detail = format!("`limit` is {}, not from 1 to {ROWS_MAX}.", query.limit);
            let suggestion = "Ask for fewer rows, or for another part of them with `WHERE`.";
            return Err(Error::field("/limit", "out_of_range", &detail, suggestion));
        }
        let query = Query {
            sql: query.sql,
            organization,
            rows_max: query.limit,
            format: query.format,
        };
        let lake = &self.kept()?.lake;
        lake.query(query).await.map_err(|error| {
            if error.kind == QueryErrorKind::Unavailable {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the lake cannot be read"
                );
            }
            error.into()
        })
    }

    /// Begins to remove the single calls of an application of the caller's organization; sums stay.
    ///
    /// # Errors
    /// `not_found` if the application is not there, `lake_off` where no single calls are kept.
    pub async fn erase_calls(&self, caller: &Caller, id: ApplicationId) -> Result<Work, Error> {
        let application = own::by_id::<Application>(&mut self.store(), caller, id).await?;
        let application = application.ok_or_else(|| Error::not_found("application"))?;
        self.authorize(&mut self.store(), caller, "erase_calls", &application)
            .await?;
        self.erase(caller, "erase_calls", Subject::Application(id), id.to_string())
            .await
    }

    /// Begins to remove the tracked events of the caller's organization that are about somebody; sums stay.
    ///
    /// Who it is stands in no record of it, so that the erasure leaves nothing of them.
    ///
    /// # Errors
    /// `request_invalid` without any id, `lake_off` where no events are kept.
    pub async fn erase_events(&self, caller: &Caller, unit: EventUnit) -> Result<Work, Error> {
        let organization = caller.organization()?;
        self.access().check(caller, "erase_events", organization, None)?;
        let ids = [("/user_id", &unit.user_id), ("/anonymous_id", &unit.anonymous_id)];
        if ids.iter().all(|(_, id)| id.is_none()) {
            let detail = "It does not say whose events are to be erased.";
            return Err(Error::field(
                "",
                "unit_missing",
                detail,
                "Send `user_id`, `anonymous_id` or both.",
            ));
        }
        let bad = |id: &str| id.is_empty() || id.chars().count() > UNIT_CHARS_MAX;
        if let Some((pointer, _)) = ids.iter().find(|(_, id)| id.as_deref().is_some_and(bad)) {
            let detail = format!("It has not 1 to {UNIT_CHARS_MAX} characters, so no event has it.");
            return Err(Error::field(
                pointer,
                "out_of_range",
                &detail,
                "Send the id as events have it.",
            ));
        }
        self.erase(
            caller,
            "erase_events",
            Subject::User(organization, unit),
            organization.to_string(),
        )
        .await
    }

    /// Erases in the background, and notes in the audit chain that it was asked for.
    async fn erase(
        &self,
        caller: &Caller,
        action: &str,
        subject: Subject,
        resource: String,
    ) -> Result<Work, Error> {
        let lake = Arc::clone(&self.kept()?.lake);
        let mut tx = self.store().begin().await?;
        let change = Change {
            organization: caller.organization()?,
            action,
            resource,
            before: None,
            after: None,
        };
        self.append(&mut tx, caller, change).await?;
        tx.commit().await?;
        let work = self.start_work(caller, action, None).await?;
        let (control, work_id) = (self.clone(), work.id);
        tokio::spawn(async move {
            let erased = lake.erase(subject).await;
            let outcome = erased.map(|()| json!({})).map_err(|error| {
                tracing::error!(operation = %work_id, error = &error as &dyn std::error::Error, "nothing was erased");
                json!({ "code": Code::LakeUnavailable.as_str(), "detail": "The store of the calls does not answer." })
            });
            if let Err(error) = control.finish_work(work_id, outcome).await {
                tracing::error!(operation = %work_id, error = &error as &dyn std::error::Error,
                    "the end of an erasure was not noted");
            }
        });
        Ok(work)
    }

    fn kept(&self) -> Result<&Kept, Error> {
        let off = || Error::refused(Code::LakeOff, "This installation keeps no single calls.");
        self.settings().lake.as_ref().ok_or_else(off)
    }

    /// Since when all calls are kept that an organization provides or makes; none if for ever.
    ///
    /// Calls are kept as long as those of their provider.
    pub(crate) async fn kept_since(
        &self,
        kept: &Kept,
        organization: OrganizationId,
    ) -> Result<Option<Timestamp>, Error> {
        let providers = match kept.days_of.is_empty() {
            true => Vec::new(),
            false => store::rollup::providers(&mut self.store(), organization).await?,
        };
        let days_of = |name: &String| kept.days_of.get(name).copied().unwrap_or(kept.days);
        let days = match providers.is_empty() {
            true => kept.days,
            false => providers.iter().filter_map(days_of).min(),
        };
        let kept = days.map(|days| Duration::from_hours(24 * u64::from(days)));
        Ok(kept.map(|kept| self.now().before(kept)))
    }

    /// How long the calls of each provider are kept.
    async fn retention(&self, kept: &Kept) -> Result<Retention, Error> {
        let mut days_of = Vec::new();
        for (name, days) in &kept.days_of {
            let named = [Condition::Is("name", Arg::text(name))];
            match entity::find::<Organization>(&mut self.store(), &named).await? {
                Some(organization) => days_of.push((organization.id, *days)),
                // What is misspelled must not be taken for a wish to delete.
                None => {
                    let detail = format!("`lake.keep_days_of` names `{name}`, which is no organization");
                    return Err(Error::refused(Code::NotFound, detail));
                }
            }
        }
        Ok(Retention {
            days: kept.days,
            days_of,
        })
    }
}

/// Keeps the lake in order until `stop` holds true or its sender is gone.
///
/// Several processes may do it at a time; what one has done, the others find done.
pub async fn run(control: Control, stop: watch::Receiver<bool>) {
    let Some(kept) = control.settings().lake.clone() else {
        return;
    };
    let mut ticks = Ticks::new(FIRST, EVERY, stop);
    let mut round = 0_u32;
    while ticks.next().await {
        if let Err(error) = kept.lake.compact().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "small files of the lake were not joined"
            );
        }
        let is_turn = round.is_multiple_of(EXPIRES);
        round = round.wrapping_add(1);
        if !is_turn {
            continue;
        }
        // Neither waits for the other to succeed: a setting that names nobody stops the first.
        for removed in [expire(&control, &kept).await, forget_gone(&control, &kept).await] {
            if let Err(error) = removed {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what is not kept was not removed"
                );
            }
        }
    }
}

async fn expire(control: &Control, kept: &Kept) -> Result<(), Error> {
    let retention = control.retention(kept).await?;
    let expired = kept.lake.expire(retention, control.now()).await;
    expired.map_err(|error| Error::internal("removing calls that are not kept", error))
}

/// Removes what is of organizations that are gone, again and again for a while: their nodes may still have something to
/// report.
///
/// Only of those that were removed here, and not of all that are not known: who restores an old copy of the database, or
/// shares a lake by mistake, must lose nothing.
async fn forget_gone(control: &Control, kept: &Kept) -> Result<(), Error> {
    let now = control.now();
    for (id, erased_at) in store::tenant::gone(&mut control.store()).await? {
        let erased = kept.lake.erase(Subject::Organization(id)).await;
        erased.map_err(|error| Error::internal("removing what was of an organization", error))?;
        let mut tx = control.store().begin().await?;
        match erased_at {
            None => store::tenant::note_erased(&mut tx, id, now).await?,
            Some(at) if at < now.before(LATE) => store::tenant::forget_gone(&mut tx, id).await?,
            Some(_) => {}
        }
        tx.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
