//! Whether the last hour is usual, as the weeks before let expect it ([`crate::usual`]).

use std::collections::HashMap;
use std::time::Duration;

use domain::Timestamp;
use domain::alert::{AlertCondition, Outlook};
use domain::analytics::{AnalyticsQuery, AnalyticsRow, DimensionFilter, Granularity, Measure};
use domain::id::OrganizationId;
use domain::rollup::Resolution;
use domain::time::HOUR_MICROS;

use super::judge::{Judged, measures, shown, title};
use crate::usual::{HOURS_MAX, Series, Usual};
use crate::{Caller, Control, Error};

const HOUR: Duration = Duration::from_hours(1);
/// Models that are kept; more are made anew each time.
const MODELS_MAX: usize = 1000;

/// Models by whom and what they are about; they hold for an hour.
#[derive(Debug, Default)]
pub(super) struct Cache(HashMap<(OrganizationId, String), (Timestamp, Result<Usual, String>)>);

/// The minute that has begun and the 59 before it, so that what has just happened is seen at once.
pub(super) fn last_hour(measure: Measure, filters: &[DimensionFilter], now: Timestamp) -> AnalyticsQuery {
    let from = Resolution::Minute.begin(now).before(Duration::from_secs(59 * 60));
    AnalyticsQuery {
        measures: measures(measure),
        dimensions: Vec::new(),
        filters: filters.to_vec(),
        from,
        to: Some(now.after(Duration::from_micros(1))),
        granularity: None,
        time_zone: None,
        compare: false,
        top: None,
    }
}

/// Says whether the last hour is usual.
pub(super) async fn judge(
    control: &Control,
    caller: &Caller,
    condition: &AlertCondition,
    cache: &mut Cache,
) -> Result<Judged, Error> {
    let AlertCondition::Anomaly {
        measure,
        filters,
        side,
        confidence,
        calls_min,
    } = condition
    else {
        unreachable!("the caller has looked")
    };
    let now = control.now();
    let usual = match cache
        .usual(control, caller, (*measure, filters), now.hour())
        .await?
    {
        Ok(usual) => usual,
        Err(why) => return Ok(Judged::undecided(why)),
    };
    let answer = control
        .analytics(caller, &last_hour(*measure, filters, now))
        .await?;
    let row = answer.rows.first();
    let value_of = |measure| {
        row.and_then(|row: &AnalyticsRow| row.values.get(&measure))
            .copied()
    };
    let calls = value_of(Measure::Calls).unwrap_or(0.0);
    let value = match value_of(*measure) {
        Some(value) => value,
        None if measure.is_counted() => 0.0,
        None => return Ok(Judged::default()),
    };
    let minutes = Resolution::Minute.begin(now).as_micros() - now.hour().as_micros();
    #[expect(clippy::cast_precision_loss, reason = "less than an hour")]
    let part = minutes as f64 / HOUR_MICROS as f64;
    let range = usual.range(*measure, part, *side, *confidence);
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 calls")]
    let is_enough = calls.max(range.calls) >= *calls_min as f64;
    let (is_high, is_low) = (value > range.high, value < range.low);
    let limit = if value > range.value {
        range.high
    } else {
        range.low
    };
    let summary = format!(
        "{} of the last hour is {}; {} to {} is usual at this time, {} is expected.",
        title(*measure),
        shown(*measure, value),
        shown(*measure, range.low),
        shown(*measure, range.high.min(f64::MAX)),
        shown(*measure, range.value),
    );
    Ok(Judged {
        found: vec![Outlook {
            labels: [].into(),
            value,
            limit,
            breached: is_enough && (is_high || is_low),
            summary,
        }],
        undecided: None,
    })
}

impl Cache {
    async fn usual(
        &mut self,
        control: &Control,
        caller: &Caller,
        (measure, filters): (Measure, &[DimensionFilter]),
        hour: Timestamp,
    ) -> Result<Result<Usual, String>, Error> {
        let about = serde_json::to_string(&(measure, filters))
            .map_err(|error| Error::internal("writing a question", error))?;
        let key = (caller.organization()?, about);
        if let Some((known, usual)) = self.0.get(&key)
            && *known == hour
        {
            return Ok(usual.clone());
        }
        let query = AnalyticsQuery {
            from: hour.before(HOUR * u32::try_from(HOURS_MAX).unwrap_or(u32::MAX)),
            to: Some(hour),
            granularity: Some(Granularity::Hour),
            ..last_hour(measure, filters, hour)
        };
        let answer = control.analytics(caller, &query).await?;
        let series = Series::of(measure, &answer.rows, (HOURS_MAX, hour));
        // It takes some milliseconds in which nobody else should wait.
        let model = tokio::task::spawn_blocking(move || series.usual(measure)).await;
        let usual = model.map_err(|error| Error::internal("computing what is usual", error))?;
        self.0.retain(|_, (known, _)| *known == hour);
        if self.0.len() < MODELS_MAX {
            self.0.insert(key, (hour, usual.clone()));
        }
        Ok(usual)
    }
}
