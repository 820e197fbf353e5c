//! Why a server did not start or did not run on, and which exit code that is.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use cli::Exit;

use crate::{demo, folder};

/// Why a server did not start or did not run on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The data directory cannot be used.
    #[error(transparent)]
    Folder(#[from] folder::Error),
    /// An address is not to be had.
    #[error(
        "the {who} cannot listen on {address} (`{setting}`, {flag}): {}",
        listening(source)
    )]
    Listen {
        who: &'static str,
        setting: &'static str,
        flag: &'static str,
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// Control plane and gateway want the same address.
    #[error(
        "gateway and control plane cannot both listen on {address}: change `gateway.listen` (--gateway) or `control.listen` (--control)"
    )]
    SameAddress { address: SocketAddr },
    /// A setting that only the other program heeds.
    #[error("`gateway.handover` is for `gateline-edge`: this program does not hand its sockets over")]
    Handover,
    /// The gateway does not start.
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
    /// The durable log cannot be used.
    #[error(transparent)]
    Log(#[from] events::log::Error),
    /// The control plane does not open its database.
    #[error("the database {database} cannot be opened")]
    Database {
        database: String,
        #[source]
        source: Box<store::Error>,
    },
    /// The control plane does not start.
    #[error("the control plane does not start")]
    Control(#[source] Box<control::Error>),
    /// The control plane of a node that runs alone cannot be called.
    #[error("the control plane elsewhere cannot be called")]
    ControlUrl(#[source] Box<gateway::feed::Error>),
    /// The file with the cluster's token cannot be read.
    #[error("`cluster.token_file` cannot be read")]
    ClusterToken(#[source] io::Error),
    /// A part that runs alone was not told with whom.
    #[error("{who} without a control plane in its process needs `{setting}` ({how})")]
    Alone {
        who: &'static str,
        setting: &'static str,
        how: &'static str,
    },
    /// The place of the lake cannot be used.
    #[error("`lake.url` cannot be used")]
    Lake(#[source] lake::place::Error),
    /// A part of the lake's cluster has ended.
    #[error("the lake's cluster cannot be kept up")]
    Cluster(#[source] Box<dyn StdError + Send + Sync>),
    /// Not everything answers.
    #[error("{url} does not answer within {seconds} s: {said}")]
    Silent { url: String, seconds: u64, said: String },
    /// The first administrator cannot sign in.
    #[error("the first administrator cannot sign in")]
    SignIn(#[source] Box<client::Error>),
    /// The sample cannot be loaded.
    #[error("the sample cannot be loaded; `--no-demo` starts without it")]
    Demo(#[from] demo::Error),
    /// The ready file cannot be written.
    #[error("{} cannot be written", path.display())]
    ReadyFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The system gives no resources to start with.
    #[error("the system gives no resources to start with")]
    Runtime {
        #[source]
        source: io::Error,
    },
    /// A second signal came while the first was being obeyed.
    #[error("stopped at once; calls under way were cut off")]
    Impatient,
}

impl Error {
    /// The exit code for it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Folder(folder::Error::InUse { .. }) => Exit::Locked,
            Self::Listen { .. } => Exit::Address,
            Self::Database { source, database } => match **source {
                store::Error::Newer { .. } => Exit::Newer,
                store::Error::Address { .. } => Exit::Settings,
                store::Error::Unavailable(_) if database.starts_with("sqlite:") => Exit::Locked,
                _ => Exit::Database,
            },
            Self::SameAddress { .. }
            | Self::Handover
            | Self::Alone { .. }
            | Self::ControlUrl(_)
            | Self::Lake(_)
            | Self::ClusterToken(_) => Exit::Settings,
            Self::Folder(_) | Self::ReadyFile { .. } => Exit::Settings,
            Self::Gateway(gateway::Error::Tls(_)) => Exit::Settings,
            Self::Log(_) | Self::Control(_) | Self::Gateway(_) | Self::Cluster(_) => Exit::Internal,
            Self::Silent { .. } | Self::SignIn(_) | Self::Demo(_) | Self::Runtime { .. } => Exit::Internal,
            Self::Impatient => Exit::Interrupted,
        }
    }

    /// The error with its causes, each once.
    pub(crate) fn explain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = match self {
            // Said in better words than the system's.
            Self::Listen { .. } | Self::Folder(_) => None,
            _ => self.source(),
        };
        while let Some(source) = cause {
            let said = source.to_string();
            if !text.contains(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = source.source();
        }
        text
    }
}

/// Why an address is not to be had, and what to do.
fn listening(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there, perhaps another gateline; stop it or take another port (0 takes a free one)"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "the system does not let this user; ports from 1024 on are for everybody".to_owned()
        }
        _ => source.to_string(),
    }
}
