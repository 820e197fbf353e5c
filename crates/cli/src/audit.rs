//! `gateline audit`: whether nobody changed the record of changes.

use clap::Subcommand;
use client::types::AuditReport;

use crate::output::Output;
use crate::session::Connection;
use crate::{Error, Exit};

/// What to do with the audit chain.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read the whole chain and check that no entry was changed or removed; exits with 1 if one was.
    Verify,
}

pub(crate) async fn run(connection: &Connection, command: &Command, output: &Output) -> Result<Exit, Error> {
    let Command::Verify = command;
    let report = connection.client.verify_audit().await?;
    output.answer(&report, people);
    Ok(if report.valid { Exit::Done } else { Exit::Negative })
}

fn people(report: &AuditReport) -> String {
    let entries = report.entries;
    match &report.first_broken {
        None if report.valid => format!("{entries} entries, none changed or removed\n"),
        None => format!("the chain of {entries} entries is broken\n"),
        Some(broken) => format!(
            "the chain of {entries} entries is broken at {}: {} ({})\n",
            broken.sequence, broken.detail, broken.what
        ),
    }
}
