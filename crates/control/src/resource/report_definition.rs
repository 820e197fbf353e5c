//! Reports of an organization's own.

use domain::Timestamp;
use domain::id::ReportDefinitionId;
use domain::report::{ReportDefinition, ReportDefinitionSpec, ReportName, ReportPart, ReportSchedule};
use store::entity::{self, Condition};
use store::{Arg, Tx};

use super::alert::has_room;
use super::fault::{Faults, in_use};
use super::{New, Resource};
use crate::report::unit;
use crate::{Caller, Error, Settings};

/// The most reports of an organization's own.
const DEFINITIONS_MAX: i64 = 200;
/// The most sections of one.
const PARTS_MAX: usize = 20;
/// The most measures of a section.
const MEASURES_MAX: usize = 8;
/// The most dimensions of a table.
const DIMENSIONS_MAX: usize = 3;
/// The most filters of a section.
const FILTERS_MAX: usize = 10;
/// The most groups of a table.
const TOP_MAX: u32 = 100;
/// The most lines of a course.
const LINES_MAX: u32 = 8;
/// The most characters of a text.
const TEXT_CHARS_MAX: usize = 1000;

impl Resource for ReportDefinition {
    type Spec = ReportDefinitionSpec;
    type Parent = ();
    const IN_SNAPSHOT: bool = false;

    fn new(new: New, (): &(), spec: ReportDefinitionSpec) -> Self {
        Self {
            id: ReportDefinitionId::new(new.uuid),
            organization_id: new.organization,
            spec,
            created_at: new.now,
            updated_at: new.now,
            revision: 1,
        }
    }

    fn spec(&self) -> &ReportDefinitionSpec {
        &self.spec
    }

    fn with(&self, spec: ReportDefinitionSpec, now: Timestamp) -> Self {
        Self {
            spec,
            updated_at: now,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    async fn check(&mut self, tx: &mut Tx, _: &Caller, before: Option<&Self>) -> Result<(), Error> {
        let spec = &self.spec;
        let mut faults = Faults::default();
        faults.title("/title", &spec.title);
        faults.line("/about", &spec.about, TEXT_CHARS_MAX);
        if let Some(before) = before {
            // Schedules and links name it.
            faults.fixed("/name", before.spec.name != spec.name);
        } else if spec.name.as_str().parse::<ReportName>().is_ok() {
            faults.add(
                "/name",
                "name_taken",
                "A built-in report is called so.",
                "Choose another name.",
            );
        }
        faults.count("/parts", spec.parts.len(), 1, PARTS_MAX);
        for (place, part) in spec.parts.iter().enumerate().take(PARTS_MAX) {
            let at = format!("/parts/{place}");
            if spec.parts[..place].iter().any(|other| other.name == part.name) {
                faults.add(
                    &format!("{at}/name"),
                    "duplicate",
                    "Another part is called so.",
                    "Give each its own.",
                );
            }
            check_part(&mut faults, &at, part);
        }
        faults.finish()?;
        match before {
            None => has_room(tx, self, DEFINITIONS_MAX).await,
            Some(_) => Ok(()),
        }
    }

    fn fits(&self, settings: &Settings) -> Result<(), Error> {
        for (place, part) in self.spec.parts.iter().enumerate() {
            let query = crate::report::question_of(part, self.updated_at);
            crate::analytics::check(&query, self.updated_at, settings.lake.is_some())
                .map_err(|error| error.below(&format!("/parts/{place}")))?;
        }
        Ok(())
    }

    async fn removable(&self, tx: &mut Tx, _: &Caller) -> Result<(), Error> {
        let of = [Condition::Is("organization_id", Arg::text(self.organization_id))];
        let schedules = entity::all::<ReportSchedule>(tx, &of).await?;
        let using = schedules
            .iter()
            .filter(|schedule| schedule.spec.report == self.spec.name.as_str());
        let users: Vec<_> = using
            .map(|schedule| format!("report schedule {}", schedule.spec.name))
            .collect();
        in_use(&users)
    }
}

fn check_part(faults: &mut Faults, at: &str, part: &ReportPart) {
    faults.title(&format!("{at}/title"), &part.title);
    faults.line(&format!("{at}/text"), &part.text, TEXT_CHARS_MAX);
    faults.count(&format!("{at}/measures"), part.measures.len(), 1, MEASURES_MAX);
    faults.count(&format!("{at}/filters"), part.filters.len(), 0, FILTERS_MAX);
    let (dimensions_max, top_max) = match part.over_time {
        true => (1, LINES_MAX),
        false => (DIMENSIONS_MAX, TOP_MAX),
    };
    faults.count(
        &format!("{at}/dimensions"),
        part.dimensions.len(),
        0,
        dimensions_max,
    );
    faults.range(&format!("{at}/top"), part.top, 1, top_max);
    if !part.over_time {
        return;
    }
    if !part.dimensions.is_empty() && part.measures.len() > 1 {
        faults.add(
            &format!("{at}/measures"),
            "out_of_range",
            "Over time, groups are told by one measure.",
            "Leave one measure, or leave the dimension out.",
        );
    }
    let mut units = part.measures.iter().map(|measure| unit(*measure));
    let first = units.next();
    if units.any(|other| Some(other) != first) {
        faults.add(
            &format!("{at}/measures"),
            "field_invalid",
            "They have different units, and one scale cannot show them.",
            "Make a part for each unit.",
        );
    }
}
