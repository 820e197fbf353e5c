//! The program: every server role and the command line.
//!
//! What belongs here is wiring: [`arguments`], [`settings`], which parts run ([`serve`]) and how they are told to
//! stop. What the parts do is in their crates; commands that call a server are in `cli`.

mod announce;
mod arguments;
mod config;
mod demo;
mod folder;
mod log;
mod reset;
mod serve;
mod settings;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use cli::Exit;

use crate::arguments::{Arguments, Command};
use crate::serve::Plan;

fn main() -> ExitCode {
    let Arguments { global, command } = Arguments::parse();
    // Before anything opens a connection: there are two providers in the world, and rustls wants to be told.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        complain("another TLS provider was installed before ours");
        return Exit::Internal.into();
    }
    let exit = match command {
        Command::Up(up) => serve::run(&up.settings, &Plan::up(&up)),
        Command::Serve(serve) => serve::run(&serve.settings, &Plan::serve(&serve)),
        Command::Config(command) => config::run(&command, global.output),
        Command::ResetPassword(command) => reset::run(&command, global.output),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                "gateline",
                &mut std::io::stdout(),
            );
            Exit::Done
        }
        Command::Server(command) => cli::run(command, &global),
    };
    exit.into()
}

/// Says why the program ends, on standard error.
pub(crate) fn complain(text: &str) {
    // Nothing is left to do when even the standard error is closed.
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
