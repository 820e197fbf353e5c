//! `gateline routes`: where a request would go, how calls are split, what a mirror has found.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use client::Collection;
use client::types::{ExplainSpec, Explanation, HeaderLine, MirrorFigures, RouteMirrorReport};
use serde_json::{Value, json};

use crate::output::{Format, Output, table};
use crate::session::Connection;
use crate::{Error, Exit};

/// What is asked about routes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which route a request would take, and why; exits with 1 if none does.
    Explain(ExplainArguments),
    /// Show the variants of a route that splits its calls, or give them other weights, all at once.
    ///
    /// `gateline routes weigh rte_… blue=0 green=100` switches to green; the same with other numbers goes back.
    Weigh(WeighArguments),
    /// Show what the mirror of a route has found: copies sent, answers compared, how they differ.
    Mirror(MirrorArguments),
}

/// A route with a mirror.
#[derive(Debug, Args)]
pub struct MirrorArguments {
    /// The route, by id.
    route: String,
}

/// A route and the weights of its variants.
#[derive(Debug, Args)]
pub struct WeighArguments {
    /// The route, by id.
    route: String,
    /// The weights that change, as `NAME=WEIGHT`; the other variants keep theirs.
    #[arg(value_name = "NAME=WEIGHT", value_parser = weight)]
    weights: Vec<(String, u32)>,
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
    /// A file with the certificate (PEM) that the client shows.
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<PathBuf>,
    /// The environment; `sandbox` if absent.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Print the server's JSON, as `--output json` does.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(connection: &Connection, command: &Command, output: &Output) -> Result<Exit, Error> {
    match command {
        Command::Explain(arguments) => explain(connection, arguments, output).await,
        Command::Weigh(arguments) => weigh(connection, arguments, output).await,
        Command::Mirror(arguments) => {
            let report = connection.client.read_route_mirror(&arguments.route).await?;
            output.answer(&report, mirrored);
            Ok(Exit::Done)
        }
    }
}

