//! Reports: built in, each a file here, or an organization's own ([`custom`]); all of one form ([`domain::report`]).
//!
//! A report asks sums of calls ([`Asked::sums`]) and what only the store can tell ([`store::report`]), and says what that
//! means as figures, courses and tables ([`form`]). To add one: a name in [`ReportName`], a module with `sections`, a line
//! in [`Which::sections`].

mod adoption;
mod anomalies;
mod consumers;
mod costs;
mod csv;
mod custom;
mod errors;
mod forecast;
mod form;
mod pdf;
mod quotas;
mod schedule;
mod service_levels;
mod traffic;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::analytics::{
    AnalyticsAnswer, AnalyticsQuery, AnalyticsRow, Dimension, DimensionFilter, Granularity, Measure,
    TimeRange, Top,
};
use domain::id::{ApplicationId, OrganizationId};
use domain::report::{
    CostBy, Report, ReportDefinition, ReportInfo, ReportName, ReportScheduleSpec, ReportSection, Reports,
};
use domain::rollup::Resolution;
use domain::time::HOUR_MICROS;
use domain::{Code, Timestamp};
use store::Arg;
use store::entity::{self, Condition, Read};
use store::report::About;

use crate::analytics::{HOURS_KEPT, spans};
use crate::{Caller, Control, Error};

pub use self::csv::{UnknownSection, write as write_csv};
pub(crate) use self::custom::{question_of, unit};
pub use self::pdf::{Error as PdfError, write as write_pdf};
pub(crate) use self::schedule::make_due;

/// What a report is about if nothing is said: the last 30 days.
const USUAL: Duration = Duration::from_hours(30 * 24);
/// The longest time that a report is about, so that the one before it is known as well.
const LONGEST: Duration = Duration::from_hours(HOURS_KEPT.as_secs() / 3600 / 2);
/// Rows of a table.
const ROWS_MAX: usize = 100;
/// What is looked through to make a table.
const LOOKED_AT_MAX: usize = 20_000;
/// Up to here, courses are told by hour.
const BY_HOUR_MICROS: i64 = 48 * HOUR_MICROS;
/// Up to here, by day; beyond, by week.
const BY_DAY_MICROS: i64 = 100 * 24 * HOUR_MICROS;

/// What a report is to be about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReportQuery {
    /// From the hour of this moment on; 30 days before its end if absent.
    pub from: Option<Timestamp>,
    /// Before this moment; until now if absent.
    pub to: Option<Timestamp>,
    /// The time zone of days and weeks, as the IANA data base calls it; `UTC` if absent.
    pub time_zone: Option<String>,
    /// Only calls of this API: id or name.
    pub api: Option<String>,
    /// Only calls of this application: id or name.
    pub application: Option<String>,
    /// The calls of a day that can be served; only forecasts look at it.
    pub capacity: Option<f64>,
    /// What serving all calls costs in a month; only `costs` looks at it.
    pub monthly_cost: Option<f64>,
    /// What that is shared out by; only `costs` looks at it.
    pub cost_by: Option<CostBy>,
}

impl ReportQuery {
    /// The parameters that are given, by their names.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("api", self.api.is_some()),
            ("application", self.application.is_some()),
            ("capacity", self.capacity.is_some()),
            ("monthly_cost", self.monthly_cost.is_some()),
            ("cost_by", self.cost_by.is_some()),
        ];
        given
            .into_iter()
            .filter(|(_, is_given)| *is_given)
            .map(|(name, _)| name)
    }

    /// The numbers that are not more than 0, by their names, with what to say.
    pub(crate) fn too_small(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let numbers = [
            (
                self.capacity,
                "capacity",
                "Say how many calls of a day can be served.",
            ),
            (
                self.monthly_cost,
                "monthly_cost",
                "Say what serving all calls costs in a month.",
            ),
        ];
        let is_wrong =
            |number: Option<f64>| number.is_some_and(|number| !(number.is_finite() && number > 0.0));
        numbers
            .into_iter()
            .filter(move |(number, ..)| is_wrong(*number))
            .map(|(_, name, suggestion)| (name, suggestion))
    }
}

