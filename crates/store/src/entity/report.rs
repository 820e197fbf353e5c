//! How schedules of reports are kept.

use domain::id::ReportScheduleId;
use domain::report::ReportSchedule;

use super::entity;
use crate::Arg;

entity!(ReportSchedule, ReportScheduleId, "report_schedules", "report_schedule", name: true, |it| [
    "name" = Arg::text(&it.spec.name),
    "paused" = Arg::Bool(it.spec.paused),
    "next_at" = Arg::Int(None),
]);
