//! Puts the sources of settings together, remembering where each came from.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use events::log::LogSettings;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Settings, schema};

/// The file that is read when it is there and no other is named.
const FILE_DEFAULT: &str = "gateline.toml";
const PREFIX: &str = "GATELINE_";
/// Variables of the commands and of tests, which are no settings of the server.
const OTHER_VARIABLES: [&str; 7] = [
    "CONFIG",
    "URL",
    "TOKEN",
    "ORGANIZATION",
    "OUTPUT",
    "FAULT",
    "CONFIG_DIR",
];

/// Where settings come from.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The file to read; `gateline.toml` in the current folder, if it is there, when absent.
    pub(crate) file: Option<PathBuf>,
    /// The process's environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Flags: the setting's name, the flag's name, the value.
    pub(crate) flags: Vec<(&'static str, &'static str, String)>,
}

/// Where one setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line of a file.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Settings, and where those that are not defaults came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) settings: Settings,
    /// Origins by the setting's name.
    pub(crate) origins: BTreeMap<String, Origin>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax {
        path: PathBuf,
        line: usize,
        reason: String,
    },
    /// There is no setting of this name.
    #[error("{origin}: there is no setting `{name}`{}", nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    Unknown {
        origin: Origin,
        name: String,
        nearest: Option<String>,
    },
    /// The value does not fit.
    #[error("{origin}: `{name}` {reason}")]
    Invalid {
        origin: Origin,
        name: String,
        reason: String,
    },
}

type Values = BTreeMap<String, (Value, Origin)>;

/// The settings of all sources; the first thing that is wrong with any ends it.
pub(crate) fn load(sources: &Sources) -> Result<Loaded, Error> {
    let names = names();
    let mut values = Values::new();
    let variable = |name: &str| {
        let found = sources
            .environment
            .iter()
            .find(|(other, _)| other.strip_prefix(PREFIX) == Some(name));
        found.map(|(_, value)| value.clone())
    };
    let named = sources
        .file
        .clone()
        .or_else(|| variable("CONFIG").map(PathBuf::from));
    let file = named.or_else(|| Some(PathBuf::from(FILE_DEFAULT)).filter(|path| path.is_file()));
    if let Some(path) = file {
        read_file(&path, &names, &mut values)?;
    }
    read_environment(&sources.environment, &names, &mut values)?;
    for (name, flag, value) in &sources.flags {
        let kind = names.get(*name).copied().unwrap_or(Kind::Text);
        let origin = Origin::Flag(flag);
        values.insert((*name).to_owned(), (parse(kind, value, name, &origin)?, origin));
    }
    assemble(values)
}

/// What a setting's value is, as far as reading it from text is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Boolean,
    /// In text, separated by commas.
    List,
}

/// All settings: the leaves of the schema.
fn names() -> BTreeMap<String, Kind> {
    let mut names = BTreeMap::new();
    leaves(&schema(), "", &mut names);
    names
}

fn leaves(schema: &Value, path: &str, names: &mut BTreeMap<String, Kind>) {
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    let schema = alternatives
        .and_then(|all| {
            all.iter()
                .find(|one| one.get("type").is_none_or(|kind| kind != "null"))
        })
        .unwrap_or(schema);
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            leaves(property, &path, names);
        }
        return;
    }
    let is = |wanted: &str| match schema.get("type") {
        Some(Value::String(kind)) => kind == wanted,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == wanted),
        _ => false,
    };
    let kind = if is("integer") {
        Kind::Integer
    } else if is("boolean") {
        Kind::Boolean
    } else if is("array") {
        Kind::List
    } else {
        Kind::Text
    };
    names.insert(path.to_owned(), kind);
}

fn read_file(path: &Path, names: &BTreeMap<String, Kind>, values: &mut Values) -> Result<(), Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let line_of = |place: usize| text[..place.min(text.len())].matches('\n').count() + 1;
    let table = DeTable::parse(&text).map_err(|error| Error::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_of(span.start)),
        reason: error.message().to_owned(),
    })?;
    let mut reader = FileReader {
        path,
        names,
        values,
        line_of: &line_of,
    };
    reader.table(table.get_ref(), "")
}

struct FileReader<'a> {
    path: &'a Path,
    names: &'a BTreeMap<String, Kind>,
    values: &'a mut Values,
    line_of: &'a dyn Fn(usize) -> usize,
}

