//! What can go wrong with a call.

use std::error::Error as StdError;
use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Serialize};

/// One thing that is wrong in what was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldError {
    /// JSON Pointer to the place.
    pub pointer: String,
    /// Stable name of what is wrong.
    pub code: String,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub suggestion: String,
    /// Line in the document that was sent, from 1; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in that line, from 1; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// An error as the server explains it (RFC 9457).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// URL of the code's page.
    pub r#type: String,
    /// What happened, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What exactly happened.
    pub detail: String,
    /// Stable name of the situation, as `name_taken`.
    pub code: String,
    /// What to do.
    pub suggestion: String,
    /// The request, for the operator's log.
    pub request_id: String,
    /// Every single thing that is wrong in what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = if self.detail.is_empty() {
            &self.title
        } else {
            &self.detail
        };
        if self.code.is_empty() {
            write!(f, "{} {said}", self.status)
        } else {
            write!(f, "{}: {said}", self.code)
        }
    }
}

/// Why a call gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused or failed, and says why.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// Something between here and there answered, not Gateline.
    #[error("the server answered {status} without an explanation; is this Gateline's address?")]
    Unexplained {
        /// The HTTP status.
        status: StatusCode,
    },
    /// The answer is not what the API's document promises.
    #[error("the answer of {call} cannot be read; client and server may be of different versions")]
    Unreadable {
        /// Method and path.
        call: String,
        /// What the reader stumbled over.
        #[source]
        source: serde_json::Error,
    },
    /// The answer is larger than any that the API gives.
    #[error("the answer of {call} is larger than {bytes_max} bytes")]
    TooLarge {
        /// Method and path.
        call: String,
        /// The limit.
        bytes_max: usize,
    },
    /// The server could not be reached, or the connection broke.
    #[error("{base} cannot be reached")]
    Unreachable {
        /// Where the client called.
        base: String,
        /// What the network said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server took too long.
    #[error("{base} did not answer within {seconds} s")]
    TimedOut {
        /// Where the client called.
        base: String,
        /// How long it was given.
        seconds: u64,
    },
    /// The address is not an `http://` or `https://` URL.
    #[error("`{url}` is not the URL of a server; it looks like http://127.0.0.1:8081")]
    BaseUrl {
        /// What was given.
        url: String,
    },
    /// The TLS library has no protocol version in common with itself.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The API does not offer this for the entries of a collection.
    #[error("{collection} cannot be {what}")]
    NotOffered {
        /// The collection's name.
        collection: &'static str,
        /// What was wanted, as a participle.
        what: &'static str,
    },
    /// What was to be sent cannot be written as a request.
    #[error("{call} cannot be sent")]
    Request {
        /// Method and path.
        call: String,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    /// The server's explanation, if it gave one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the server said this code.
    pub fn is(&self, code: &str) -> bool {
        self.problem().is_some_and(|problem| problem.code == code)
    }
}
