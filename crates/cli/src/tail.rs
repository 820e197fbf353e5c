//! `gateline tail`: calls as they are counted.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};
use client::{Call, Event};
use jiff::{Span, SpanRelativeTo, Timestamp, Unit, tz::TimeZone};
use serde_json::Value;

use crate::output::{Output, cell};
use crate::session::Connection;
use crate::{Error, Exit};

/// The wait before the first new try after a connection broke; it doubles up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Which calls.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The calls that your applications make, instead of those of your APIs.
    #[arg(long)]
    made: bool,
    /// Only calls to this API, by name or id.
    #[arg(long)]
    api: Option<String>,
    /// Only calls of this application, by name or id.
    #[arg(long)]
    application: Option<String>,
    /// Only calls of this operation, by name or id.
    #[arg(long)]
    operation: Option<String>,
    /// Only calls with one of these statuses, with commas: `404`, `5xx`.
    #[arg(long, value_name = "STATUSES")]
    status: Option<String>,
    /// Only calls that the gateway refused with this error code: `rate_limited`, …
    #[arg(long, value_name = "CODE")]
    refusal: Option<String>,
    /// Only calls with this method.
    #[arg(long)]
    method: Option<String>,
    /// Only calls that took at least so long: `500ms`, `2s`.
    #[arg(long, value_name = "SPAN")]
    slower_than: Option<Span>,
    /// Only this share of the calls, by chance: `0.1`.
    #[arg(long, value_name = "SHARE")]
    sample: Option<f64>,
    /// Whether lines are coloured; on a terminal if absent, unless `NO_COLOR` is set.
    #[arg(long, value_enum, default_value_t)]
    color: Color,
}

/// When lines are coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a stream went on.
enum Went {
    /// It ended or broke: it is to be opened again.
    Ended(String),
    /// Nobody reads what is printed any more.
    Unread,
}

/// What is printed where.
struct Printer<'a> {
    output: &'a Output,
    is_coloured: bool,
    zone: TimeZone,
    /// The last call that was printed.
    last: Option<String>,
}

pub(crate) async fn run(
    connection: &Connection,
    arguments: &Arguments,
    output: &Output,
) -> Result<Exit, Error> {
    let is_coloured = match arguments.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            output.is_for_people() && io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
        }
    };
    let mut printer = Printer {
        output,
        is_coloured,
        zone: TimeZone::system(),
        last: None,
    };
    tokio::select! {
        done = follow(connection, arguments, &mut printer) => done,
        // An error means that the signal cannot be heard; then it ends the program by itself.
        Ok(()) = tokio::signal::ctrl_c() => Ok(Exit::Done),
    }
}

/// Prints calls until nobody reads them or the server refuses.
async fn follow(
    connection: &Connection,
    arguments: &Arguments,
    printer: &mut Printer<'_>,
) -> Result<Exit, Error> {
    let call = call(arguments)?;
    let mut wait = WAIT_MIN;
    loop {
        let again = call.clone().header("last-event-id", printer.last.as_ref());
        let opened = connection.client.open_events(&again).await;
        // A renewed token is used up here, and must be there for the next command however this one ends.
        connection.close()?;
        let why = match opened {
            Ok(events) => {
                wait = WAIT_MIN;
                match print(events, printer).await {
                    Went::Unread => return Ok(Exit::Done),
                    Went::Ended(why) => why,
                }
            }
            // Before anything was told, whoever asks wants to know that it does not work.
            Err(error) if printer.last.is_none() || is_final(&error) => return Err(error.into()),
            Err(error) => error.to_string(),
        };
        printer
            .output
            .note(&format!("{why}; trying again in {} s", wait.as_secs()));
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT_MAX);
    }
}

/// Whether asking again is of no use.
fn is_final(error: &client::Error) -> bool {
    let status = error.problem().map(|problem| problem.status);
    status.is_some_and(|status| status < 500 && status != 429)
}

async fn print(mut events: client::Events, printer: &mut Printer<'_>) -> Went {
    loop {
        match events.next().await {
            Ok(Some(event)) if event.name == "end" => {
                let end: Value = serde_json::from_str(&event.data).unwrap_or_default();
                return Went::Ended(format!(
                    "the server ended the stream: {}",
                    cell(end.get("detail"))
                ));
            }
            Ok(Some(event)) => match printer.print(&event) {
                Ok(()) => {}
                Err(_) => return Went::Unread,
            },
            Ok(None) => return Went::Ended("the connection ended".to_owned()),
            Err(error) => return Went::Ended(error.to_string()),
        }
    }
}

