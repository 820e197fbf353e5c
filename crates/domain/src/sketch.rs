//! How values are spread, small enough to stand in every row of the roll-ups.
//!
//! A [`Sketch`] counts whole numbers in bins: each number below 32 has its own, above that each power of two has 32 bins
//! of equal width, as in HdrHistogram. So a quantile is at most 1/64 (1.6 %) off, whatever the values, and sketches
//! that were made apart add up to exactly the one that would have been made together.

/// Bins for each power of two.
const SPLIT: u64 = 32;
const SPLIT_BITS: u32 = SPLIT.trailing_zeros();
/// One more than the greatest bin, that of `u64::MAX`.
const BINS: u16 = ((64 - SPLIT_BITS + 1) * SPLIT as u32) as u16;
/// What the bytes begin with.
const FORM: u8 = 1;

/// Counts of values by size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    /// The bin of the first count.
    first: u16,
    /// From the least bin that has something to the greatest.
    counts: Vec<u64>,
}

/// Bytes that are no sketch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no sketch of form {FORM}")]
pub struct Malformed;

impl Sketch {
    /// Counts a value.
    pub fn note(&mut self, value: u64) {
        self.add_to(bin(value), 1);
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        let Some(last) = other.counts.len().checked_sub(1) else {
            return;
        };
        // Room for all of it at once.
        self.add_to(other.first, 0);
        self.add_to(other.first + last as u16, 0);
        let place = usize::from(other.first - self.first);
        for (sum, count) in self.counts[place..].iter_mut().zip(&other.counts) {
            *sum = sum.saturating_add(*count);
        }
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The value that this share of all values does not exceed, by nearest rank; `None` of an empty sketch.
    ///
    /// `share` is between 0 and 1, and clamped to that. The answer is the middle of its bin.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let count = self.count();
        let rank = (share.clamp(0.0, 1.0) * count as f64).ceil() as u64;
        let rank = rank.clamp(1, count.max(1));
        let mut passed = 0_u64;
        self.bins().find_map(|(at, count)| {
            passed = passed.saturating_add(count);
            (passed >= rank).then(|| middle(at))
        })
    }

    /// The memory that it takes beside itself, in bytes.
    pub const fn memory_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
    }

    /// The bytes that [`from_bytes`](Self::from_bytes) reads: the form, then for each bin that is not empty the
    /// distance from the one before and its count, as LEB128.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 3 * self.counts.len());
        bytes.push(FORM);
        let mut before = 0;
        for (at, count) in self.bins() {
            write(&mut bytes, u64::from(at - before));
            write(&mut bytes, count);
            before = at;
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut sketch = Self::default();
        sketch.merge_bytes(bytes)?;
        Ok(sketch)
    }

    /// Adds what [`to_bytes`](Self::to_bytes) wrote, as [`merge`](Self::merge) would, without memory for it in between.
    ///
    /// # Errors
    /// If the bytes are no sketch; what stands before the mistake may have been added.
    pub fn merge_bytes(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let (form, mut rest) = bytes.split_first().ok_or(Malformed)?;
        if *form != FORM {
            return Err(Malformed);
        }
        let mut before = None;
        while !rest.is_empty() {
            let step = read(&mut rest)?;
            let count = read(&mut rest)?;
            let at = step.checked_add(before.unwrap_or(0)).ok_or(Malformed)?;
            if at >= u64::from(BINS) || count == 0 || (before.is_some() && step == 0) {
                return Err(Malformed);
            }
            self.add_to(at as u16, count);
            before = Some(at);
        }
        Ok(())
    }

    /// The bins that are not empty, in their order.
    fn bins(&self) -> impl Iterator<Item = (u16, u64)> {
        let counts = (self.first..).zip(&self.counts);
        counts
            .filter(|(_, count)| **count > 0)
            .map(|(at, count)| (at, *count))
    }

    fn add_to(&mut self, at: u16, count: u64) {
        if self.counts.is_empty() {
            self.first = at;
        } else if at < self.first {
            let missing = usize::from(self.first - at);
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = at;
        }
        let place = usize::from(at - self.first);
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] = self.counts[place].saturating_add(count);
    }
}

/// The bin of a value.
const fn bin(value: u64) -> u16 {
    if value < SPLIT {
        return value as u16;
    }
    let shift = value.ilog2() - SPLIT_BITS;
    // Between one and two times `SPLIT`, so that the bins of a power of two follow those of the one before.
    let within = value >> shift;
    (shift as u64 * SPLIT + within) as u16
}

/// The middle of a bin.
const fn middle(bin: u16) -> u64 {
    let bin = bin as u64;
    if bin < 2 * SPLIT {
        return bin;
    }
    let shift = bin / SPLIT - 1;
    let within = bin - shift * SPLIT;
    (within << shift) + ((1 << shift) - 1) / 2
}

fn write(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(Malformed)?;
        *rest = after;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return Err(Malformed);
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests;
