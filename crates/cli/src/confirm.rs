//! Asks before something is gone.

use std::io::{BufRead, IsTerminal, Write};

use crate::Error;

/// Whether to go on: told with `--yes`, else asked on the terminal; `plan` says what would happen.
///
/// # Errors
/// Without a terminal nobody can be asked, and nothing may be deleted because nobody said no.
pub(crate) fn confirmed(yes: bool, plan: &str, question: &str) -> Result<bool, Error> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::Unconfirmed);
    }
    let failed = |source| Error::Terminal { source };
    let mut stderr = std::io::stderr();
    stderr
        .write_all(format!("{plan}{question} [y/N] ").as_bytes())
        .and_then(|()| stderr.flush())
        .map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
