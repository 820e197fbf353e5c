//! The workshop: `cargo xtask <task>`. Nothing here is part of the programs.
//!
//! `layers` proves the direction of the crates' dependencies, `tidy` the habits a reader relies on, `gen` writes
//! (or with `--check` compares) every file that is made from another. All three also run as tests.

mod bench;
mod corpus;
mod generate;
mod layers;
mod source;
mod tidy;

use std::io::Write;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <task>

  layers          checks that crates depend on each other only in the allowed direction
  tidy            checks habits that no compiler checks
  corpus [DIR] [--report FILE]
                  reads 2,639 published contracts (or those under DIR) and reports
  bench-snapshot FILE UPSTREAM [--open]
                  writes the snapshot of the gateway's benchmark and tells a key that it knows
  bench-snapshot FILE UPSTREAM --routes N --keys N [--calls FILE] [--packed FILE]
                  the same with so many routes and keys; with a line `host path key` for each call
                  that reaches all of them, and what stands behind the revision as zstd
  gen [--check]   writes all generated files; with --check fails when one would change
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let complaints = match arguments.as_slice() {
        ["corpus", rest @ ..] => return corpus::run(rest),
        ["bench-snapshot", rest @ ..] => {
            if let Some(code) = bench::run(rest) {
                return code;
            }
            say(USAGE);
            return ExitCode::from(2);
        }
        ["layers"] => layers::complaints(),
        ["tidy"] => tidy::complaints(),
        ["gen"] => generate::write(),
        ["gen", "--check"] => generate::complaints(),
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    match complaints {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            say(&format!(
                "{}\n{} to mend\n",
                complaints.join("\n"),
                complaints.len()
            ));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("xtask: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn tell(text: &str) {
    // Nothing is left to do when the standard output is closed.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn say(text: &str) {
    // Nothing is left to do when even the standard error is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
