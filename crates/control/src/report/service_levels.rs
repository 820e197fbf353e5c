//! Whether plans kept what they promise.

use domain::analytics::{AnalyticsQuery, AnalyticsRow, Dimension, DimensionFilter, Granularity, Measure};
use domain::offer::{Plan, ServiceLevel};
use domain::report::{ReportCell, ReportSection, ReportUnit};
use store::Arg;
use store::entity::{self, Condition};

use super::Asked;
use super::form::{figure, figures, table, value};
use crate::Error;

const MEASURES: [Measure; 4] = [
    Measure::Calls,
    Measure::ServerErrors,
    Measure::ErrorRate,
    Measure::LatencyP95Us,
];

/// What became of a promise.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kept {
    availability: Option<f64>,
    latency_us: Option<f64>,
    /// How much of what may fail has failed; 1 is all of it.
    budget: Option<f64>,
    is_kept: bool,
}

impl Kept {
    /// Without calls, every promise is kept.
    fn of(level: ServiceLevel, row: &AnalyticsRow) -> Self {
        let availability = value(Some(row), Measure::ErrorRate).map(|rate| 1.0 - rate);
        let latency_us = value(Some(row), Measure::LatencyP95Us);
        let promised_us = level.latency_p95_ms.map(|millis| f64::from(millis) * 1e3);
        let is_over = |(found, bound): (Option<f64>, Option<f64>)| match (found, bound) {
            (Some(found), Some(bound)) => found > bound,
            _ => false,
        };
        let failed = availability.map(|share| 1.0 - share);
        let may_fail = level.availability.map(|share| 1.0 - share);
        let budget = failed.zip(may_fail).map(|(failed, may)| failed / may);
        Self {
            availability,
            latency_us,
            budget,
            is_kept: !is_over((failed, may_fail)) && !is_over((latency_us, promised_us)),
        }
    }

    fn word(self) -> &'static str {
        if self.is_kept { "Kept" } else { "Broken" }
    }
}

/// Sums of calls under a plan that promises something.
struct Found<'a> {
    plan: &'a Plan,
    level: ServiceLevel,
    row: AnalyticsRow,
}

impl Found<'_> {
    fn kept(&self) -> Kept {
        Kept::of(self.level, &self.row)
    }

    fn calls(&self) -> ReportCell {
        value(Some(&self.row), Measure::Calls).into()
    }

    fn name(&self) -> ReportCell {
        ReportCell::named(&self.plan.id.to_string(), Some(&self.plan.spec.title))
    }

    /// The id of a dimension.
    fn id(&self, dimension: Dimension) -> &str {
        self.row.dimensions.get(&dimension).map_or("", String::as_str)
    }
}

pub(super) async fn sections(asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
    let of = [Condition::Is("organization_id", Arg::text(asked.organization))];
    let plans: Vec<Plan> = entity::all(&mut asked.control.store(), &of).await?;
    let (mut whole, mut days, mut consumers) = (Vec::new(), Vec::new(), Vec::new());
    for plan in &plans {
        let Some(level) = plan.spec.service_level else {
            continue;
        };
        let found = |row| Found { plan, level, row };
        let sums = rows(asked, plan, (&[], None)).await?.into_iter().next();
        whole.push(found(sums.unwrap_or_else(nothing)));
        let by_day = rows(asked, plan, (&[], Some(Granularity::Day))).await?;
        days.extend(by_day.into_iter().map(found).filter(|day| !day.kept().is_kept));
        let by_consumer = rows(
            asked,
            plan,
            (&[Dimension::Application, Dimension::Consumer], None),
        )
        .await?;
        consumers.extend(
            by_consumer
                .into_iter()
                .map(found)
                .filter(|row| !row.kept().is_kept),
        );
    }
    Ok(vec![
        sums(&whole),
        promises(&whole, &days),
        broken_days(&days),
        broken_for(asked, &consumers).await?,
    ])
}

