//! How reports of one's own and schedules are kept.

use domain::id::{ReportDefinitionId, ReportScheduleId};
use domain::report::{ReportDefinition, ReportSchedule};

use super::entity;
use crate::Arg;

entity!(ReportDefinition, ReportDefinitionId, "report_definitions", "report_definition", name: true, |it| [
    "name" = Arg::text(&it.spec.name),
]);
entity!(ReportSchedule, ReportScheduleId, "report_schedules", "report_schedule", name: true, |it| [
    "name" = Arg::text(&it.spec.name),
    "paused" = Arg::Bool(it.spec.paused),
    "next_at" = Arg::Int(None),
]);
