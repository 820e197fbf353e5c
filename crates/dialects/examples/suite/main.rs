//! Runs suites of other products against our engine: `suite unleash PATH`, `flagd PATH`, `jsonlogic PATH`; prints each case
//! that fails.
//!
//! What a vendor writes is read into definitions, compiled and asked, as a node does it.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

mod feature;
mod flagd;
mod growthbook;
mod jsonlogic;
mod unleash;

/// What came of cases.
#[derive(Default)]
struct Score {
    passed: usize,
    failed: Vec<String>,
    /// What is in the suite and is not about evaluation.
    left_out: Vec<String>,
}

impl Score {
    /// Counts a case.
    fn case(&mut self, holds: bool, said: impl FnOnce() -> String) {
        match holds {
            true => self.passed += 1,
            false => self.failed.push(said()),
        }
    }
}

type Run = fn(&Path) -> Result<Score, Box<dyn Error>>;

/// The suites by their names.
const SUITES: [(&str, Run); 4] = [
    ("unleash", unleash::run),
    ("growthbook", growthbook::run),
    ("flagd", flagd::run),
    ("jsonlogic", jsonlogic::run),
];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let suite = match &*arguments {
        [name, path] => SUITES
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, run)| (run, path)),
        _ => None,
    };
    let Some((run, path)) = suite else {
        let names: Vec<_> = SUITES.iter().map(|(name, _)| *name).collect();
        return Err(format!("usage: suite {} PATH", names.join("|")).into());
    };
    let score = run(Path::new(path))?;
    let mut out = std::io::stdout().lock();
    for line in &score.left_out {
        writeln!(out, "left out: {line}")?;
    }
    for line in &score.failed {
        writeln!(out, "failed: {line}")?;
    }
    writeln!(out, "{} passed, {} failed", score.passed, score.failed.len())?;
    Ok(ExitCode::from(u8::from(
        !score.failed.is_empty() || score.passed == 0,
    )))
}
