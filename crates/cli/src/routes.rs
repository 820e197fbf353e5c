//! `gateline routes explain`: where a request would go.

use clap::{Args, Subcommand};
use client::types::{ExplainSpec, Explanation, HeaderLine};

use crate::output::{Format, Output};
use crate::session::Connection;
use crate::{Error, Exit};

/// What is asked about routes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which route a request would take, and why; exits with 1 if none does.
    Explain(ExplainArguments),
}

/// A request that is asked about; nothing is sent.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Its method.
    method: String,
    /// Its URL, or a path for a host that no route names.
    url: String,
    /// A header field of it, as `Name: value`; can be repeated.
    #[arg(long, short = 'H', value_name = "LINE", value_parser = header)]
    header: Vec<HeaderLine>,
    /// The environment; `sandbox` if absent.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Print the server's JSON, as `--output json` does.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(connection: &Connection, command: &Command, output: &Output) -> Result<Exit, Error> {
    let Command::Explain(arguments) = command;
    let spec = ExplainSpec {
        environment: arguments.environment.clone(),
        method: Some(arguments.method.to_uppercase()),
        url: arguments.url.clone(),
        headers: Some(arguments.header.clone()),
    };
    let explanation = connection.client.explain_route(&spec).await?;
    let json = Output::new(Format::Json);
    let output = if arguments.json { &json } else { output };
    output.answer(&explanation, people);
    Ok(if explanation.route_id.is_some() {
        Exit::Done
    } else {
        Exit::Negative
    })
}

fn header(line: &str) -> Result<HeaderLine, String> {
    let (name, value) = line.split_once(':').ok_or("a header field is `Name: value`")?;
    Ok(HeaderLine {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
    })
}

fn people(answer: &Explanation) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("{name:<14} {value}\n"));
        }
    };
    for one in &answer.tried {
        let place = match (&one.route_id, &one.base_path) {
            (Some(id), Some(base_path)) => {
                let (host, priority) = (
                    one.host.as_deref().unwrap_or("*"),
                    one.priority.unwrap_or_default(),
                );
                format!("{id} at {host}{base_path}, priority {priority}")
            }
            _ => "a route of another organization".to_owned(),
        };
        let verdict = match (&one.missed, one.fits) {
            (_, true) => "takes it".to_owned(),
            (Some(pointer), false) => format!("does not: {pointer}"),
            (None, false) => "does not".to_owned(),
        };
        line("tried", &format!("{place}: {verdict}"));
    }
    line("outcome", &answer.detail);
    let operation = answer.operation.as_ref();
    line(
        "operation",
        &operation
            .map(|one| format!("{} {}", one.method, one.path))
            .unwrap_or_default(),
    );
    line("upstream", answer.upstream_url.as_deref().unwrap_or_default());
    line("host", answer.upstream_host.as_deref().unwrap_or_default());
    let policies: Vec<&str> = answer.policies.iter().map(|policy| &*policy.kind).collect();
    line("policies", &policies.join(", "));
    text
}

#[cfg(test)]
mod tests {
    use client::types::{Explanation, Outcome};
    use serde_json::json;

    use super::{header, people};

    #[test]
    fn an_explanation_is_read_line_by_line() {
        let explanation: Explanation = serde_json::from_value(json!({
            "environment": "sandbox", "outcome": "forwarded", "detail": "It is forwarded.",
            "tried": [
                { "fits": false },
                { "route_id": "rte_1", "base_path": "/shop", "priority": 3, "fits": false, "missed": "/match/path" },
                { "route_id": "rte_2", "host": "a.test", "base_path": "/shop", "priority": 0, "fits": true },
            ],
            "operation": { "id": "opr_1", "method": "GET", "path": "/pets" },
            "upstream_url": "http://127.0.0.1:9/pets",
            "policies": [{ "kind": "key_auth" }, { "kind": "cors" }],
        }))
        .unwrap();
        assert_eq!(explanation.outcome, Outcome::Forwarded);
        assert_eq!(
            people(&explanation),
            "tried          a route of another organization: does not\n\
             tried          rte_1 at */shop, priority 3: does not: /match/path\n\
             tried          rte_2 at a.test/shop, priority 0: takes it\n\
             outcome        It is forwarded.\n\
             operation      GET /pets\n\
             upstream       http://127.0.0.1:9/pets\n\
             policies       key_auth, cors\n"
        );
    }

    #[test]
    fn a_header_field_is_a_name_and_a_value() {
        let line = header("X-A: b:c ").unwrap();
        assert_eq!((&*line.name, &*line.value), ("X-A", "b:c"));
        assert!(header("X-A").is_err());
    }
}
