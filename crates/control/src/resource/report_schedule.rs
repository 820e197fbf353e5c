//! Schedules of reports.

use domain::Timestamp;
use domain::alert::AlertChannel;
use domain::id::ReportScheduleId;
use domain::report::{ReportSchedule, ReportScheduleSpec};
use store::Tx;

use super::alert::has_room;
use super::fault::Faults;
use super::{New, Resource, own};
use crate::report::{ReportQuery, Which};
use crate::{Caller, Error};

/// The most schedules of an organization.
const SCHEDULES_MAX: i64 = 200;
/// The most channels of a schedule.
const CHANNELS_MAX: usize = 10;
/// The most characters of an API's or application's name or id.
const NAME_CHARS_MAX: usize = 100;

impl Resource for ReportSchedule {
    type Spec = ReportScheduleSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = false;

    fn new(new: New, (): &(), spec: ReportScheduleSpec) -> Self {
        Self {
            id: ReportScheduleId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &ReportScheduleSpec {
        &self.spec
    }

    fn with(&self, spec: ReportScheduleSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, caller: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let mut faults = Faults::default();
        let which = Which::find(tx, self.organization_id, &self.spec.report).await?;
        let parameters = which.as_ref().map_or(&[][..], Which::parameters);
        faults.reference("/report", "report", which);
        check_question(&mut faults, &self.spec, (parameters, self.updated_at));
        let channels = &self.spec.channels;
        faults.count("/channels", channels.len(), 1, CHANNELS_MAX);
        for (place, name) in channels.iter().enumerate().take(CHANNELS_MAX) {
            let found = own::by_name::<AlertChannel>(tx, caller, name.as_str()).await?;
            faults.reference(&format!("/channels/{place}"), "alert channel", found);
        }
        faults.finish()?;
        match before {
            None => has_room(tx, self, SCHEDULES_MAX).await,
            Some(_) => Ok(()),
        }
    }
}

/// What a report could not be asked later.
fn check_question(faults: &mut Faults, spec: &ReportScheduleSpec, (parameters, now): (&[&str], Timestamp)) {
    faults.title("/title", &spec.title);
    faults.range("/hour", spec.hour, 0, 23);
    if spec.zone(now).is_err() {
        faults.add(
            "/time_zone",
            "field_invalid",
            "There is no such time zone, or it is not whole hours from UTC.",
            "Use a name of the IANA data base, as `Europe/Berlin`.",
        );
    }
    let question = ReportQuery::from(spec);
    for field in question.given().filter(|field| !parameters.contains(field)) {
        faults.add(
            &format!("/{field}"),
            "field_invalid",
            format!("The report `{}` does not look at it.", spec.report),
            "Leave it out.",
        );
    }
    for (field, text) in [("/api", &spec.api), ("/application", &spec.application)] {
        if let Some(text) = text {
            faults.line(field, text, NAME_CHARS_MAX);
        }
    }
    for (field, suggestion) in question.too_small() {
        faults.add(
            &format!("/{field}"),
            "out_of_range",
            "It is not more than 0.",
            suggestion,
        );
    }
}
