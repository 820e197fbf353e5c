//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// Serves API traffic: a gateway node without a control plane of its own.
///
/// Settings come from defaults, then the file, then GATELINE_* variables, then these flags. Exit codes: 0 stopped
/// as told, 1 something failed, 2 the settings are wrong.
#[derive(Debug, Default, Parser)]
#[command(name = "gateline-edge", version)]
pub(crate) struct Arguments {
    /// Settings in TOML.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to serve HTTP; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where to serve HTTP over TLS.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen_tls: Option<SocketAddr>,
    /// Where to answer providers of flagd over gRPC; flagd's own port is 8013.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) flagd: Option<SocketAddr>,
    /// The control plane: http://host:port.
    #[arg(long, value_name = "URL", conflicts_with = "snapshot")]
    pub(crate) control: Option<String>,
    /// A file with the cluster's token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The environment whose routes and keys are served.
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// The folder for the log and the copy of the snapshot.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Threads that serve; 0 for one per core.
    #[arg(long, value_name = "COUNT")]
    pub(crate) cores: Option<usize>,
    /// A snapshot in JSON, read again whenever it changes, instead of a control plane.
    #[arg(long, value_name = "FILE")]
    pub(crate) snapshot: Option<PathBuf>,
    /// Written when requests are answered: {"gateway": "http://address"}, and "flagd" if it has a place.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

impl Arguments {
    /// The settings that flags give, by name.
    pub(crate) fn settings(&self) -> Vec<(&'static str, &'static str, String)> {
        let path = |path: &PathBuf| path.display().to_string();
        let all = [
            (
                "gateway.listen",
                "--listen",
                self.listen.map(|address| address.to_string()),
            ),
            (
                "gateway.listen_tls",
                "--listen-tls",
                self.listen_tls.map(|address| address.to_string()),
            ),
            (
                "gateway.flagd.listen",
                "--flagd",
                self.flagd.map(|address| address.to_string()),
            ),
            ("gateway.environment", "--environment", self.environment.clone()),
            (
                "gateway.cores",
                "--cores",
                self.cores.map(|cores| cores.to_string()),
            ),
            ("cluster.control_url", "--control", self.control.clone()),
            (
                "cluster.token_file",
                "--token-file",
                self.token_file.as_ref().map(path),
            ),
            ("data_dir", "--data-dir", self.data_dir.as_ref().map(path)),
            ("snapshot", "--snapshot", self.snapshot.as_ref().map(path)),
        ];
        all.into_iter()
            .filter_map(|(name, flag, value)| Some((name, flag, value?)))
            .collect()
    }
}
