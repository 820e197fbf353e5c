//! How applications come: from subscribing over the key and the first call to calling regularly.

use std::collections::HashMap;

use domain::Timestamp;
use domain::analytics::{Measure, TimeRange};
use domain::id::ApplicationId;
use domain::report::{ReportCell, ReportSection, ReportUnit};
use store::report::{FirstCall, Subscriber};

use super::form::{course, figure, figures, line, percentile, share, table};
use super::{Asked, LOOKED_AT_MAX};
use crate::Error;

/// On how many days an application has called that calls regularly.
const REGULAR_DAYS: i64 = 5;

/// How far an application has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Subscribed,
    HasKey,
    Called,
    Succeeded,
    Regular,
}

impl Stage {
    const ALL: [Self; 5] = [
        Self::Subscribed,
        Self::HasKey,
        Self::Called,
        Self::Succeeded,
        Self::Regular,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::Subscribed => "Subscribed",
            Self::HasKey => "Got a key",
            Self::Called => "First call",
            Self::Succeeded => "First success",
            Self::Regular => "Calls regularly",
        }
    }
}

/// An application with what it has reached and when.
struct Newcomer {
    who: Subscriber,
    key_at: Option<Timestamp>,
    first: Option<FirstCall>,
    days: i64,
}

impl Newcomer {
    fn has(&self, stage: Stage) -> bool {
        match stage {
            Stage::Subscribed => true,
            // Whoever called had a key, also one that was forgotten since.
            Stage::HasKey => self.key_at.is_some() || self.first.is_some(),
            Stage::Called => self.first.is_some(),
            Stage::Succeeded => self.succeeded_at().is_some(),
            Stage::Regular => self.succeeded_at().is_some() && self.days >= REGULAR_DAYS,
        }
    }

    fn stage(&self) -> Stage {
        let reached = Stage::ALL.into_iter().filter(|stage| self.has(*stage)).max();
        reached.unwrap_or(Stage::Subscribed)
    }

    fn succeeded_at(&self) -> Option<Timestamp> {
        self.first.and_then(|first| first.succeeded_at)
    }

    /// Seconds from subscribing to the first call that succeeded.
    fn to_first_call(&self) -> Option<f64> {
        Some(seconds(self.who.subscribed_at, self.succeeded_at()?))
    }

    /// Seconds from its organization's signing up to the first call that succeeded.
    fn since_sign_up(&self) -> Option<f64> {
        Some(seconds(self.who.signed_up_at, self.succeeded_at()?))
    }
}

/// From one moment to another; none if the other is earlier, as with a subscription to one more product.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 microseconds")]
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_micros() - from.as_micros()).max(0) as f64 / 1e6
}

pub(super) async fn sections(asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
    let before = newcomers(asked, asked.previous()).await?;
    let newcomers = newcomers(asked, asked.period).await?;
    Ok(vec![
        sums(asked, &newcomers, &before),
        funnel(&newcomers),
        over_time(asked, &newcomers).await?,
        stuck(&newcomers),
    ])
}

/// The applications that first subscribed in a time.
async fn newcomers(asked: &Asked<'_>, period: TimeRange) -> Result<Vec<Newcomer>, Error> {
    let store = &mut asked.control.store();
    let provider = asked.organization;
    let subscribers = store::report::subscribers(store, provider, asked.api, LOOKED_AT_MAX).await?;
    let keys = store::report::first_keys(store, provider).await?;
    let first = store::report::first_calls(store, provider, asked.api, false).await?;
    let since = TimeRange {
        from: period.from,
        to: asked.now.after(std::time::Duration::from_micros(1)),
    };
    let calling = store::report::calling(store, asked.about(since), LOOKED_AT_MAX).await?;
    let days: HashMap<ApplicationId, i64> =
        calling.iter().map(|each| (each.application, each.days)).collect();
    let newcomers = subscribers
        .into_iter()
        .filter(|who| (period.from..period.to).contains(&who.subscribed_at))
        .map(|who| Newcomer {
            key_at: keys.get(&who.application).copied(),
            first: first.get(&who.application).copied(),
            days: days.get(&who.application).copied().unwrap_or(0),
            who,
        });
    Ok(newcomers.collect())
}

