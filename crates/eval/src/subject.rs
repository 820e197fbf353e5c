//! Whom or what an evaluation is about.

use std::cell::Cell;
use std::num::NonZeroU32;

use crate::condition::moment;
use crate::semver::Semver;
use crate::value::Value;

/// Texts come from whoever asks, and from those who share the program: the hash is seeded.
pub(crate) type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The place of an attribute's name among all that the flags read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slot(u32);

/// The attributes that flags read, by their names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    slots: Map<Box<str>, Slot>,
    names: Vec<Box<str>>,
    reads: Vec<Reads>,
}

/// What flags compare an attribute with, so that what they need of it is found out once for each subject.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    pub(crate) numbers: bool,
    pub(crate) versions: bool,
    pub(crate) moments: bool,
    /// Numbers of the texts that it may be equal to, from 1.
    texts: Map<Box<str>, u32>,
}

impl Reads {
    /// The number of a text; it gets one if it has none.
    pub(crate) fn number_for(&mut self, text: &str) -> u32 {
        let next = u32::try_from(self.texts.len() + 1).expect("fewer texts than numbers");
        *self.texts.entry(text.into()).or_insert(next)
    }

    /// The number of a text; 0 for all others.
    pub(crate) fn number_of(&self, text: &str) -> u32 {
        self.texts.get(text).copied().unwrap_or(0)
    }
}

impl Names {
    /// The place of a name; it gets one if it has none.
    pub(crate) fn slot(&mut self, name: &str) -> Slot {
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        let slot = Slot(u32::try_from(self.reads.len()).expect("fewer names than numbers"));
        self.slots.insert(name.into(), slot);
        self.names.push(name.into());
        self.reads.push(Reads::default());
        slot
    }

    pub(crate) fn get(&self, name: &str) -> Option<Slot> {
        self.slots.get(name).copied()
    }

    pub(crate) fn name(&self, slot: Slot) -> &str {
        &self.names[slot.0 as usize]
    }

    pub(crate) fn reads(&self, slot: Slot) -> &Reads {
        &self.reads[slot.0 as usize]
    }

    pub(crate) fn reads_mut(&mut self, slot: Slot) -> &mut Reads {
        &mut self.reads[slot.0 as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.reads.len()
    }

    /// All names, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}

/// An attribute's value, and what flags need of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) value: Value<'a>,
    /// The number of its text among those that it may be equal to; 0 if it is none of them, or a list.
    pub(crate) text: u32,
    pub(crate) number: Option<f64>,
    pub(crate) moment: Option<i64>,
    /// Its place among the subject's versions.
    version: Option<NonZeroU32>,
}

impl<'a> Known<'a> {
    /// What an element of a list is to comparisons of texts.
    pub(crate) fn of_element(text: &'a str, reads: &Reads) -> Self {
        Self {
            value: Value::Text(text),
            text: reads.number_of(text),
            number: None,
            moment: None,
            version: None,
        }
    }

    fn new(value: Value<'a>, reads: &Reads) -> Self {
        Self {
            value,
            text: match reads.texts.is_empty() {
                true => 0,
                false => value.with_text(|text| reads.number_of(text)).unwrap_or(0),
            },
            number: reads.numbers.then(|| value.number()).flatten(),
            moment: reads.moments.then(|| micros(value)).flatten(),
            version: None,
        }
    }
}

fn micros(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Text(text) => moment(text),
        Value::Number(millis) if millis.abs() < 1e15 => Some((millis * 1e3) as i64),
        _ => None,
    }
}

/// How many tests of one subject are remembered.
const SEEN: usize = 32;

/// Places of tests and what they gave of a subject. Flags of a product want the same few things, so who is asked about
/// many flags is asked most of it again. One drives out another one.
#[derive(Debug, Clone, Default)]
struct Seen {
    tests: [Cell<Option<(u32, bool)>>; SEEN],
    any: Cell<bool>,
}

/// What is known of whom an evaluation is about, for the flags of one set.
///
/// It is made once and asked about many flags; what no flag reads is not kept.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    values: Vec<Option<Known<'a>>>,
    /// Aside, because few attributes are one and they are long.
    versions: Vec<Semver<'a>>,
    seen: Seen,
    /// The moment of the evaluation in microseconds since 1970.
    pub(crate) now_micros: i64,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(slots: usize, now_micros: i64) -> Self {
        Self {
            values: vec![None; slots],
            versions: Vec::new(),
            seen: Seen::default(),
            now_micros,
        }
    }

    pub(crate) fn put(&mut self, slot: Slot, value: Value<'a>, reads: &Reads) {
        let Some(place) = self.values.get_mut(slot.0 as usize) else {
            return;
        };
        if self.seen.any.get() {
            self.seen = Seen::default();
        }
        let known = place.insert(Known::new(value, reads));
        if let Value::Text(text) = value
            && reads.versions
            && let Some(version) = Semver::read(text)
        {
            self.versions.push(version);
            known.version = NonZeroU32::new(self.versions.len() as u32);
        }
    }

    /// What a test gives, by its place among those of the set: `ask` finds it out unless it is known.
    pub(crate) fn fits(&self, test: u32, ask: impl FnOnce() -> bool) -> bool {
        let seen = &self.seen.tests[test as usize % SEEN];
        if let Some((known, fits)) = seen.get()
            && known == test
        {
            return fits;
        }
        let fits = ask();
        seen.set(Some((test, fits)));
        self.seen.any.set(true);
        fits
    }

    pub(crate) fn version(&self, known: &Known<'_>) -> Option<&Semver<'a>> {
        self.versions.get(known.version?.get() as usize - 1)
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Known<'a>> {
        self.values.get(slot.0 as usize)?.as_ref()
    }
}
