//! Reports.

use axum::response::{IntoResponse, Response};
use control::Error;
use control::report::{ReportQuery, write_csv};
use domain::report::{Report, ReportName, Reports};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::answer;
use crate::call::{Call, invalid};
use crate::endpoint::Endpoint;
use crate::parameter::{Parameter, moment, one_of, text};

const CSV: &str = "text/csv";

/// `list_reports`, `read_report`, `export_report`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![list(), read(), export()]
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
            let reports = call.control().reports(&call.caller)?;
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
            let (_, report) = asked(&call).await?;
            answer::json(StatusCode::OK, &report)
        })
}

fn export() -> Endpoint {
    let section = "Only this section; all, one after the other, if absent.";
    Endpoint::get("/api/v1/reports/{name}/export", "export_report")
        .tag("usage")
        .says(
            "Save a report as a file",
            "The same as comma-separated values (RFC 4180): a table for each section, each after a line with its title. Texts \
             that a spreadsheet would take for a formula begin with an apostrophe.",
        )
        .takes_all(parameters())
        .takes(Parameter::query("section", section, text(100)))
        .answers_with(200, "The file.", vec![(CSV, json!({ "type": "string" }))])
        .to(answer_file)
}

/// The parameters that both have.
fn parameters() -> [Parameter; 7] {
    let names: Vec<_> = ReportName::ALL.iter().map(|name| name.as_str()).collect();
    let number = json!({ "type": "number", "exclusiveMinimum": 0 });
    let only = |name, description| Parameter::query(name, description, text(100));
    let capacity = "The calls of a day that can be served; a forecast says when they are reached.";
    [
        Parameter::path("name", "The report's name.", one_of(&names)),
        Parameter::query("from", "From the hour of this moment on.", moment()),
        Parameter::query("to", "Before this moment; until now if absent.", moment()),
        only(
            "time_zone",
            "The time zone of days and weeks, as `Europe/Berlin`; UTC if absent.",
        ),
        only("api", "Only calls of this API: its id or name."),
        only("application", "Only calls of this application: its id or name."),
        Parameter::query("capacity", capacity, number),
    ]
}

async fn asked(call: &Call) -> Result<(ReportName, Report), Error> {
    let name: ReportName = call.path("name")?;
    let own = |name| call.query(name).map(str::to_owned);
    let query = ReportQuery {
        from: call.query_as("from")?,
        to: call.query_as("to")?,
        time_zone: own("time_zone"),
        api: own("api"),
        application: own("application"),
        capacity: call.query_as("capacity")?,
    };
    let report = call.control().report(&call.caller, name, &query).await?;
    Ok((name, report))
}

async fn answer_file(call: Call) -> Result<Response, Error> {
    let (name, report) = asked(&call).await?;
    let text = write_csv(&report, call.query("section")).map_err(|error| invalid("section", &error))?;
    let file = format!("attachment; filename=\"{}.csv\"", name.as_str());
    let file = HeaderValue::try_from(file).map_err(|error| Error::internal("naming a file", error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(CSV)),
        (header::CONTENT_DISPOSITION, file),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, text).into_response())
}
