//! Which crate may know which: the table, and its proof against `cargo metadata`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::source::{Error, cargo, root};

/// A crate of ours, what it may depend on, and why not on more.
struct Layer(&'static str, &'static [&'static str], &'static str);

const LAYERS: &[Layer] = &[
    Layer("eval", &[], "pure: which variant a unit gets"),
    Layer(
        "dialects",
        &["eval"],
        "pure: how others write flags; who reads files or answers with them is not its business",
    ),
    Layer(
        "domain",
        &["eval"],
        "pure: the words; how flags are written down is said where they are compiled",
    ),
    Layer(
        "contracts",
        &["domain"],
        "pure: reads documents; what it finds is a word of the domain",
    ),
    Layer(
        "pki",
        &["domain"],
        "reads and seals certificates; where they come from is not its business",
    ),
    Layer(
        "expression",
        &[],
        "pure: computes over a request; routes and policies say what follows",
    ),
    Layer(
        "flags",
        &["dialects", "domain", "eval"],
        "pure: questions about flags and their answers, in the words of others too; who may ask is not its business",
    ),
    Layer(
        "policy",
        &["domain", "expression", "flags"],
        "compiles configuration, with the audiences that policies are for; the gateway gives it requests",
    ),
    Layer(
        "routing",
        &["domain", "eval", "expression", "flags"],
        "pure: where a request goes, and what flags have to do with that; the gateway asks it to route, control to check \
         and to explain",
    ),
    Layer(
        "events",
        &["domain"],
        "knows what is counted, not where it is stored",
    ),
    Layer(
        "lake",
        &["domain", "events"],
        "tables of events; who may ask them is not its business",
    ),
    Layer("store", &["domain"], "knows SQL, not use cases"),
    Layer(
        "gateway",
        &[
            "contracts",
            "domain",
            "events",
            "flags",
            "pki",
            "policy",
            "routing",
        ],
        "the data plane never touches a database; files of targets are read by the reader of contracts",
    ),
    Layer(
        "control",
        &[
            "contracts",
            "domain",
            "eval",
            "events",
            "flags",
            "pki",
            "policy",
            "routing",
            "store",
        ],
        "use cases know no HTTP; policies are compiled to check them before they are saved",
    ),
    Layer("webui", &[], "files"),
    Layer(
        "api",
        &["control", "domain", "events", "flags", "webui"],
        "HTTP edge of control; reads the nodes' event wire form",
    ),
    Layer(
        "gateway-bench-load",
        &[],
        "the benchmark's load knows nothing of what it measures",
    ),
    Layer("client", &[], "generated from the OpenAPI document alone"),
    Layer(
        "cli",
        &["client", "contracts", "dialects"],
        "no private endpoints; reads YAML with the same reader as the server, and flags of others",
    ),
    Layer(
        "gateline",
        &[
            "api",
            "cli",
            "client",
            "control",
            "departures",
            "domain",
            "events",
            "gateway",
            "lake",
            "pki",
            "policy",
            "store",
        ],
        "the program wires everything, and loads the sample as a client",
    ),
    Layer(
        "gateline-edge",
        &["domain", "events", "gateway", "pki", "policy"],
        "data plane only",
    ),
    Layer("departures", &[], "stands for somebody else's service"),
    Layer(
        "e2e",
        &["departures", "domain", "events", "pki"],
        "drives the programs from outside",
    ),
    Layer(
        "fields",
        &[],
        "for tests: which fields there are, by the published schemas alone",
    ),
    Layer(
        "xtask",
        &["api", "contracts", "domain", "policy"],
        "generates from them",
    ),
];

/// Libraries that only these crates of ours may use, and why.
struct Fence(&'static str, &'static [&'static str], &'static str);

const FENCES: &[Fence] = &[
    Fence("sqlx", &["store"], "SQL lives in one place"),
    Fence(
        "cedar-policy",
        &["control"],
        "so that editing the gateway does not rebuild it",
    ),
    Fence(
        "axum",
        &["api", "departures", "gateline", "lake"],
        "the data plane runs on hyper, control knows no HTTP; the program gives the router a listener, and Ballista is \
         served with it",
    ),
    Fence("cel", &["expression"], "expressions are bounded in one place"),
    Fence(
        "deltalake",
        &["lake"],
        "half of all the libraries stand behind it; editing anything else rebuilds none of them",
    ),
    Fence("ballista-core", &["lake"], "it stands on the same libraries"),
    Fence("object_store", &["lake"], "where tables are kept is one type"),
    Fence("redb", &["events"], "the durable log is one type"),
    Fence("utoipa-axum", &["api"], "only the edge has routes"),
    Fence(
        "clap",
        &["cli", "gateline", "gateline-edge"],
        "arguments are read by programs",
    ),
];

/// Crates without sockets, files, clocks and random sources (invariant 1).
const PURE: [&str; 4] = ["contracts", "domain", "expression", "routing"];
/// What a pure crate must not use.
const IMPURE: [&str; 10] = [
    "tokio",
    "hyper",
    "hyper-util",
    "axum",
    "sqlx",
    "rand",
    "getrandom",
    "reqwest",
    "tempfile",
    "socket2",
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Absent for an ordinary one, `dev` or `build` otherwise.
    kind: Option<String>,
    /// Where it is, for crates of ours.
    path: Option<String>,
}

/// Edges that the table does not allow.
pub(crate) fn complaints() -> Result<Vec<String>, Error> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root()?)
        .output()
        .map_err(|error| Error::Program {
            program: "cargo metadata",
            reason: error.to_string(),
        })?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Program {
            program: "cargo metadata",
            reason,
        });
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(|error| Error::Document {
        document: "cargo metadata".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(judge(&metadata))
}

fn judge(metadata: &Metadata) -> Vec<String> {
    let layers: BTreeMap<&str, &Layer> = LAYERS.iter().map(|layer| (layer.0, layer)).collect();
    let mut complaints = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some(Layer(_, allowed, reason)) = layers.get(name) else {
            complaints.push(format!(
                "{name}: a new crate needs a row in xtask/src/layers.rs and ARCHITECTURE.md"
            ));
            continue;
        };
        // Tests may use more: an upstream, a store, a program.
        let built = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind.as_deref() != Some("dev"));
        for dependency in built {
            let wanted = dependency.name.as_str();
            if dependency.path.is_some() && !allowed.contains(&wanted) {
                complaints.push(format!("{name} may not depend on {wanted} ({name}: {reason})"));
            }
            if PURE.contains(&name) && IMPURE.contains(&wanted) {
                complaints.push(format!("{name} is pure and may not use {wanted}"));
            }
            let fence = FENCES.iter().find(|fence| fence.0 == wanted);
            if let Some(Fence(_, inside, reason)) = fence.filter(|fence| !fence.1.contains(&name)) {
                complaints.push(format!(
                    "{name} may not use {wanted}, only {} may ({reason})",
                    inside.join(", ")
                ));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests;
