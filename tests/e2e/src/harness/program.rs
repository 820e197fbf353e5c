//! Finds, starts and stops programs.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// As much of a log as helps in a message.
const SAID_LINES: usize = 12;

/// The folder of the built programs.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(named) = std::env::var_os("GATELINE_PROGRAMS") {
            return PathBuf::from(named);
        }
        // Built by the same cargo that built this test, into the same folder.
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let built = Command::new(cargo)
            .args(["build", "-p", "gateline", "-p", "gateline-edge"])
            .status()
            .unwrap();
        assert!(built.success(), "the programs do not build");
        let test = std::env::current_exe().unwrap();
        test.ancestors().nth(2).unwrap().to_owned()
    })
}

/// One of our programs, with nothing of the caller's environment that it would read.
pub(crate) fn ours(name: &str) -> Command {
    let mut command = Command::new(folder().join(name));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("GATELINE_") {
            command.env_remove(variable);
        }
    }
    command
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Where its standard error goes.
    log: PathBuf,
}

impl Running {
    /// Starts a program whose output goes to a file in `folder`.
    pub(crate) fn start(command: &mut Command, folder: &Path) -> Self {
        Self::start_with(command, folder, Stdio::null())
    }

    /// The same with something to read.
    pub(crate) fn start_with(command: &mut Command, folder: &Path, input: Stdio) -> Self {
        let log = folder.join("stderr.log");
        let stderr = std::fs::File::create(&log).unwrap();
        let stdout = std::fs::File::create(folder.join("stdout.log")).unwrap();
        let child = command
            .stdin(input)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit code if it has ended; `None` inside for a signal.
    pub(crate) fn ended(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().unwrap().map(|status| status.code())
    }

    /// Waits for its end; the exit code, or `None` for a signal.
    pub(crate) fn wait(&mut self, within: Duration) -> Option<i32> {
        let end = Instant::now() + within;
        loop {
            if let Some(code) = self.ended() {
                return code;
            }
            assert!(
                Instant::now() < end,
                "still running after {within:?}: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a signal, as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Ends it without a warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The end of what it wrote to its standard error since its start.
    pub(crate) fn said(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SAID_LINES)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port where nobody listens, of those that the system gives to nobody who does not ask for it: other tests open
/// connections meanwhile.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = 30_300 + u16::try_from(std::process::id() % 12).unwrap() * 200;
    loop {
        let port = begin + NEXT.fetch_add(1, Ordering::Relaxed) % 200;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
