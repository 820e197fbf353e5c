//! How far quotas are used up, and when they will be.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use domain::Timestamp;
use domain::limit::Period;
use domain::report::{ReportCell, ReportSection, ReportUnit};
use store::quota::QuotaOf;

use super::form::{figure, figures, share, table};
use super::{Asked, LOOKED_AT_MAX};
use crate::{Error, quota};

/// This part of a period has to be over before it is said how the rest will be.
const KNOWN_FROM: f64 = 0.02;
/// From here on, a quota is nearly used up.
const NEARLY: f64 = 0.8;

/// A quota in its present period.
struct Used {
    of: QuotaOf,
    used: i64,
    begin: Timestamp,
    end: Timestamp,
}

impl Used {
    fn share(&self) -> f64 {
        share(self.used, self.quota()).unwrap_or(0.0)
    }

    fn quota(&self) -> i64 {
        i64::try_from(self.of.quota.requests).unwrap_or(i64::MAX)
    }

    /// The part of the quota that will be used at the end of the period, if calls go on as they have.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 microseconds")]
    fn expected(&self, now: Timestamp) -> Option<f64> {
        let whole = (self.end.as_micros() - self.begin.as_micros()) as f64;
        let over = (now.as_micros() - self.begin.as_micros()) as f64 / whole;
        (over >= KNOWN_FROM).then(|| self.share() / over)
    }

    /// When it will be used up, if that is in this period.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "exact up to 2^53 microseconds, and within a period"
    )]
    fn used_up_at(&self, now: Timestamp) -> Option<Timestamp> {
        let expected = self.expected(now)?;
        if self.share() >= 1.0 || expected < 1.0 {
            return None;
        }
        let whole = (self.end.as_micros() - self.begin.as_micros()) as f64;
        let micros = self.begin.as_micros() + (whole / expected) as i64;
        Some(Timestamp::from_micros(micros))
    }
}

pub(super) async fn sections(asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
    let mut used = used(asked).await?;
    used.sort_by(|one, other| other.share().total_cmp(&one.share()));
    Ok(vec![sums(&used, asked.now), quotas(&used, asked.now)])
}

fn sums(used: &[Used], now: Timestamp) -> ReportSection {
    let are = |of: &dyn Fn(&Used) -> bool| {
        i64::try_from(used.iter().filter(|each| of(each)).count()).unwrap_or(i64::MAX)
    };
    let numbers = [
        ("quotas", "Quotas", are(&|_| true)),
        ("used_up", "Used up", are(&|each| each.share() >= 1.0)),
        (
            "nearly",
            "80 % used",
            are(&|each| (NEARLY..1.0).contains(&each.share())),
        ),
        (
            "will_be",
            "Will be used up",
            are(&|each| each.used_up_at(now).is_some()),
        ),
    ];
    figures(
        (
            "sums",
            "All together",
            "Of active subscriptions, in the period that each quota is in now.",
        ),
        numbers
            .map(|(name, title, number)| figure(name, title, ReportUnit::Count, number))
            .to_vec(),
    )
}

fn quotas(used: &[Used], now: Timestamp) -> ReportSection {
    let rows = used.iter().map(|each| {
        vec![
            ReportCell::named(&each.of.application.to_string(), Some(&each.of.application_title)),
            ReportCell::named(&each.of.plan.to_string(), Some(each.of.plan_name.as_str())),
            period(each.of.quota.period).into(),
            each.used.into(),
            each.quota().into(),
            each.share().into(),
            each.expected(now).into(),
            each.used_up_at(now).into(),
            each.end.into(),
        ]
    });
    table(
        (
            "quotas",
            "Quotas",
            "Expected is the part that will be used at the end of the period, if calls go on as they have in it. Counted are \
             calls, each once.",
        ),
        &[
            ("application", "Application", ReportUnit::Text),
            ("plan", "Plan", ReportUnit::Text),
            ("period", "Per", ReportUnit::Text),
            ("used", "Used", ReportUnit::Count),
            ("quota", "Quota", ReportUnit::Count),
            ("share", "Of the quota", ReportUnit::Share),
            ("expected", "Expected", ReportUnit::Share),
            ("used_up_at", "Used up at", ReportUnit::Moment),
            ("ends_at", "Begins again", ReportUnit::Moment),
        ],
        rows,
        "No subscription has a quota.",
    )
}

const fn period(period: Period) -> &'static str {
    match period {
        Period::Hour => "Hour",
        Period::Day => "Day",
        Period::Month => "Month",
    }
}

/// The quotas of both sides: of subscriptions to what the organization offers, and of its own applications.
async fn used(asked: &Asked<'_>) -> Result<Vec<Used>, Error> {
    let store = &mut asked.control.store();
    let mut found: Vec<Used> = Vec::new();
    let mut known = HashSet::new();
    for own in [false, true] {
        let mut counted = HashMap::new();
        for of in store::quota::quotas(store, asked.organization, own, LOOKED_AT_MAX).await? {
            if !asked.is_about(of.application, &of.application_name) || !known.insert(of.subscription) {
                continue;
            }
            let begin = quota::begin(of.quota.period, asked.now);
            if let Entry::Vacant(place) = counted.entry(of.quota.period) {
                place.insert(store::quota::counted_since(store, asked.organization, own, begin).await?);
            }
            let used = counted[&of.quota.period].get(&of.subscription).copied();
            found.push(Used {
                used: used.unwrap_or(0),
                begin,
                end: quota::end(of.quota.period, asked.now),
                of,
            });
        }
    }
    Ok(found)
}
