//! Why a command failed, and which exit code that is.

use std::io;
use std::path::PathBuf;

use crate::Exit;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused, failed or is not there.
    #[error(transparent)]
    Call(#[from] client::Error),
    /// Nobody is signed in.
    #[error("nobody is signed in at {url}: run `gateline login --url {url}` or set GATELINE_TOKEN")]
    NotSignedIn {
        /// The server that would be called.
        url: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A declarative file is wrong.
    #[error("{}{}: {reason}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    Declared {
        /// Which one.
        path: PathBuf,
        /// Where in it, from 1.
        line: Option<u32>,
        /// What is wrong.
        reason: String,
    },
    /// What was typed does not fit together.
    #[error("{reason}")]
    Argument {
        /// Why, and what would.
        reason: String,
    },
    /// Nothing has this name.
    #[error("there is no {kind} `{name}`")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// How it should be called.
        name: String,
    },
    /// A folder that has no name owns nothing that could be removed.
    #[error("{}: only a folder with a name knows what it made: declare `kind: folder` with `spec: {{ name: … }}`", path.display())]
    Nameless {
        /// Which one.
        path: PathBuf,
    },
    /// Something would be deleted and nobody can be asked.
    #[error(
        "nothing was changed: without a terminal to ask on, `--yes` has to say that things may be deleted"
    )]
    Unconfirmed,
    /// Standard input or output broke.
    #[error("the terminal: {source}")]
    Terminal {
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There is no folder for the user's settings.
    #[error("there is no folder to keep the sign-in in: set HOME, XDG_CONFIG_HOME or GATELINE_CONFIG_DIR")]
    NoHome,
    /// The runtime could not be started.
    #[error("the system gives no resources to start with: {source}")]
    Runtime {
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The server's answer lacks what every version of it has.
    #[error("the server's answer has no `{field}`; client and server may be of different versions")]
    Answer {
        /// What is missing.
        field: &'static str,
    },
}

impl Error {
    /// The exit code for it.
    pub fn exit(&self) -> Exit {
        match self {
            // The token endpoint answers 400 to wrong credentials (RFC 6749 §5.2).
            Self::Call(error) if error.is("credentials_invalid") => Exit::NotSignedIn,
            Self::Call(client::Error::Problem(problem)) => match problem.status {
                401 => Exit::NotSignedIn,
                400..500 => Exit::Refused,
                _ => Exit::Unavailable,
            },
            Self::Call(
                client::Error::Request { .. }
                | client::Error::BaseUrl { .. }
                | client::Error::NotOffered { .. },
            ) => Exit::Usage,
            Self::Call(_) | Self::Answer { .. } => Exit::Unavailable,
            Self::NotSignedIn { .. } => Exit::NotSignedIn,
            Self::File { .. } | Self::Declared { .. } | Self::Nameless { .. } => Exit::Usage,
            Self::NotFound { .. } => Exit::Refused,
            Self::Argument { .. } | Self::Unconfirmed | Self::NoHome => Exit::Usage,
            Self::Terminal { .. } | Self::Runtime { .. } => Exit::Internal,
        }
    }
}
