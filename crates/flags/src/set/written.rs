//! A set in the words of other products.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use dialects::flagd::Fractional;
use dialects::{Finding, Writing};

use super::{Set, sent};
use crate::unleash::features::{self, Features, Former, Told};

/// In whose words a set is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Those of Unleash's clients.
    Unleash,
    /// Those of GrowthBook's SDKs.
    GrowthBook,
    /// Those of flagd's providers whose `fractional` is that one.
    Flagd(Fractional),
}

impl Words {
    /// All that are told apart.
    const ALL: [Self; 4] = [
        Self::Unleash,
        Self::GrowthBook,
        Self::Flagd(Fractional::V2),
        Self::Flagd(Fractional::V3),
    ];

    /// Their place in [`ALL`](Self::ALL).
    const fn place(self) -> usize {
        match self {
            Self::Unleash => 0,
            Self::GrowthBook => 1,
            // There is nobody of whom it is known that they have the first one.
            Self::Flagd(Fractional::V1 | Fractional::V2) => 2,
            Self::Flagd(Fractional::V3) => 3,
        }
    }
}

/// Flags in the words of another product.
#[derive(Debug)]
pub struct Written {
    /// The document as JSON.
    pub document: Bytes,
    /// The same as streams carry it, once there was one.
    streamed: OnceLock<Bytes>,
    /// Another one whenever the document is.
    pub tag: String,
    /// The flags that cannot be said in its words, and why.
    pub refused: Vec<Finding>,
}

impl Written {
    /// A document, and the flags that are not in it.
    pub(crate) fn new(document: String, refused: Vec<Finding>) -> Self {
        Self {
            tag: crate::tag(document.as_bytes()),
            document: document.into(),
            streamed: OnceLock::new(),
            refused,
        }
    }

    /// The document as streams carry it: made once, so that thousands of them share it.
    pub fn streamed(&self, frame: impl FnOnce() -> Bytes) -> Bytes {
        self.streamed.get_or_init(frame).clone()
    }
}

impl From<Writing> for Written {
    fn from(writing: Writing) -> Self {
        Self::new(writing.document.to_string(), writing.refused)
    }
}

/// What was written once somebody asked for it.
#[derive(Debug, Default)]
pub(super) struct InOtherWords {
    unleash: OnceLock<Written>,
    /// What the document for Unleash has told.
    told: Told,
    growthbook: OnceLock<Written>,
    flagd: OnceLock<Written>,
    flagd_v3: OnceLock<Written>,
    /// What was read of these.
    read: [AtomicBool; Words::ALL.len()],
    /// What was read of those of the set before.
    wanted: [bool; Words::ALL.len()],
    /// What clients of Unleash were told before.
    former: Former,
    /// What has changed since one of these states.
    change: OnceLock<(String, String)>,
}

impl Set {
    /// Remembers what clients were told by the set whose place it takes, so that they can be told what has changed, and
    /// what they will ask for again.
    #[must_use]
    pub fn following(mut self, before: Option<&Self>) -> Self {
        if let Some(before) = before {
            let (tag, others) = (&before.tag, &before.others);
            self.others.former = match *tag == self.tag {
                true => others.former.clone(),
                false => others.former.and(tag, &others.told),
            };
            self.others.wanted = others.read.each_ref().map(|read| read.load(Ordering::Relaxed));
        }
        self
    }

    /// The words in which the set before was read.
    pub fn wanted(&self) -> impl Iterator<Item = Words> {
        Words::ALL
            .into_iter()
            .filter(|words| self.others.wanted[words.place()])
    }

    /// Whether it is there in these words already. To write a large set takes as long as many evaluations.
    pub fn is_written(&self, words: Words) -> bool {
        match words {
            Words::Unleash => self.others.unleash.get().is_some(),
            Words::GrowthBook => self.others.growthbook.get().is_some(),
            Words::Flagd(fractional) => self.flagd_place(fractional).get().is_some(),
        }
    }

    /// Writes it in these words, once; until then, whoever reads it so writes it.
    pub fn write(&self, words: Words) {
        match words {
            Words::Unleash => {
                self.write_unleash();
            }
            Words::GrowthBook => {
                self.write_growthbook();
            }
            Words::Flagd(fractional) => {
                self.write_flagd(fractional);
            }
        }
    }

    /// Notes that somebody reads it in these words.
    fn note_reader(&self, words: Words) {
        let read = &self.others.read[words.place()];
        // All cores read it, and need not take it from each other.
        if !read.load(Ordering::Relaxed) {
            read.store(true, Ordering::Relaxed);
        }
    }

    /// The flags as the document that Unleash's clients get (`/api/client/features`).
    pub fn unleash(&self) -> &Written {
        self.unleash_parts().0
    }

    /// The same, and where in it each feature stands.
    pub(crate) fn unleash_parts(&self) -> (&Written, &Features) {
        self.note_reader(Words::Unleash);
        self.write_unleash()
    }

    fn write_unleash(&self) -> (&Written, &Features) {
        let written = self.others.unleash.get_or_init(|| {
            let (written, features) =
                features::written(dialects::unleash::write(&sent::read(&self.definitions)));
            self.others.told.get_or_init(|| features);
            written
        });
        (
            written,
            self.others.told.get().expect("it is told with the document"),
        )
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
        self.note_reader(Words::GrowthBook);
        self.write_growthbook()
    }

    fn write_growthbook(&self) -> &Written {
        let write = || dialects::growthbook::write(&sent::read(&self.definitions)).into();
        self.others.growthbook.get_or_init(write)
    }

    /// The flags as the definitions that flagd's providers get (`flagd.sync.v1`) whose `fractional` is that one.
    pub fn flagd(&self, fractional: Fractional) -> &Written {
        self.note_reader(Words::Flagd(fractional));
        self.write_flagd(fractional)
    }

    fn write_flagd(&self, fractional: Fractional) -> &Written {
        let write = || dialects::flagd::write(&sent::read(&self.definitions), fractional).into();
        self.flagd_place(fractional).get_or_init(write)
    }

    const fn flagd_place(&self, fractional: Fractional) -> &OnceLock<Written> {
        match fractional {
            Fractional::V3 => &self.others.flagd_v3,
            Fractional::V1 | Fractional::V2 => &self.others.flagd,
        }
    }
}
