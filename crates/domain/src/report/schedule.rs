//! Reports that are made and sent from time to time.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::CostBy;
use crate::analytics::TimeRange;
use crate::id::{OrganizationId, ReportScheduleId};
use crate::{Name, Timestamp};

/// How often a report is made, and what time it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportInterval {
    /// Each day, about the day before.
    Day,
    /// Each Monday, about the week before, from Monday to Sunday.
    Week,
    /// Each first of a month, about the month before.
    Month,
}

/// As what a report is attached to mails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportFormat {
    /// To read and to print.
    #[default]
    Pdf,
    /// Comma-separated values, to calculate with.
    Csv,
}

/// The editable part of a [`ReportSchedule`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportScheduleSpec {
    /// Unique in the organization.
    pub name: Name,
    /// What people read; the subject of mails.
    #[schema(max_length = 200)]
    pub title: String,
    /// The report's name: a built-in one, or one of the organization's own.
    #[schema(max_length = 63)]
    pub report: String,
    /// Only calls of this API: id or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub api: Option<String>,
    /// Only calls of this application: id or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub application: Option<String>,
    /// The calls of a day that can be served; only forecasts look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0)]
    pub capacity: Option<f64>,
    /// What serving all calls costs in a month, in any currency; only `costs` looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0)]
    pub monthly_cost: Option<f64>,
    /// What that is shared out by; only `costs` looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_by: Option<CostBy>,
    /// How often, and about which time.
    pub interval: ReportInterval,
    /// The hour of the day from which on it is sent: 0 to 23.
    #[serde(default = "morning")]
    #[schema(maximum = 23)]
    pub hour: u8,
    /// The time zone of hours, days, weeks and months, as the IANA data base calls it; `UTC` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// As what it is attached to mails; webhooks have it as JSON.
    #[serde(default)]
    pub format: ReportFormat,
    /// The alert channels that it is sent to, by their names: 1 to 10.
    #[schema(min_items = 1, max_items = 10)]
    pub channels: Vec<Name>,
    /// Whether it is not sent for now.
    #[serde(default)]
    pub paused: bool,
    /// The declarative folder that made it and may remove it (`gateline apply --prune`); by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

const fn morning() -> u8 {
    6
}

/// A report that is made and sent from time to time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportSchedule {
    /// Its id.
    pub id: ReportScheduleId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The editable part.
    #[serde(flatten)]
    pub spec: ReportScheduleSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; the ETag.
    pub revision: i64,
}

/// When a schedule was and will be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportScheduleUse {
    /// When it will be made next; absent while it is paused, and for a moment after it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// The time for which it was made last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// Why it could not be made; it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Says that a time zone is not in the IANA data base, or not whole hours from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such time zone, or it is not whole hours from UTC")]
pub struct UnknownZone;

impl ReportScheduleSpec {
    /// The time zone, in which whole hours are whole hours of UTC, as sums of calls are kept.
    ///
    /// # Errors
    /// If it is not known, or is not whole hours from UTC at a moment.
    pub fn zone(&self, now: Timestamp) -> Result<TimeZone, UnknownZone> {
        let Some(name) = &self.time_zone else {
            return Ok(TimeZone::UTC);
        };
        let zone = TimeZone::get(name).map_err(|_| UnknownZone)?;
        match zone.to_offset(now.to_jiff()).seconds() % 3600 {
            0 => Ok(zone),
            _ => Err(UnknownZone),
        }
    }

    /// The first moment after another at which it is to be made.
    ///
    /// # Errors
    /// Those of [`zone`](Self::zone); also at the end of the calendar.
    pub fn next_after(&self, moment: Timestamp) -> Result<Timestamp, UnknownZone> {
        let zone = self.zone(moment)?;
        let mut day = self.begin(&moment.to_jiff().to_zoned(zone.clone()))?;
        // The one of this day, week or month, or the next; a clock change may move it by an hour.
        for _ in 0..3 {
            let due = day.at(i8::try_from(self.hour).unwrap_or(0), 0, 0, 0);
            let due = due.to_zoned(zone.clone()).map_err(|_| UnknownZone)?;
            let due = Timestamp::from(due.timestamp());
            if due > moment {
                return Ok(due);
            }
            day = match self.interval {
                ReportInterval::Day => day.tomorrow(),
                ReportInterval::Week => day.checked_add(1.week()),
                ReportInterval::Month => day.checked_add(1.month()),
            }
            .map_err(|_| UnknownZone)?;
        }
        Err(UnknownZone)
    }

    /// The time that a report is about which is made at a moment: the day, week or month before.
    ///
    /// # Errors
    /// Those of [`zone`](Self::zone); also at the beginning of the calendar.
    pub fn period_before(&self, due: Timestamp) -> Result<TimeRange, UnknownZone> {
        let zone = self.zone(due)?;
        let to = self.begin(&due.to_jiff().to_zoned(zone.clone()))?;
        let from = match self.interval {
            ReportInterval::Day => to.yesterday(),
            ReportInterval::Week => to.checked_sub(1.week()),
            ReportInterval::Month => to.checked_sub(1.month()),
        }
        .map_err(|_| UnknownZone)?;
        let midnight = |date: Date| {
            let zoned = date.to_zoned(zone.clone()).map_err(|_| UnknownZone)?;
            Ok(Timestamp::from(zoned.timestamp()))
        };
        Ok(TimeRange {
            from: midnight(from)?,
            to: midnight(to)?,
        })
    }

    /// The first day of the day, week or month that a moment is in.
    fn begin(&self, moment: &Zoned) -> Result<Date, UnknownZone> {
        let date = moment.date();
        match self.interval {
            ReportInterval::Day => Ok(date),
            ReportInterval::Week => {
                let since = date.weekday().since(Weekday::Monday);
                date.checked_sub(i64::from(since).days()).map_err(|_| UnknownZone)
            }
            ReportInterval::Month => Ok(date.first_of_month()),
        }
    }
}

#[cfg(test)]
mod tests;
