//! Reports.

use axum::response::{IntoResponse, Response};
use control::Error;
use control::report::{ReportQuery, write_csv, write_pdf};
use domain::analytics::{Dimension, Measure};
use domain::id::ReportScheduleId;
use domain::notice::Notices;
use domain::report::{
    Report, ReportDefinition, ReportDefinitionSpec, ReportFormat, ReportInterval, ReportPart, ReportSchedule,
    ReportScheduleSpec, ReportScheduleUse, Reports,
};
use domain::{Code, Name};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::answer;
use crate::call::{Call, invalid};
use crate::crud::{self, Filter, Nothing, Shown};
use crate::endpoint::Endpoint;
use crate::links::Links;
use crate::parameter::{Parameter, moment, one_of, text};

const CSV: &str = "text/csv";
const PDF: &str = "application/pdf";

/// `list_reports`, `read_report`, `export_report`, those of definitions and schedules, `send_report`, `list_report_notices`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    [
        vec![list(), read(), export()],
        crud::all::<ReportDefinition>(),
        crud::all::<ReportSchedule>(),
        vec![send(), notices()],
    ]
    .concat()
}

fn list() -> Endpoint {
    Endpoint::get("/api/v1/reports", "list_reports")
        .tag("usage")
        .says(
            "List reports",
            "What each tells, and which parameters it looks at.",
        )
        .answers::<Reports>(200, "The reports that there are.")
        .to(|call| async move {
            let reports = call.control().reports(&call.caller).await?;
            answer::json(StatusCode::OK, &reports)
        })
}

fn read() -> Endpoint {
    Endpoint::get("/api/v1/reports/{name}", "read_report")
        .tag("usage")
        .says(
            "Read a report",
            "About the calls to your APIs and those that your applications made, from sums by the hour: the last 30 days if \
             nothing else is said, at most 200. All reports have the same form: sections with figures, courses over time and \
             tables. A report refuses parameters that it does not look at; `list_reports` says which it does.",
        )
        .takes_all(parameters())
        .answers::<Report>(200, "The report.")
        .to(|call| async move {
            let report = asked(&call).await?;
            answer::json(StatusCode::OK, &report)
        })
}

fn export() -> Endpoint {
    let section = "Only this section, as `csv`; all, one after the other, if absent.";
    let format = "As what; `csv` if absent.";
    Endpoint::get("/api/v1/reports/{name}/export", "export_report")
        .tag("usage")
        .says(
            "Save a report as a file",
            "The same to print, as a PDF, or to calculate with, as comma-separated values (RFC 4180): a table for each section, \
             each after a line with its title. Texts that a spreadsheet would take for a formula begin with an apostrophe.",
        )
        .takes_all(parameters())
        .takes(Parameter::query("format", format, one_of(&["csv", "pdf"])))
        .takes(Parameter::query("section", section, text(100)))
        .answers_with(200, "The file.", vec![
            (CSV, json!({ "type": "string" })),
            (PDF, json!({ "type": "string", "format": "binary" })),
        ])
        .to(answer_file)
}

impl Shown for ReportDefinition {
    const COLLECTION: &'static str = "/api/v1/report-definitions";
    const TAG: &'static str = "usage";
    const ONE: &'static str = "a report definition";
    const MANY: &'static str = "report definitions";
    const ABOUT: &'static str = "A report definition is a report of the organization's own: sections that each ask a question \
        about calls. All members find it among the reports, under its name; it can be saved and sent as any other.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::Conflict];
    type Extra = Nothing;

    fn example() -> ReportDefinitionSpec {
        ReportDefinitionSpec {
            name: "checkout".parse().expect("it is a name"),
            title: "The checkout".to_owned(),
            about: "Is the checkout fast, and who notices if it is not?".to_owned(),
            parts: vec![ReportPart {
                name: "slowest".parse().expect("it is a name"),
                title: "By application".to_owned(),
                text: String::new(),
                measures: vec![Measure::Calls, Measure::LatencyP95Us],
                dimensions: vec![Dimension::Application],
                over_time: false,
                top: 10,
                filters: Vec::new(),
            }],
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "title": "Our checkout" })
    }

    fn filters() -> Vec<Filter> {
        named()
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        links.and("report", format!("/api/v1/reports/{}", self.spec.name))
    }
}

/// The filters of what has a name.
fn named() -> Vec<Filter> {
    vec![
        crud::search(),
        Filter {
            parameter: Parameter::query("filter[name]", "Only the one with this name.", text(63)),
            condition: |text| crud::is::<Name>("name", text),
        },
    ]
}

impl Shown for ReportSchedule {
    const COLLECTION: &'static str = "/api/v1/report-schedules";
    const TAG: &'static str = "usage";
    const ONE: &'static str = "a report schedule";
    const MANY: &'static str = "report schedules";
    const ABOUT: &'static str = "A report schedule has a report made each day, week or month, about the one before, and sent \
        to alert channels: to mailboxes as a PDF or CSV file, to webhooks as JSON. What is not received is tried again \
        for a day.";
    const REFUSALS: &'static [Code] = &[Code::NameTaken, Code::Conflict];
    type Extra = ReportScheduleUse;