impl From<&ReportScheduleSpec> for ReportQuery {
    /// What a schedule says, beside the time.
    fn from(spec: &ReportScheduleSpec) -> Self {
        Self {
            from: None,
            to: None,
            time_zone: spec.time_zone.clone(),
            api: spec.api.clone(),
            application: spec.application.clone(),
            capacity: spec.capacity,
            monthly_cost: spec.monthly_cost,
            cost_by: spec.cost_by,
        }
    }
}

/// The parameters that reports of one's own look at.
const CUSTOM_PARAMETERS: &[&str] = &["from", "to", "api", "application"];

/// A report that can be asked for.
pub(crate) enum Which {
    /// Every organization has it.
    BuiltIn(ReportName),
    /// One of the organization's own.
    Custom(Box<ReportDefinition>),
}

impl Which {
    /// The report of an organization that is called so.
    pub(crate) async fn find(
        read: &mut impl Read,
        organization: OrganizationId,
        name: &str,
    ) -> Result<Option<Self>, Error> {
        if let Ok(name) = name.parse() {
            return Ok(Some(Self::BuiltIn(name)));
        }
        let conditions = [
            Condition::Is("name", Arg::text(name)),
            Condition::Is("organization_id", Arg::text(organization)),
        ];
        let found = entity::find::<ReportDefinition>(read, &conditions).await?;
        Ok(found.map(|definition| Self::Custom(Box::new(definition))))
    }

    /// The parameters that it looks at, beside the time zone.
    pub(crate) fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::BuiltIn(name) => name.parameters(),
            Self::Custom(_) => CUSTOM_PARAMETERS,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::BuiltIn(name) => name.as_str(),
            Self::Custom(definition) => definition.spec.name.as_str(),
        }
    }

    fn info(&self) -> ReportInfo {
        let (title, about, definition_id) = match self {
            Self::BuiltIn(name) => (name.title(), name.about(), None),
            Self::Custom(it) => (it.spec.title.as_str(), it.spec.about.as_str(), Some(it.id)),
        };
        let parameters = self.parameters().iter();
        ReportInfo {
            name: self.name().to_owned(),
            title: title.to_owned(),
            about: about.to_owned(),
            parameters: parameters.map(|name| (*name).to_owned()).collect(),
            definition_id,
        }
    }

    async fn sections(&self, asked: &Asked<'_>) -> Result<Vec<ReportSection>, Error> {
        let name = match self {
            Self::Custom(definition) => return custom::sections(asked, definition).await,
            Self::BuiltIn(name) => name,
        };
        match name {
            ReportName::Traffic => traffic::sections(asked).await,
            ReportName::Errors => errors::sections(asked).await,
            ReportName::Anomalies => anomalies::sections(asked).await,
            ReportName::Adoption => adoption::sections(asked).await,
            ReportName::Consumers => consumers::sections(asked).await,
            ReportName::Versions => versions::sections(asked).await,
            ReportName::ServiceLevels => service_levels::sections(asked).await,
            ReportName::Quotas => quotas::sections(asked).await,
            ReportName::Costs => costs::sections(asked).await,
            ReportName::Forecast => forecast::sections(asked).await,
        }
    }
}

impl Control {
    /// Tells which reports there are: those that are built in, and then the organization's own.
    pub async fn reports(&self, caller: &Caller) -> Result<Reports, Error> {
        let organization = caller.organization()?;
        self.access().check(caller, "list_reports", organization, None)?;
        let of = [Condition::Is("organization_id", Arg::text(organization))];
        let own: Vec<ReportDefinition> = entity::all(&mut self.store(), &of).await?;
        let own = own.into_iter().map(|own| Which::Custom(Box::new(own)));
        let built_in = ReportName::ALL.iter().copied().map(Which::BuiltIn);
        let data = built_in.chain(own).map(|which| which.info());
        Ok(Reports { data: data.collect() })
    }

    /// Makes a report about the calls to the APIs of the caller's organization, and those of its applications.
    ///
    /// # Errors
    /// `parameter_invalid` with the parameter that cannot be, `not_found` if there is no such report.
    pub async fn report(
        &self,
        caller: &Caller,
        name: impl AsRef<str>,
        query: &ReportQuery,
    ) -> Result<Report, Error> {
        let organization = caller.organization()?;
        self.access().check(caller, "read_report", organization, None)?;
        let which = Which::find(&mut self.store(), organization, name.as_ref()).await?;
        let which = which.ok_or_else(|| Error::not_found("report"))?;
        self.report_of(organization, &which, query).await
    }