fn promises(whole: &[Found<'_>], days: &[Found<'_>]) -> ReportSection {
    let rows = whole.iter().map(|found| {
        let kept = found.kept();
        let broken = days.iter().filter(|day| day.plan.id == found.plan.id).count();
        vec![
            found.name(),
            kept.word().into(),
            found.calls(),
            kept.availability.into(),
            found.level.availability.into(),
            kept.budget.into(),
            kept.latency_us.into(),
            found
                .level
                .latency_p95_ms
                .map(|millis| f64::from(millis) * 1e3)
                .into(),
            i64::try_from(broken).unwrap_or(i64::MAX).into(),
        ]
    });
    table(
        (
            "plans",
            "Plans",
            "Of what may fail: 100 % means that as much failed as the promise allows. Calls that the gateway refused do not \
             fail.",
        ),
        &[
            ("plan", "Plan", ReportUnit::Text),
            ("kept", "Promise", ReportUnit::Text),
            ("calls", "Calls", ReportUnit::Count),
            ("availability", "Availability", ReportUnit::Share),
            ("promised", "Promised availability", ReportUnit::Share),
            ("budget", "Of what may fail", ReportUnit::Share),
            ("latency", "95 % within", ReportUnit::Microseconds),
            ("promised_latency", "Promised latency", ReportUnit::Microseconds),
            ("broken_days", "Broken days", ReportUnit::Count),
        ],
        rows,
        "No plan of yours promises a service level. Say one in the plan: `service_level`.",
    )
}

fn broken_days(days: &[Found<'_>]) -> ReportSection {
    let rows = days.iter().map(|day| {
        let kept = day.kept();
        vec![
            day.row.time.into(),
            day.name(),
            day.calls(),
            kept.availability.into(),
            kept.latency_us.into(),
        ]
    });
    table(
        (
            "days",
            "Days on which a promise was broken",
            "In the time zone of the report.",
        ),
        &[
            ("day", "Day", ReportUnit::Moment),
            ("plan", "Plan", ReportUnit::Text),
            ("calls", "Calls", ReportUnit::Count),
            ("availability", "Availability", ReportUnit::Share),
            ("latency", "95 % within", ReportUnit::Microseconds),
        ],
        rows,
        "There is none.",
    )
}

/// Sums of a plan, told apart.
async fn rows(
    asked: &Asked<'_>,
    plan: &Plan,
    (dimensions, granularity): (&[Dimension], Option<Granularity>),
) -> Result<Vec<AnalyticsRow>, Error> {
    let mut query = AnalyticsQuery {
        dimensions: dimensions.to_vec(),
        granularity,
        ..asked.question(&MEASURES)
    };
    query.filters.push(DimensionFilter {
        dimension: Dimension::Plan,
        values: vec![plan.id.to_string()],
        exclude: false,
    });
    Ok(asked.ask(query).await?.rows)
}

fn nothing() -> AnalyticsRow {
    AnalyticsRow {
        time: None,
        dimensions: [].into(),
        others: false,
        values: [].into(),
        previous: None,
    }
}

fn sums(whole: &[Found<'_>]) -> ReportSection {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let broken = whole.iter().filter(|found| !found.kept().is_kept).count();
    figures(
        (
            "sums",
            "All together",
            "Over the whole time; a plan without calls keeps its promise.",
        ),
        vec![
            figure(
                "plans",
                "Plans with a promise",
                ReportUnit::Count,
                count(whole.len()),
            ),
            figure("kept", "Kept it", ReportUnit::Count, count(whole.len() - broken)),
            figure("broken", "Broke it", ReportUnit::Count, count(broken)),
        ],
    )
}

async fn broken_for(asked: &Asked<'_>, broken: &[Found<'_>]) -> Result<ReportSection, Error> {
    let ids = |dimension| broken.iter().map(move |found| found.id(dimension));
    let titles = asked
        .names(Dimension::Application, ids(Dimension::Application))
        .await?;
    let owners = asked.names(Dimension::Consumer, ids(Dimension::Consumer)).await?;
    let rows = broken.iter().map(|found| {
        let (id, owner) = (found.id(Dimension::Application), found.id(Dimension::Consumer));
        let kept = found.kept();
        vec![
            ReportCell::named(id, titles.get(id).map(String::as_str)),
            ReportCell::named(owner, owners.get(owner).map(String::as_str)),
            found.name(),
            found.calls(),
            kept.availability.into(),
            kept.latency_us.into(),
        ]
    });
    Ok(table(
        (
            "consumers",
            "For whom it was broken",
            "Applications whose own calls, over the whole time, did not have what their plan promises.",
        ),
        &[
            ("application", "Application", ReportUnit::Text),
            ("organization", "Organization", ReportUnit::Text),
            ("plan", "Plan", ReportUnit::Text),
            ("calls", "Calls", ReportUnit::Count),
            ("availability", "Availability", ReportUnit::Share),
            ("latency", "95 % within", ReportUnit::Microseconds),
        ],
        rows,
        "For nobody.",
    ))
}