fn call(arguments: &Arguments) -> Result<Call, Error> {
    let latency = match arguments.slower_than {
        None => None,
        Some(span) => Some(micros(span)?),
    };
    let view = arguments.made.then_some("made");
    Ok(Call::get("/api/v1/analytics/calls")
        .query("view", view.as_ref())
        .query("api", arguments.api.as_ref())
        .query("application", arguments.application.as_ref())
        .query("operation", arguments.operation.as_ref())
        .query("status", arguments.status.as_ref())
        .query("refusal", arguments.refusal.as_ref())
        .query("method", arguments.method.as_ref())
        .query("latency_min_us", latency.as_ref())
        .query("sample", arguments.sample.as_ref()))
}

fn micros(span: Span) -> Result<u64, Error> {
    let total = span.total((Unit::Microsecond, SpanRelativeTo::days_are_24_hours()));
    match total {
        Ok(micros) if micros >= 0.0 => Ok(micros.round() as u64),
        _ => Err(Error::Argument {
            reason: "`--slower-than` is not a time: use one as `500ms` or `2s`".to_owned(),
        }),
    }
}

impl Printer<'_> {
    /// Prints an event; fails if nobody reads it.
    fn print(&mut self, event: &Event) -> io::Result<()> {
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        match event.name.as_str() {
            "call" => {
                let line = match self.output.is_for_people() {
                    true => line(&data, &self.zone, self.is_coloured),
                    false => data.to_string(),
                };
                written(&line)?;
                self.last.clone_from(&event.id);
            }
            "missed" if !self.output.is_for_people() => written(&data.to_string())?,
            "missed" => {
                let many = data["missed"]
                    .as_u64()
                    .map_or("some".to_owned(), |many| many.to_string());
                self.output.note(&format!("… {many} calls were missed"));
            }
            "hello" if data["nodes"].as_array().is_some_and(Vec::is_empty) => {
                self.output
                    .note("no node has reported to this server yet; calls are shown once one does");
            }
            _ => {}
        }
        Ok(())
    }
}

fn written(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}

/// A call as a line: when, what, how it ended, how long it took, what was called, who called, why it was refused.
fn line(call: &Value, zone: &TimeZone, is_coloured: bool) -> String {
    let text = |name: &str| cell(call.get(name));
    let time = text("started_at");
    let time = match time.parse::<Timestamp>() {
        Ok(moment) => moment.to_zoned(zone.clone()).strftime("%H:%M:%S%.3f").to_string(),
        Err(_) => time,
    };
    let status = call["status"].as_u64().unwrap_or_default();
    let colour = match status {
        500.. => "31",
        400.. => "33",
        300.. => "36",
        _ => "32",
    };
    let painted = |colour: &str, text: &str| match is_coloured {
        true => format!("\x1b[{colour}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let latency = call["latency_us"].as_f64().unwrap_or_default() / 1000.0;
    let named = |name: &str| match text(name) {
        name if name.is_empty() => "-".to_owned(),
        name => name,
    };
    let line = format!(
        "{}  {:7} {}  {latency:>9.1} ms  {} {}  {}  {}",
        painted("2", &time),
        text("method"),
        painted(colour, &status.to_string()),
        named("api"),
        named("operation"),
        text("application"),
        painted("33", &text("refusal")),
    );
    match is_coloured && text("refusal").is_empty() {
        true => line.replace("\x1b[33m\x1b[0m", "").trim_end().to_owned(),
        false => line.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::{line, micros};

    #[test]
    fn a_call_is_a_line() {
        let call = json!({
            "started_at": "2026-11-21T12:03:04.56789Z", "method": "GET", "status": 200, "latency_us": 1520,
            "api": "shop", "operation": "list_pets", "application": "App",
        });
        let zone = TimeZone::UTC;
        assert_eq!(
            line(&call, &zone, false),
            "12:03:04.567  GET     200        1.5 ms  shop list_pets  App"
        );
        let refused = json!({
            "started_at": "2026-11-21T12:03:04Z", "method": "POST", "status": 401, "latency_us": 90,
            "refusal": "key_missing",
        });
        assert_eq!(
            line(&refused, &zone, false),
            "12:03:04.000  POST    401        0.1 ms  - -    key_missing"
        );
        let coloured = line(&refused, &zone, true);
        assert!(coloured.contains("\x1b[33m401\x1b[0m") && coloured.ends_with("\x1b[33mkey_missing\x1b[0m"));
        assert!(line(&call, &zone, true).ends_with("App"));
    }

    #[test]
    fn spans_are_microseconds() {
        let of = |text: &str| micros(text.parse().unwrap()).ok();
        assert_eq!(
            (of("500ms"), of("2s"), of("-1s")),
            (Some(500_000), Some(2_000_000), None)
        );
    }
}
