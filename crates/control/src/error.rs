//! Why a use case was refused or failed.

use domain::Code;

/// Why a use case was refused or failed.
///
/// The edge turns it into an answer in one function; a [`Code`] says which situation it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Refused: the caller can do something about it.
    #[error("{detail}")]
    Refused {
        /// Which situation.
        code: Code,
        /// What exactly, for the caller.
        detail: String,
        /// Where in the body, if it is about fields.
        errors: Vec<FieldError>,
        /// Seconds to wait before another try.
        retry_after: Option<u64>,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] store::Error),
    /// Something that should not happen happened; the text is for the log, not for the caller.
    #[error("{0}")]
    Internal(String, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FieldError {
    /// The place in a list of things that were sent, from 0, if there is one.
    pub index: Option<u32>,
    /// JSON Pointer to the field.
    pub pointer: String,
    /// Stable name of what is wrong, as `unknown_field`.
    pub code: String,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub suggestion: String,
    /// Line of the document, for contracts; 0 if it does not apply.
    pub line: u32,
    /// Column in that line; 0 if it does not apply.
    pub column: u32,
}

impl FieldError {
    /// Makes one without a line.
    pub fn new(pointer: &str, code: &str, detail: impl Into<String>, suggestion: impl Into<String>) -> Self {
        Self {
            index: None,
            pointer: pointer.to_owned(),
            code: code.to_owned(),
            detail: detail.into(),
            suggestion: suggestion.into(),
            line: 0,
            column: 0,
        }
    }
}

impl Error {
    /// Refuses with a code and what exactly is in the way.
    pub fn refused(code: Code, detail: impl Into<String>) -> Self {
        Self::Refused {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// Refuses because of fields.
    pub fn fields(code: Code, detail: impl Into<String>, errors: Vec<FieldError>) -> Self {
        Self::Refused {
            code,
            detail: detail.into(),
            errors,
            retry_after: None,
        }
    }

    /// Refuses because of one field of the body.
    pub fn field(pointer: &str, code: &str, detail: &str, suggestion: &str) -> Self {
        let error = FieldError::new(pointer, code, detail, suggestion);
        Self::fields(Code::RequestInvalid, detail, vec![error])
    }

    /// The same, about a part of the body that stands there.
    pub(crate) fn below(mut self, at: &str) -> Self {
        if let Self::Refused { errors, .. } = &mut self {
            for error in errors {
                error.pointer.insert_str(0, at);
            }
        }
        self
    }

    /// What may be told of it: the store's own words are for the log.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Refused { detail, .. } => detail.clone(),
            Self::Store(_) | Self::Internal(..) => "The store does not answer.".to_owned(),
        }
    }

    /// The same answer for what is missing and for what may not be seen.
    pub fn not_found(kind: &str) -> Self {
        Self::refused(
            Code::NotFound,
            format!("There is no such {kind}, or you may not see it."),
        )
    }

    /// Nobody has signed in, or not any more.
    pub fn anonymous() -> Self {
        Self::refused(Code::AuthenticationRequired, "Nobody is signed in.")
    }

    /// Something that should not happen.
    pub fn internal(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(what.to_owned(), Some(Box::new(source)))
    }

    /// Which situation it is.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Store(store::Error::Full) => Code::StorageFull,
            Self::Store(store::Error::Unavailable(_)) => Code::StoreUnavailable,
            Self::Store(_) | Self::Internal(..) => Code::Internal,
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Taken { constraint } => taken(&constraint),
            store::Error::Stale => {
                Self::refused(Code::PreconditionFailed, "It was changed since you read it.")
            }
            store::Error::Reference => Self::refused(
                Code::InUse,
                "Something refers to it, or what it refers to is not there.",
            ),
            other => Self::Store(other),
        }
    }
}

/// Constraints are named `<table>_<what>`; SQLite tells the columns instead.
fn taken(constraint: &str) -> Error {
    let table = constraint.split(['_', '.']).next().unwrap_or_default();
    match table {
        "certificate" => Error::refused(Code::HostTaken, "A host has another certificate already."),
        "subscriptions" => Error::refused(
            Code::Conflict,
            "The application has a subscription to this product already.",
        ),
        "memberships" => Error::refused(
            Code::Conflict,
            "The user has a role there already; change that one.",
        ),
        "users" => Error::refused(
            Code::NameTaken,
            "There is an account with this e-mail address already.",
        ),
        _ => Error::refused(Code::NameTaken, "Another one has this name already."),
    }
}
