//! Growth and churn: which applications are new, grow, fade or have gone silent.

use std::collections::HashMap;

use domain::analytics::Dimension;
use domain::id::ApplicationId;
use domain::report::{ReportCell, ReportSection, ReportUnit};
use store::report::Calling;

use super::form::{change, figure, figures, share, table};
use super::{Asked, LOOKED_AT_MAX};
use crate::Error;

/// From this change on, an application grows.
const GROWS_FROM: f64 = 0.25;
/// From this change on, it fades.
const FADES_FROM: f64 = -0.5;
/// How many of the greatest are looked at to say how much depends on them.
const GREATEST: usize = 10;

/// What becomes of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    New,
    Back,
    Grows,
    Steady,
    Fades,
    Silent,
}

impl Segment {
    const ALL: [Self; 6] = [
        Self::New,
        Self::Back,
        Self::Grows,
        Self::Steady,
        Self::Fades,
        Self::Silent,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Back => "Back again",
            Self::Grows => "Grows",
            Self::Steady => "Steady",
            Self::Fades => "Fades",
            Self::Silent => "Silent",
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::New => "Called for the first time",
            Self::Back => "Called before, but not in the time before",
            Self::Grows => "A quarter more calls than in the time before",
            Self::Steady => "About as many calls as in the time before",
            Self::Fades => "Less than half of the calls of the time before",
            Self::Silent => "Called in the time before, and not since",
        }
    }
}

/// An application in this time and the one before.
struct Consumer {
    id: String,
    owner: String,
    calls: i64,
    before: i64,
    days: i64,
    last: domain::Timestamp,
    segment: Segment,
}

pub(super) async fn sections(asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
    let consumers = consumers(asked).await?;
    let names = asked
        .names(
            Dimension::Application,
            consumers.iter().map(|each| each.id.as_str()),
        )
        .await?;
    let owners = asked
        .names(
            Dimension::Consumer,
            consumers.iter().map(|each| each.owner.as_str()),
        )
        .await?;
    let row = |each: &Consumer| {
        vec![
            ReportCell::named(&each.id, names.get(&each.id).map(String::as_str)),
            ReportCell::named(&each.owner, owners.get(&each.owner).map(String::as_str)),
            each.segment.title().into(),
            each.calls.into(),
            each.before.into(),
            change(each.calls, each.before).into(),
            each.days.into(),
            each.last.into(),
        ]
    };
    let mut at_risk: Vec<_> = consumers
        .iter()
        .filter(|each| matches!(each.segment, Segment::Fades | Segment::Silent))
        .collect();
    at_risk.sort_by_key(|each| std::cmp::Reverse(each.before - each.calls));
    let columns = [
        ("application", "Application", ReportUnit::Text),
        ("organization", "Organization", ReportUnit::Text),
        ("segment", "What it does", ReportUnit::Text),
        ("calls", "Calls", ReportUnit::Count),
        ("before", "Time before", ReportUnit::Count),
        ("change", "Change", ReportUnit::Change),
        ("days", "Days with calls", ReportUnit::Count),
        ("last", "Last call", ReportUnit::Moment),
    ];
    Ok(vec![
        sums(&consumers),
        segments(&consumers),
        table(
            (
                "at_risk",
                "Who is going away",
                "Applications that fade or have gone silent, those that took most calls with them first. Ask them why.",
            ),
            &columns,
            at_risk.into_iter().map(row),
            "Nobody is.",
        ),
        table(
            ("consumers", "All", "Those with most calls first."),
            &columns,
            consumers.iter().map(row),
            "No application has called.",
        ),
    ])
}

async fn consumers(asked: &Asked<'_>) -> Result<Vec<Consumer>, Error> {
    let store = &mut asked.control.store();
    let now = store::report::calling(store, asked.about(asked.period), LOOKED_AT_MAX).await?;
    let before = store::report::calling(store, asked.about(asked.previous()), LOOKED_AT_MAX).await?;
    let first = store::report::first_calls(store, asked.organization, asked.api, true).await?;
    let mut earlier: HashMap<ApplicationId, Calling> =
        before.into_iter().map(|each| (each.application, each)).collect();
    let mut consumers: Vec<_> = now
        .into_iter()
        .map(|each| {
            let before = earlier.remove(&each.application).map_or(0, |each| each.calls);
            let is_new = first
                .get(&each.application)
                .is_none_or(|first| first.called_at >= asked.period.from);
            Consumer {
                segment: segment(each.calls, before, is_new),
                id: each.application.to_string(),
                owner: each.consumer.to_string(),
                calls: each.calls,
                before,
                days: each.days,
                last: each.last,
            }
        })
        .collect();
    let mut silent: Vec<_> = earlier.into_values().collect();
    silent.sort_by_key(|each| (std::cmp::Reverse(each.calls), each.application));
    consumers.extend(silent.into_iter().map(|each| Consumer {
        segment: Segment::Silent,
        id: each.application.to_string(),
        owner: each.consumer.to_string(),
        calls: 0,
        before: each.calls,
        days: 0,
        last: each.last,
    }));
    Ok(consumers)
}

fn segment(calls: i64, before: i64, is_new: bool) -> Segment {
    match change(calls, before) {
        None if is_new => Segment::New,
        None => Segment::Back,
        Some(change) if change >= GROWS_FROM => Segment::Grows,
        Some(change) if change <= FADES_FROM => Segment::Fades,
        Some(_) => Segment::Steady,
    }
}

fn sums(consumers: &[Consumer]) -> ReportSection {
    let are = |segment: Segment| count(consumers.iter().filter(|each| each.segment == segment).count());
    let called = count(consumers.iter().filter(|each| each.calls > 0).count());
    let called_before = count(consumers.iter().filter(|each| each.before > 0).count());
    let all: i64 = consumers.iter().map(|each| each.calls).sum();
    let greatest = consumers.iter().take(GREATEST).map(|each| each.calls).sum();
    let mut active = figure("active", "Applications that called", ReportUnit::Count, called);
    #[expect(clippy::cast_precision_loss, reason = "less than 2^53 applications")]
    {
        active.previous = Some(called_before as f64);
    }
    figures(
        (
            "sums",
            "All together",
            "Churn is the part of those who called in the time before that has not called since.",
        ),
        vec![
            active,
            figure("new", "New", ReportUnit::Count, are(Segment::New)),
            figure("silent", "Gone silent", ReportUnit::Count, are(Segment::Silent)),
            figure(
                "churn",
                "Churn",
                ReportUnit::Share,
                share(are(Segment::Silent), called_before),
            ),
            figure(
                "greatest",
                "Calls of the ten greatest",
                ReportUnit::Share,
                share(greatest, all),
            ),
        ],
    )
}

fn segments(consumers: &[Consumer]) -> ReportSection {
    let all: i64 = consumers.iter().map(|each| each.calls).sum();
    let rows = Segment::ALL.map(|segment| {
        let those = || consumers.iter().filter(move |each| each.segment == segment);
        let calls: i64 = those().map(|each| each.calls).sum();
        vec![
            segment.title().into(),
            segment.meaning().into(),
            count(those().count()).into(),
            calls.into(),
            share(calls, all).into(),
        ]
    });
    table(
        (
            "segments",
            "Segments",
            "What becomes of the applications, compared with the time before.",
        ),
        &[
            ("segment", "Segment", ReportUnit::Text),
            ("meaning", "Meaning", ReportUnit::Text),
            ("applications", "Applications", ReportUnit::Count),
            ("calls", "Calls", ReportUnit::Count),
            ("share", "Of all calls", ReportUnit::Share),
        ],
        rows,
        "",
    )
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