    fn example() -> ReportScheduleSpec {
        ReportScheduleSpec {
            name: "weekly-errors".parse().expect("it is a name"),
            title: "What went wrong last week".to_owned(),
            report: "errors".to_owned(),
            api: None,
            application: None,
            capacity: None,
            monthly_cost: None,
            cost_by: None,
            interval: ReportInterval::Week,
            hour: 6,
            time_zone: Some("Europe/Berlin".to_owned()),
            format: ReportFormat::Pdf,
            channels: vec!["team".parse().expect("it is a name")],
            paused: false,
            managed_by: None,
        }
    }

    fn patch_example() -> Value {
        json!({ "hour": 8 })
    }

    fn filters() -> Vec<Filter> {
        named()
    }

    async fn parent(_: &Call) -> Result<(), Error> {
        Ok(())
    }

    fn links(&self, links: Links) -> Links {
        let path = format!("/api/v1/report-schedules/{}", self.id);
        links
            .and("send", format!("{path}/send"))
            .and("notices", format!("{path}/notices"))
    }

    async fn extra(call: &Call, them: &[Self]) -> Result<Vec<ReportScheduleUse>, Error> {
        let ids: Vec<_> = them.iter().map(|it| it.id).collect();
        let mut uses = call.control().report_schedule_uses(&ids).await?;
        Ok(ids.iter().map(|id| uses.remove(id).unwrap_or_default()).collect())
    }
}

fn send() -> Endpoint {
    Endpoint::post("/api/v1/report-schedules/{id}/send", "send_report")
        .tag("usage")
        .says(
            "Send a report now",
            "Makes the report about the last day, week or month that is over and sends it to the schedule's channels. What is \
             due is sent all the same.",
        )
        .takes_id::<ReportScheduleId>("The schedule's id.")
        .answers::<Notices>(200, "To whom it is sent, and what was before.")
        .to(|call| async move {
            let data = call.control().send_report(&call.caller, call.id()?).await?;
            answer::json(StatusCode::OK, &Notices { data })
        })
}

fn notices() -> Endpoint {
    Endpoint::get("/api/v1/report-schedules/{id}/notices", "list_report_notices")
        .tag("usage")
        .says("List to whom a report was sent", "And whether it was received.")
        .takes_id::<ReportScheduleId>("The schedule's id.")
        .answers::<Notices>(200, "The notifications.")
        .to(|call| async move {
            let data = call.control().report_notices(&call.caller, call.id()?).await?;
            answer::json(StatusCode::OK, &Notices { data })
        })
}

/// The parameters that both have.
fn parameters() -> [Parameter; 9] {
    let number = json!({ "type": "number", "exclusiveMinimum": 0 });
    let only = |name, description| Parameter::query(name, description, text(100));
    let cost = "What serving all calls costs in a month, in any currency; `costs` shares it out.";
    let by = "What `costs` shares costs out by: the time that calls took (if absent), their number, or what was sent.";
    let capacity = "The calls of a day that can be served; a forecast says when they are reached.";
    [
        Parameter::path("name", "The report's name, as `list_reports` has it.", text(63)),
        Parameter::query("from", "From the hour of this moment on.", moment()),
        Parameter::query("to", "Before this moment; until now if absent.", moment()),
        only(
            "time_zone",
            "The time zone of days and weeks, as `Europe/Berlin`; UTC if absent.",
        ),
        only("api", "Only calls of this API: its id or name."),
        only("application", "Only calls of this application: its id or name."),
        Parameter::query("capacity", capacity, number.clone()),
        Parameter::query("monthly_cost", cost, number),
        Parameter::query(
            "cost_by",
            by,
            json!({ "type": "string", "enum": ["time", "calls", "bytes_out"] }),
        ),
    ]
}

async fn asked(call: &Call) -> Result<Report, Error> {
    let name: String = call.path("name")?;
    let own = |name| call.query(name).map(str::to_owned);
    let query = ReportQuery {
        from: call.query_as("from")?,
        to: call.query_as("to")?,
        time_zone: own("time_zone"),
        api: own("api"),
        application: own("application"),
        capacity: call.query_as("capacity")?,
        monthly_cost: call.query_as("monthly_cost")?,
        cost_by: call.query_as("cost_by")?,
    };
    call.control().report(&call.caller, name, &query).await
}

async fn answer_file(call: Call) -> Result<Response, Error> {
    let section = call.query("section");
    let format = match call.query("format") {
        None | Some("csv") => ReportFormat::Csv,
        Some("pdf") if section.is_some() => {
            return Err(invalid("section", &"a PDF has all sections"));
        }
        Some("pdf") => ReportFormat::Pdf,
        Some(_) => return Err(invalid("format", &"it is neither `csv` nor `pdf`")),
    };
    let report = asked(&call).await?;
    let name = report.name.clone();
    let (kind, ending, content) = match format {
        ReportFormat::Csv => {
            let text = write_csv(&report, section).map_err(|error| invalid("section", &error))?;
            (CSV, "csv", text.into_bytes())
        }
        ReportFormat::Pdf => {
            // It takes some milliseconds in which nobody else should wait.
            let written = tokio::task::spawn_blocking(move || write_pdf(&report)).await;
            let written = written.map_err(|error| Error::internal("writing a report", error))?;
            let file = written.map_err(|error| Error::internal("writing a report", error))?;
            (PDF, "pdf", file)
        }
    };
    let file = format!("attachment; filename=\"{name}.{ending}\"");
    let file = HeaderValue::try_from(file).map_err(|error| Error::internal("naming a file", error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, file),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, content).into_response())
}
