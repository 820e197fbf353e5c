//! Whom or what an evaluation is about.

use std::collections::HashMap;

use crate::value::Value;

/// The place of an attribute's name among all that the flags read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slot(u32);

/// The names of the attributes that flags read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(HashMap<Box<str>, Slot>);

impl Names {
    /// The place of a name; it gets one if it has none.
    pub(crate) fn slot(&mut self, name: &str) -> Slot {
        if let Some(slot) = self.0.get(name) {
            return *slot;
        }
        let slot = Slot(u32::try_from(self.0.len()).expect("fewer names than numbers"));
        self.0.insert(name.into(), slot);
        slot
    }

    pub(crate) fn get(&self, name: &str) -> Option<Slot> {
        self.0.get(name).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// All names, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }
}

/// What is known of whom an evaluation is about, for the flags of one set.
///
/// It is made once and asked about many flags; what no flag reads is not kept.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    values: Vec<Option<Value<'a>>>,
    /// The moment of the evaluation in microseconds since 1970.
    pub(crate) now_micros: i64,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(slots: usize, now_micros: i64) -> Self {
        Self {
            values: vec![None; slots],
            now_micros,
        }
    }

    pub(crate) fn put(&mut self, slot: Slot, value: Value<'a>) {
        if let Some(place) = self.values.get_mut(slot.0 as usize) {
            *place = Some(value);
        }
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<Value<'a>> {
        self.values.get(slot.0 as usize).copied().flatten()
    }
}
