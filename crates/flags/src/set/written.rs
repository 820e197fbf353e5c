//! A set in the words of other products.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use dialects::flagd::Fractional;
use dialects::{Finding, Writing};

use super::{Set, definitions};
use crate::unleash::features::{self, Features, Former};

/// Flags in the words of another product.
#[derive(Debug)]
pub struct Written {
    /// The document as JSON.
    pub document: Box<[u8]>,
    /// The flags that cannot be said in its words, and why.
    pub refused: Vec<Finding>,
}

impl From<Writing> for Written {
    fn from(writing: Writing) -> Self {
        Self {
            document: writing.document.to_string().into_bytes().into(),
            refused: writing.refused,
        }
    }
}

/// What was written once somebody asked for it.
#[derive(Debug, Default)]
pub(super) struct InOtherWords {
    unleash: OnceLock<(Written, Arc<Features>)>,
    growthbook: OnceLock<Written>,
    flagd: OnceLock<Written>,
    flagd_v3: OnceLock<Written>,
    /// What clients of Unleash were told before.
    former: Former,
    /// What has changed since one of these states.
    change: OnceLock<(String, String)>,
}

impl Set {
    /// Remembers what clients were told by the set whose place it takes, so that they can be told what has changed.
    #[must_use]
    pub fn following(mut self, before: Option<&Self>) -> Self {
        if let Some(before) = before {
            let (tag, others) = (&before.tag, &before.others);
            let told = others.unleash.get().map(|(_, features)| features);
            self.others.former = match *tag == self.tag {
                true => others.former.clone(),
                false => others.former.and(tag, told),
            };
        }
        self
    }

    /// The flags as the document that Unleash's clients get (`/api/client/features`).
    pub fn unleash(&self) -> &Written {
        &self.unleash_parts().0
    }

    /// The same, and where in it each feature stands.
    pub(crate) fn unleash_parts(&self) -> &(Written, Arc<Features>) {
        self.others.unleash.get_or_init(|| {
            let (written, features) = features::written(dialects::unleash::write(&definitions(&self.source)));
            (written, Arc::new(features))
        })
    }

    /// What clients of Unleash were told by the set with a tag, if it is still known.
    pub(crate) fn told_before(&self, tag: &str) -> Option<&Features> {
        self.others.former.get(tag)
    }

    /// Keeps what was written of the change since the state that is asked about first: nearly all clients had that one.
    pub(crate) fn change_since(&self, tag: &str, write: impl Fn() -> String) -> Cow<'_, str> {
        let (since, change) = self.others.change.get_or_init(|| (tag.to_owned(), write()));
        match since == tag {
            true => Cow::Borrowed(change),
            false => Cow::Owned(write()),
        }
    }

    /// The flags as the payload that GrowthBook's SDKs get (`/api/features`).
    pub fn growthbook(&self) -> &Written {
        let write = || dialects::growthbook::write(&definitions(&self.source)).into();
        self.others.growthbook.get_or_init(write)
    }

    /// The flags as the definitions that flagd's providers get (`flagd.sync.v1`) whose `fractional` is that one.
    pub fn flagd(&self, fractional: Fractional) -> &Written {
        let written = match fractional {
            Fractional::V3 => &self.others.flagd_v3,
            // There is nobody of whom it is known that they have the first one.
            Fractional::V1 | Fractional::V2 => &self.others.flagd,
        };
        written.get_or_init(|| dialects::flagd::write(&definitions(&self.source), fractional).into())
    }
}
