//! `gateline usage`: counted calls.

use clap::Args;
use client::Call;
use http::Method;
use serde_json::Value;

use crate::output::{Output, table, text};
use crate::session::Connection;
use crate::{Error, Exit};

/// Which calls, and how they are summed up.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only calls to this API, by name or id.
    #[arg(long)]
    api: Option<String>,
    /// Only calls of this application, by name or id.
    #[arg(long)]
    application: Option<String>,
    /// From this moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to this moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// What gets a row of its own: `operation`, `application`, `plan`, `hour`, `day`; several with commas.
    #[arg(long, default_value = "operation", value_name = "WORDS")]
    group: String,
}

pub(crate) async fn run(
    connection: &Connection,
    arguments: &Arguments,
    output: &Output,
) -> Result<Exit, Error> {
    let call = Call::new(Method::GET, "/api/v1/usage")
        .query("filter[api]", arguments.api.as_ref())
        .query("filter[application]", arguments.application.as_ref())
        .query("from", arguments.from.as_ref())
        .query("to", arguments.to.as_ref())
        .query("group", Some(&arguments.group));
    let answer: Value = connection.client.send_json(call).await?;
    output.answer(&answer, people);
    Ok(Exit::Done)
}

fn people(answer: &Value) -> String {
    let rows: Vec<&Value> = answer
        .get("data")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    if rows.is_empty() {
        return "no calls yet\n".to_owned();
    }
    let fields = [
        "/hour",
        "/application",
        "/operation",
        "/calls",
        "/refused",
        "/client_errors",
        "/server_errors",
        "/bytes_out",
    ];
    let rows = rows.into_iter().map(|row| fields.map(|field| text(row, field)));
    table(
        [
            "hour",
            "application",
            "operation",
            "calls",
            "refused",
            "4xx",
            "5xx",
            "bytes out",
        ],
        rows,
    )
}
