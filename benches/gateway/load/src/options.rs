//! The command lines of the programs.

use std::collections::HashMap;
use std::env;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process;
use std::str::FromStr;

/// Command-line options of the form `--name value`.
///
/// Whatever does not fit ends the process with status 2 and says why.
pub struct Options {
    usage: &'static str,
    values: HashMap<String, String>,
}

impl Options {
    /// Reads the arguments of this process.
    pub fn from_args(usage: &'static str) -> Self {
        let mut options = Self {
            usage,
            values: HashMap::new(),
        };
        let mut arguments = env::args().skip(1);
        while let Some(name) = arguments.next() {
            match arguments.next() {
                Some(value) if name.starts_with("--") => options.values.insert(name, value),
                _ => options.fail(format!("expected `--name value` at `{name}`")),
            };
        }
        options
    }

    /// Takes an option that must be present.
    pub fn require<T: FromStr>(&mut self, name: &str) -> T {
        self.optional(name)
            .unwrap_or_else(|| self.fail(format!("{name} is missing")))
    }

    /// Takes an option that may be absent.
    pub fn optional<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.values.remove(name)?;
        let value = text
            .parse()
            .unwrap_or_else(|_| self.fail(format!("{name} cannot be `{text}`")));
        Some(value)
    }

    /// Ends the process if an option is left that nothing has taken.
    pub fn finish(self) {
        if let Some(name) = self.values.keys().next() {
            self.fail(format!("{name} is unknown"));
        }
    }

    fn fail(&self, problem: impl Display) -> ! {
        // Nothing is left to do when even the standard error is closed.
        let _ = writeln!(io::stderr(), "usage: {}\n{problem}", self.usage);
        process::exit(2);
    }
}
