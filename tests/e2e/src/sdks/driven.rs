//! An SDK in a process of its own, which does what lines of JSON say.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Longer than anything takes on a busy machine, and than the SDK waits for an answer.
const PATIENCE: Duration = Duration::from_secs(90);
const MISSING: &str = "run `make sdk-tools`";

/// A running SDK; killed when dropped.
pub(super) struct Driven {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Driven {
    /// The one for Node, compiled as it is now.
    pub(super) fn javascript() -> Self {
        let folder = folder("javascript");
        let compiler = folder.join("node_modules/typescript/bin/tsc");
        assert!(
            compiler.exists(),
            "{} is not there: {MISSING}",
            compiler.display()
        );
        let compiled = std::process::Command::new("node")
            .current_dir(&folder)
            .arg(compiler)
            .args(["-p", "tsconfig.test.json"])
            .status()
            .expect("Node is installed");
        assert!(compiled.success(), "the JavaScript SDK does not compile");
        Self::start(Command::new("node").arg(folder.join("build/test/driven.js")))
    }

    /// The one for Python, with the libraries of its tests.
    pub(super) fn python() -> Self {
        let folder = folder("python");
        // Beside the folder of the profile that this test was built in.
        let test = std::env::current_exe().unwrap();
        let python = test.ancestors().nth(3).unwrap().join("sdk-python/bin/python");
        assert!(python.exists(), "{} is not there: {MISSING}", python.display());
        let mut command = Command::new(python);
        command.env("PYTHONPATH", folder.join("src"));
        Self::start(command.arg(folder.join("tests/driven.py")))
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            _child: child,
        }
    }

    /// Has a line done; what was answered.
    pub(super) async fn does(&mut self, line: &Value) -> Value {
        self.input
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
        let answer = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
        let answer = answer.unwrap_or_else(|_| panic!("no answer to {line}")).unwrap();
        let answer = answer.unwrap_or_else(|| panic!("the SDK ended at {line}"));
        serde_json::from_str(&answer).unwrap()
    }

    /// Says everything about everybody.
    pub(super) async fn all(&mut self, contexts: &[Value]) -> Vec<Value> {
        let all = self.does(&json!({ "do": "all", "contexts": contexts })).await;
        all.as_array().unwrap().clone()
    }

    /// Ends the client; what it was told went wrong, each as a code and a sentence.
    pub(super) async fn close(&mut self) -> Vec<String> {
        let errors = self.does(&json!({ "do": "close" })).await;
        let errors = errors.as_array().unwrap().iter();
        errors.map(|error| error.as_str().unwrap().to_owned()).collect()
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk");
    folder.join(name)
}
