//! What was read as our API takes it: it is stricter about names than other products are.

use std::collections::{BTreeMap, BTreeSet};

use crate::named::rename;
use crate::{Fault, Meta, Reading, leave_out_what_does_not_compile, part};

/// The most characters of a key.
const KEY_MAX: usize = 100;
/// The most characters of a segment's key that is made of its name; a number may come behind them.
const MADE_MAX: usize = 90;
/// What a segment is called whose name has no letter that a key may have.
const UNNAMED: &str = "segment";
/// The most characters of a variant's name.
const VARIANT_MAX: usize = 100;

#[cfg(test)]
mod tests;

impl Reading {
    /// The same as it can be declared: flags that cannot be called so with us are left out, segments get keys that are
    /// made of their names, and texts for people are cut.
    #[must_use]
    pub fn declarable(mut self) -> Self {
        self.leave_out_flags();
        self.rename_segments();
        for (key, meta) in self.flags.iter_mut().chain(&mut self.segments) {
            let lost = meta.fit(key).into_iter();
            self.notes.extend(lost.map(|fault| fault.of(key)));
        }
        self
    }

    fn leave_out_flags(&mut self) {
        let place = |key: &str| place_of(&self.flags, "flags", key);
        let mut faults = BTreeMap::new();
        for (key, flag) in &self.definitions.flags {
            let mut variants = flag.variants.keys();
            if !is_key(key) {
                let detail = "The key of a flag has 1 to 100 letters, digits, `_`, `-`, `.` and `~`, a letter or digit first.";
                faults.insert(key.clone(), Fault::new(place(key), "key_invalid", detail));
            } else if let Some(name) = variants.find(|name| !is_variant(name)) {
                let detail =
                    format!("The name of the variant `{name}` is empty, too long, or not one plain line.");
                faults.insert(key.clone(), Fault::new(place(key), "variant_invalid", detail));
            }
        }
        self.definitions.flags.retain(|key, _| !faults.contains_key(key));
        let others = leave_out_what_does_not_compile(&mut self.definitions, place);
        let refused = faults.into_iter().map(|(key, fault)| fault.of(&key));
        self.refused.extend(refused.chain(others));
        let flags = &self.definitions.flags;
        let is_refused = |key: &str| self.refused.iter().any(|one| one.flag == key);
        self.flags.retain(|key, _| flags.contains_key(key));
        self.notes
            .retain(|note| flags.contains_key(&note.flag) || !is_refused(&note.flag));
    }

    fn rename_segments(&mut self) {
        let (good, others): (Vec<_>, Vec<_>) =
            (self.definitions.segments.keys().cloned()).partition(|key| is_key(key));
        let mut taken: BTreeSet<String> = good.into_iter().collect();
        let mut renamed = BTreeMap::new();
        for name in others {
            let key = key_of(&name, |key| taken.contains(key));
            taken.insert(key.clone());
            renamed.insert(name, key);
        }
        let flags = self.definitions.flags.values_mut();
        let rules = flags.flat_map(|flag| &mut flag.targeting.rules);
        rules
            .filter_map(|rule| rule.when.as_mut())
            .for_each(|when| rename(when, &renamed));
        let segments = self.definitions.segments.values_mut();
        segments.for_each(|segment| rename(&mut segment.when, &renamed));
        for (name, key) in renamed {
            let place = place_of(&self.segments, "segments", &name);
            let detail = format!(
                "The segment gets the key `{key}`: keys have letters, digits, `_`, `-`, `.` and `~`."
            );
            self.notes.push(Fault::new(place, "key_made", detail).of(&name));
            if let Some(segment) = self.definitions.segments.remove(&name) {
                self.definitions.segments.insert(key.clone(), segment);
            }
            let mut meta = self.segments.remove(&name).unwrap_or_default();
            if meta.title.is_empty() {
                meta.title = name;
            }
            self.segments.insert(key, meta);
        }
    }
}

/// Where something stands in the document.
fn place_of(known: &BTreeMap<String, Meta>, list: &str, key: &str) -> String {
    let known = known.get(key).map(|meta| meta.place.clone());
    known.unwrap_or_else(|| format!("/{list}/{}", part(key)))
}

const fn is_known(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~')
}

/// Whether a flag or segment can be called so.
fn is_key(text: &str) -> bool {
    let first = text.bytes().next();
    text.len() <= KEY_MAX
        && text.bytes().all(is_known)
        && first.is_some_and(|first| first.is_ascii_alphanumeric())
}

/// Whether a variant can be called so.
pub(crate) fn is_variant(name: &str) -> bool {
    (1..=VARIANT_MAX).contains(&name.chars().count())
        && !name.contains(char::is_control)
        && name.trim() == name
}

/// A key that is made of a name and is not taken: a hyphen for all between what it may have.
fn key_of(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let is_other = |letter: char| !u8::try_from(letter).is_ok_and(is_known);
    let words: Vec<&str> = name.split(is_other).filter(|word| !word.is_empty()).collect();
    let joined = words.join("-");
    let key = joined.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
    // All of it is ASCII.
    let key = &key[..key.len().min(MADE_MAX)];
    let key = key.trim_end_matches('-');
    let key = if key.is_empty() { UNNAMED } else { key };
    let mut numbered = (2..).map(|number: u32| format!("{key}-{number}"));
    match is_taken(key) {
        false => key.to_owned(),
        true => numbered.find(|key| !is_taken(key)).unwrap_or_default(),
    }
}