    /// Makes a report for an organization; callers have checked that it may be asked.
    pub(crate) async fn report_of(
        &self,
        organization: OrganizationId,
        which: &Which,
        query: &ReportQuery,
    ) -> Result<Report, Error> {
        let asked = Asked::new(self, organization, (which, query))?;
        let sections = which.sections(&asked).await?;
        Ok(asked.report(which, sections))
    }
}

/// What a report is about, and where it asks.
struct Asked<'a> {
    control: &'a Control,
    organization: OrganizationId,
    /// By whole hours.
    period: TimeRange,
    time_zone: String,
    api: Option<&'a str>,
    application: Option<&'a str>,
    filters: Vec<DimensionFilter>,
    capacity: Option<f64>,
    monthly_cost: Option<f64>,
    cost_by: CostBy,
    now: Timestamp,
}

impl<'a> Asked<'a> {
    fn new(
        control: &'a Control,
        organization: OrganizationId,
        (which, query): (&Which, &'a ReportQuery),
    ) -> Result<Self, Error> {
        let now = control.now();
        if let Some(parameter) = query.given().find(|name| !which.parameters().contains(name)) {
            let detail = format!("The report `{}` does not look at it.", which.name());
            return Err(refused(parameter, &detail, "Leave it out."));
        }
        if let Some((parameter, suggestion)) = query.too_small().next() {
            return Err(refused(parameter, "It is not more than 0.", suggestion));
        }
        let to = query.to.unwrap_or(now);
        let from = query.from.unwrap_or(to.before(USUAL));
        if to <= from {
            let suggestion = "Let the time end after it begins.";
            return Err(refused("to", "It is not after `from`.", suggestion));
        }
        let end = to.hour();
        let period = TimeRange {
            from: from.hour(),
            to: match end == to {
                true => end,
                false => Timestamp::from_micros(end.as_micros() + HOUR_MICROS),
            },
        };
        if period.from < period.to.before(LONGEST) {
            let days = LONGEST.as_secs() / 86_400;
            let detail = format!("A report is about {days} days at the most.");
            return Err(refused("from", &detail, "Ask about a shorter time."));
        }
        if period.from < now.before(HOURS_KEPT) {
            let days = HOURS_KEPT.as_secs() / 86_400;
            let detail = format!("Sums of calls are kept for {days} days.");
            return Err(refused("from", &detail, "Ask about a later time."));
        }
        let only = |dimension, value: &Option<String>| {
            value.as_ref().map(|value| DimensionFilter {
                dimension,
                values: vec![value.clone()],
                exclude: false,
            })
        };
        let filters = [
            only(Dimension::Api, &query.api),
            only(Dimension::Application, &query.application),
        ];
        Ok(Self {
            control,
            organization,
            period,
            time_zone: query.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            api: query.api.as_deref(),
            application: query.application.as_deref(),
            filters: filters.into_iter().flatten().collect(),
            capacity: query.capacity,
            monthly_cost: query.monthly_cost,
            cost_by: query.cost_by.unwrap_or_default(),
            now,
        })
    }

    fn report(&self, which: &Which, sections: Vec<ReportSection>) -> Report {
        let ReportInfo {
            name, title, about, ..
        } = which.info();
        Report {
            name,
            title,
            about,
            period: self.period,
            time_zone: self.time_zone.clone(),
            made_at: self.now,
            sections,
        }
    }

    /// Whether it is about an application.
    fn is_about(&self, id: ApplicationId, name: &str) -> bool {
        self.application
            .is_none_or(|wanted| wanted == name || wanted == id.to_string())
    }

    /// The time just before, as long as this one.
    fn previous(&self) -> TimeRange {
        let length = self.period.to.as_micros() - self.period.from.as_micros();
        TimeRange {
            from: Timestamp::from_micros(self.period.from.as_micros() - length),
            to: self.period.from,
        }
    }

    /// How long the spans of a course are.
    fn per(&self) -> Granularity {
        let length = self.period.to.as_micros() - self.period.from.as_micros();
        if length <= BY_HOUR_MICROS {
            Granularity::Hour
        } else if length <= BY_DAY_MICROS {
            Granularity::Day
        } else {
            Granularity::Week
        }
    }

    /// A question about all calls of the report.
    fn question(&self, measures: &[Measure]) -> AnalyticsQuery {
        AnalyticsQuery {
            measures: measures.to_vec(),
            dimensions: Vec::new(),
            filters: self.filters.clone(),
            from: self.period.from,
            to: Some(self.period.to),
            granularity: None,
            time_zone: Some(self.time_zone.clone()),
            compare: false,
            top: None,
        }
    }

    /// The sums of the whole time, and of the one before.
    async fn sums(&self, measures: &[Measure]) -> Result<AnalyticsAnswer, Error> {
        self.compared(self.question(measures)).await
    }

    /// The sums of the whole time and of nothing else; none without calls.
    async fn whole(&self, measures: &[Measure]) -> Result<Option<AnalyticsRow>, Error> {
        Ok(self.ask(self.question(measures)).await?.rows.into_iter().next())
    }

    /// The same of calls that fit a filter besides.
    async fn of(&self, measures: &[Measure], filter: DimensionFilter) -> Result<Option<AnalyticsRow>, Error> {
        let mut question = self.question(measures);
        question.filters.push(filter);
        Ok(self.ask(question).await?.rows.into_iter().next())
    }

    /// The answer to a question, with that of the time before as far as it is known.
    async fn compared(&self, query: AnalyticsQuery) -> Result<AnalyticsAnswer, Error> {
        let is_kept = self.previous().from >= self.now.before(HOURS_KEPT);
        self.ask(AnalyticsQuery {
            compare: is_kept,
            ..query
        })
        .await
    }

    /// The sums of each group of a dimension, those with most of the first measure first.
    async fn groups(&self, dimension: Dimension, measures: &[Measure]) -> Result<AnalyticsAnswer, Error> {
        self.ask(AnalyticsQuery {
            dimensions: vec![dimension],
            top: Some(Top {
                count: u32::try_from(ROWS_MAX).unwrap_or(u32::MAX),
                by: measures[0],
            }),
            ..self.question(measures)
        })
        .await
    }

    /// The sums of each span of time, with when all spans begin.
    async fn course(&self, measures: &[Measure]) -> Result<(Vec<Timestamp>, AnalyticsAnswer), Error> {
        self.over_time(self.question(measures)).await
    }

    /// The answer to a question for each span of time, with when all spans begin.
    async fn over_time(&self, query: AnalyticsQuery) -> Result<(Vec<Timestamp>, AnalyticsAnswer), Error> {
        let query = AnalyticsQuery {
            granularity: Some(self.per()),
            ..query
        };
        let at = spans(&query, self.now).map_err(as_parameter)?;
        Ok((at, self.ask(query).await?))
    }

    async fn ask(&self, query: AnalyticsQuery) -> Result<AnalyticsAnswer, Error> {
        let asked = self.control.answer_to(self.organization, &query).await;
        asked.map_err(as_parameter)
    }

    /// The same calls for the store.
    fn about(&self, period: TimeRange) -> About<'_> {
        About {
            organization: self.organization,
            from: Resolution::Hour.begin(period.from),
            to: period.to,
            filters: &self.filters,
        }
    }

    /// What ids of a dimension are called.
    async fn names<'i>(
        &self,
        dimension: Dimension,
        ids: impl IntoIterator<Item = &'i str>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let ids: BTreeSet<_> = ids.into_iter().filter(|id| !id.is_empty()).collect();
        self.control.names_of(dimension, ids).await
    }
}

/// What refuses a question, about the parameters of the report that asked it.
fn as_parameter(error: Error) -> Error {
    match error {
        Error::Refused { errors, .. } if errors.iter().any(|error| error.pointer == "/time_zone") => refused(
            "time_zone",
            "There is no such time zone, or it is not whole hours from UTC.",
            "Use a name of the IANA data base, as `Europe/Berlin`.",
        ),
        Error::Refused {
            code: Code::RequestInvalid,
            detail,
            ..
        } => refused(
            "from",
            &detail,
            "Ask about a shorter or later time, or one API only.",
        ),
        other => other,
    }
}

fn refused(parameter: &str, detail: &str, suggestion: &str) -> Error {
    let detail = format!("`{parameter}`: {detail} {suggestion}");
    Error::refused(Code::ParameterInvalid, detail)
}

#[cfg(test)]
mod tests;
