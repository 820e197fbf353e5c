//! The program's settings: defaults < `gateline.toml` < `GATELINE_*` < flags.
//!
//! One struct per concern; its documentation is the documentation of the file (`spec/config.schema.json`).
//! Names are read off the schema, so there is no second list of them. [`load`] puts the sources together.

mod load;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use control::alert::{AlertSettings, MailSettings};
use events::ingest::IngestSettings;
use events::intake::IntakeSettings;
use events::log::LogSettings;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

pub(crate) use load::{Loaded, Sources, load};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The folder for everything that must survive: database, secrets, the gateway's log and snapshot copy.
    pub(crate) data_dir: PathBuf,
    /// The control plane.
    pub(crate) control: Control,
    /// The gateway node.
    pub(crate) gateway: gateway::Settings,
    /// The control plane's database.
    pub(crate) database: Database,
    /// How a gateway node and a control plane in different processes find and trust each other.
    pub(crate) cluster: Cluster,
    /// How calls get into the durable log.
    pub(crate) usage: Usage,
    /// How tracked events are taken.
    pub(crate) tracking: Tracking,
    /// Where every single call is kept.
    pub(crate) lake: Lake,
    /// How alerts are looked for and told.
    pub(crate) alerts: Alerts,
    /// What the program says while it runs.
    pub(crate) log: Log,
}

/// The control plane: API, console, portal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Control {
    /// Where it listens; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// How browsers reach it, as `https://api.example.com`; made of `listen` if absent.
    pub(crate) public_url: Option<String>,
    /// How consumers reach the gateway, as `https://gateway.example.com`; made of `gateway.listen` if absent.
    pub(crate) gateway_url: Option<String>,
    /// Origins beside our own whose pages may call the API, as `https://console.example`.
    pub(crate) cors_origins: Vec<String>,
    /// Whether a proxy of yours stands in front and `X-Forwarded-For` names the client. Without one, anybody could
    /// write that header and so get around the limits on sign-in.
    pub(crate) trusts_proxy: bool,
}

/// The control plane's database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    /// `postgres://user:password@host/database` (15 or newer); SQLite in the data directory if absent.
    pub(crate) url: Option<Secret>,
}

/// How a gateway node and a control plane in different processes find and trust each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cluster {
    /// The control plane of a node that runs alone, as `https://control.internal:8081`.
    pub(crate) control_url: Option<String>,
    /// What both sides know; the control plane makes one in `<data_dir>/secrets/cluster-token` if absent.
    pub(crate) token: Option<Secret>,
    /// A file with it.
    pub(crate) token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust for the control plane instead of those of the web.
    pub(crate) roots: Option<PathBuf>,
}

impl Cluster {
    /// The token, wherever it is given.
    pub(crate) fn read_token(&self) -> std::io::Result<Option<String>> {
        match (&self.token, &self.token_file) {
            (Some(token), _) => Ok(Some(token.0.clone())),
            (None, Some(path)) => std::fs::read_to_string(path).map(|text| Some(text.trim().to_owned())),
            (None, None) => Ok(None),
        }
    }
}

