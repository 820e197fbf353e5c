//! The node's settings: defaults < file < `GATELINE_*` < flags. Unknown ones are errors that say where.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use events::ingest::IngestSettings;
use events::intake::IntakeSettings;
use events::log::LogSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::arguments::Arguments;

const PREFIX: &str = "GATELINE_";
/// Variables of the other programs.
const OTHER_VARIABLES: [&str; 7] = [
    "CONFIG",
    "URL",
    "TOKEN",
    "ORGANIZATION",
    "OUTPUT",
    "FAULT",
    "CONFIG_DIR",
];

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The folder for the log and the copy of the snapshot.
    pub(crate) data_dir: PathBuf,
    /// A snapshot in JSON, read again whenever it changes, instead of a control plane.
    pub(crate) snapshot: Option<PathBuf>,
    /// The node.
    pub(crate) gateway: gateway::Settings,
    /// The control plane.
    pub(crate) cluster: Cluster,
    /// How calls get into the durable log.
    pub(crate) usage: Usage,
    /// How tracked events are taken; as at the control plane.
    pub(crate) tracking: Tracking,
    /// What the program says while it runs.
    pub(crate) log: Log,
}

/// How the node and its control plane find and trust each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cluster {
    /// The control plane, as `https://control.internal:8081`.
    pub(crate) control_url: Option<String>,
    /// What both sides know.
    pub(crate) token: Option<String>,
    /// A file with it.
    pub(crate) token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust for the control plane instead of those of the web.
    pub(crate) roots: Option<PathBuf>,
}

/// How calls get into the durable log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Usage {
    /// The least time between two commits: 1 to 1000 milliseconds.
    pub(crate) commit_interval_ms: u64,
    /// Calls that each core keeps in memory until they are committed: 64 to 1,048,576.
    pub(crate) ring_capacity: usize,
    /// The most bytes of the durable log that wait to be counted, while the control plane is away: 4 MiB or more.
    /// From 80 % on, records of refused calls are left out.
    pub(crate) log_bytes_max: u64,
    /// What happens to calls that cannot be counted.
    pub(crate) when_full: WhenFull,
}

impl Usage {
    /// How the log is kept.
    pub(crate) fn log(&self) -> LogSettings {
        LogSettings {
            bytes_max: self.log_bytes_max,
            ..LogSettings::default()
        }
    }
}

/// How tracked events are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tracking {
    /// How old an event may be when it comes, in seconds: a minute to a year.
    pub(crate) age_max_seconds: u64,
    /// How long the ids of events are known, so that what is sent again is not taken again, in seconds: 0 to a day.
    pub(crate) duplicates_seconds: u64,
    /// The most ids that are known, of up to 16 bytes each: 1,000 to 100,000,000; the oldest are forgotten first.
    pub(crate) duplicates_max: usize,
    /// The most bytes of events that wait for the disk, 8 MiB to 1 GiB; what is more is refused with 429.
    pub(crate) waiting_bytes_max: usize,
}

impl Tracking {
    /// What waits for the disk, and what is told to be a duplicate.
    pub(crate) const fn intake(&self) -> IntakeSettings {
        IntakeSettings {
            bytes_max: self.waiting_bytes_max,
            window: Duration::from_secs(self.duplicates_seconds),
            ids_max: self.duplicates_max,
        }
    }

    /// How events are judged.
    pub(crate) const fn ingest(&self) -> IngestSettings {
        IngestSettings {
            age_max: Duration::from_secs(self.age_max_seconds),
        }
    }
}

/// What happens to calls that cannot be counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhenFull {
    /// They are served and the loss is counted in a metric.
    #[default]
    Serve,
    /// They are refused with 503 `overloaded`.
    Refuse,
}

/// What the program says while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// From which level on, for all or per module: `info`, `warn,gateway=debug`.
    pub(crate) level: String,
    /// One JSON object per line instead of text.
    pub(crate) json: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            snapshot: None,
            gateway: gateway::Settings::default(),
            cluster: Cluster::default(),
            usage: Usage::default(),
            tracking: Tracking::default(),
            log: Log::default(),
        }
    }
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            commit_interval_ms: 10,
            ring_capacity: 8192,
            log_bytes_max: LogSettings::default().bytes_max,
            when_full: WhenFull::default(),
        }
    }
}

