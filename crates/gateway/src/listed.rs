//! Targets from a file on the node.
//!
//! The file is a list in YAML or JSON with the fields of targets. It is read when a snapshot is compiled, and looked at
//! every second by who compiles; one that cannot be used leaves the targets that were read before.

use std::fs;
use std::path::{Component, Path, PathBuf};

use contracts::Limits;
use domain::traffic::Target;

use crate::target::Invalid;
use crate::tls::{Stamp, stamp};

const FIELD: &str = "targets_file";
/// The largest file.
const BYTES_MAX: u64 = 1 << 20;
/// The most targets in it.
const TARGETS_MAX: usize = 1_000;

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
        let is_below = Path::new(file)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if file.is_empty() || !is_below {
            return Err(invalid("it is not below the node's directory"));
        }
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
        let targets: Vec<Target> =
            serde_json::from_value(data).map_err(|error| invalid(error.to_string()))?;
        if !(1..=TARGETS_MAX).contains(&targets.len()) {
            let found = targets.len();
            return Err(invalid(format!(
                "it has {found} targets; 1 to {TARGETS_MAX} are allowed"
            )));
        }
        let is_bounded = |target: &Target| (1..=1_000).contains(&target.weight) && target.priority <= 9;
        match targets.iter().position(|target| !is_bounded(target)) {
            None => Ok(targets),
            Some(index) => Err(invalid(format!(
                "the weight or priority of target {index} is out of range"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

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
            ("[]", Err("0 targets")),
            (
                "- url: http://a:1\n  colour: red\n",
                Err("unknown field `colour`"),
            ),
            ("- { url: 'http://a:1', weight: 0 }", Err("target 0")),
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
    fn files_are_below_the_directory() {
        let directory = Path::new("/etc/gateline/targets");
        for file in ["", "/etc/passwd", "../x", "a/../../x", "./x"] {
            assert!(Watched::of(Some(directory), file).is_err(), "{file}");
        }
        assert!(Watched::of(Some(directory), "team/shop.yaml").is_ok());
        assert!(Watched::of(None, "shop.yaml").is_err());
    }
}