/// How calls get into the durable log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Usage {
    /// The least time between two commits, and so the most that a crash takes: 1 to 1000 milliseconds.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) commit_interval_ms: u64,
    /// Calls that each core keeps in memory until they are committed: 64 to 1,048,576.
    #[schemars(range(min = 64, max = 1_048_576))]
    pub(crate) ring_capacity: usize,
    /// The most bytes of the durable log that wait to be counted, while the database or the control plane is away:
    /// 4 MiB or more. From 80 % on, records of refused calls are left out.
    #[schemars(range(min = 4_194_304))]
    pub(crate) log_bytes_max: u64,
    /// What happens to calls when they cannot be counted: when the log or the disk is full, for example.
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tracking {
    /// How old an event may be when it comes, in seconds: a minute to a year.
    #[schemars(range(min = 60, max = 31_622_400))]
    pub(crate) age_max_seconds: u64,
    /// How long the ids of events are known, so that what is sent again is not taken again, in seconds: 0 to a day.
    #[schemars(range(max = 86_400))]
    pub(crate) duplicates_seconds: u64,
    /// The most ids that are known, of up to 16 bytes each: 1,000 to 100,000,000; the oldest are forgotten first.
    #[schemars(range(min = 1000, max = 100_000_000))]
    pub(crate) duplicates_max: usize,
    /// The most bytes of events that wait for the disk, 8 MiB to 1 GiB; what is more is refused with 429.
    #[schemars(range(min = 8_388_608, max = 1_073_741_824))]
    pub(crate) waiting_bytes_max: usize,
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

/// Where every single call is kept, as tables (Delta Lake) that can be asked with SQL and read by other engines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Lake {
    /// Whether calls are kept one by one, and not only counted.
    pub(crate) enabled: bool,
    /// `s3://bucket/prefix` or `file:///path`; the folder `lake` of the data directory if absent. Control planes
    /// that share a database share this, too: a folder of one of them is not enough.
    pub(crate) url: Option<String>,
    /// How an S3-compatible store is reached.
    pub(crate) s3: S3,
    /// The least time between two commits of a node: each is a file. 100 to 600,000 milliseconds.
    #[schemars(range(min = 100, max = 600_000))]
    pub(crate) commit_interval_ms: u64,
    /// How many days calls are kept; 0 is for ever.
    pub(crate) keep_days: u32,
    /// The same for calls of the APIs of some organizations, by name.
    pub(crate) keep_days_of: BTreeMap<String, u32>,
    /// The most memory of one query in bytes: 16 MiB or more. Four run at a time.
    #[schemars(range(min = 16_777_216))]
    pub(crate) query_memory_bytes: usize,
    /// The longest that a query may take in seconds: 1 to 3,600.
    #[schemars(range(min = 1, max = 3600))]
    pub(crate) query_seconds: u64,
    /// Processes that compute sums over many days.
    pub(crate) cluster: LakeCluster,
}

/// Processes that compute sums over many days (Ballista): one with the role `scheduler`, others with the role `executor`.
/// They know `cluster.token`, and share the store with the control plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LakeCluster {
    /// Where the scheduler answers control planes and executors, as `scheduler.internal:50050`; if absent, each control
    /// plane computes for itself.
    pub(crate) scheduler: Option<String>,
    /// Analytics over so many days and more are computed there: 0 to 3,660.
    #[schemars(range(max = 3660))]
    pub(crate) from_days: u32,
    /// Into how many parts they are cut, 1 to 1,024: about as many as the executors have cores together.
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) partitions: usize,
    /// Where the scheduler listens; port 0 takes a free one.
    pub(crate) scheduler_listen: SocketAddr,
    /// Where an executor listens, for control planes and other executors; port 0 takes a free one.
    pub(crate) executor_listen: SocketAddr,
    /// By which name or address they reach it; the address from which the scheduler sees it come if absent. Executors
    /// with IPv6 need it, in brackets: `[2001:db8::7]`.
    pub(crate) executor_host: Option<String>,
    /// How many tasks an executor has at a time, up to 1,024; 0 is as many as there are cores.
    #[schemars(range(max = 1024))]
    pub(crate) executor_cores: usize,
    /// Memory of an executor's tasks together in bytes, 64 MiB or more; what needs more goes to files in its data
    /// directory.
    #[schemars(range(min = 67_108_864))]
    pub(crate) executor_memory_bytes: u64,
}

impl LakeCluster {
    /// Host and port of the scheduler, if there is one.
    ///
    /// # Errors
    /// What is wrong with the setting.
    pub(crate) fn scheduler(&self) -> Result<Option<(&str, u16)>, &'static str> {
        let Some(text) = &self.scheduler else {
            return Ok(None);
        };
        let wrong = "must be a host and a port, as `scheduler.internal:50050`";
        let (host, port) = text.rsplit_once(':').ok_or(wrong)?;
        let is_host = !host.is_empty() && !host.contains(['/', '@', ' ', '?', '#']);
        let port = port.parse().ok().filter(|port| *port > 0 && is_host);
        port.map(|port| Some((host, port))).ok_or(wrong)
    }
}

impl Lake {
    /// The least time between two commits.
    pub(crate) fn commit_interval(&self) -> Duration {
        Duration::from_millis(self.commit_interval_ms)
    }
}

