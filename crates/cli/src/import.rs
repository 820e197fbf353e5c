//! `gateline import`: a document becomes an API.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use client::types::{ImportApiParams, ImportSpec, Imported};

use crate::output::{Output, table};
use crate::session::Connection;
use crate::{Error, Exit};

/// What is imported, and how it is published.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The OpenAPI document, JSON or YAML; `-` reads standard input.
    contract: PathBuf,
    /// The service behind, as http://127.0.0.1:9000/base.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The API's name and first path segment; made of the document's title if absent.
    #[arg(long)]
    name: Option<String>,
    /// The environment whose gateways serve it.
    #[arg(long)]
    environment: Option<String>,
    /// What stands before the contract's paths instead of `/<name>`.
    #[arg(long, value_name = "PATH")]
    base_path: Option<String>,
    /// Serve it and offer it in the portal; without, it is only stored.
    #[arg(long)]
    publish: bool,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(
    connection: &Connection,
    arguments: &Arguments,
    output: &Output,
) -> Result<Exit, Error> {
    let wanted = ImportSpec {
        name: arguments.name.clone(),
        upstream_url: arguments.upstream.clone(),
        environment: arguments.environment.clone(),
        base_path: arguments.base_path.clone(),
        publish: Some(arguments.publish),
        dry_run: Some(arguments.dry_run),
        ..ImportSpec::new(read(arguments)?)
    };
    let params = ImportApiParams::default();
    let imported = connection.client.import_api(&params, &wanted).await?;
    output.answer(&imported, people);
    Ok(Exit::Done)
}

/// The document's text. Bytes that are not UTF-8 are the server's to complain about, with a place.
fn read(arguments: &Arguments) -> Result<String, Error> {
    let path = &arguments.contract;
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    read.map_err(|source| Error::File {
        path: path.clone(),
        source,
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn people(imported: &Imported) -> String {
    let verb = if imported.dry_run {
        "would import"
    } else {
        "imported"
    };
    let mut lines = format!(
        "{verb} version {}: {} operations\n",
        imported.version_name, imported.operations
    );
    for (label, value) in [
        ("api", Some(&imported.api)),
        ("version", Some(&imported.version)),
        ("calls go to", imported.base_url.as_ref()),
    ] {
        if let Some(value) = value {
            lines.push_str(&format!("  {label:<12} {value}\n"));
        }
    }
    if !imported.findings.is_empty() {
        lines.push_str(&format!("{} remarks:\n", imported.findings.len()));
        let rows = imported.findings.iter().map(|finding| {
            vec![
                finding.severity.to_string(),
                finding.line.to_string(),
                finding.pointer.clone(),
                finding.detail.clone(),
            ]
        });
        lines.push_str(&table(&["severity", "line", "place", "remark"], rows));
    }
    lines
}
