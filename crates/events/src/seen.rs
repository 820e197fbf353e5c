//! Which ids of tracked events came lately, so that what is sent again is not counted again.
//!
//! An id is a hash of 64 bits beside one byte: the span of time in which it came. Spans end after a part of the
//! window or of the number of ids that may be kept, and leave as a whole, the oldest first. Two different ids have the
//! same hash with a probability of one in 10¹² for millions of ids; then the second event is taken for a duplicate.
//!
//! The ids are in sixteen open tables, so that none of them takes long to be made anew. A table is filled to four
//! fifths at most and made anew so that it is filled to three fifths at least: 11 to 15 bytes for each id.

use std::collections::VecDeque;

/// Into how many spans window and number are divided.
const SPANS: u32 = 32;
const TABLES: usize = 16;
/// The place of an id that was taken back; no span has this number.
const NONE: u8 = 0;
const TABLE_PLACES_MIN: usize = 64;

/// The ids of a while.
#[derive(Debug)]
pub(crate) struct SeenIds {
    window_us: i64,
    ids_max: usize,
    tables: [Table; TABLES],
    spans: VecDeque<Span>,
    /// By the number of a span, whether it is one of `spans`.
    is_kept: [bool; 256],
    turns: usize,
    now_us: i64,
    forgotten_through: u64,
}

#[derive(Debug)]
struct Span {
    number: u8,
    began_us: i64,
    /// When the newest of its ids came.
    last_us: i64,
    ids: usize,
    /// The newest batch with ids of this span.
    through: u64,
}

#[derive(Debug, Default)]
struct Table {
    /// 0 is an empty place.
    ids: Vec<u64>,
    spans: Vec<u8>,
    used: usize,
}

impl SeenIds {
    /// Keeps ids for so many microseconds, and the newest `ids_max` at most.
    pub(crate) fn new(window_us: i64, ids_max: usize) -> Self {
        let mut is_kept = [false; 256];
        is_kept[1] = true;
        let first = Span {
            number: 1,
            began_us: i64::MIN,
            last_us: i64::MIN,
            ids: 0,
            through: 0,
        };
        Self {
            window_us,
            ids_max: ids_max.max(SPANS as usize),
            tables: Default::default(),
            spans: VecDeque::from([first]),
            is_kept,
            turns: 0,
            now_us: i64::MIN,
            forgotten_through: 0,
        }
    }

    /// Moves on to a moment: ids that are too old by then are forgotten.
    pub(crate) fn advance(&mut self, now_us: i64) {
        let span_us = (self.window_us / i64::from(SPANS)).max(1);
        self.now_us = now_us;
        let newest = self.spans.back_mut().expect("there is always a span");
        if newest.ids == 0 {
            newest.began_us = now_us;
        }
        let is_over =
            now_us.saturating_sub(newest.began_us) >= span_us || newest.ids >= self.ids_max / SPANS as usize;
        if newest.ids > 0 && is_over {
            self.begin_span(now_us);
        }
        while self.spans.len() > 1
            && (self.spans[0].last_us.saturating_add(self.window_us) <= now_us || self.len() > self.ids_max)
            && let Some(oldest) = self.spans.pop_front()
        {
            self.is_kept[usize::from(oldest.number)] = false;
            self.forgotten_through = self.forgotten_through.max(oldest.through);
        }
    }

    fn begin_span(&mut self, began_us: i64) {
        let newest = self.spans.back().map_or(NONE, |span| span.number);
        let number = if newest == u8::MAX { 1 } else { newest + 1 };
        self.is_kept[usize::from(number)] = true;
        self.spans.push_back(Span {
            number,
            began_us,
            last_us: i64::MIN,
            ids: 0,
            through: 0,
        });
        // Each table is rid of what was forgotten long before a number comes again.
        self.turns += 1;
        let is_kept = self.is_kept;
        self.tables[self.turns % TABLES].renew(&is_kept);
    }

    /// Notes an id; whether it is new. Callers pass no 0.
    pub(crate) fn insert(&mut self, id: u64) -> bool {
        let span = self.spans.back_mut().expect("there is always a span");
        let is_new = self.tables[id as usize % TABLES].insert(id, span.number, &self.is_kept);
        span.ids += usize::from(is_new);
        span.last_us = self.now_us;
        is_new
    }

    /// Takes back that an id came.
    pub(crate) fn remove(&mut self, id: u64) {
        if let Some(number) = self.tables[id as usize % TABLES].remove(id)
            && let Some(span) = self.spans.iter_mut().find(|span| span.number == number)
        {
            span.ids = span.ids.saturating_sub(1);
        }
    }

    /// Says that what came until now is in the log up to this batch.
    pub(crate) fn committed(&mut self, sequence: u64) {
        let span = self.spans.back_mut().expect("there is always a span");
        span.through = span.through.max(sequence);
    }

    /// The newest batch whose ids are forgotten.
    pub(crate) fn forgotten_through(&self) -> u64 {
        self.forgotten_through
    }

    /// How many ids are kept.
    pub(crate) fn len(&self) -> usize {
        self.spans.iter().map(|span| span.ids).sum()
    }
}

impl Table {
    /// The place of an id, or the empty one where it would be.
    fn find(&self, id: u64) -> usize {
        let places = self.ids.len();
        // The upper bits: the lower ones chose the table.
        let mut place = ((u128::from(id) * places as u128) >> 64) as usize;
        while self.ids[place] != id && self.ids[place] != 0 {
            place += 1;
            if place == places {
                place = 0;
            }
        }
        place
    }

    fn insert(&mut self, id: u64, span: u8, is_kept: &[bool; 256]) -> bool {
        if self.used >= self.ids.len() / 5 * 4 {
            self.renew(is_kept);
        }
        let place = self.find(id);
        if self.ids[place] == id {
            let is_new = !is_kept[usize::from(self.spans[place])];
            if is_new {
                self.spans[place] = span;
            }
            return is_new;
        }
        self.ids[place] = id;
        self.spans[place] = span;
        self.used += 1;
        true
    }

    fn remove(&mut self, id: u64) -> Option<u8> {
        if self.ids.is_empty() {
            return None;
        }
        let place = self.find(id);
        (self.ids[place] == id).then(|| std::mem::replace(&mut self.spans[place], NONE))
    }

    /// Makes the table anew with what is kept, and with room for more.
    fn renew(&mut self, is_kept: &[bool; 256]) {
        let kept = |span: &u8| is_kept[usize::from(*span)];
        let count = self.spans.iter().filter(|span| kept(span)).count();
        let places = (count + count * 2 / 3).max(TABLE_PLACES_MIN);
        let before = std::mem::take(self);
        self.ids = vec![0; places];
        self.spans = vec![NONE; places];
        self.used = count;
        for (id, span) in before
            .ids
            .into_iter()
            .zip(before.spans)
            .filter(|(_, span)| kept(span))
        {
            let place = self.find(id);
            self.ids[place] = id;
            self.spans[place] = span;
        }
    }
}

#[cfg(test)]
mod tests;