/// How an S3-compatible store is reached; what is absent is looked for as AWS' own tools do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct S3 {
    /// The address of a store that is not AWS: `https://…`, or `http://…` in a network that is trusted.
    pub(crate) endpoint: Option<String>,
    /// The region; stores that have none take any.
    pub(crate) region: Option<String>,
    /// The id of the key.
    pub(crate) access_key_id: Option<String>,
    /// The key.
    pub(crate) secret_access_key: Option<Secret>,
}

/// How alerts are looked for and told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Alerts {
    /// How often each rule is judged, in seconds: 1 to 3,600.
    #[schemars(range(min = 1, max = 3600))]
    pub(crate) interval_seconds: u64,
    /// The mail server, as `smtps://user:password@host:465` or `smtp://host:587?tls=required`; no mails if absent.
    pub(crate) mail_url: Option<Secret>,
    /// The sender of mails, as `Gateline <alerts@example.com>`.
    pub(crate) mail_from: Option<String>,
    /// Whether webhooks may go to addresses that are not of the public internet, and without TLS. Whoever may make a
    /// channel can then have this process call what only it can reach.
    pub(crate) danger_private_addresses: bool,
}

impl Alerts {
    /// As the control plane takes them.
    pub(crate) fn control(&self) -> AlertSettings {
        AlertSettings {
            every: Duration::from_secs(self.interval_seconds),
            allows_private: self.danger_private_addresses,
            mail: self
                .mail_url
                .as_ref()
                .zip(self.mail_from.clone())
                .map(|(url, from)| MailSettings {
                    url: url.0.clone(),
                    from,
                }),
        }
    }
}

/// What the program says while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// How lines are written.
    pub(crate) format: LogFormat,
    /// From which level on, for all or per module: `info`, `warn,gateway=debug`.
    pub(crate) level: String,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One object per line.
    Json,
}

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("writeOnly" = true))]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            control: Control::default(),
            gateway: gateway::Settings::default(),
            database: Database::default(),
            cluster: Cluster::default(),
            usage: Usage::default(),
            tracking: Tracking::default(),
            lake: Lake::default(),
            alerts: Alerts::default(),
            log: Log::default(),
        }
    }
}

impl Default for Control {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            public_url: None,
            gateway_url: None,
            cors_origins: Vec::new(),
            trusts_proxy: false,
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

impl Default for Lake {
    fn default() -> Self {
        Self {
            enabled: true,
            url: None,
            s3: S3::default(),
            commit_interval_ms: 10_000,
            keep_days: 90,
            keep_days_of: BTreeMap::new(),
            query_memory_bytes: 256 << 20,
            query_seconds: 30,
            cluster: LakeCluster::default(),
        }
    }
}

impl Default for LakeCluster {
    fn default() -> Self {
        Self {
            scheduler: None,
            from_days: 7,
            partitions: 16,
            scheduler_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50050)),
            executor_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50051)),
            executor_host: None,
            executor_cores: 0,
            executor_memory_bytes: 1 << 30,
        }
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            interval_seconds: AlertSettings::default().every.as_secs(),
            mail_url: None,
            mail_from: None,
            danger_private_addresses: false,
        }
    }
}

impl Default for Tracking {
    fn default() -> Self {
        let intake = IntakeSettings::default();
        Self {
            age_max_seconds: IngestSettings::default().age_max.as_secs(),
            duplicates_seconds: intake.window.as_secs(),
            duplicates_max: intake.ids_max,
            waiting_bytes_max: intake.bytes_max,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            level: "info".to_owned(),
        }
    }
}

/// Whether a setting's value is not to be shown.
pub(crate) fn is_secret(name: &str) -> bool {
    let pointer: String = name
        .split('.')
        .map(|part| format!("/properties/{part}"))
        .collect();
    let schema = schema();
    let property = schema
        .pointer(&pointer)
        .map(ToString::to_string)
        .unwrap_or_default();
    property.contains("writeOnly")
}

/// The JSON Schema of the file.
pub(crate) fn schema() -> serde_json::Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator();
    let mut schema = generator.root_schema_for::<Settings>();
    schema.insert("title".to_owned(), "gateline.toml".into());
    schema.to_value()
}

#[cfg(test)]
mod tests;
