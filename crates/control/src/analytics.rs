//! Answers questions about calls from their roll-ups.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::analytics::{
    AnalyticsAnswer, AnalyticsQuery, AnalyticsSource, Dimension, DimensionFilter, Measure, SourceKind,
    TimeRange,
};
use domain::id::OrganizationId;
use domain::lake::SumsQuery;
use domain::rollup::Grains;
use store::Tx;
use store::rollup::Wanted;

pub(crate) use self::plan::VALUES_MAX;
use self::plan::{Gap, Plan};
use self::table::{Table, sums_of};
use crate::lake::{Kept, QueryError, QueryErrorKind};
use crate::{Caller, Control, Error};

mod plan;
mod table;

/// How long roll-ups by minute are kept.
pub const MINUTES_KEPT: Duration = Duration::from_hours(7 * 24);
/// How long roll-ups by hour and by day are kept: a year and what a comparison with the one before needs most.
pub const HOURS_KEPT: Duration = Duration::from_hours(400 * 24);
/// The most roll-ups that are read for an answer.
const READ_MAX: usize = if cfg!(test) { 4_000 } else { 2_000_000 };
/// The most groups and spans that are told apart while they are read: each may have a spread of some kilobytes.
const GROUPS_MAX: usize = 50_000;
/// The most sums that the lake hands over, which are in memory at once; those of several applications are one group.
const SUMS_MAX: usize = 4 * GROUPS_MAX;
/// The most questions that are answered at a time; others wait.
pub(crate) const AT_ONCE: usize = 4;
/// The most rows of an answer.
const ROWS_MAX: usize = 10_000;

impl Control {
    /// Answers a question about calls: to a provider about those of its APIs, to a consumer about its own.
    ///
    /// # Errors
    /// `request_invalid` with the field that cannot be answered; also if that would take too many roll-ups or rows.
    pub async fn analytics(&self, caller: &Caller, query: &AnalyticsQuery) -> Result<AnalyticsAnswer, Error> {
        let organization = caller.organization()?;
        self.inner
            .access
            .check(caller, "query_analytics", organization, None)?;
        self.answer_to(organization, query).await
    }

    /// Answers a question of an organization; callers have checked that it may be asked.
    pub(crate) async fn answer_to(
        &self,
        organization: OrganizationId,
        query: &AnalyticsQuery,
    ) -> Result<AnalyticsAnswer, Error> {
        let plan = Plan::of(query, self.now())?;
        // What is read for answers is in memory at the same time.
        let turn = self.inner.asking.acquire().await;
        let _turn = turn.expect("it is never closed");
        let mut sources = Vec::new();
        let mut before = None;
        let asked = Asked {
            control: self,
            organization,
            query,
            plan: &plan,
        };
        if let Some(previous) = plan.previous {
            before = Some(asked.sum_up(previous, &mut sources).await?);
        }
        let mut table = asked.sum_up(plan.period, &mut sources).await?;
        if let Some(top) = query.top {
            let greatest = table.greatest(top);
            table.keep_only(&greatest);
            if let Some(before) = &mut before {
                before.keep_only(&greatest);
            }
        }
        let rows = table.rows(&query.measures, &query.dimensions, before.as_ref());
        if rows.len() > ROWS_MAX {
            return Err(too_much(&format!("The answer would have {} rows.", rows.len())));
        }
        let mut names = BTreeMap::new();
        for dimension in &query.dimensions {
            let values: BTreeSet<_> = rows
                .iter()
                .filter_map(|row| row.dimensions.get(dimension))
                .map(String::as_str)
                .filter(|value| !value.is_empty())
                .collect();
            names.extend(self.names_of(*dimension, values).await?);
        }
        Ok(AnalyticsAnswer {
            period: plan.period,
            previous: plan.previous,
            resolution: plan.resolution,
            sources,
            rows,
            names,
        })
    }

    /// Filters with ids in place of the names of APIs and applications.
    async fn without_names(&self, filters: &[DimensionFilter]) -> Result<Vec<DimensionFilter>, Error> {
        let mut filters = filters.to_vec();
        for filter in &mut filters {
            let named = store::rollup::named(&mut self.store(), filter.dimension, &filter.values).await?;
            filter.values.extend(named);
        }
        Ok(filters)
    }

    /// What the ids of a dimension are called.
    pub(crate) async fn names_of(
        &self,
        dimension: Dimension,
        values: BTreeSet<&str>,
    ) -> Result<BTreeMap<String, String>, Error> {
        if dimension == Dimension::Variant {
            let named = |value: &str| Some((value.to_owned(), value.split_once('/')?.1.to_owned()));
            return Ok(values.into_iter().filter_map(named).collect());
        }
        let values: Vec<_> = values.into_iter().collect();
        Ok(store::rollup::names(&mut self.store(), dimension, &values).await?)
    }
}

/// A question that is being answered.
struct Asked<'a> {
    control: &'a Control,
    organization: OrganizationId,
    query: &'a AnalyticsQuery,
    plan: &'a Plan,
}

