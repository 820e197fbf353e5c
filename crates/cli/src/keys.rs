//! `gateline keys`: make, list, rotate and revoke API keys.

use clap::Subcommand;
use client::types::{
    CreateQuickKeyParams, Key, ListKeysParams, QuickKeySpec, RevokeKeyParams, RotateKeyParams, RotateSpec,
};

use crate::output::{Entries, Output, table};
use crate::session::Connection;
use crate::{Error, Exit, sdk_keys};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key for an API; makes the application `default` and its subscription when they are missing. With
    /// `--evaluation`, make one that asks for feature flags instead.
    Create {
        /// The API, by name or id.
        #[arg(long, required_unless_present = "evaluation")]
        api: Option<String>,
        /// A key that asks for feature flags and records events, as `gateline sdk-keys create` makes it: held by a
        /// server, or by pages and apps, where everybody can read it.
        #[arg(long, value_enum, conflicts_with_all = ["api", "plan"], requires = "environment")]
        evaluation: Option<sdk_keys::Kind>,
        /// Have features encrypted for SDKs of GrowthBook; the key for it is shown with the SDK key. Only for servers.
        #[arg(long, requires = "evaluation")]
        encrypt_payload: bool,
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
            evaluation: Some(kind),
            encrypt_payload,
            environment,
            title,
            ..
        } => {
            let environment = environment.as_deref().unwrap_or_default();
            let key =
                sdk_keys::create(connection, (*kind, *encrypt_payload), environment, title.clone()).await?;
            output.answer(&key, sdk_keys::shown);
        }
        Command::Create {
            api,
            plan,
            environment,
            title,
            evaluation: None,
            ..
        } => {
            let wanted = QuickKeySpec {
                environment: environment.clone(),
                title: title.clone(),
                ..QuickKeySpec::new(api.as_deref().unwrap_or_default(), plan)
            };
            let key = client
                .create_quick_key(&CreateQuickKeyParams::default(), &wanted)
                .await?;
            output.answer(&key, |key| shown_once(&key.key, &key.id, &key.environment));
        }
        Command::List => {
            let data = client.list_keys_all(&ListKeysParams::default()).await?;
            output.answer(&Entries { data }, list);
        }
        Command::Rotate { id, overlap } => {
            let wanted = RotateSpec {
                overlap_seconds: Some(*overlap),
            };
            let key = client
                .rotate_key(id, &RotateKeyParams::default(), &wanted)
                .await?;
            output.answer(&key, |key| shown_once(&key.key, &key.id, &key.environment));
        }
        Command::Revoke { id } => {
            let key = client.revoke_key(id, &RevokeKeyParams::default()).await?;
            output.answer(&key, |key| format!("{} is revoked\n", key.id));
        }
    }
    Ok(Exit::Done)
}

/// The text of a key that was just made, and which key it is.
pub(crate) fn shown_once(text: &str, id: &str, environment: &str) -> String {
    format!(
        "{text}

This is {id}, valid in {environment}. It is shown this once only.
"
    )
}

fn list(keys: &Entries<Key>) -> String {
    let rows = keys.data.iter().map(|key| {
        vec![
            key.id.clone(),
            key.hint.clone(),
            key.environment.clone(),
            key.state.to_string(),
            key.title.clone(),
            key.created_at.clone(),
            key.expires_at.clone().unwrap_or_default(),
        ]
    });
    table(
        &["id", "key", "environment", "state", "title", "created", "expires"],
        rows,
    )
}
