//! Files that are made from others, so that nobody writes the same thing twice.
//!
//! One list, [`FILES`], in the order in which they depend on each other. The web's TypeScript client is made from
//! `spec/openapi.json` by the web's own build; the settings' JSON Schema is checked by the program's tests.

mod errors;
mod rust_client;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::source::{Error, cargo, read, root};

/// A generated file and what makes it, from the project's folder.
struct Generated(&'static str, fn() -> Result<String, Error>);

const FILES: &[Generated] = &[
    Generated("spec/errors.json", errors::catalogue),
    Generated("spec/openapi.json", openapi),
    Generated("crates/client/src/generated/types.rs", || {
        rust_client::types(&api::openapi())
    }),
    Generated("crates/client/src/generated/operations.rs", || {
        rust_client::operations(&api::openapi())
    }),
    Generated("crates/client/src/generated/collections.rs", || {
        rust_client::collections(&api::openapi())
    }),
];

/// Writes what differs; complains about nothing.
pub(crate) fn write() -> Result<Vec<String>, Error> {
    let root = root()?;
    for Generated(path, make) in FILES {
        let (path, text) = (root.join(path), make()?);
        if current(&path) == text {
            continue;
        }
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, text));
        written.map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
    }
    settings_schema(&root)?;
    Ok(Vec::new())
}

/// The generated files that are not what their generator makes now.
pub(crate) fn complaints() -> Result<Vec<String>, Error> {
    let root = root()?;
    let mut complaints = Vec::new();
    for Generated(path, make) in FILES {
        if current(&root.join(path)) != make()? {
            complaints.push(format!(
                "{path}: not what its generator makes; run `make gen` and commit"
            ));
        }
    }
    Ok(complaints)
}

/// What is on disk; a missing file counts as empty.
fn current(path: &Path) -> String {
    read(path).unwrap_or_default()
}

/// The control API's document as the server serves it, written prettily.
fn openapi() -> Result<String, Error> {
    Ok(format!("{:#}\n", api::openapi()))
}

/// The schema of the settings file. The program prints it, because it is the program that has the settings; its own
/// tests say when the file is old.
fn settings_schema(root: &Path) -> Result<(), Error> {
    let failed = |reason: String| Error::Program {
        program: "gateline config schema",
        reason,
    };
    let output = Command::new(built(root)?)
        .args(["config", "schema"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let path = root.join("spec/config.schema.json");
    fs::write(&path, output.stdout).map_err(|source| Error::File { path, source })
}

/// Builds the program as `make build` does, and says where it is.
///
/// Another choice of packages would turn on other features of the libraries, and so have the large ones built once more.
fn built(root: &Path) -> Result<PathBuf, Error> {
    let failed = |reason: String| Error::Program {
        program: "cargo build",
        reason,
    };
    let output = cargo()
        .args(["build", "--quiet", "--message-format", "json"])
        .args(["--package", "gateline", "--package", "gateline-edge"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let mut executables = said.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == "gateline";
        message["executable"]
            .as_str()
            .filter(|_| is_it)
            .map(PathBuf::from)
    });
    executables
        .next_back()
        .ok_or_else(|| failed("it names no program `gateline`".to_owned()))
}

/// Rust source as `cargo fmt` would leave it.
fn formatted(source: &str) -> Result<String, Error> {
    let failed = |reason: String| Error::Program {
        program: "rustfmt",
        reason,
    };
    let mut child = Command::new("rustfmt")
        .args([
            "--edition",
            "2024",
            "--config",
            "max_width=110,use_small_heuristics=Default",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("{error}; `rustup component add rustfmt` installs it")))?;
    let mut input = child.stdin.take().expect("piped above");
    let text = source.to_owned();
    // Written from a thread of its own: rustfmt may answer before it has read everything.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child
        .wait_with_output()
        .map_err(|error| failed(error.to_string()))?;
    // A rustfmt that stopped reading says why on its standard error.
    let _ = writer.join();
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn generated_files_are_what_their_generators_make() {
        let complaints = super::complaints().unwrap();
        assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    }
}
