//! `gateline flags scan`: where programs name flags, and which flags nobody names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, Match};
use clap::Args;
use client::types::{CodeReference, CodeScan, ListFeatureFlagsParams};
use ignore::WalkBuilder;
use serde::Serialize;

use crate::output::Output;
use crate::session::Connection;
use crate::{Error, Exit};

/// The most bytes of a file that is looked into: larger ones are no sources.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The most files that are looked into.
const FILES_MAX: usize = 100_000;
/// The most places of a flag that are told.
const PLACES_MAX: usize = 1000;
/// The most places that the server keeps of a repository.
const UPLOADED_MAX: usize = 10_000;
/// How much of a file is looked at to tell whether it is text.
const HEAD_BYTES: usize = 8192;

/// What is looked through.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder; what its `.gitignore` names, and what is hidden, is left out.
    directory: PathBuf,
    /// Keep what is found with the flags, in place of what was found in the repository before.
    #[arg(long)]
    upload: bool,
    /// What the repository is called; the folder's name if absent.
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// The commit that is looked at.
    #[arg(long, value_name = "ID")]
    commit: Option<String>,
}

/// A line that names a flag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Place {
    path: String,
    line: usize,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Found {
    /// How many files were looked into.
    files: usize,
    /// The places of the flags that are named, by their keys; of each the first thousand.
    flags: BTreeMap<String, BTreeSet<Place>>,
    /// The keys of the flags that nobody names.
    unused: Vec<String>,
}

pub(super) async fn run(
    connection: &Connection,
    arguments: &Arguments,
    output: &Output,
) -> Result<Exit, Error> {
    let params = ListFeatureFlagsParams::default();
    let flags = connection.client.list_feature_flags_all(&params).await?;
    let keys: Vec<String> = flags.into_iter().map(|flag| flag.key).collect();
    let found = Finder::new(keys)?.walk(&arguments.directory)?;
    if arguments.upload {
        let scan = scan(&found, arguments)?;
        let kept = connection.client.replace_flag_code_references(&scan).await?;
        output.note(&format!(
            "kept for {}: {} flags in {} places",
            kept.repository, kept.flags, kept.references
        ));
    }
    output.answer(&found, told);
    Ok(Exit::Done)
}

/// What is told to the server.
fn scan(found: &Found, arguments: &Arguments) -> Result<CodeScan, Error> {
    let name = || {
        let path = arguments.directory.canonicalize().ok()?;
        Some(path.file_name()?.to_string_lossy().into_owned())
    };
    let repository = arguments.repository.clone().or_else(name);
    let repository = repository.ok_or_else(|| Error::Argument {
        reason: "the folder has no name: say what the repository is called with `--repository`".to_owned(),
    })?;
    let each = found.flags.iter().flat_map(|(key, places)| {
        places.iter().map(|place| {
            let line = u64::try_from(place.line).unwrap_or(u64::MAX);
            CodeReference {
                flag: key.clone(),
                path: place.path.clone(),
                line,
            }
        })
    });
    let references: Vec<_> = each.collect();
    if references.len() > UPLOADED_MAX {
        let count = references.len();
        let reason =
            format!("{count} places name flags, and {UPLOADED_MAX} of a repository are kept: scan its parts");
        return Err(Error::Argument { reason });
    }
    Ok(CodeScan {
        commit: arguments.commit.clone(),
        ..CodeScan::new(repository, references)
    })
}

fn told(found: &Found) -> String {
    let mut text = String::new();
    for (key, places) in &found.flags {
        text.push_str(&format!("{key}\n"));
        for place in places {
            text.push_str(&format!("    {}:{}\n", place.path, place.line));
        }
    }
    if !found.unused.is_empty() {
        text.push_str(&format!("nobody names {}\n", found.unused.join(", ")));
    }
    text.push_str(&format!("{} files looked into\n", found.files));
    text
}

/// Finds keys in files.
struct Finder {
    keys: Vec<String>,
    automaton: AhoCorasick,
}

impl Finder {
    fn new(keys: Vec<String>) -> Result<Self, Error> {
        let automaton = AhoCorasick::new(&keys).map_err(|error| Error::Argument {
            reason: format!("the keys of the flags cannot be looked for: {error}"),
        })?;
        Ok(Self { keys, automaton })
    }

