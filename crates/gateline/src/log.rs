//! What the program says while it runs: lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::settings::{Log, LogFormat};

/// Begins to write lines; fails if the level cannot be read.
pub(crate) fn start(settings: &Log) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(&settings.level)?;
    let text = match settings.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A subscriber that is there already stays; that happens in tests only.
    let _ = if text {
        lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .compact()
            .try_init()
    } else {
        lines.json().flatten_event(true).try_init()
    };
    Ok(())
}