impl Default for Tracking {
    fn default() -> Self {
        let (ingest, intake) = (IngestSettings::default(), IntakeSettings::default());
        Self {
            age_max_seconds: ingest.age_max.as_secs(),
            duplicates_seconds: intake.window.as_secs(),
            duplicates_max: intake.ids_max,
            waiting_bytes_max: intake.bytes_max,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            json: false,
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error("{}", .path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, or a setting in it is unknown or does not fit.
    #[error("{}", .path.display())]
    Content {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    /// There is no setting of this name.
    #[error("{origin}: there is no such setting")]
    Unknown { origin: String },
    /// The value does not fit.
    #[error("{origin}: {reason}")]
    Invalid { origin: String, reason: String },
    /// Some settings need each other.
    #[error("{0}")]
    Together(&'static str),
}

/// The settings of all sources.
pub(crate) fn load(arguments: &Arguments, environment: &[(String, String)]) -> Result<Settings, Error> {
    let mut settings = match &arguments.config {
        None => Settings::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| Error::File {
                path: path.clone(),
                source,
            })?;
            toml::from_str(&text).map_err(|source| Error::Content {
                path: path.clone(),
                source: Box::new(source),
            })?
        }
    };
    let names = names();
    for (variable, value) in environment {
        let Some(short) = variable
            .strip_prefix(PREFIX)
            .filter(|short| !OTHER_VARIABLES.contains(short))
        else {
            continue;
        };
        let name = names
            .keys()
            .find(|name| name.replace('.', "_").eq_ignore_ascii_case(short))
            .ok_or_else(|| Error::Unknown {
                origin: variable.clone(),
            })?;
        set(&mut settings, (name, names[name]), value, variable)?;
    }
    for (name, flag, value) in arguments.settings() {
        set(&mut settings, (name, names[name]), &value, flag)?;
    }
    check(&settings)?;
    Ok(settings)
}

fn check(settings: &Settings) -> Result<(), Error> {
    let (usage, tracking) = (&settings.usage, &settings.tracking);
    let bounds = [
        ("usage.commit_interval_ms", usage.commit_interval_ms, 1, 1000),
        ("usage.ring_capacity", usage.ring_capacity as u64, 64, 1_048_576),
        (
            "usage.log_bytes_max",
            usage.log_bytes_max,
            LogSettings::BYTES_MAX_LEAST,
            i64::MAX as u64,
        ),
        (
            "tracking.age_max_seconds",
            tracking.age_max_seconds,
            60,
            31_622_400,
        ),
        (
            "tracking.duplicates_seconds",
            tracking.duplicates_seconds,
            0,
            86_400,
        ),
        (
            "tracking.duplicates_max",
            tracking.duplicates_max as u64,
            1000,
            100_000_000,
        ),
        (
            "tracking.waiting_bytes_max",
            tracking.waiting_bytes_max as u64,
            8 << 20,
            1 << 30,
        ),
    ];
    for (name, value, least, most) in bounds {
        if !(least..=most).contains(&value) {
            return Err(Error::Invalid {
                origin: name.to_owned(),
                reason: format!("{value} is not from {least} to {most}"),
            });
        }
    }
    let cluster = &settings.cluster;
    match (&cluster.control_url, &settings.snapshot) {
        (None, None) => Err(Error::Together(
            "name a control plane (--control) or a snapshot (--snapshot)",
        )),
        (Some(_), Some(_)) => Err(Error::Together(
            "name either a control plane or a snapshot, not both",
        )),
        (Some(_), None) if cluster.token.is_none() && cluster.token_file.is_none() => Err(Error::Together(
            "the control plane wants the cluster's token: --token-file",
        )),
        _ => Ok(()),
    }
}

/// Sets one setting from text.
fn set(
    settings: &mut Settings,
    (name, is_text): (&str, bool),
    text: &str,
    origin: &str,
) -> Result<(), Error> {
    let invalid = |reason: String| Error::Invalid {
        origin: origin.to_owned(),
        reason,
    };
    let mut all = serde_json::to_value(&*settings).map_err(|error| invalid(error.to_string()))?;
    let mut place = &mut all;
    for part in name.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[part];
    }
    let number = || {
        serde_json::from_str::<Value>(text)
            .ok()
            .filter(|value| value.is_number() || value.is_boolean())
    };
    *place = if is_text { None } else { number() }.unwrap_or_else(|| Value::String(text.to_owned()));
    *settings = serde_json::from_value(all).map_err(|error| invalid(error.to_string()))?;
    Ok(())
}

/// All settings by name, and whether they are text: the leaves of the schema.
fn names() -> BTreeMap<String, bool> {
    let schema = schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<Settings>()
        .to_value();
    let mut names = BTreeMap::new();
    leaves(&schema, "", &mut names);
    names
}

fn leaves(schema: &Value, path: &str, names: &mut BTreeMap<String, bool>) {
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    let object = alternatives.and_then(|all| all.iter().find(|one| one.get("properties").is_some()));
    let schema = object.unwrap_or(schema);
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        let kind = schema.get("type").map(ToString::to_string).unwrap_or_default();
        names.insert(
            path.to_owned(),
            !kind.contains("integer") && !kind.contains("boolean"),
        );
        return;
    };
    for (name, property) in properties {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        leaves(property, &path, names);
    }
}

#[cfg(test)]
mod tests;
