//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::settings::Sources;

const ABOUT: &str = "Gateline turns services into managed API products";
const EXAMPLES: &str = "\
Begin with:
  gateline up                                                     start everything, with a sample
  gateline login
  gateline import openapi.yaml --upstream http://127.0.0.1:9000 --publish
  gateline keys create --api <name> --plan free
  gateline usage --api <name>
";

/// What was typed.
#[derive(Debug, Parser)]
#[command(name = "gateline", version, about = ABOUT, before_help = EXAMPLES, after_help = cli::exit::HELP)]
#[command(
    disable_help_subcommand = true,
    propagate_version = true,
    args_override_self = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: cli::Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything in one process, with a sample API to try.
    Up(Up),
    /// Start chosen roles: a control plane, a gateway node, both, or parts of a lake's cluster.
    Serve(Serve),
    /// Check the settings, or print their schema.
    #[command(subcommand)]
    Config(Config),
    /// Make a link by which somebody chooses a new password; needs the data directory, no sign-in.
    ResetPassword(Box<ResetPassword>),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    #[command(flatten)]
    Server(cli::Command),
}

/// What `up` is told.
#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) settings: SettingsFlags,
    /// Start without the sample API and its service.
    #[arg(long)]
    pub(crate) no_demo: bool,
    #[command(flatten)]
    pub(crate) ready: Ready,
}

/// What `serve` is told.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// What this process does, with commas.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "control,gateway")]
    pub(crate) roles: Vec<Role>,
    #[command(flatten)]
    pub(crate) settings: SettingsFlags,
    #[command(flatten)]
    pub(crate) ready: Ready,
}

/// Where to say that everything answers.
#[derive(Debug, Args)]
pub(crate) struct Ready {
    /// Write addresses and first credentials to this file as soon as everything answers.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

/// A part of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// API, console, portal.
    Control,
    /// The data plane.
    Gateway,
    /// Hands out what executors compute, for a lake that is too large for one process.
    Scheduler,
    /// Computes what the scheduler hands out.
    Executor,
}

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Read all sources, say what is wrong or what is in force and where it came from.
    Check(Box<SettingsFlags>),
    /// Print the JSON Schema of gateline.toml.
    Schema,
}

/// What `reset-password` is told.
#[derive(Debug, Args)]
pub(crate) struct ResetPassword {
    /// The address of the account.
    pub(crate) email: String,
    #[command(flatten)]
    pub(crate) settings: SettingsFlags,
}

/// Settings that have a flag; all others are in gateline.toml and GATELINE_* variables.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct SettingsFlags {
    /// The settings file; gateline.toml in the current folder if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder for everything that must survive.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the gateway listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    gateway: Option<SocketAddr>,
    /// Where providers of flagd are answered over gRPC; flagd's own port is 8013.
    #[arg(long, value_name = "ADDRESS")]
    flagd: Option<SocketAddr>,
    /// Where API, console and portal listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,
    /// postgres://user:password@host/database instead of SQLite in the data directory.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The environment whose routes and keys the gateway serves.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The control plane of a gateway that runs alone.
    #[arg(long, value_name = "URL")]
    control_url: Option<String>,
    /// From which level on lines are written: error, warn, info, debug, or per module.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// How lines are written: auto, text, json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl SettingsFlags {
    /// All sources of settings of this process.
    pub(crate) fn sources(&self) -> Sources {
        let text = |value: &Option<SocketAddr>| value.map(|address| address.to_string());
        let flags = [
            (
                "data_dir",
                "--data-dir",
                self.data_dir.as_ref().map(|path| path.display().to_string()),
            ),
            ("gateway.listen", "--gateway", text(&self.gateway)),
            ("gateway.flagd.listen", "--flagd", text(&self.flagd)),
            ("control.listen", "--control", text(&self.control)),
            ("database.url", "--database", self.database.clone()),
            ("gateway.environment", "--environment", self.environment.clone()),
            ("cluster.control_url", "--control-url", self.control_url.clone()),
            ("log.level", "--log-level", self.log_level.clone()),
            ("log.format", "--log-format", self.log_format.clone()),
        ];
        let given = |(name, flag, value): (_, _, Option<String>)| value.map(|value| (name, flag, value));
        // Variables whose name or value is not text are nobody's settings.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Sources {
            file: self.config.clone(),
            environment: std::env::vars_os().filter_map(text).collect(),
            flags: flags.into_iter().filter_map(given).collect(),
        }
    }
}