async fn explain(
    connection: &Connection,
    arguments: &ExplainArguments,
    output: &Output,
) -> Result<Exit, Error> {
    let certificate = arguments.client_certificate.as_deref();
    let spec = ExplainSpec {
        client_certificate: certificate.map(read).transpose()?,
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

/// Changes the weights by one merge patch, unless somebody else changes the route meanwhile.
async fn weigh(connection: &Connection, arguments: &WeighArguments, output: &Output) -> Result<Exit, Error> {
    let collection = Collection::named("routes").expect("the API has routes");
    let client = &connection.client;
    let mut route = client.entry(collection, &arguments.route).await?;
    let revision = route.get("revision").and_then(Value::as_i64);
    let revision = revision.ok_or(Error::Answer { field: "revision" })?;
    let variants = route.pointer_mut("/split/variants").and_then(Value::as_array_mut);
    let variants = variants.ok_or_else(|| Error::Argument {
        reason: format!("the route {} does not split its calls", arguments.route),
    })?;
    for (name, weight) in &arguments.weights {
        let named = variants.iter_mut().find(|variant| variant["name"] == **name);
        let variant = named.ok_or_else(|| Error::Argument {
            reason: format!("the route has no variant `{name}`"),
        })?;
        variant["weight"] = (*weight).into();
    }
    if !arguments.weights.is_empty() {
        let patch = json!({ "split": { "variants": variants } });
        route = client
            .change_entry(collection, (&arguments.route, revision), &patch)
            .await?;
    }
    output.answer(&route, shares);
    Ok(Exit::Done)
}

/// The variants of a route with what part of its callers each gets.
fn shares(route: &Value) -> String {
    let variants = route.pointer("/split/variants").and_then(Value::as_array);
    let variants = variants.map_or(&[][..], Vec::as_slice);
    let weight = |variant: &Value| variant["weight"].as_f64().unwrap_or_default();
    let total: f64 = variants.iter().map(weight).sum();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = variants.iter().map(|variant| {
        let share = format!("{:.2} %", weight(variant) * 100.0 / total.max(1.0));
        let weight = variant["weight"].to_string();
        vec![
            text(&variant["name"]),
            weight,
            share,
            text(&variant["upstream_id"]),
        ]
    });
    table(&["variant", "weight", "share", "upstream"], rows)
}

/// What a mirror has found, together and by node.
fn mirrored(report: &RouteMirrorReport) -> String {
    let all = counted("together".to_owned(), &report.total, String::new());
    let nodes = report.nodes.iter().map(|node| {
        let told = if node.is_current {
            node.reported_at.clone()
        } else {
            format!("not heard of since {}", node.seen_at)
        };
        counted(node.node_id.clone(), &node.figures, told)
    });
    let header = [
        "node",
        "sent",
        "failed",
        "not copied",
        "compared",
        "different",
        "in status",
        "in headers",
        "in body",
        "slower",
        "own",
        "copy",
        "told at",
    ];
    format!(
        "copies go to {}\n\n{}",
        report.upstream_id,
        table(&header, std::iter::once(all).chain(nodes))
    )
}

fn counted(name: String, figures: &MirrorFigures, told: String) -> Vec<String> {
    // On average, of the pairs that were compared.
    let each = |together: u64| match figures.compared {
        0 => String::new(),
        compared => format!("{:.3} ms", together as f64 / compared as f64 / 1000.0),
    };
    let numbers = [
        figures.sent,
        figures.failed,
        figures.no_room + figures.too_large,
        figures.compared,
        figures.different,
        figures.different_status,
        figures.different_headers,
        figures.different_body,
        figures.different_latency,
    ];
    let mut row = vec![name];
    row.extend(numbers.iter().map(u64::to_string));
    row.extend([
        each(figures.compared_own_us),
        each(figures.compared_mirror_us),
        told,
    ]);
    row
}

fn weight(text: &str) -> Result<(String, u32), String> {
    let (name, weight) = text.split_once('=').ok_or("a weight is NAME=WEIGHT")?;
    let weight = weight.parse().map_err(|_| format!("`{weight}` is no weight"))?;
    Ok((name.to_owned(), weight))
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
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
    let policies = answer.policies.iter().map(|policy| match policy.for_audience {
        Some(true) => format!("{} (for an audience)", policy.kind),
        _ => policy.kind.clone(),
    });
    let policies: Vec<_> = policies.collect();
    line("policies", &policies.join(", "));
    text
}

#[cfg(test)]
mod tests {
    use client::types::{Explanation, Outcome};
    use serde_json::json;

    use super::{header, people, shares, weight};

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
            "policies": [{ "kind": "key_auth" }, { "kind": "cors" }, { "kind": "headers", "for_audience": true }],
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
             policies       key_auth, cors, headers (for an audience)\n"
        );
    }

    #[test]
    fn weights_are_shown_as_shares() {
        let variants = json!([
            { "name": "blue", "weight": 1, "upstream_id": "ups_1" }, { "name": "green", "weight": 3, "upstream_id": "ups_2" },
        ]);
        let text = shares(&json!({ "split": { "variants": variants } }));
        let words: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(words[0], ["VARIANT", "WEIGHT", "SHARE", "UPSTREAM"], "{text}");
        assert_eq!(words[1], ["blue", "1", "25.00", "%", "ups_1"], "{text}");
        assert_eq!(words[2], ["green", "3", "75.00", "%", "ups_2"], "{text}");
        assert_eq!(weight("blue=7"), Ok(("blue".to_owned(), 7)));
        assert!(weight("blue").is_err() && weight("blue=x").is_err());
    }

    #[test]
    fn a_header_field_is_a_name_and_a_value() {
        let line = header("X-A: b:c ").unwrap();
        assert_eq!((&*line.name, &*line.value), ("X-A", "b:c"));
        assert!(header("X-A").is_err());
    }
}
