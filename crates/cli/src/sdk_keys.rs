//! `gateline sdk-keys`: make, list, rotate and revoke the keys that ask for flags and record events.

use clap::{Subcommand, ValueEnum};
use client::types::{
    CallRate, CreateSdkKeyParams, IssuedSdkKey, ListSdkKeysParams, RevokeSdkKeyParams, RotateSdkKeyParams,
    RotateSpec, SdkKey, SdkKeyKind, SdkKeySpec,
};

use crate::keys::shown_once;
use crate::output::{Entries, Output, table};
use crate::session::Connection;
use crate::{Error, Exit};

/// What to do with SDK keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key.
    Create {
        /// Who holds it: a server keeps it secret, a client (a page or app) shows it to everybody.
        #[arg(long, value_enum)]
        kind: Kind,
        /// Where it is valid.
        #[arg(long, default_value = "sandbox")]
        environment: String,
        /// What people read.
        #[arg(long)]
        title: Option<String>,
        /// Whose pages may use a client key, as `https://shop.example`; any if absent. Can be repeated.
        #[arg(long, value_name = "ORIGIN")]
        origin: Vec<String>,
        /// When it stops to be valid, as `2027-01-01T00:00:00Z`; never if absent.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// Have features encrypted for SDKs of GrowthBook; the key for it is shown with the SDK key. Only for servers.
        #[arg(long)]
        encrypt_payload: bool,
        /// How many calls may come with it in how many seconds, as `600/60`, at each node; as many as come if absent.
        #[arg(long, value_name = "CALLS/SECONDS", value_parser = rate)]
        rate_limit: Option<CallRate>,
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

/// Who holds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A server, which keeps it secret.
    Server,
    /// A page or app, where everybody can read it.
    Client,
}

impl From<Kind> for SdkKeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Server => Self::Server,
            Kind::Client => Self::Client,
        }
    }
}

/// Makes a key.
pub(crate) async fn create(
    connection: &Connection,
    (kind, encrypt_payload): (Kind, bool),
    environment: &str,
    title: Option<String>,
) -> Result<IssuedSdkKey, Error> {
    let wanted = SdkKeySpec {
        title,
        encrypt_payload: encrypt_payload.then_some(true),
        ..SdkKeySpec::new(kind.into(), environment)
    };
    let params = CreateSdkKeyParams::default();
    Ok(connection.client.create_sdk_key(&params, &wanted).await?)
}

pub(crate) async fn run(connection: &Connection, command: &Command, output: &Output) -> Result<Exit, Error> {
    let client = &connection.client;
    match command {
        Command::Create {
            kind,
            environment,
            title,
            origin,
            expires,
            encrypt_payload,
            rate_limit,
        } => {
            let wanted = SdkKeySpec {
                title: title.clone(),
                origins: (!origin.is_empty()).then(|| origin.clone()),
                expires_at: expires.clone(),
                encrypt_payload: encrypt_payload.then_some(true),
                rate_limit: rate_limit.clone(),
                ..SdkKeySpec::new((*kind).into(), environment)
            };
            let key = client
                .create_sdk_key(&CreateSdkKeyParams::default(), &wanted)
                .await?;
            output.answer(&key, shown);
        }
        Command::List => {
            let data = client.list_sdk_keys_all(&ListSdkKeysParams::default()).await?;
            output.answer(&Entries { data }, list);
        }
        Command::Rotate { id, overlap } => {
            let wanted = RotateSpec {
                overlap_seconds: Some(*overlap),
            };
            let key = client
                .rotate_sdk_key(id, &RotateSdkKeyParams::default(), &wanted)
                .await?;
            output.answer(&key, shown);
        }
        Command::Revoke { id } => {
            let key = client.revoke_sdk_key(id, &RevokeSdkKeyParams::default()).await?;
            output.answer(&key, |key| format!("{} is revoked\n", key.id));
        }
    }
    Ok(Exit::Done)
}

/// Reads `600/60`: calls and seconds.
fn rate(text: &str) -> Result<CallRate, String> {
    let numbers = text.split_once('/').and_then(|(calls, seconds)| {
        let number = |text: &str| text.parse().ok();
        Some((number(calls)?, number(seconds)?))
    });
    let (requests, window_seconds) = numbers.ok_or("write calls and seconds, as `600/60`")?;
    Ok(CallRate::new(requests, window_seconds))
}

/// A key that was just made, and what features are encrypted with for it.
pub(crate) fn shown(key: &IssuedSdkKey) -> String {
    let mut text = shown_once(&key.key, &key.id, &key.environment);
    if let Some(payload_key) = &key.payload_key {
        text.push_str(&format!(
            "Features are encrypted with `{payload_key}`, the `decryptionKey` of SDKs of GrowthBook.\n"
        ));
    }
    text
}

fn list(keys: &Entries<SdkKey>) -> String {
    let rows = keys.data.iter().map(|key| {
        vec![
            key.id.clone(),
            key.hint.clone(),
            key.kind.to_string(),
            key.environment.clone(),
            key.state.to_string(),
            key.title.clone(),
            key.rate_limit
                .as_ref()
                .map(|rate| format!("{}/{}", rate.requests, rate.window_seconds))
                .unwrap_or_default(),
            key.last_used_at.clone().unwrap_or_default(),
            key.expires_at.clone().unwrap_or_default(),
        ]
    });
    table(
        &[
            "id",
            "key",
            "kind",
            "environment",
            "state",
            "title",
            "rate limit",
            "last used",
            "expires",
        ],
        rows,
    )
}
