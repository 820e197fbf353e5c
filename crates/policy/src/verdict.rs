//! What a policy decides.

use std::borrow::Cow;

use domain::Code;
use http::{HeaderMap, StatusCode};

/// What happens to a call after a policy saw it.
#[derive(Debug)]
pub enum Verdict {
    /// The next policy sees it, and at last the upstream.
    Continue,
    /// The gateway answers with a problem.
    Refuse(Box<Refusal>),
    /// The policy answers.
    Answer(Box<Reply>),
}

/// Why a call is refused; the gateway makes the problem of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The situation.
    pub code: Code,
    /// What is special about this call; one sentence for the caller.
    pub detail: Cow<'static, str>,
    /// When trying again makes sense.
    pub retry_after_seconds: Option<u64>,
}

impl Refusal {
    /// A refusal that waiting does not mend.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            retry_after_seconds: None,
        }
    }

    /// A refusal that ends by itself after some seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(Box::new(refusal))
    }
}

/// An answer without a body that a policy gives itself.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its head.
    pub headers: HeaderMap,
}
