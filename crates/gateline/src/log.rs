//! What the program says while it runs: lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::settings::{Log, LogFormat};

/// Lines about calls of the API.
const CALLS: &str = "gateline::access=off";

/// What libraries tell of each step of theirs is no news; `log.level` may name them all the same.
const LIBRARIES: &str = "ballista_core=warn,ballista_executor=warn,ballista_scheduler=warn,buoyant_kernel=warn,deltalake_core=warn";

/// People see the calls of others, not those by which a start finds out that everything answers.
#[must_use]
pub(crate) struct Quiet(Option<Box<dyn FnOnce() + Send>>);

impl Quiet {
    /// From now on every line is written that the level allows.
    pub(crate) fn end(self) {
        if let Some(end) = self.0 {
            end();
        }
    }
}

/// Begins to write lines; fails if the level cannot be read. For people, calls are left out until the quiet ends.
pub(crate) fn start(settings: &Log) -> Result<Quiet, ParseError> {
    let level = format!("{LIBRARIES},{}", settings.level);
    let filter = EnvFilter::builder().parse(&level)?;
    let terminal = std::io::stderr().is_terminal();
    let text = match settings.format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr);
    // A subscriber that is there already stays; that happens in tests only.
    if !text {
        let _ = lines
            .with_env_filter(filter)
            .json()
            .flatten_event(true)
            .try_init();
        return Ok(Quiet(None));
    }
    let calm = EnvFilter::builder().parse(format!("{level},{CALLS}"))?;
    let lines = lines
        .with_ansi(terminal)
        .with_target(false)
        .compact()
        .with_env_filter(calm)
        .with_filter_reloading();
    let handle = lines.reload_handle();
    let _ = lines.try_init();
    Ok(Quiet(Some(Box::new(move || {
        // A subscriber that is gone writes nothing any more.
        let _ = handle.reload(filter);
    }))))
}