impl FileReader<'_> {
    fn table(&mut self, table: &DeTable<'_>, prefix: &str) -> Result<(), Error> {
        for (key, value) in table {
            let key_text: &str = key.get_ref();
            let name = if prefix.is_empty() {
                key_text.to_owned()
            } else {
                format!("{prefix}.{key_text}")
            };
            let origin = Origin::File(self.path.to_owned(), (self.line_of)(key.span().start));
            let inside = format!("{name}.");
            if self.names.contains_key(&name) {
                let value = json(value, &name, &origin)?;
                self.values.insert(name, (value, origin));
            } else if self.names.keys().any(|known| known.starts_with(&inside)) {
                match value.get_ref() {
                    DeValue::Table(table) => self.table(table, &name)?,
                    other => {
                        let reason = format!("is a table of settings, not a {}", other.type_str());
                        return Err(Error::Invalid { origin, name, reason });
                    }
                }
            } else {
                let nearest = nearest(&name, self.names.keys().map(String::as_str));
                return Err(Error::Unknown {
                    origin,
                    name,
                    nearest,
                });
            }
        }
        Ok(())
    }
}

fn json(value: &Spanned<DeValue<'_>>, name: &str, origin: &Origin) -> Result<Value, Error> {
    let invalid = |reason: String| Error::Invalid {
        origin: origin.clone(),
        name: name.to_owned(),
        reason,
    };
    match value.get_ref() {
        DeValue::String(text) => Ok(Value::String(text.to_string())),
        DeValue::Boolean(value) => Ok(Value::Bool(*value)),
        DeValue::Integer(integer) => i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix())
            .map(Value::from)
            .map_err(|error| invalid(error.to_string())),
        DeValue::Array(values) => values.iter().map(|value| json(value, name, origin)).collect(),
        // One entry of a list, as a listener.
        DeValue::Table(table) => table
            .iter()
            .map(|(key, value)| Ok((key.get_ref().to_string(), json(value, name, origin)?)))
            .collect(),
        other => Err(invalid(format!("cannot be a {}", other.type_str()))),
    }
}

fn read_environment(
    environment: &[(String, String)],
    names: &BTreeMap<String, Kind>,
    values: &mut Values,
) -> Result<(), Error> {
    let variables: BTreeMap<String, &str> = names
        .keys()
        .map(|name| (name.replace('.', "_").to_uppercase(), name.as_str()))
        .collect();
    for (variable, value) in environment {
        let Some(short) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        if OTHER_VARIABLES.contains(&short) {
            continue;
        }
        let origin = Origin::Variable(variable.clone());
        let Some(name) = variables.get(short) else {
            let nearest =
                nearest(short, variables.keys().map(String::as_str)).map(|name| format!("{PREFIX}{name}"));
            return Err(Error::Unknown {
                origin,
                name: variable.clone(),
                nearest,
            });
        };
        let value = parse(names[*name], value, name, &origin)?;
        values.insert((*name).to_owned(), (value, origin));
    }
    Ok(())
}

/// A value written as text in a variable or a flag.
fn parse(kind: Kind, text: &str, name: &str, origin: &Origin) -> Result<Value, Error> {
    let parsed = match kind {
        Kind::Text => Some(Value::String(text.to_owned())),
        Kind::Integer => text.parse::<i64>().ok().map(Value::from),
        Kind::Boolean => text.parse::<bool>().ok().map(Value::from),
        Kind::List => Some(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .collect(),
        ),
    };
    parsed.ok_or_else(|| {
        let reason = format!(
            "must be {}, not `{text}`",
            if kind == Kind::Integer {
                "a number"
            } else {
                "true or false"
            }
        );
        Error::Invalid {
            origin: origin.clone(),
            name: name.to_owned(),
            reason,
        }
    })
}

fn assemble(values: Values) -> Result<Loaded, Error> {
    let mut tree = Value::Object(Map::new());
    let mut origins = BTreeMap::new();
    for (name, (value, origin)) in values {
        let mut place = &mut tree;
        for part in name.split('.') {
            place = &mut place[part];
        }
        *place = value;
        origins.insert(name, origin);
    }
    let settings: Settings = serde_path_to_error::deserialize(tree).map_err(|error| {
        let name = error.path().to_string();
        // A missing part of a table is reported at the table.
        let found = origins
            .iter()
            .find(|(other, _)| **other == name || other.starts_with(&format!("{name}.")));
        let (name, origin) = found.map_or((name, Origin::Flag("settings")), |(name, origin)| {
            (name.clone(), origin.clone())
        });
        let reason = format!("is not valid: {}", error.into_inner());
        Error::Invalid { origin, name, reason }
    })?;
    let loaded = Loaded { settings, origins };
    check(&loaded)?;
    Ok(loaded)
}

