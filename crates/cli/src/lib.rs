//! The commands that talk to a server: import, apply, diff, get, delete, keys, track, tail, usage, audit, login.
//!
//! They know the server only through [`client`]; what they print is either a table for people or exactly the
//! server's JSON. The program adds the commands that run a server. Start with [`Command`] for what there is,
//! [`exit`] for how a command ends, [`apply`] for declarative folders.

mod alerts;
mod analytics;
mod apply;
mod audit;
mod confirm;
mod credentials;
mod error;
mod event_types;
pub mod exit;
mod explain;
mod flags;
mod import;
mod keys;
mod login;
mod output;
mod reports;
mod resources;
mod routes;
mod sdk_keys;
mod segments;
mod session;
mod sql;
mod tail;
mod track;
mod usage;

use clap::{Args, Subcommand};

pub use error::Error;
pub use exit::Exit;
pub use output::Format;

use output::Output;
use session::Connection;

/// What every command that calls a server can be told.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The server; the one of the last `gateline login` if absent, else http://127.0.0.1:8081.
    #[arg(
        long,
        global = true,
        env = "GATELINE_URL",
        value_name = "URL",
        help_heading = "Server"
    )]
    pub url: Option<String>,
    /// An access token; the one of the last `gateline login` if absent.
    #[arg(
        long,
        global = true,
        env = "GATELINE_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Server"
    )]
    pub token: Option<String>,
    /// The organization to act in, by name or id; your first one if absent.
    #[arg(
        long,
        global = true,
        env = "GATELINE_ORGANIZATION",
        value_name = "NAME",
        help_heading = "Server"
    )]
    pub organization: Option<String>,
    /// How answers are printed.
    #[arg(
        long,
        global = true,
        env = "GATELINE_OUTPUT",
        value_enum,
        default_value_t,
        help_heading = "Server"
    )]
    pub output: Format,
}

/// The commands that call a server.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import an OpenAPI document as an API.
    Import(import::Arguments),
    /// Make the server as a folder of YAML files says.
    Apply(apply::ApplyArguments),
    /// Show what `apply` would change; exits with 1 when it would change something.
    Diff(apply::DiffArguments),
    /// List resources of a kind, or show one.
    Get(resources::GetArguments),
    /// Delete resources.
    Delete(resources::DeleteArguments),
    /// Sign in and remember it.
    Login(login::Arguments),
    /// Forget the sign-in.
    Logout,
    /// Make, list, rotate and revoke API keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Declare what users may be recorded to do, and see how often they did.
    #[command(subcommand)]
    EventTypes(event_types::Command),
    /// Make feature flags, say who gets which variant, and see what somebody would get.
    #[command(subcommand)]
    Flags(flags::Command),
    /// See the audiences that flags name, and who is in them.
    #[command(subcommand)]
    Segments(segments::Command),
    /// Make, list, rotate and revoke the keys that ask for flags and record events.
    #[command(subcommand)]
    SdkKeys(sdk_keys::Command),
    /// See what is so and must not be, try out who is told, and have nobody told for a while.
    #[command(subcommand)]
    Alerts(alerts::Command),
    /// Record an event.
    Track(track::Arguments),
    /// Find out where requests go.
    #[command(subcommand)]
    Routes(routes::Command),
    /// Show every decision about a recent request.
    Explain(explain::Arguments),
    /// Make a token by which requests ask to be explained in full.
    DebugToken(explain::TokenArguments),
    /// Ask about calls: traffic, latency, errors.
    Analytics(analytics::Arguments),
    /// Read built-in reports: traffic, errors, adoption, churn, service levels, forecast.
    #[command(subcommand)]
    Reports(reports::Command),
    /// Watch calls as they are counted.
    Tail(tail::Arguments),
    /// Ask about single calls with SQL.
    Sql(sql::Arguments),
    /// Show counted calls.
    Usage(usage::Arguments),
    /// Check the audit chain.
    #[command(subcommand)]
    Audit(audit::Command),
}

/// Runs a command to its end and prints what it has to say.
///
/// Answers go to standard output, anything else to standard error; the [`Exit`] says how it went.
pub fn run(command: Command, global: &Global) -> Exit {
    let output = Output::new(global.output);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(command, global, &output)),
        Err(source) => Err(Error::Runtime { source }),
    };
    done.unwrap_or_else(|error| {
        output.error(&error);
        error.exit()
    })
}

async fn dispatch(command: Command, global: &Global, output: &Output) -> Result<Exit, Error> {
    match command {
        Command::Login(arguments) => return login::login(arguments, global, output).await,
        Command::Logout => return login::logout(global, output).await,
        Command::Track(arguments) => return track::run(&arguments, global, output).await,
        _ => {}
    }
    let connection = Connection::open(global)?;
    let done = match command {
        Command::Import(arguments) => import::run(&connection, &arguments, output).await,
        Command::Apply(arguments) => apply::apply(&connection, &arguments, output).await,
        Command::Diff(arguments) => apply::diff(&connection, &arguments, output).await,
        Command::Get(arguments) => resources::get(&connection, &arguments, output).await,
        Command::Delete(arguments) => resources::delete(&connection, &arguments, output).await,
        Command::Keys(command) => keys::run(&connection, &command, output).await,
        Command::Alerts(command) => alerts::run(&connection, &command, output).await,
        Command::EventTypes(command) => event_types::run(&connection, &command, output).await,
        Command::Flags(command) => flags::run(&connection, &command, output).await,
        Command::Segments(command) => segments::run(&connection, &command, output).await,
        Command::SdkKeys(command) => sdk_keys::run(&connection, &command, output).await,
        Command::Routes(command) => routes::run(&connection, &command, output).await,
        Command::Explain(arguments) => explain::run(&connection, &arguments, output).await,
        Command::DebugToken(arguments) => explain::token(&connection, &arguments, output).await,
        Command::Analytics(arguments) => analytics::run(&connection, &arguments, output).await,
        Command::Tail(arguments) => tail::run(&connection, &arguments, output).await,
        Command::Reports(command) => reports::run(&connection, &command, output).await,
        Command::Sql(arguments) => sql::run(&connection, &arguments, output).await,
        Command::Usage(arguments) => usage::run(&connection, &arguments, output).await,
        Command::Audit(command) => audit::run(&connection, &command, output).await,
        Command::Login(_) | Command::Logout | Command::Track(_) => Ok(Exit::Done),
    };
    connection.close()?;
    done
}
