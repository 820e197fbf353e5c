//! `gateline event-types`: declare what users may be recorded to do, and see how often they did.

use std::path::PathBuf;

use clap::Subcommand;
use client::etag;
use client::types::{
    CreateEventTypeParams, EventType, EventTypePatch, EventTypeSpec, EventTypeState, EventTypeUsage,
    EventUnit, ListEventTypesParams, ReadEventTypeUsageParams, UpdateEventTypeParams,
};
use serde_json::Value;

use crate::output::{Entries, Output, table};
use crate::session::Connection;
use crate::{Error, Exit};

/// What to do with event types.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Declare a type, so that its events are taken.
    Create {
        /// What events say in `type`, as `purchase` or `page.viewed`.
        name: String,
        /// What people read; the name if absent.
        #[arg(long)]
        title: Option<String>,
        /// When it happens, and what its properties mean.
        #[arg(long)]
        description: Option<String>,
        /// A file with the JSON Schema of its properties.
        #[arg(long, value_name = "FILE")]
        schema: Option<PathBuf>,
    },
    /// List the types of your organization.
    List,
    /// Take no more events of a type.
    Archive {
        /// Its name.
        name: String,
    },
    /// Take events of an archived type again.
    Activate {
        /// Its name.
        name: String,
    },
    /// Show how many events of a type came.
    Usage {
        /// Its name.
        name: String,
        /// From this moment on, as `2026-11-20T00:00:00Z`; a day or 30 days ago if absent.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Before this moment; until now if absent.
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        /// By days instead of hours.
        #[arg(long)]
        days: bool,
    },
    /// Remove all events that are about somebody, of every type and environment; counts stay.
    Erase {
        /// The user.
        #[arg(long, value_name = "ID", required_unless_present = "anonymous")]
        user: Option<String>,
        /// The browser or device.
        #[arg(long, value_name = "ID")]
        anonymous: Option<String>,
    },
}

pub(crate) async fn run(connection: &Connection, command: &Command, output: &Output) -> Result<Exit, Error> {
    let client = &connection.client;
    match command {
        Command::Create {
            name,
            title,
            description,
            schema,
        } => {
            let wanted = EventTypeSpec {
                description: description.clone(),
                schema: schema.as_ref().map(read_schema).transpose()?,
                ..EventTypeSpec::new(name, title.as_ref().unwrap_or(name))
            };
            let made = client
                .create_event_type(&CreateEventTypeParams::default(), &wanted)
                .await?;
            output.answer(&made, |made| format!("{} ({}) is declared\n", made.name, made.id));
        }
        Command::List => {
            let data = client
                .list_event_types_all(&ListEventTypesParams::default())
                .await?;
            output.answer(&Entries { data }, list);
        }
        Command::Archive { name } => {
            let changed = set_state(connection, name, EventTypeState::Archived).await?;
            output.answer(&changed, |it| format!("{} is archived\n", it.name));
        }
        Command::Activate { name } => {
            let changed = set_state(connection, name, EventTypeState::Active).await?;
            output.answer(&changed, |it| format!("{} is active\n", it.name));
        }
        Command::Usage { name, from, to, days } => {
            let found = find(connection, name).await?;
            let params = ReadEventTypeUsageParams {
                from: from.clone(),
                to: to.clone(),
                interval: Some(if *days { "day" } else { "hour" }.into()),
            };
            let usage = client.read_event_type_usage(&found.id, &params).await?;
            output.answer(&usage, counts);
        }
        Command::Erase { user, anonymous } => {
            let unit = EventUnit {
                user_id: user.clone(),
                anonymous_id: anonymous.clone(),
            };
            let work = client.erase_events(&unit).await?;
            output.answer(&work, |work| format!("being removed, as operation {}\n", work.id));
        }
    }
    Ok(Exit::Done)
}

fn read_schema(path: &PathBuf) -> Result<Value, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::File {
        path: path.clone(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|error| Error::Declared {
        path: path.clone(),
        line: u32::try_from(error.line()).ok(),
        reason: format!("it is not JSON: {error}"),
    })
}

/// Finds a type by its name.
async fn find(connection: &Connection, name: &str) -> Result<EventType, Error> {
    let params = ListEventTypesParams {
        filter_name: Some(name.to_owned()),
        ..ListEventTypesParams::default()
    };
    let found = connection.client.list_event_types_all(&params).await?;
    found.into_iter().next().ok_or_else(|| Error::NotFound {
        kind: "event-type",
        name: name.to_owned(),
    })
}

async fn set_state(connection: &Connection, name: &str, state: EventTypeState) -> Result<EventType, Error> {
    let found = find(connection, name).await?;
    let params = UpdateEventTypeParams {
        if_match: Some(etag(found.revision)),
        ..UpdateEventTypeParams::default()
    };
    let patch = EventTypePatch {
        state: Some(Some(state)),
        ..EventTypePatch::default()
    };
    Ok(connection
        .client
        .update_event_type(&found.id, &params, &patch)
        .await?)
}

fn list(types: &Entries<EventType>) -> String {
    let rows = types.data.iter().map(|it| {
        vec![
            it.name.clone(),
            it.title.clone(),
            it.state.to_string(),
            if it.schema.is_some() { "checked" } else { "" }.to_owned(),
            it.events_last_day.to_string(),
            it.last_seen_at.clone().unwrap_or_default(),
        ]
    });
    table(
        &["name", "title", "state", "properties", "last day", "last seen"],
        rows,
    )
}

fn counts(usage: &EventTypeUsage) -> String {
    if usage.counts.is_empty() {
        return "no events\n".to_owned();
    }
    let rows = usage.counts.iter().map(|count| {
        vec![
            count.begin.clone(),
            count.environment.clone(),
            count.events.to_string(),
            count.bytes.to_string(),
        ]
    });
    let table = table(&["from", "environment", "events", "bytes"], rows);
    format!("{table}{} events, {} bytes\n", usage.events, usage.bytes)
}
