//! `gateline audit`: whether nobody changed the record of changes.

use clap::Subcommand;
use client::Call;
use http::Method;
use serde_json::Value;

use crate::output::{Output, text};
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
    let answer: Value = connection
        .client
        .send_json(Call::new(Method::GET, "/api/v1/audit/verify"))
        .await?;
    let valid = answer
        .get("valid")
        .and_then(Value::as_bool)
        .ok_or(Error::Answer { field: "valid" })?;
    output.answer(&answer, |answer| {
        let entries = text(answer, "/entries");
        if valid {
            format!("{entries} entries, none changed or removed\n")
        } else {
            format!("the chain of {entries} entries is broken at {}\n", broken(answer))
        }
    });
    Ok(if valid { Exit::Done } else { Exit::Negative })
}

/// The first broken entry: its id or sequence, whatever the server says of it.
fn broken(answer: &Value) -> String {
    match answer.get("first_broken") {
        Some(entry @ Value::Object(_)) => {
            let known = ["/sequence", "/id", "/action", "/at", "/detail"].map(|field| text(entry, field));
            known
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        }
        _ => text(answer, "/first_broken"),
    }
}
