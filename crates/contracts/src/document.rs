//! Reads a contract: version, info and servers, then the operations and references.

use crate::contract::{Contract, Format};
use crate::node::{EMPTY, Map, Node, Value};
use crate::path::Path;
use crate::reference::{self, Resolver};
use crate::report::{Report, Stop, shorten};
use crate::{Limits, Refusal, Rule, operation, source};

/// Reads an OpenAPI 3.0, 3.1 or 3.2 document in JSON or YAML.
///
/// Work and memory are bounded by `limits`, whatever the document says: references are followed but never
/// written out, YAML aliases are counted before they are.
///
/// # Errors
/// [`Refusal`] with at least one finding of [`Severity::Error`](crate::Severity::Error), errors first.
pub fn read(document: &str, limits: &Limits) -> Result<Contract, Refusal> {
    let mut report = Report::new(limits.findings_max);
    let contract = match source::parse(document, limits, &mut report) {
        Ok(root) => contract(root, limits, &mut report),
        Err(stop) => Err(stop),
    };
    match contract {
        Err(stop) => Err(report.stopped(stop, limits)),
        Ok(_) if report.has_errors() => Err(report.into_refusal()),
        Ok(contract) => Ok(Contract {
            findings: report.into_findings(),
            ..contract
        }),
    }
}

fn contract(root: Node<'_>, limits: &Limits, report: &mut Report) -> Result<Contract, Stop> {
    let format = format(&root, report)?;
    // `format` has seen that it is a mapping.
    let map = root.map().unwrap_or(&EMPTY);
    let info = info(&root, map, report);
    let servers = servers(map, report);
    let resolver = Resolver::new(&root);
    let operations = operation::read_all(&resolver, map, format, limits, report)?;
    reference::check(&resolver, report);
    Ok(Contract {
        format,
        title: info.title,
        version: info.version,
        description: info.description,
        servers,
        operations,
        findings: Vec::new(),
        document: root.into_json(),
    })
}

fn format(root: &Node<'_>, report: &mut Report) -> Result<Format, Stop> {
    let stop = |rule, node: &Node<'_>, pointer: &str, detail: String| {
        Stop::broken(rule, pointer.to_owned(), node.place, detail)
    };
    let Some(map) = root.map() else {
        return Err(stop(
            Rule::NotOpenapi,
            root,
            "",
            format!("The document is {}, not a mapping.", root.kind()),
        ));
    };
    let Some(entry) = map.entry("openapi") else {
        if let Some(entry) = map.entry("swagger") {
            let detail = "This is Swagger 2.0, the version before OpenAPI 3.".to_owned();
            return Err(Stop::broken(
                Rule::Swagger2,
                "/swagger".to_owned(),
                entry.place,
                detail,
            ));
        }
        let other = ["asyncapi", "arazzo", "overlay", "swaggerVersion"]
            .into_iter()
            .find(|key| map.get(key).is_some());
        let detail = match other {
            Some(key) => format!("This is another kind of document: it has `{key}` and no `openapi`."),
            None => "`openapi` is missing, which says the version of OpenAPI.".to_owned(),
        };
        return Err(stop(Rule::NotOpenapi, root, "", detail));
    };
    let Some(version) = entry.node.written() else {
        let detail = format!("`openapi` is {}, not a version.", entry.node.kind());
        return Err(stop(Rule::VersionUnsupported, &entry.node, "/openapi", detail));
    };
    if matches!(entry.node.value, Value::Number(_)) {
        let path = Path::Root;
        report.add(
            Rule::VersionNotText,
            &path.key("openapi"),
            entry.node.place,
            || format!("`openapi: {version}` is a number."),
        );
    }
    let mut numbers = version.trim().split('.');
    match (numbers.next(), numbers.next()) {
        (Some("3"), Some("0") | None) => Ok(Format::OpenApi30),
        (Some("3"), Some("1")) => Ok(Format::OpenApi31),
        (Some("3"), Some("2")) => Ok(Format::OpenApi32),
        _ => {
            let detail = format!("The version `{}` of OpenAPI is not supported.", shorten(version));
            Err(stop(Rule::VersionUnsupported, &entry.node, "/openapi", detail))
        }
    }
}

#[derive(Default)]
struct Info {
    title: String,
    version: String,
    description: String,
}

fn info(root: &Node<'_>, map: &Map<'_>, report: &mut Report) -> Info {
    let at = Path::Root;
    let at = at.key("info");
    let Some(node) = map.get("info") else {
        report.add(Rule::InfoMissing, &Path::Root, root.place, || {
            "`info` is missing.".to_owned()
        });
        return Info::default();
    };
    let Some(info) = node.map() else {
        report.add(Rule::StructureWrong, &at, node.place, || {
            format!("`info` is {}; it should be a mapping.", node.kind())
        });
        return Info::default();
    };
    let mut text = |key: &str, rule: Option<Rule>| {
        let text = info.get(key).and_then(Node::written).unwrap_or_default().trim();
        if let Some(rule) = rule.filter(|_| text.is_empty()) {
            let place = info.get(key).map_or(node.place, |value| value.place);
            report.add(rule, &at, place, || format!("`info.{key}` is missing or empty."));
        }
        text.to_owned()
    };
    Info {
        title: text("title", Some(Rule::TitleMissing)),
        version: text("version", Some(Rule::InfoVersionMissing)),
        description: text("description", None),
    }
}

fn servers(map: &Map<'_>, report: &mut Report) -> Vec<String> {
    let at = Path::Root;
    let at = at.key("servers");
    let Some(node) = map.get("servers") else {
        return Vec::new();
    };
    let Some(list) = node.list() else {
        if !matches!(node.value, Value::Null) {
            report.add(Rule::TypeWrong, &at, node.place, || {
                format!("`servers` is {}; it should be a list.", node.kind())
            });
        }
        return Vec::new();
    };
    let mut urls = Vec::new();
    for (index, server) in list.iter().enumerate() {
        let at = at.index(index);
        let Some((url, server)) = server
            .map()
            .and_then(|map| Some((map.get("url")?.written()?, map)))
        else {
            report.add(Rule::TypeWrong, &at, server.place, || {
                "The server has no `url`.".to_owned()
            });
            continue;
        };
        urls.push(server_url(url, server, &at, report));
    }
    urls
}

/// The URL with every `{variable}` replaced by its default; one that has none is left as it is.
fn server_url(url: &str, server: &Map<'_>, at: &Path<'_>, report: &mut Report) -> String {
    let variables = server.get("variables").and_then(Node::map);
    let mut result = String::new();
    let mut rest = url.trim();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        result.push_str(before);
        let default = variables
            .and_then(|variables| variables.get(name)?.map())
            .and_then(|variable| variable.get("default")?.written());
        if let Some(default) = default {
            result.push_str(default);
        } else {
            let place = server.get("url").map_or_else(Default::default, |node| node.place);
            report.add(Rule::ServerVariable, &at.key("url"), place, || {
                format!("The variable `{}` of the server has no default.", shorten(name))
            });
            result.push_str(&format!("{{{name}}}"));
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests;
