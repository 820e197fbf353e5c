//! Why a call is refused as a whole, in the words that every edge has for it.

use domain::Code;
use domain::code::sentence;
use domain::tracking::EventError;
use serde::Serialize;

use super::{CALL_EVENTS_MAX, MEDIA_TYPES};
use crate::intake::Refused;

/// Why a call is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The content type is none of [`MEDIA_TYPES`].
    #[error("`{found}` is not taken here, but `{}`", MEDIA_TYPES.join("`, `"))]
    MediaType {
        /// What was sent.
        found: String,
    },
    /// The body is packed in a way that we do not know.
    #[error("`Content-Encoding: {found}` is not taken here, but `gzip` and `zstd`")]
    Encoding {
        /// What was sent.
        found: String,
    },
    /// The body cannot be unpacked.
    #[error("the body cannot be unpacked as `{encoding}`")]
    Packed {
        /// What it was said to be.
        encoding: &'static str,
    },
    /// The body is over a limit when it is unpacked.
    #[error("the body has more than {bytes_max} bytes when it is unpacked")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// There are more events than a call may have.
    #[error("a call may bring {CALL_EVENTS_MAX} events, and this one has more")]
    TooMany,
    /// The body is not JSON.
    #[error("the body is not JSON: {detail}")]
    Malformed {
        /// What the reader says.
        detail: String,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
    },
    /// Every event is bad.
    #[error("none of the events can be taken")]
    Invalid {
        /// What is wrong with the first hundred.
        errors: Vec<EventError>,
        /// How many there are.
        total: u64,
    },
    /// They could not be kept.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// One thing that is wrong in what was sent, as problem documents have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusalError {
    /// The event's place in what was sent, from 0; absent if the body cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// JSON Pointer to the place.
    pub pointer: String,
    /// The stable name of what is wrong.
    pub code: String,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub suggestion: String,
    /// Line of the body, from 1; absent if it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in that line, from 1; absent if it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl Refusal {
    /// Which situation it is.
    pub const fn code(&self) -> Code {
        match self {
            Self::MediaType { .. } | Self::Encoding { .. } => Code::MediaTypeUnsupported,
            Self::TooLarge { .. } | Self::TooMany => Code::BodyTooLarge,
            Self::Packed { .. } | Self::Malformed { .. } => Code::RequestInvalid,
            Self::Invalid { .. } => Code::EventsInvalid,
            Self::Refused(Refused::Busy) => Code::EventsDelayed,
            Self::Refused(Refused::Unwritten) => Code::EventsUnwritten,
            Self::Refused(Refused::Closed) => Code::Draining,
        }
    }

    /// What is special about this call, in one sentence.
    pub fn detail(&self) -> String {
        match self {
            Self::Invalid { total: 1, .. } => "The event cannot be taken.".to_owned(),
            Self::Invalid { total, .. } => format!("None of the {total} events can be taken."),
            other => sentence(&other.to_string()),
        }
    }

    /// Whether the same events may be taken a moment later.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// What is wrong, place by place; nothing where it is about no place.
    pub fn into_errors(self) -> Vec<RefusalError> {
        match self {
            Self::Malformed {
                ref detail,
                line,
                column,
            } => vec![RefusalError {
                index: None,
                pointer: String::new(),
                code: "json_malformed".to_owned(),
                detail: sentence(&format!("the body is not JSON: {detail}")),
                suggestion: "Send JSON in UTF-8.".to_owned(),
                line: Some(line).filter(|line| *line > 0),
                column: Some(column).filter(|column| *column > 0),
            }],
            Self::Invalid { errors, .. } => errors.into_iter().map(RefusalError::from).collect(),
            _ => Vec::new(),
        }
    }
}

impl From<EventError> for RefusalError {
    fn from(error: EventError) -> Self {
        Self {
            index: Some(error.index),
            pointer: error.pointer,
            code: error.code,
            detail: error.detail,
            suggestion: error.suggestion,
            line: None,
            column: None,
        }
    }
}
