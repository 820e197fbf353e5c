//! A running Gateline, and commands that talk to it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::eventually;
use super::program::{Running, ours};
use super::service::{Service, contract};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A folder for one installation: its data, its log, its ready file.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
    /// Where the data is, if not in the folder.
    data: Option<PathBuf>,
    /// More arguments of `up`.
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A running `gateline up`.
#[derive(Debug)]
pub(crate) struct Gateline {
    pub(crate) running: Running,
    /// What the ready file says.
    pub(crate) ready: Value,
    folder: PathBuf,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("gateline-e2e-")
            .tempdir()
            .unwrap();
        Self {
            folder,
            data: None,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Adds arguments to every start.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Keeps the data elsewhere.
    pub(crate) fn with_data(mut self, data: &Path) -> Self {
        self.data = Some(data.to_owned());
        self
    }

    /// Sets a variable for the next starts.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Removes a variable.
    pub(crate) fn unset(&mut self, name: &str) {
        self.environment.retain(|(other, _)| other != name);
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.data
            .clone()
            .unwrap_or_else(|| self.folder.path().join("data"))
    }

    /// The line that starts it, as `gateline up …`.
    pub(crate) fn command(&self) -> Command {
        let mut command = ours("gateline");
        command
            .current_dir(self.path())
            .arg("up")
            .arg("--data-dir")
            .arg(self.data());
        command.args([
            "--gateway",
            "127.0.0.1:0",
            "--control",
            "127.0.0.1:0",
            "--ready-file",
        ]);
        command.arg(self.ready_file()).args(&self.arguments);
        command.envs(self.environment.iter().cloned());
        command
    }

    fn ready_file(&self) -> PathBuf {
        self.folder.path().join("ready.json")
    }

    /// Starts `gateline up` and waits until everything answers.
    pub(crate) async fn up(&self) -> Gateline {
        self.start(&mut self.command()).await
    }

    /// Starts `gateline up`; the exit code if it ends before everything answers.
    pub(crate) async fn try_up(&self) -> Result<Gateline, Ended> {
        self.try_start(&mut self.command()).await
    }

    /// Starts a prepared line and waits until everything answers.
    pub(crate) async fn start(&self, command: &mut Command) -> Gateline {
        let started = self.try_start(command).await;
        started.unwrap_or_else(|ended| panic!("gateline ended with {:?}: {}", ended.code, ended.stderr))
    }

    async fn try_start(&self, command: &mut Command) -> Result<Gateline, Ended> {
        // A file of the start before would say that everything answers.
        let _ = std::fs::remove_file(self.ready_file());
        let mut running = Running::start(command, self.path());
        let ready = eventually("the start", START, async || {
            if let Some(code) = running.ended() {
                return Some(Err(Ended {
                    code,
                    stdout: String::new(),
                    stderr: running.said(),
                }));
            }
            let ready = std::fs::read_to_string(self.ready_file()).ok()?;
            serde_json::from_str(&ready).ok().map(Ok)
        });
        let ready = ready.await?;
        Ok(Gateline {
            running,
            ready,
            folder: self.path().to_owned(),
        })
    }
}

impl Gateline {
    fn text(&self, pointer: &str) -> String {
        self.ready
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{pointer} in {}", self.ready))
            .to_owned()
    }

    /// Where API traffic goes.
    pub(crate) fn gateway(&self) -> String {
        self.text("/gateway")
    }

    /// Where API, console and portal are.
    pub(crate) fn control(&self) -> String {
        self.text("/control")
    }

    /// The first administrator's token.
    pub(crate) fn token(&self) -> String {
        self.text("/admin/token")
    }

    /// Runs a command as the first administrator.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[("GATELINE_TOKEN", &self.token())])
    }

    /// Runs a command with these variables, and with a settings folder of its own.
    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let mut command = ours("gateline");
        command.args(arguments).current_dir(&self.folder);
        command
            .env("GATELINE_CONFIG_DIR", self.folder.join("config"))
            .env("GATELINE_URL", self.control());
        command.envs(environment.iter().copied());
        Ended::of(&mut command)
    }

    /// Runs a command that must succeed, and reads its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// Publishes a service's API as `shop`, and says what the import said.
    pub(crate) fn import_shop(&self, service: &Service) -> Value {
        let contract = contract(&self.folder);
        self.json(&[
            "import",
            contract.to_str().unwrap(),
            "--upstream",
            &service.url,
            "--name",
            "shop",
            "--publish",
        ])
    }

    /// A new SDK key of a server, for an environment.
    pub(crate) fn server_key(&self, environment: &str) -> String {
        let create = ["keys", "create", "--evaluation", "server", "--environment"];
        let issued = self.json(&[create.as_slice(), &[environment]].concat());
        issued["key"].as_str().unwrap().to_owned()
    }

    /// A new key for it.
    pub(crate) fn shop_key(&self) -> String {
        let issued = self.json(&["keys", "create", "--api", "shop"]);
        issued["key"].as_str().unwrap().to_owned()
    }

    /// Counted calls of an API.
    pub(crate) fn calls(&self, api: &str) -> i64 {
        let usage = self.json(&["usage", "--api", api]);
        usage["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["calls"].as_i64().unwrap())
            .sum()
    }

    /// Waits until so many calls are counted; `within` is the promise.
    pub(crate) async fn counted(&self, api: &str, calls: i64, within: Duration) {
        eventually("the count", within, async || {
            (self.calls(api) >= calls).then_some(())
        })
        .await;
        assert_eq!(self.calls(api), calls);
    }

    /// Tells it to stop and waits; it must end well.
    pub(crate) fn stop(mut self) {
        self.running.signal("TERM");
        assert_eq!(
            self.running.wait(Duration::from_secs(30)),
            Some(0),
            "{}",
            self.running.said()
        );
    }
}

impl Ended {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
