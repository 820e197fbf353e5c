//! `gateline keys`: make, list, rotate and revoke API keys.

use clap::Subcommand;
use client::{Call, segment};
use http::Method;
use serde_json::{Value, json};

use crate::output::{Output, table, text};
use crate::session::Connection;
use crate::{Error, Exit};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key for an API; makes the application `default` and its subscription when they are missing.
    Create {
        /// The API, by name or id.
        #[arg(long)]
        api: String,
        /// The plan, by name.
        #[arg(long, default_value = "free")]
        plan: String,
        /// Where it is valid.
        #[arg(long)]
        environment: Option<String>,
        /// What people read.
        #[arg(long)]
        title: Option<String>,
    },
    /// List the keys of your organization.
    List,
    /// Make a new key in place of one that stays valid for a while.
    Rotate {
        /// The key's id.
        id: String,
        /// How long the old key stays valid.
        #[arg(long, default_value_t = 86_400, value_name = "SECONDS")]
        overlap: u64,
    },
    /// End a key at once and for ever.
    Revoke {
        /// The key's id.
        id: String,
    },
}

pub(crate) async fn run(connection: &Connection, command: &Command, output: &Output) -> Result<Exit, Error> {
    let client = &connection.client;
    match command {
        Command::Create {
            api,
            plan,
            environment,
            title,
        } => {
            let mut body = json!({ "api": api, "plan": plan });
            for (field, value) in [("environment", environment), ("title", title)] {
                if let Some(value) = value {
                    body[field] = value.clone().into();
                }
            }
            let call = Call::new(Method::POST, "/api/v1/keys/quick").json(&body)?;
            output.answer(&client.send_json(call).await?, shown_once);
        }
        Command::List => {
            let answer = json!({ "data": connection.all("/api/v1/keys").await? });
            output.answer(&answer, list);
        }
        Command::Rotate { id, overlap } => {
            let call = Call::new(Method::POST, format!("/api/v1/keys/{}/rotate", segment(id)));
            let call = call.json(&json!({ "overlap_seconds": overlap }))?;
            output.answer(&client.send_json(call).await?, shown_once);
        }
        Command::Revoke { id } => {
            let call = Call::new(Method::POST, format!("/api/v1/keys/{}/revoke", segment(id)));
            let answer: Value = client.send_json(call).await?;
            output.answer(&answer, |key| format!("{} is revoked\n", text(key, "/id")));
        }
    }
    Ok(Exit::Done)
}

fn shown_once(key: &Value) -> String {
    format!(
        "{}\n\nThis is {}, valid in {}. It is shown this once only.\n",
        text(key, "/key"),
        text(key, "/id"),
        text(key, "/environment")
    )
}

fn list(answer: &Value) -> String {
    let keys = answer.get("data").and_then(Value::as_array).into_iter().flatten();
    let rows = keys.map(|key| {
        [
            "/id",
            "/hint",
            "/environment",
            "/state",
            "/title",
            "/created_at",
            "/expires_at",
        ]
        .map(|field| text(key, field))
    });
    table(
        ["id", "key", "environment", "state", "title", "created", "expires"],
        rows,
    )
}
