//! The lake, as the control plane's use cases see it.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::lake::{Kept, Later, Query, QueryError, QueryErrorKind, Rows, Trouble};
use domain::Timestamp;
use domain::id::NodeId;
use domain::lake::{CallSums, Retention, Subject, SumsQuery};
use events::sink::SinkError;
use events::{Batch, Sink};
use futures_util::stream::{BoxStream, StreamExt};
use lake::{Cluster, ClusterOptions, Lake, Limits, Place, S3Options, Tenant};

use super::Error;
use crate::folder::Folder;
use crate::settings;

/// Files are joined up to this size: the rows of one are in memory while it is made.
const TARGET_BYTES: NonZeroU64 = NonZeroU64::new(16 << 20).expect("it is not 0");

/// Opens the lake that is set; asks no store.
///
/// The cluster's secret is read when there is a cluster.
pub(super) fn open(
    settings: &settings::Lake,
    folder: &Folder,
    secret: impl FnOnce() -> Result<String, Error>,
) -> Result<Option<Kept>, Error> {
    if !settings.enabled {
        return Ok(None);
    }
    let mut lake = Lake::new(&place(settings, folder).map_err(Error::Lake)?);
    if let Some(scheduler) = &settings.cluster.scheduler {
        lake = lake.with_cluster(Cluster::new(&ClusterOptions {
            scheduler: scheduler.clone(),
            secret: secret()?.into(),
            days_min: settings.cluster.from_days,
            partitions: settings.cluster.partitions,
        }));
    }
    let days = |days: u32| (days > 0).then_some(days);
    let days_of = settings.keep_days_of.iter();
    Ok(Some(Kept {
        lake: Arc::new(Open {
            lake,
            memory_bytes: settings.query_memory_bytes,
            time: Duration::from_secs(settings.query_seconds),
        }),
        days: days(settings.keep_days),
        days_of: days_of.map(|(name, kept)| (name.clone(), days(*kept))).collect(),
    }))
}

/// Where the tables are.
pub(super) fn place(settings: &settings::Lake, folder: &Folder) -> Result<Place, lake::place::Error> {
    match &settings.url {
        Some(url) => Place::new(url, &options(&settings.s3)),
        None => Place::directory(&folder.path().join("lake")),
    }
}

fn options(s3: &settings::S3) -> S3Options {
    S3Options {
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        access_key_id: s3.access_key_id.clone(),
        secret_access_key: s3.secret_access_key.as_ref().map(|key| key.0.clone()),
    }
}

struct Open {
    lake: Lake,
    memory_bytes: usize,
    time: Duration,
}

impl Open {
    const fn limits(&self, rows: usize) -> Limits {
        Limits {
            memory_bytes: self.memory_bytes,
            time: self.time,
            rows,
        }
    }
}

impl control::lake::Lake for Open {
    fn commit<'a>(&'a self, node: NodeId, batches: &'a [Batch]) -> Later<'a, Result<u64, SinkError>> {
        Box::pin(self.lake.commit(node, batches))
    }

    fn query(&self, query: Query) -> Later<'_, Result<Box<dyn Rows>, QueryError>> {
        Box::pin(async move {
            let tenant = Tenant::Organization(query.organization);
            let limits = self.limits(query.rows_max as usize);
            let answer = self
                .lake
                .query(&query.sql, tenant, limits)
                .await
                .map_err(|error| told(&error))?;
            let pieces = lake::query::encode(answer, query.format).boxed();
            Ok(Box::new(Pieces(pieces)) as Box<dyn Rows>)
        })
    }

    fn sums(&self, query: SumsQuery) -> Later<'_, Result<Vec<CallSums>, QueryError>> {
        Box::pin(async move {
            let found = self.lake.sums(query, self.limits(usize::MAX)).await;
            found.map_err(|error| told(&error))
        })
    }

    fn compact(&self) -> Later<'_, Result<(), Trouble>> {
        Box::pin(async move {
            let done = self.lake.compact(TARGET_BYTES).await.map_err(trouble)?;
            if done.files_removed > 0 {
                tracing::info!(
                    removed = done.files_removed,
                    added = done.files_added,
                    "files of the lake were joined"
                );
            }
            Ok(())
        })
    }

    fn expire(&self, retention: Retention, now: Timestamp) -> Later<'_, Result<(), Trouble>> {
        Box::pin(async move {
            let deleted = self.lake.expire(&retention, now).await.map_err(trouble)?;
            let vacuumed = self.lake.vacuum(now).await.map_err(trouble)?;
            let trimmed = self.lake.trim_log(now).await.map_err(trouble)?;
            tracing::info!(
                rows = deleted.rows,
                expired = deleted.files_removed,
                vacuumed = vacuumed.files_removed,
                trimmed = trimmed.files_removed,
                "the lake was tidied up"
            );
            Ok(())
        })
    }

    fn erase(&self, subject: Subject) -> Later<'_, Result<(), Trouble>> {
        Box::pin(async move { self.lake.erase(subject).await.map(drop).map_err(trouble) })
    }
}

struct Pieces(BoxStream<'static, Result<Bytes, lake::query::Error>>);

impl Rows for Pieces {
    fn next(&mut self) -> Later<'_, Option<Result<Bytes, QueryError>>> {
        Box::pin(async move { Some(self.0.next().await?.map_err(|error| told(&error))) })
    }
}

fn told(error: &lake::query::Error) -> QueryError {
    use lake::query::Error;
    let kind = match error {
        Error::Busy => QueryErrorKind::Busy,
        Error::Unavailable(_) => QueryErrorKind::Unavailable,
        Error::Time { .. } | Error::Memory { .. } | Error::Complexity => QueryErrorKind::Stopped,
        _ => QueryErrorKind::Invalid,
    };
    if kind == QueryErrorKind::Unavailable {
        tracing::warn!(error = error as &dyn std::error::Error, "the lake cannot be read");
    }
    QueryError {
        kind,
        reason: error.reason(),
        place: error.place(),
        message: error.to_string(),
    }
}

fn trouble(error: lake::maintain::Error) -> Trouble {
    Trouble(error.into())
}
