//! Features as clients were told them: what of them has changed since.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use dialects::Writing;
use sha2::{Digest as _, Sha256};

use crate::set::Written;

/// How many states that were told are remembered, and how many that may still be.
const FORMER_MAX: usize = 8;

/// Where each feature stands in the document for clients, in the order of their names.
#[derive(Debug, Default)]
pub(crate) struct Features(Vec<Feature>);

#[derive(Debug)]
struct Feature {
    name: Box<str>,
    place: Range<usize>,
    digest: [u8; 8],
}

/// Features that clients are told of a set; empty until they are. A set may be told late, when another has taken its place.
pub(crate) type Told = Arc<OnceLock<Features>>;

/// Features that clients were told before those of now, the newest first.
#[derive(Debug, Default, Clone)]
pub(crate) struct Former(Vec<(String, Told)>);

/// What became of a feature.
pub(crate) enum Change<'a> {
    /// It is new, or another one; this is where it stands.
    Updated(Range<usize>),
    /// It is gone.
    Removed(&'a str),
}

/// The document, and where in it each feature stands.
pub(crate) fn written(writing: Writing) -> (Written, Features) {
    let mut text = String::from(r#"{"version":2,"features":["#);
    let mut features = Vec::new();
    for feature in writing.document["features"].as_array().into_iter().flatten() {
        if !features.is_empty() {
            text.push(',');
        }
        let from = text.len();
        text.push_str(&feature.to_string());
        features.push(Feature {
            name: feature["name"].as_str().unwrap_or_default().into(),
            place: from..text.len(),
            digest: digest(&text.as_bytes()[from..]),
        });
    }
    text.push_str(&format!(r#"],"segments":{}}}"#, writing.document["segments"]));
    features.sort_by(|one, other| one.name.cmp(&other.name));
    (Written::new(text, writing.refused), Features(features))
}

fn digest(text: &[u8]) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&Sha256::digest(text)[..8]);
    short
}

impl Features {
    /// Where those stand whose names begin so.
    pub(crate) fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = Range<usize>> {
        let first = self.0.partition_point(|feature| *feature.name < *prefix);
        let them = self.0[first..].iter();
        them.take_while(move |feature| feature.name.starts_with(prefix))
            .map(|feature| feature.place.clone())
    }

    /// What is another one than before.
    pub(crate) fn changes<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = Change<'a>> {
        let updated = self.0.iter().filter(|feature| {
            let was = before.find(&feature.name);
            was.is_none_or(|was| was.digest != feature.digest)
        });
        let removed = before.0.iter().filter(|was| self.find(&was.name).is_none());
        let updated = updated.map(|feature| Change::Updated(feature.place.clone()));
        updated.chain(removed.map(|was| Change::Removed(&was.name)))
    }

    fn find(&self, name: &str) -> Option<&Feature> {
        let place = self.0.binary_search_by(|feature| (*feature.name).cmp(name));
        place.ok().map(|place| &self.0[place])
    }
}

impl Former {
    /// What a set with a tag tells comes before all that was there before it.
    pub(crate) fn and(&self, tag: &str, told: &Told) -> Self {
        let others = self.0.iter().filter(|(known, _)| known != tag).cloned();
        let mut left = [FORMER_MAX; 2];
        let each = std::iter::once((tag.to_owned(), Arc::clone(told))).chain(others);
        let kept = each.filter(|(_, told)| {
            let left = &mut left[usize::from(told.get().is_some())];
            let has_place = *left > 0;
            *left = left.saturating_sub(1);
            has_place
        });
        Self(kept.collect())
    }

    /// What the set with a tag has told.
    pub(crate) fn get(&self, tag: &str) -> Option<&Features> {
        let (_, told) = self.0.iter().find(|(known, _)| known == tag)?;
        told.get()
    }
}
