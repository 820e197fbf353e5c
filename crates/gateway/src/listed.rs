//! Targets from a file on the node.
//!
//! The file is a list in YAML or JSON with the fields of targets. It is read when a snapshot is compiled, and looked at
//! every second by who compiles; one that cannot be used leaves the targets that were read before.

use std::fs;
use std::path::{Path, PathBuf};

use contracts::Limits;
use domain::traffic::Target;

use crate::compile::list;
use crate::target::Invalid;
use crate::tls::{Stamp, stamp};

const FIELD: &str = "targets_file";
/// The largest file.
const BYTES_MAX: u64 = 1 << 20;

/// A file that targets were read from, and how it looked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    path: PathBuf,
    stamp: Stamp,
}

impl Watched {
    /// The file of an upstream below the node's directory for them.
    pub(crate) fn of(directory: Option<&Path>, file: &str) -> Result<Self, Invalid> {
        let invalid = |detail: &str| Invalid::field(FIELD, detail);
        let directory = directory.ok_or_else(|| {
            invalid("this node has no directory for such files (`gateway.targets_directory`)")
        })?;
        let path = directory.join(file);
        Ok(Self {
            // Looked at first: what changes while it is read is read again.
            stamp: stamp(&path),
            path,
        })
    }

    /// Whether it looks different than before.
    pub(crate) fn has_changed(&self) -> bool {
        self.stamp != stamp(&self.path)
    }

    /// The targets in it.
    pub(crate) fn read(&self) -> Result<Vec<Target>, Invalid> {
        let invalid = |detail: String| Invalid::field(FIELD, format!("{}: {detail}", self.path.display()));
        let size = fs::metadata(&self.path)
            .map_err(|error| invalid(error.to_string()))?
            .len();
        if size > BYTES_MAX {
            return Err(invalid(format!("it has more than {BYTES_MAX} bytes")));
        }
        let text = fs::read_to_string(&self.path).map_err(|error| invalid(error.to_string()))?;
        let data = contracts::data(&text, &Limits::default()).map_err(|refusal| {
            let first = refusal.findings.first();
            let told = first.map(|finding| format!("line {}: {}", finding.line, finding.detail));
            invalid(told.unwrap_or_else(|| refusal.to_string()))
        })?;
        let mut targets: Vec<Target> =
            serde_json::from_value(data).map_err(|error| invalid(error.to_string()))?;
        let faults = routing::rules::listed(&mut targets);
        if faults.is_empty() {
            Ok(targets)
        } else {
            Err(invalid(list(&faults)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Watched;

    #[test]
    fn lists_are_read_in_yaml_and_json_and_others_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let table = [
            ("- url: http://a:1\n- { url: 'http://b:2', weight: 3 }\n", Ok(2)),
            (
                r#"[{ "url": "http://a:1", "priority": 2, "zone": "east", "resolve": "dns" }]"#,
                Ok(1),
            ),
            ("", Err("")),
            ("[]", Err("0 entries")),
            ("- { url: 'tcp://a:1' }", Err("/0/url: ")),
            (
                "- url: http://a:1\n  colour: red\n",
                Err("unknown field `colour`"),
            ),
            ("- { url: 'http://a:1', weight: 0 }", Err("/0/weight: ")),
            ("- url: [\n", Err("line ")),
            ("url: http://a:1", Err("expected a sequence")),
        ];
        for (text, expected) in table {
            fs::write(directory.path().join("shop.yaml"), text).unwrap();
            let read = Watched::of(Some(directory.path()), "shop.yaml").unwrap().read();
            match (read, expected) {
                (Ok(targets), Ok(count)) => assert_eq!(targets.len(), count, "{text}"),
                (Err(error), Err(said)) => assert!(error.to_string().contains(said), "{text}: {error}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
    }

    #[test]
    fn a_node_without_a_directory_has_no_files() {
        assert!(Watched::of(None, "shop.yaml").is_err());
    }
}
