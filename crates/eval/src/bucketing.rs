//! Puts units into buckets, and buckets into shares.
//!
//! A unit's hash is MurmurHash3 (x86, 32 bits, seed 0) of a key followed by the unit; of `total` weights it falls on
//! number `(hash · total) >> 32`, and the variant is the one whose weights, added up in their order, reach beyond that.
//! This is what flagd's `fractional` does since it was made precise, so that providers of OpenFeature that evaluate by
//! themselves agree with us.
//!
//! Promises: the same key, unit and weights give the same variant on every node and in every version. When weights
//! change, a variant that grows while no other one grows loses nobody, and one that shrinks while no other one shrinks
//! wins nobody. Between two variants exactly the difference moves; between neighbours as well.
//!
//! What was made with another product can go on with its hash ([`Dialect`](crate::definition::Dialect)).

use std::fmt::{self, Display, Write as _};

use smallvec::SmallVec;

mod dialect;

pub(crate) use dialect::Order;

/// MurmurHash3, x86, 32 bits, of bytes that come in pieces.
///
/// Source: Austin Appleby, <https://github.com/aappleby/smhasher>, in the public domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Murmur32 {
    hash: u32,
    /// The bytes that make no word yet, the first one lowest.
    rest: u32,
    bytes: u32,
}

impl Murmur32 {
    /// Begins with a seed.
    pub const fn new(seed: u32) -> Self {
        Self {
            hash: seed,
            rest: 0,
            bytes: 0,
        }
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        while !self.bytes.is_multiple_of(4) {
            let Some((first, others)) = bytes.split_first() else {
                return;
            };
            self.push(*first);
            bytes = others;
        }
        let (words, rest) = bytes.as_chunks::<4>();
        for word in words {
            self.word(u32::from_le_bytes(*word));
            self.bytes = self.bytes.wrapping_add(4);
        }
        for byte in rest {
            self.push(*byte);
        }
    }

    fn push(&mut self, byte: u8) {
        self.rest |= u32::from(byte) << (8 * (self.bytes % 4));
        self.bytes = self.bytes.wrapping_add(1);
        if self.bytes.is_multiple_of(4) {
            let word = std::mem::take(&mut self.rest);
            self.word(word);
        }
    }

    const fn word(&mut self, word: u32) {
        self.hash = (self.hash ^ scrambled(word))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }

    /// The hash of what has come; more may follow.
    pub const fn finish(&self) -> u32 {
        let mut hash = self.hash ^ scrambled(self.rest) ^ self.bytes;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }
}

const fn scrambled(word: u32) -> u32 {
    word.wrapping_mul(0xcc9e_2d51)
        .rotate_left(15)
        .wrapping_mul(0x1b87_3593)
}

impl fmt::Write for Murmur32 {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.update(text.as_bytes());
        Ok(())
    }
}

/// Hashes units under a key: different keys put the same unit at places that have nothing to do with each other.
#[derive(Debug, Clone, Copy)]
pub struct Bucketing(Murmur32);

impl Bucketing {
    /// For a key: of a flag, an experiment, a split.
    pub fn new(key: &str) -> Self {
        let mut hash = Murmur32::new(0);
        hash.update(key.as_bytes());
        Self(hash)
    }

    /// Where a unit is among all of them.
    pub fn of(&self, unit: &[u8]) -> u32 {
        let mut hash = self.0;
        hash.update(unit);
        hash.finish()
    }

    /// The same for what is a unit by its text.
    pub fn of_text(&self, unit: impl Display) -> u32 {
        let mut hash = self.0;
        let _ = write!(hash, "{unit}");
        hash.finish()
    }
}

/// What part of all units each variant gets, ready to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares(SmallVec<[u64; 2]>);

impl Shares {
    /// By the weights of the variants in their order; none if all are 0.
    pub fn new(weights: &[u32]) -> Option<Self> {
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        if total == 0 {
            return None;
        }
        let mut sum = 0;
        let ends = weights.iter().map(|weight| {
            sum += u64::from(*weight);
            // `(hash * total) >> 32 < sum`, solved for the hash.
            (sum << 32).div_ceil(total)
        });
        Some(Self(ends.collect()))
    }

    /// The place of the variant that a hash falls on.
    pub fn place(&self, hash: u32) -> usize {
        let hash = u64::from(hash);
        self.0
            .iter()
            .position(|end| hash < *end)
            .expect("the last one ends behind every hash")
    }
}

#[cfg(test)]
mod tests;