fn sums(asked: &Asked<'_>, newcomers: &[Newcomer], before: &[Newcomer]) -> ReportSection {
    let reached = |those: &[Newcomer], stage| share(count(those, stage), length(those));
    let first_calls = |those: &[Newcomer]| those.iter().filter_map(Newcomer::to_first_call).collect();
    let signed_up: Vec<_> = newcomers
        .iter()
        .filter(|each| each.who.signed_up_at >= asked.period.from)
        .filter_map(Newcomer::since_sign_up)
        .collect();
    let mut subscribed = figure(
        "subscribed",
        "New applications",
        ReportUnit::Count,
        length(newcomers),
    );
    #[expect(clippy::cast_precision_loss, reason = "less than 2^53 applications")]
    {
        subscribed.previous = Some(before.len() as f64);
    }
    let mut succeeded = figure(
        "succeeded",
        "Have called with success",
        ReportUnit::Share,
        reached(newcomers, Stage::Succeeded),
    );
    succeeded.previous = reached(before, Stage::Succeeded);
    let mut median = figure(
        "time_to_first_call",
        "Time to first call",
        ReportUnit::Seconds,
        percentile(first_calls(newcomers), 0.5),
    );
    median.previous = percentile(first_calls(before), 0.5);
    figures(
        (
            "sums",
            "All together",
            "Time to first call: half of the new applications were as fast, from subscribing to the first call that succeeded.",
        ),
        vec![
            subscribed,
            succeeded,
            figure(
                "regular",
                "Call regularly",
                ReportUnit::Share,
                reached(newcomers, Stage::Regular),
            ),
            median,
            figure(
                "time_to_first_call_p90",
                "90 % within",
                ReportUnit::Seconds,
                percentile(first_calls(newcomers), 0.9),
            ),
            figure(
                "time_since_sign_up",
                "From sign-up",
                ReportUnit::Seconds,
                percentile(signed_up, 0.5),
            ),
        ],
    )
}

fn funnel(newcomers: &[Newcomer]) -> ReportSection {
    let all = length(newcomers);
    let mut before = all;
    let rows = Stage::ALL.map(|stage| {
        let reached = count(newcomers, stage);
        let of_before = share(reached, before);
        before = reached;
        vec![
            stage.title().into(),
            reached.into(),
            share(reached, all).into(),
            of_before.into(),
        ]
    });
    table(
        (
            "funnel",
            "How far they came",
            "Of the applications that first subscribed in this time, up to now. Regularly: on five days or more.",
        ),
        &[
            ("stage", "Stage", ReportUnit::Text),
            ("applications", "Applications", ReportUnit::Count),
            ("share", "Of all", ReportUnit::Share),
            ("of_before", "Of the stage before", ReportUnit::Share),
        ],
        rows,
        "",
    )
}

async fn over_time(asked: &Asked<'_>, newcomers: &[Newcomer]) -> Result<ReportSection, Error> {
    let (at, _) = asked.course(&[Measure::Calls]).await?;
    let per_span = |moment: fn(&Newcomer) -> Option<Timestamp>| {
        let mut counts = vec![0_i64; at.len()];
        for moment in newcomers.iter().filter_map(moment) {
            let place = at.partition_point(|begin| *begin <= moment);
            let place = place.checked_sub(1).filter(|_| moment < asked.period.to);
            if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                *count += 1;
            }
        }
        counts.into_iter().map(ReportCell::from).collect()
    };
    let lines = vec![
        line(
            "subscribed",
            "Subscribed",
            per_span(|each| Some(each.who.subscribed_at)),
        ),
        line("succeeded", "First success", per_span(Newcomer::succeeded_at)),
    ];
    Ok(course(
        (
            "course",
            "Over time",
            "New applications, and when they first called with success.",
        ),
        ReportUnit::Count,
        (asked.per(), at),
        lines,
    ))
}

fn stuck(newcomers: &[Newcomer]) -> ReportSection {
    let stuck = newcomers.iter().filter(|each| !each.has(Stage::Succeeded));
    let rows = stuck.map(|each| {
        let stage = each.stage();
        let since = match stage {
            Stage::Subscribed => Some(each.who.subscribed_at),
            Stage::HasKey => each.key_at,
            _ => each.first.map(|first| first.called_at),
        };
        vec![
            ReportCell::named(&each.who.application.to_string(), Some(&each.who.title)),
            ReportCell::named(&each.who.consumer.to_string(), Some(&each.who.consumer_name)),
            stage.title().into(),
            since.into(),
        ]
    });
    table(
        (
            "stuck",
            "Where help is needed",
            "Applications without a call that succeeded, and where they stopped.",
        ),
        &[
            ("application", "Application", ReportUnit::Text),
            ("organization", "Organization", ReportUnit::Text),
            ("stage", "Came to", ReportUnit::Text),
            ("since", "Since", ReportUnit::Moment),
        ],
        rows,
        "All of them have called with success.",
    )
}

fn count(newcomers: &[Newcomer], stage: Stage) -> i64 {
    i64::try_from(newcomers.iter().filter(|each| each.has(stage)).count()).unwrap_or(i64::MAX)
}

fn length(newcomers: &[Newcomer]) -> i64 {
    i64::try_from(newcomers.len()).unwrap_or(i64::MAX)
}
