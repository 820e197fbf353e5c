//! `gateline usage`: counted calls.

use clap::Args;
use client::types::{ListUsageParams, UsageRow};

use crate::output::{Entries, Output, table};
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
    let params = ListUsageParams {
        filter_api: arguments.api.clone(),
        filter_application: arguments.application.clone(),
        from: arguments.from.clone(),
        to: arguments.to.clone(),
        group: Some(arguments.group.clone()),
        ..ListUsageParams::default()
    };
    let data = connection.client.list_usage_all(&params).await?;
    output.answer(&Entries { data }, people);
    Ok(Exit::Done)
}

fn people(answer: &Entries<UsageRow>) -> String {
    if answer.data.is_empty() {
        return "no calls yet\n".to_owned();
    }
    let rows = answer.data.iter().map(|row| {
        vec![
            row.hour.clone().unwrap_or_default(),
            row.application.clone(),
            row.operation.clone(),
            row.calls.to_string(),
            row.refused.to_string(),
            row.client_errors.to_string(),
            row.server_errors.to_string(),
            row.bytes_out.to_string(),
        ]
    });
    table(
        &[
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