/// What types cannot say.
fn check(loaded: &Loaded) -> Result<(), Error> {
    let settings = &loaded.settings;
    let wrong = |name: &str, reason: &str| {
        let origin = loaded
            .origins
            .get(name)
            .cloned()
            .unwrap_or(Origin::Flag("settings"));
        Err(Error::Invalid {
            origin,
            name: name.to_owned(),
            reason: reason.to_owned(),
        })
    };
    if !(1..=1000).contains(&settings.usage.commit_interval_ms) {
        return wrong("usage.commit_interval_ms", "must be from 1 to 1000");
    }
    if !(64..=1_048_576).contains(&settings.usage.ring_capacity) {
        return wrong("usage.ring_capacity", "must be from 64 to 1048576");
    }
    if settings.usage.log_bytes_max < LogSettings::BYTES_MAX_LEAST {
        let reason = format!("must be {} or more", LogSettings::BYTES_MAX_LEAST);
        return wrong("usage.log_bytes_max", &reason);
    }
    let lake = &settings.lake;
    if lake.s3.access_key_id.is_some() != lake.s3.secret_access_key.is_some() {
        return wrong(
            "lake.s3",
            "needs both `access_key_id` and `secret_access_key`, or neither",
        );
    }
    if let Err(reason) = lake.cluster.scheduler() {
        return wrong("lake.cluster.scheduler", reason);
    }
    let alerts = &settings.alerts;
    if alerts.mail_url.is_some() != alerts.mail_from.is_some() {
        return wrong("alerts", "needs both `mail_url` and `mail_from`, or neither");
    }
    if let Some(Err(reason)) = alerts.control().mail.map(|mail| mail.check()) {
        return wrong("alerts", &reason);
    }
    for (name, value, range) in bounds(settings) {
        if !range.contains(&value) {
            let reason = format!("must be from {} to {}", range.start(), range.end());
            return wrong(name, &reason);
        }
    }
    let urls = [
        ("control.public_url", &settings.control.public_url),
        ("control.gateway_url", &settings.control.gateway_url),
        ("cluster.control_url", &settings.cluster.control_url),
    ];
    for (name, url) in urls {
        let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        if url.as_ref().is_some_and(|url| !is_url(url)) {
            return wrong(name, "must begin with http:// or https://");
        }
    }
    Ok(())
}

/// Numbers that have a least and a greatest value.
fn bounds(settings: &Settings) -> [(&'static str, u64, RangeInclusive<u64>); 12] {
    let (lake, tracking) = (&settings.lake, &settings.tracking);
    let memory = lake.query_memory_bytes as u64;
    let cluster = &lake.cluster;
    let (partitions, cores) = (cluster.partitions as u64, cluster.executor_cores as u64);
    let (known, waiting) = (tracking.duplicates_max as u64, tracking.waiting_bytes_max as u64);
    [
        ("lake.commit_interval_ms", lake.commit_interval_ms, 100..=600_000),
        ("lake.query_memory_bytes", memory, 16 << 20..=1 << 40),
        ("lake.query_seconds", lake.query_seconds, 1..=3600),
        ("lake.cluster.from_days", cluster.from_days.into(), 0..=3660),
        ("lake.cluster.partitions", partitions, 1..=1024),
        ("lake.cluster.executor_cores", cores, 0..=1024),
        (
            "lake.cluster.executor_memory_bytes",
            cluster.executor_memory_bytes,
            64 << 20..=1 << 50,
        ),
        (
            "alerts.interval_seconds",
            settings.alerts.interval_seconds,
            1..=3600,
        ),
        (
            "tracking.age_max_seconds",
            tracking.age_max_seconds,
            60..=31_622_400,
        ),
        (
            "tracking.duplicates_seconds",
            tracking.duplicates_seconds,
            0..=86_400,
        ),
        ("tracking.duplicates_max", known, 1000..=100_000_000),
        ("tracking.waiting_bytes_max", waiting, 8 << 20..=1 << 30),
    ]
}

/// The known name that was probably meant.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let scored = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    let (distance, best) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= name.len().max(3) / 3).then(|| best.to_owned())
}
