//! `gateline alerts`: what is so and must not be.
//!
//! Rules and channels are declared in folders (`gateline apply`).

use clap::Subcommand;
use client::types::{
    Alert, AlertChannel, AlertRule, AlertSilenceSpec, AlertState, ChannelTest, CreateAlertSilenceParams,
    ListAlertChannelsParams, ListAlertRulesParams, ListAlertsParams, RotateAlertChannelSecretParams,
};
use jiff::{SignedDuration, Timestamp};

use crate::output::{Entries, Output, table};
use crate::session::Connection;
use crate::{Error, Exit};

/// What to do about alerts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what is so now and must not be; with `--all`, what was in the last 90 days, too.
    List {
        /// Those that are over as well.
        #[arg(long)]
        all: bool,
    },
    /// List what is watched.
    Rules,
    /// List who can be told.
    Channels,
    /// Send a notification that is about nothing, and see whether it is received.
    Test {
        /// The channel's name.
        channel: String,
    },
    /// Tell the secret that a channel's webhooks are signed with.
    Secret {
        /// The channel's name.
        channel: String,
        /// Make another one; the one before is not used any more.
        #[arg(long)]
        rotate: bool,
    },
    /// Tell nobody for a while.
    Silence {
        /// Why, as `deployment`.
        reason: String,
        /// For how many minutes.
        #[arg(long, default_value_t = 60, value_name = "N")]
        minutes: u32,
        /// Whose alerts: the names of rules; all if absent. Can be repeated.
        #[arg(long, value_name = "NAME")]
        rule: Vec<String>,
    },
}

pub(crate) async fn run(connection: &Connection, command: &Command, output: &Output) -> Result<Exit, Error> {
    let client = &connection.client;
    match command {
        Command::List { all } => {
            let mut data = client.list_alerts_all(&ListAlertsParams::default()).await?;
            data.retain(|alert| *all || alert.state != AlertState::Resolved);
            output.answer(&Entries { data }, list);
        }
        Command::Rules => {
            let data = client
                .list_alert_rules_all(&ListAlertRulesParams::default())
                .await?;
            output.answer(&Entries { data }, rules);
        }
        Command::Channels => {
            let data = client
                .list_alert_channels_all(&ListAlertChannelsParams::default())
                .await?;
            output.answer(&Entries { data }, channels);
        }
        Command::Test { channel } => {
            let found = find(connection, channel).await?;
            let test = client.test_alert_channel(&found.id).await?;
            output.answer(&test, tested);
            if !test.delivered {
                return Ok(Exit::Negative);
            }
        }
        Command::Secret { channel, rotate } => {
            let found = find(connection, channel).await?;
            let secret = match rotate {
                true => {
                    client
                        .rotate_alert_channel_secret(&found.id, &RotateAlertChannelSecretParams::default())
                        .await?
                }
                false => client.read_alert_channel_secret(&found.id).await?,
            };
            output.answer(&secret, |secret| format!("{}\n", secret.secret));
        }
        Command::Silence {
            reason,
            minutes,
            rule,
        } => {
            let now = Timestamp::now();
            let end = now + SignedDuration::from_mins(i64::from(*minutes));
            let wanted = AlertSilenceSpec {
                rules: Some(rule.clone()),
                ..AlertSilenceSpec::new(end.to_string(), now.to_string(), reason)
            };
            let made = client
                .create_alert_silence(&CreateAlertSilenceParams::default(), &wanted)
                .await?;
            output.answer(&made, |made| format!("nobody is told until {}\n", made.ends_at));
        }
    }
    Ok(Exit::Done)
}

async fn find(connection: &Connection, name: &str) -> Result<AlertChannel, Error> {
    let params = ListAlertChannelsParams {
        filter_name: Some(name.to_owned()),
        ..ListAlertChannelsParams::default()
    };
    let found = connection.client.list_alert_channels_all(&params).await?;
    found.into_iter().next().ok_or_else(|| Error::NotFound {
        kind: "alert-channel",
        name: name.to_owned(),
    })
}

fn tested(test: &ChannelTest) -> String {
    match &test.error {
        None => "it was received\n".to_owned(),
        Some(error) => format!("it was not received: {error}\n"),
    }
}

fn list(entries: &Entries<Alert>) -> String {
    if entries.data.is_empty() {
        return "nothing is wrong\n".to_owned();
    }
    let rows = entries.data.iter().map(|alert| {
        vec![
            alert.state.to_string(),
            alert.severity.to_string(),
            alert.title.clone(),
            alert.summary.clone(),
            alert.began_at.clone(),
        ]
    });
    table(&["state", "severity", "title", "what", "since"], rows)
}

fn rules(entries: &Entries<AlertRule>) -> String {
    let rows = entries.data.iter().map(|rule| {
        vec![
            rule.name.clone(),
            rule.severity.to_string(),
            if rule.paused { "paused" } else { "active" }.to_owned(),
            rule.firing.to_string(),
            rule.channels.join(", "),
        ]
    });
    table(&["name", "severity", "state", "firing", "channels"], rows)
}

fn channels(entries: &Entries<AlertChannel>) -> String {
    let rows = entries
        .data
        .iter()
        .map(|channel| vec![channel.name.clone(), channel.title.clone()]);
    table(&["name", "title"], rows)
}
