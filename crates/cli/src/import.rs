//! `gateline import`: a document becomes an API.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use client::Call;
use http::Method;
use serde_json::{Map, Value};

use crate::output::{Output, table, text};
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
    let mut body = Map::new();
    body.insert("document".to_owned(), read(arguments)?.into());
    let texts = [
        ("name", &arguments.name),
        ("upstream_url", &arguments.upstream),
        ("environment", &arguments.environment),
        ("base_path", &arguments.base_path),
    ];
    for (field, value) in texts {
        if let Some(value) = value {
            body.insert(field.to_owned(), value.clone().into());
        }
    }
    body.insert("publish".to_owned(), arguments.publish.into());
    body.insert("dry_run".to_owned(), arguments.dry_run.into());
    let call = Call::new(Method::POST, "/api/v1/apis/import").json(&Value::Object(body))?;
    let answer: Value = connection.client.send_json(call).await?;
    output.answer(&answer, |answer| people(answer, arguments));
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

fn people(answer: &Value, arguments: &Arguments) -> String {
    let findings = answer
        .get("findings")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let verb = if arguments.dry_run {
        "would import"
    } else {
        "imported"
    };
    let version = text(answer, "/version_name");
    let mut lines = format!(
        "{verb} version {version}: {} operations\n",
        text(answer, "/operations")
    );
    for (label, field) in [
        ("api", "/api"),
        ("version", "/version"),
        ("calls go to", "/base_url"),
    ] {
        let value = text(answer, field);
        if !value.is_empty() {
            lines.push_str(&format!("  {label:<12} {value}\n"));
        }
    }
    if !findings.is_empty() {
        lines.push_str(&format!("{} remarks:\n", findings.len()));
        let rows = findings
            .iter()
            .map(|finding| ["/severity", "/line", "/pointer", "/detail"].map(|field| text(finding, field)));
        lines.push_str(&table(["severity", "line", "place", "remark"], rows));
    }
    lines
}