impl Asked<'_> {
    /// Sums of a time: from roll-ups if these can tell and are not too many, from the calls themselves otherwise.
    async fn sum_up(&self, period: TimeRange, sources: &mut Vec<AnalyticsSource>) -> Result<Table, Error> {
        if let Ok(grains) = &self.plan.grains {
            let mut read = Vec::new();
            if let Some(table) = self.rolled_up((period, *grains), &mut read).await? {
                sources.append(&mut read);
                return Ok(table);
            }
        }
        let Some(kept) = &self.control.settings().lake else {
            let too_much = |_| too_much(&format!("More than {READ_MAX} sums would have to be read."));
            return Err(self.plan.grains.as_ref().map_or_else(Gap::refusal, too_much));
        };
        sources.push(AnalyticsSource {
            kind: SourceKind::Calls,
            resolution: None,
            provided: None,
            consumed: None,
            period,
        });
        self.called(kept, period).await
    }

    /// None if too many roll-ups would have to be read.
    async fn rolled_up(
        &self,
        (period, grains): (TimeRange, Grains),
        sources: &mut Vec<AnalyticsSource>,
    ) -> Result<Option<Table>, Error> {
        let query = self.query;
        let spans = self.plan.spans(period)?;
        let pieces = self.plan.pieces(period, spans.as_deref());
        let mut table = Table::new(spans);
        let mut left = READ_MAX;
        for (resolution, period) in pieces {
            let wanted = Wanted {
                resolution,
                grains,
                organization: self.organization,
                from: period.from,
                to: period.to,
                dimensions: &query.dimensions,
                filters: &query.filters,
                by_application: query.measures.contains(&Measure::Applications),
                sums: sums_of(&query.measures),
                has_latency: has_latency(query),
                rollups_max: left,
                is_one_span: query.granularity.is_none(),
            };
            sources.push(AnalyticsSource {
                kind: SourceKind::Rollups,
                resolution: Some(resolution),
                provided: Some(grains.provided),
                consumed: Some(grains.consumed),
                period,
            });
            let read = store::rollup::rollups(self.control.store(), &wanted, |found| {
                left = left.saturating_sub(usize::try_from(found.rollups).unwrap_or(usize::MAX));
                table.add(found);
                Ok(left > 0 && table.len() <= GROUPS_MAX)
            });
            if !read.await? {
                return match left {
                    0 => Ok(None),
                    _ => Err(too_many_groups()),
                };
            }
        }
        Ok(Some(table))
    }

    async fn called(&self, kept: &Kept, period: TimeRange) -> Result<Table, Error> {
        let (control, query) = (self.control, self.query);
        let since = control.kept_since(kept, self.organization).await?;
        if since.is_some_and(|since| period.from < since) {
            let detail = "Neither sums nor single calls are kept for so long.";
            return Err(Error::field(
                "/from",
                "invalid_value",
                detail,
                "Ask about a later time.",
            ));
        }
        let spans = self.plan.spans(period)?;
        let sums = kept.lake.sums(SumsQuery {
            organization: self.organization,
            from: period.from,
            to: period.to,
            spans: spans.clone().unwrap_or_default(),
            dimensions: query.dimensions.clone(),
            filters: control.without_names(&query.filters).await?,
            by_application: query.measures.contains(&Measure::Applications),
            has_latency: has_latency(query),
            sums_max: SUMS_MAX,
        });
        let sums = sums.await.map_err(not_summed)?;
        let mut table = Table::new(spans);
        let is_whole = sums.len() < SUMS_MAX;
        for sums in sums {
            table.add_sums(sums);
        }
        if is_whole && table.len() <= GROUPS_MAX {
            Ok(table)
        } else {
            Err(too_many_groups())
        }
    }
}

fn has_latency(query: &AnalyticsQuery) -> bool {
    let mut measures = query.measures.iter();
    measures.any(|measure| measure.percentile().is_some())
}

fn not_summed(error: QueryError) -> Error {
    match error.kind {
        QueryErrorKind::Stopped => too_much(&format!("The calls were not summed up: {error}.")),
        QueryErrorKind::Invalid => Error::internal("summing calls up", error),
        QueryErrorKind::Busy | QueryErrorKind::Unavailable => error.into(),
    }
}

fn too_many_groups() -> Error {
    too_much(&format!(
        "It is about more than {GROUPS_MAX} groups and spans of time."
    ))
}

/// Checks whether a question can be answered at a moment: from roll-ups, or else from calls if these may be asked.
///
/// # Errors
/// `request_invalid` with the field that cannot be.
pub(crate) fn check(query: &AnalyticsQuery, now: domain::Timestamp, has_calls: bool) -> Result<(), Error> {
    let plan = Plan::of(query, now)?;
    if has_calls {
        return Ok(());
    }
    plan.grains.map(drop).map_err(|gap| gap.refusal())
}

/// When the spans of a question's time begin, also of those without calls; none without granularity.
///
/// # Errors
/// `request_invalid` with the field that cannot be answered.
pub(crate) fn spans(query: &AnalyticsQuery, now: domain::Timestamp) -> Result<Vec<domain::Timestamp>, Error> {
    let plan = Plan::of(query, now)?;
    Ok(plan.spans(plan.period)?.unwrap_or_default())
}

/// Forgets roll-ups that are older than they are kept.
pub(crate) async fn forget_old(tx: &mut Tx, now: domain::Timestamp) -> Result<(), Error> {
    use domain::rollup::Resolution;
    let minutes = tx.forget_rollups_before(Resolution::Minute, now.before(MINUTES_KEPT));
    minutes.await?;
    let hours = tx.forget_rollups_before(Resolution::Hour, now.before(HOURS_KEPT));
    hours.await?;
    let days = tx.forget_rollups_before(Resolution::Day, now.before(HOURS_KEPT));
    if days.await? > 0 {
        tx.forget_series().await?;
    }
    Ok(())
}

fn too_much(detail: &str) -> Error {
    Error::field(
        "/granularity",
        "too_much",
        detail,
        "Ask about a shorter time, with a coarser `granularity`, fewer `dimensions`, or more `filters`.",
    )
}

#[cfg(test)]
mod tests;
