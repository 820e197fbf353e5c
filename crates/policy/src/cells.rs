//! What limits remember of many callers, in bounded memory and without locks.
//!
//! A table that forgets who has been quiet the longest: when all cells that a caller may use are taken, the one
//! nearest to being whole is given up. Its caller may then exceed the limit once, which is better than refusing
//! a stranger. Parts of the table are made when the first caller of theirs comes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::call::Moment;

/// How many callers are told apart at a time.
pub(crate) const CELLS: usize = 16_384;
/// How many cells one caller may use; more would be slower to search, fewer would be full sooner.
pub(crate) const WAYS: usize = 8;
/// Cells that are made at once.
const PART: usize = 256;

/// What is remembered of one caller.
pub(crate) trait Slot: Default {
    /// Whose cell is given up first: the one with the least.
    fn rank(&self) -> u64;

    /// Forgets the caller before.
    fn begin(&self, moment: Moment);

    /// Whether it must not be given up.
    fn is_held(&self) -> bool {
        false
    }
}

/// A part of the cells, made when it is needed first.
type Part<T> = OnceLock<Box<[Cell<T>]>>;

/// Cells by the hash of their caller.
#[derive(Debug)]
pub(crate) struct Cells<T> {
    parts: Box<[Part<T>]>,
    part_cells: usize,
}

#[derive(Debug, Default)]
struct Cell<T> {
    /// The caller's hash; 0 for none.
    caller: AtomicU64,
    slot: T,
}

impl<T: Slot> Cells<T> {
    /// Room for many callers.
    pub(crate) fn many() -> Self {
        Self::new(CELLS / PART, PART)
    }

    /// Room for the one caller that stands for all.
    pub(crate) fn one() -> Self {
        Self::new(1, WAYS)
    }

    fn new(parts: usize, part_cells: usize) -> Self {
        Self {
            parts: (0..parts).map(|_| OnceLock::new()).collect(),
            part_cells,
        }
    }

    /// Whether it has room for many callers.
    pub(crate) fn is_many(&self) -> bool {
        self.parts.len() > 1
    }

    /// The cells that a caller may use, and the place of the first.
    fn ways(&self, caller: u64) -> (usize, &[Cell<T>]) {
        // The low bit is always set, and the high half chooses the ways.
        let part = (caller >> 8) as usize % self.parts.len();
        let first = (caller >> 32) as usize % (self.part_cells / WAYS) * WAYS;
        let cells = self.part(part);
        (part * self.part_cells + first, &cells[first..first + WAYS])
    }

    fn part(&self, part: usize) -> &[Cell<T>] {
        self.parts[part].get_or_init(|| (0..self.part_cells).map(|_| Cell::default()).collect())
    }

    /// The slot of a caller by its hash, which is not 0; a new one's begins now.
    pub(crate) fn find(&self, caller: u64, moment: Moment) -> &T {
        let place = self
            .place(caller, moment)
            .expect("only slots that are held are kept");
        self.at(place)
    }

    /// The place of a caller's slot, for [`Self::at`]; a new caller takes one over, unless all are held.
    pub(crate) fn place(&self, caller: u64, moment: Moment) -> Option<usize> {
        let (first, ways) = self.ways(caller);
        let is_ours = |cell: &Cell<T>| cell.caller.load(Ordering::Relaxed) == caller;
        if let Some(way) = ways.iter().position(is_ours) {
            return Some(first + way);
        }
        let (way, cell) = ways
            .iter()
            .enumerate()
            .min_by_key(|(_, cell)| cell.slot.rank())
            .expect("there are ways");
        if cell.slot.is_held() {
            return None;
        }
        let before = cell.caller.load(Ordering::Relaxed);
        if cell
            .caller
            .compare_exchange(before, caller, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            cell.slot.begin(moment);
        }
        Some(first + way)
    }

    /// The slot at a place.
    pub(crate) fn at(&self, place: usize) -> &T {
        &self.part(place / self.part_cells)[place % self.part_cells].slot
    }

    /// The slot of a caller, if it has one.
    pub(crate) fn known(&self, caller: u64) -> Option<&T> {
        let (_, ways) = self.ways(caller);
        ways.iter()
            .map(|cell| (cell.caller.load(Ordering::Relaxed), &cell.slot))
            .find_map(|(found, slot)| (found == caller).then_some(slot))
    }

    /// All callers with their slots.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u64, &T)> {
        let cells = self.parts.iter().filter_map(OnceLock::get).flatten();
        cells.filter_map(|cell| match cell.caller.load(Ordering::Relaxed) {
            0 => None,
            caller => Some((caller, &cell.slot)),
        })
    }
}

/// The hash of a caller: the same on every node and in every process, never 0.
///
/// Whoever could make two callers collide could as well call as the other one, so it need not be secret. The
/// mixing is that of wyhash (Wang Yi, public domain): products of 128 bits, folded.
pub(crate) fn hash(kind: u8, bytes: impl IntoIterator<Item = u8>) -> u64 {
    const SECRET: [u64; 2] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db];
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let (mut state, mut word, mut length) = (SECRET[0] ^ u64::from(kind), 0, 0_u64);
    for byte in bytes {
        word = (word << 8) | u64::from(byte);
        length += 1;
        if length.is_multiple_of(8) {
            state = fold(state ^ word, SECRET[1]);
            word = 0;
        }
    }
    state = fold(state ^ word, SECRET[1]);
    fold(state ^ length, SECRET[0]) | 1
}

#[cfg(test)]
mod tests;
