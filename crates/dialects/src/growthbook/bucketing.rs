//! Puts units into buckets: FNV-1a, in two versions, and ranges of shares.
//!
//! Source: GrowthBook's specification for SDKs, <https://docs.growthbook.io/lib/build-your-own>.

use serde_json::Value as Json;

/// A part of all units: from, to, the latter not in it.
pub type Range = (f64, f64);

/// Where a unit is among all of them, from 0 to 1; none for a version that nobody knows.
///
/// Version 1 knows 1,000 places, version 2 knows 10,000.
pub fn hash(seed: &str, unit: &str, version: f64) -> Option<f64> {
    if version == 1.0 {
        return Some(f64::from(fnv1a([unit, seed]) % 1000) / 1000.0);
    }
    if version == 2.0 {
        let first = fnv1a([seed, unit]).to_string();
        return Some(f64::from(fnv1a([first.as_str(), ""]) % 10_000) / 10_000.0);
    }
    None
}

/// FNV-1a of 32 bits over units of UTF-16.
///
/// Source: Fowler, Noll, Vo, <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn fnv1a(texts: [&str; 2]) -> u32 {
    let units = texts.iter().flat_map(|text| text.encode_utf16());
    units.fold(0x811c_9dc5_u32, |hash, unit| {
        (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193)
    })
}

/// The same share for each of so many.
pub fn equal_weights(variations: usize) -> Vec<f64> {
    vec![1.0 / variations as f64; variations]
}

/// The part of all units that each variation gets.
///
/// Each has the beginning of what its weight would give it, as large as the coverage says. Weights that are not as many, or
/// far from 1 together, are taken for equal ones.
pub fn ranges(variations: usize, coverage: f64, weights: Option<&[f64]>) -> Vec<Range> {
    let coverage = coverage.clamp(0.0, 1.0);
    let is_whole = |weights: &&[f64]| {
        weights.len() == variations && (0.99..=1.01).contains(&weights.iter().sum::<f64>())
    };
    let weights = match weights.filter(is_whole) {
        Some(weights) => weights.to_vec(),
        None => equal_weights(variations),
    };
    let mut start = 0.0;
    let each = weights.iter().map(|weight| {
        let range = (start, start + coverage * weight);
        start += weight;
        range
    });
    each.collect()
}

/// Whether a place is in a range.
pub fn is_in(place: f64, range: Range) -> bool {
    (range.0..range.1).contains(&place)
}

/// The first range that a place is in.
pub fn variation(place: f64, ranges: &[Range]) -> Option<usize> {
    ranges.iter().position(|range| is_in(place, *range))
}

/// Whether a unit is in a part of a namespace.
pub fn is_in_namespace(unit: &str, namespace: &str, range: Range) -> bool {
    let seed = format!("__{namespace}");
    hash(&seed, unit, 1.0).is_some_and(|place| is_in(place, range))
}

/// A range as it is written: `[0, 0.5]`.
pub(super) fn read_range(range: &Json) -> Option<Range> {
    match range.as_array()?.as_slice() {
        [from, to] => Some((from.as_f64()?, to.as_f64()?)),
        _ => None,
    }
}

/// Ranges as they are written; one that is none holds nobody.
pub(super) fn read_ranges(ranges: &[Json]) -> Vec<Range> {
    let read = |range| read_range(range).unwrap_or((0.0, 0.0));
    ranges.iter().map(read).collect()
}
