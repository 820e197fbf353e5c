//! A real Redis or Valkey server.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::program::Running;

/// A server without persistence, on a free port; killed when dropped.
pub(crate) struct Redis {
    pub(crate) url: String,
    pub(crate) program: Running,
    port: u16,
}

impl Redis {
    /// Starts the server that is installed, or says which package is missing.
    pub(crate) fn start(folder: &Path) -> Self {
        let known = ["valkey-server", "redis-server"];
        let is_there = |name: &&&str| Command::new(name).arg("--version").output().is_ok();
        let name = known.iter().find(is_there);
        let name =
            name.expect("neither valkey-server nor redis-server is installed: apt-get install redis-server");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        std::fs::create_dir_all(folder).unwrap();
        let mut command = Command::new(name);
        command
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--port",
            ])
            .arg(port.to_string())
            .arg("--dir")
            .arg(folder);
        let program = Running::start(&mut command, folder);
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "{name} does not listen: {}", program.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        Self {
            url: format!("redis://127.0.0.1:{port}"),
            program,
            port,
        }
    }

    /// Forgets everything.
    pub(crate) fn flush(&self) {
        use std::io::{Read as _, Write as _};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"FLUSHALL\r\n").unwrap();
        let mut said = [0; 5];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"+OK\r\n");
    }
}
