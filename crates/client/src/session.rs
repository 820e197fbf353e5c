//! Who the caller is.

use std::fmt;
use std::sync::{Arc, RwLock};

/// What a sign-in gave.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Sent with every call; lives for minutes.
    pub access: String,
    /// Gets new tokens when the access token has expired; absent for machine clients and static tokens.
    pub refresh: Option<String>,
}

/// Secrets must not reach a log by accident.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresh = if self.refresh.is_some() { "with" } else { "without" };
        write!(f, "Tokens({refresh} refresh token)")
    }
}

/// The tokens in use, shared by clones of a client: a refresh by one is seen by all.
#[derive(Debug, Clone, Default)]
pub struct Session(Arc<RwLock<Option<Tokens>>>);

impl Session {
    /// A session with these tokens, or of nobody.
    pub fn new(tokens: Option<Tokens>) -> Self {
        Self(Arc::new(RwLock::new(tokens)))
    }

    /// The tokens now; compare with those given to know whether a refresh took place and must be saved.
    pub fn tokens(&self) -> Option<Tokens> {
        self.0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Replaces the tokens.
    pub fn replace(&self, tokens: Option<Tokens>) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = tokens;
    }
}
