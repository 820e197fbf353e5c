//! How the program ends: one number per kind of end, for scripts.

use std::process::ExitCode;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it should; a server was told to stop and finished its calls.
    Done = 0,
    /// It did what it should and the answer is no: `diff` found changes, the audit chain is broken, a deletion was
    /// not confirmed.
    Negative = 1,
    /// The command line or a file given on it is wrong.
    Usage = 2,
    /// The server refused (4xx).
    Refused = 3,
    /// Nobody is signed in, or the sign-in has ended (401).
    NotSignedIn = 4,
    /// The server cannot be reached, failed (5xx) or is none of ours.
    Unavailable = 5,
    /// A setting is wrong.
    Settings = 6,
    /// Another process uses the data directory or the database is locked.
    Locked = 7,
    /// The database was written by a newer version of Gateline.
    Newer = 8,
    /// The database cannot be reached or refuses the sign-in.
    Database = 9,
    /// An address to listen on is taken or not allowed.
    Address = 10,
    /// Something broke that is nobody's fault but ours.
    Internal = 70,
    /// A server was told to stop a second time and cut its calls off (128 + SIGINT, as shells count).
    Interrupted = 130,
}

/// The table for `--help`.
pub const HELP: &str = "\
Exit codes:
   0  done; a server that was told to stop (Ctrl-C, SIGTERM) has finished its calls
   1  done, and the answer is no (diff found changes, the audit chain is broken, a deletion was not confirmed)
   2  the command line or a file on it is wrong
   3  the server refused
   4  not signed in: `gateline login`, or set GATELINE_TOKEN
   5  the server cannot be reached or failed
   6  a setting is wrong
   7  the database or the data directory is in use by another process
   8  the database was written by a newer Gateline
   9  the database cannot be reached
  10  an address to listen on is not to be had
  70  something broke inside
 130  a server was told to stop twice and cut its calls off";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
