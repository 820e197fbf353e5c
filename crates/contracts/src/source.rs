//! From text to a positioned tree, whichever format it is.

use crate::node::Node;
use crate::path::Path;
use crate::report::{Place, Report, Stop};
use crate::{Limit, Limits, Rule, json, yaml};

/// Reads JSON when the text looks like it, else YAML 1.2.
///
/// What begins like JSON and is not, but is YAML (comments, commas too many), is read as YAML with a warning.
pub(crate) fn parse<'a>(document: &'a str, limits: &Limits, report: &mut Report) -> Result<Node<'a>, Stop> {
    if document.len() > limits.bytes_max {
        return Err(Stop::over(Limit::Bytes, limits, String::new(), Place::default()));
    }
    let text = document.strip_prefix('\u{feff}').unwrap_or(document);
    let first = text.trim_start_matches([' ', '\t', '\r', '\n']);
    if first.is_empty() {
        let detail = "The document is empty.".to_owned();
        return Err(Stop::broken(
            Rule::DocumentEmpty,
            String::new(),
            Place { line: 1, column: 1 },
            detail,
        ));
    }
    if !first.starts_with(['{', '[']) {
        return yaml::parse(text, limits, report);
    }
    let strict = match json::parse(text, limits, report) {
        Err(Stop::Broken(strict)) if strict.code == Rule::JsonBroken.code() => strict,
        other => return other,
    };
    let place = Place {
        line: strict.line,
        column: strict.column,
    };
    // What the first attempt remarked is remarked again.
    *report = Report::new(limits.findings_max);
    match yaml::parse(text, limits, report) {
        Ok(root) => {
            report.add(Rule::JsonLoose, &Path::Root, place, || {
                format!("Not quite JSON: {}", strict.detail)
            });
            Ok(root)
        }
        Err(over @ Stop::Over { .. }) => Err(over),
        Err(Stop::Broken(_)) => Err(Stop::Broken(strict)),
    }
}

#[cfg(test)]
mod tests;
