//! Habits that no compiler checks: one small rule each, over all files of the project.

use std::collections::BTreeSet;

use crate::source::{self, Error, Source};

/// The most lines of a file; aim at half of it.
const LINES_MAX: usize = 800;
/// Files that people write code in.
const CODE: [&str; 4] = [".rs", ".ts", ".tsx", ".sh"];
/// Files that people read.
const TEXT: [&str; 12] = [
    ".rs", ".ts", ".tsx", ".sh", ".md", ".toml", ".yaml", ".yml", ".sql", ".css", ".html", "Makefile",
];

/// Files that need a glob: a macro there writes test modules that see whatever their file imports.
const GLOBS_EXPECTED: [&str; 1] = ["crates/store/src/testing.rs"];

/// A rule: what it is called and what it finds in one file.
struct Rule(&'static str, fn(&Source) -> Vec<String>);

const RULES: &[Rule] = &[
    Rule("length", length),
    Rule("module docs", module_docs),
    Rule("unfinished", unfinished),
    Rule("lints", lints),
    Rule("machine", machine),
    Rule("mod.rs", mod_rs),
    Rule("globs", globs),
    Rule("whitespace", whitespace),
    Rule("manifest", manifest),
];

/// Everything that the rules found, a line each.
pub(crate) fn complaints() -> Result<Vec<String>, Error> {
    Ok(judge(&source::all()?))
}

fn judge(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| !source.is_generated()) {
        for Rule(name, find) in RULES {
            complaints.extend(
                find(source)
                    .into_iter()
                    .map(|found| format!("{}: {found} [{name}]", source.path)),
            );
        }
    }
    complaints.extend(migrations(sources));
    complaints.extend(policies(sources));
    complaints
}

fn length(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if source.is(&CODE) && lines > LINES_MAX {
        vec![format!("{lines} lines, at most {LINES_MAX}")]
    } else {
        vec![]
    }
}

fn module_docs(source: &Source) -> Vec<String> {
    let test = source.path.ends_with("tests.rs") || source.path.contains("/tests/");
    let documented = source.text.starts_with("//!");
    if source.is(&[".rs"]) && !test && !documented {
        vec!["begins without `//!` that says what belongs here".to_owned()]
    } else {
        vec![]
    }
}

/// Finds each of `words` with its line; the words are put together here so that this file does not hold them.
fn found(source: &Source, words: &[String]) -> Vec<String> {
    let lines = (1..).zip(source.text.lines());
    lines
        .filter_map(|(number, line)| {
            words
                .iter()
                .find(|word| line.contains(word.as_str()))
                .map(|word| format!("line {number}: `{word}`"))
        })
        .collect()
}

fn unfinished(source: &Source) -> Vec<String> {
    if !source.is(&CODE) {
        return vec![];
    }
    let words = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("to", "do!("),
        ("unimpl", "emented!("),
        ("d", "bg!("),
        ("@ts-", "ignore"),
    ];
    found(source, &words.map(|(a, b)| format!("{a}{b}")))
}

fn lints(source: &Source) -> Vec<String> {
    if !source.is(&[".rs"]) {
        return vec![];
    }
    let mut complaints = found(
        source,
        &["#[", "#!["].map(|opening| format!("{opening}{}", "allow(")),
    );
    for (place, _) in source.text.match_indices(concat!("#[", "expect(")) {
        let attribute = source.text[place..].split(")]").next().unwrap_or_default();
        if !attribute.contains("reason") {
            let line = source.text[..place].lines().count() + 1;
            complaints.push(format!("line {line}: an expected lint needs a reason"));
        }
    }
    complaints
}

fn machine(source: &Source) -> Vec<String> {
    if !source.is(&TEXT) {
        return vec![];
    }
    found(
        source,
        &["work/", "root/", "home/", "tmp/gl", "Users/"].map(|folder| format!("/{folder}")),
    )
    .into_iter()
    .filter(|_| !source.path.ends_with("Dockerfile"))
    .collect()
}

fn mod_rs(source: &Source) -> Vec<String> {
    if source.path.ends_with("/mod.rs") {
        vec!["write `thing.rs` beside `thing/`".to_owned()]
    } else {
        vec![]
    }
}

fn globs(source: &Source) -> Vec<String> {
    if !source.is(&[".rs"]) || GLOBS_EXPECTED.contains(&source.path.as_str()) {
        return vec![];
    }
    let glob = |line: &str| {
        let line = line.trim_start();
        (line.starts_with("use ") || line.starts_with("pub use ")) && line.ends_with("::*;")
    };
    let lines = (1..).zip(source.text.lines());
    lines
        .filter(|(_, line)| glob(line))
        .map(|(number, _)| format!("line {number}: name what you import"))
        .collect()
}

fn whitespace(source: &Source) -> Vec<String> {
    if !source.is(&TEXT) || source.text.is_empty() {
        return vec![];
    }
    let mut complaints = Vec::new();
    if source.text.contains('\r') {
        complaints.push("has carriage returns".to_owned());
    }
    if !source.text.ends_with('\n') || source.text.ends_with("\n\n") {
        complaints.push("must end with exactly one newline".to_owned());
    }
    let trailing = (1..)
        .zip(source.text.lines())
        .find(|(_, line)| line.ends_with([' ', '\t']));
    if let Some((number, _)) = trailing {
        complaints.push(format!("line {number}: space at the end"));
    }
    complaints
}

/// Crates of the workspace take versions, lints and licence from it.
fn manifest(source: &Source) -> Vec<String> {
    let stands_alone = source.text.lines().any(|line| line == "[workspace]");
    if !source.path.ends_with("/Cargo.toml") || stands_alone {
        return vec![];
    }
    let mut complaints = Vec::new();
    for wanted in [
        "license.workspace = true",
        "publish.workspace = true",
        "[lints]\nworkspace = true",
    ] {
        if !source.text.contains(wanted) {
            complaints.push(format!("lacks `{}`", wanted.replace('\n', " ")));
        }
    }
    let mut section = "";
    for line in source.text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && line.contains('=')
            && !line.contains("workspace = true")
        {
            complaints.push(format!("`{line}`: take the version from the workspace"));
        }
    }
    complaints
}

/// Every migration goes both ways, and the numbers have no gap.
fn migrations(sources: &[Source]) -> Vec<String> {
    let names: BTreeSet<&str> = sources
        .iter()
        .filter(|source| source.path.starts_with("crates/store/") && source.path.contains("/migrations/"))
        .map(|source| source.path.as_str())
        .collect();
    let mut complaints = Vec::new();
    for name in &names {
        let other = match (name.strip_suffix(".up.sql"), name.strip_suffix(".down.sql")) {
            (Some(stem), _) => format!("{stem}.down.sql"),
            (_, Some(stem)) => format!("{stem}.up.sql"),
            _ => continue,
        };
        if !names.contains(other.as_str()) {
            complaints.push(format!("{name}: {other} is missing [migrations]"));
        }
    }
    complaints
}

/// Every builtin policy has an example that the tests load.
fn policies(sources: &[Source]) -> Vec<String> {
    let builtin = |source: &Source| {
        let name = source
            .path
            .strip_prefix("crates/policy/src/builtin/")?
            .strip_suffix(".rs")?;
        (!name.contains('/')).then(|| name.to_owned())
    };
    sources
        .iter()
        .filter_map(builtin)
        .map(|name| format!("examples/policies/{name}.yaml"))
        .filter(|example| !sources.iter().any(|source| source.path == *example))
        .map(|example| format!("{example}: missing; every builtin policy has an example [policies]"))
        .collect()
}

#[cfg(test)]
mod tests;
