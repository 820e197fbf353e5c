//! Answers questions about calls from their roll-ups.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::analytics::{AnalyticsAnswer, AnalyticsQuery, Dimension, Measure, TimeRange};
use domain::id::OrganizationId;
use store::Tx;
use store::rollup::Wanted;

use self::plan::Plan;
pub(crate) use self::plan::VALUES_MAX;
use self::table::Table;
use crate::{Caller, Control, Error};

mod plan;
mod table;

/// How long roll-ups by minute are kept.
pub const MINUTES_KEPT: Duration = Duration::from_hours(7 * 24);
/// How long roll-ups by hour are kept: a year and what a comparison with the one before needs most.
pub const HOURS_KEPT: Duration = Duration::from_hours(400 * 24);
/// The most roll-ups that are read for an answer.
const READ_MAX: usize = 400_000;
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
        let mut table = self.sum_up(organization, query, &plan, plan.period).await?;
        let mut before = match plan.previous {
            None => None,
            Some(previous) => Some(self.sum_up(organization, query, &plan, previous).await?),
        };
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
            rows,
            names,
        })
    }

    async fn sum_up(
        &self,
        organization: OrganizationId,
        query: &AnalyticsQuery,
        plan: &Plan,
        period: TimeRange,
    ) -> Result<Table, Error> {
        let wanted = Wanted {
            resolution: plan.resolution,
            organization,
            from: period.from,
            to: period.to,
            dimensions: &query.dimensions,
            filters: &query.filters,
            by_application: query.measures.contains(&Measure::Applications),
            has_latency: query
                .measures
                .iter()
                .any(|measure| measure.percentile().is_some()),
            rows_max: READ_MAX,
        };
        let found = store::rollup::rollups(&mut self.store(), &wanted).await?;
        if found.len() > READ_MAX {
            return Err(too_much(&format!(
                "More than {READ_MAX} sums would have to be read."
            )));
        }
        let spans = plan.spans(period)?;
        Table::of(spans, found)
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

/// Checks whether a question can be answered at a moment.
///
/// # Errors
/// `request_invalid` with the field that cannot be.
pub(crate) fn check(query: &AnalyticsQuery, now: domain::Timestamp) -> Result<(), Error> {
    Plan::of(query, now).map(drop)
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
    if hours.await? > 0 {
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
