//! The program of a gateway node: the data plane and nothing else.
//!
//! Snapshots come from a control plane (`--control`) or from a file (`--snapshot`); calls are recorded in the log of
//! the data directory and brought to the control plane from there. With the control plane away, the node serves
//! the copy of its last snapshot and keeps its records.

mod arguments;
mod logs;
mod run;
mod settings;
mod sinks;
mod source;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;

/// The settings are wrong.
const EXIT_SETTINGS: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let environment = std::env::vars().collect::<Vec<_>>();
    let settings = match settings::load(&arguments, &environment) {
        Ok(settings) => settings,
        Err(error) => return fail(&error, EXIT_SETTINGS),
    };
    if let Err(error) = start_log(&settings.log) {
        return fail(&error, EXIT_SETTINGS);
    }
    let reload = || settings::load(&arguments, &environment);
    match run::run(&settings, arguments.ready_file.as_deref(), reload) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the last words of a program that cannot go on"
)]
fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    eprintln!("gateline-edge: {text}");
    ExitCode::from(code)
}

fn start_log(settings: &settings::Log) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = tracing_subscriber::EnvFilter::builder().parse(&settings.level)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if settings.json {
        lines.json().flatten_event(true).init();
    } else {
        lines.with_target(false).compact().init();
    }
    Ok(())
}