    fn walk(&self, directory: &Path) -> Result<Found, Error> {
        let failed = |path: &Path, source| Error::File {
            path: path.to_owned(),
            source,
        };
        fs::read_dir(directory).map_err(|source| failed(directory, source))?;
        let mut found = Found::default();
        let files = WalkBuilder::new(directory)
            .require_git(false)
            .max_filesize(Some(FILE_BYTES_MAX))
            .sort_by_file_path(Ord::cmp)
            .build();
        for entry in files {
            let entry = entry.map_err(|error| failed(directory, std::io::Error::other(error)))?;
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            if found.files == FILES_MAX {
                let reason = format!("there are more than {FILES_MAX} files: scan parts of the folder");
                return Err(Error::Argument { reason });
            }
            let path = entry.path();
            let bytes = fs::read(path).map_err(|source| failed(path, source))?;
            if bytes[..bytes.len().min(HEAD_BYTES)].contains(&0) {
                continue;
            }
            found.files += 1;
            let path = path.strip_prefix(directory).unwrap_or(path);
            let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
            self.look(&parts.join("/"), &String::from_utf8_lossy(&bytes), &mut found);
        }
        let is_unused = |key: &&String| !found.flags.contains_key(*key);
        found.unused = self.keys.iter().filter(is_unused).cloned().collect();
        found.unused.sort();
        Ok(found)
    }

    /// Notes what the lines of a file name.
    fn look(&self, path: &str, text: &str, found: &mut Found) {
        for (number, line) in text.lines().enumerate() {
            for key in self.named(line) {
                let places = found.flags.entry(key.to_owned()).or_default();
                if places.len() < PLACES_MAX {
                    places.insert(Place {
                        path: path.to_owned(),
                        line: number + 1,
                    });
                }
            }
        }
    }

    /// The keys that stand in a line as whole words; of one that is a part of another, the longer.
    fn named(&self, line: &str) -> BTreeSet<&str> {
        let whole: Vec<Match> = self
            .automaton
            .find_overlapping_iter(line)
            .filter(|found| is_whole(line, found))
            .collect();
        let inside = |one: &Match, other: &Match| {
            other.len() > one.len() && other.start() <= one.start() && one.end() <= other.end()
        };
        let longest = whole
            .iter()
            .filter(|one| !whole.iter().any(|other| inside(one, other)));
        longest
            .map(|found| self.keys[found.pattern().as_usize()].as_str())
            .collect()
    }
}

/// Whether what was found neither goes on to the left nor to the right.
fn is_whole(line: &str, found: &Match) -> bool {
    let goes_on = |next: Option<char>| next.is_some_and(|next| next.is_alphanumeric() || "_-".contains(next));
    !goes_on(line[..found.start()].chars().next_back()) && !goes_on(line[found.end()..].chars().next())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Finder;

    fn finder(keys: &[&str]) -> Finder {
        Finder::new(keys.iter().map(|key| (*key).to_owned()).collect()).unwrap()
    }

    #[test]
    fn keys_are_whole_words() {
        let finder = finder(&["new", "new-checkout", "shop.new", "shop"]);
        for (line, expected) in [
            ("if flags.boolean('new-checkout', false) {", &["new-checkout"][..]),
            ("let new = renew + new_one + new-one + newer;", &["new"]),
            ("client.get(\"shop.new\") // shop.newer", &["shop", "shop.new"]),
            ("`shop`, \u{201c}new\u{201d}.", &["new", "shop"]),
            ("änew newä NEW", &[]),
            ("new-checkout-2 xnew-checkout", &[]),
        ] {
            let named: Vec<_> = finder.named(line).into_iter().collect();
            assert_eq!(named, expected, "{line}");
        }
    }

    #[test]
    fn what_is_ignored_hidden_large_or_no_text_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &[u8]| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(".gitignore", b"/out\n");
        write("out/a.js", b"'beta'");
        write(".hidden/a.js", b"'beta'");
        write("image.png", b"beta\0");
        write("large.js", &b"beta ".repeat(300_000));
        write("src/b.js", b"\nif ('beta') { on('beta') }\r\nbeta();");
        write("src/a.rs", b"\xff \"beta\"");
        let found = finder(&["beta", "gamma"]).walk(folder.path()).unwrap();
        let places: Vec<_> = found.flags["beta"]
            .iter()
            .map(|place| format!("{}:{}", place.path, place.line))
            .collect();
        assert_eq!(places, ["src/a.rs:1", "src/b.js:2", "src/b.js:3"]);
        assert_eq!((found.files, found.unused), (2, vec!["gamma".to_owned()]));
        assert!(finder(&[]).walk(&folder.path().join("nothing")).is_err());
    }
}
