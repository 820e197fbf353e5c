//! flagd's operators.
//!
//! Source: <https://flagd.dev/reference/custom-operations/>.

use datalogic_rs::bumpalo::Bump;
use datalogic_rs::operator::EvalContext;
use datalogic_rs::{ArenaExt as _, CustomOperator, DataValue, Engine, EvaluationConfig, Result};

use super::TARGETING_KEY;
use crate::bucketing::Murmur32;
use crate::semver::Release;

/// The engine for all logic.
pub(super) fn engine() -> Engine {
    // As everywhere but in this library, values of two kinds are not equal, and that is no error.
    let config = EvaluationConfig::default().with_loose_equality_errors(false);
    Engine::builder()
        .with_config(config)
        .add_operator("starts_with", Affix::Prefix)
        .add_operator("ends_with", Affix::Suffix)
        .add_operator("sem_ver", Versions)
        .add_operator("fractional", Fractional::V2)
        .add_operator("fractional_v1", Fractional::V1)
        .add_operator("fractional_v3", Fractional::V3)
        .build()
}

/// `starts_with` and `ends_with`: nothing unless both are texts.
enum Affix {
    Prefix,
    Suffix,
}

impl CustomOperator for Affix {
    fn evaluate<'a>(
        &self,
        arguments: &[&'a DataValue<'a>],
        _: &mut EvalContext<'_, 'a>,
        arena: &'a Bump,
    ) -> Result<&'a DataValue<'a>> {
        let [DataValue::String(text), DataValue::String(part)] = arguments else {
            return Ok(arena.null());
        };
        Ok(arena.bool(match self {
            Self::Prefix => text.starts_with(part),
            Self::Suffix => text.ends_with(part),
        }))
    }
}

/// `sem_ver`: nothing unless both are versions and the comparison is one.
struct Versions;

impl CustomOperator for Versions {
    fn evaluate<'a>(
        &self,
        arguments: &[&'a DataValue<'a>],
        _: &mut EvalContext<'_, 'a>,
        arena: &'a Bump,
    ) -> Result<&'a DataValue<'a>> {
        let [one, DataValue::String(how), other] = arguments else {
            return Ok(arena.null());
        };
        let compared = version(one).zip(version(other));
        let compared = compared.and_then(|(one, other)| compare(&one, how, &other));
        Ok(compared.map_or_else(|| arena.null(), |holds| arena.bool(holds)))
    }
}

fn compare(one: &Release, how: &str, other: &Release) -> Option<bool> {
    let order = one.as_version().compare(&other.as_version());
    Some(match how {
        "=" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "^" => one.has_same(1, other),
        "~" => one.has_same(2, other),
        _ => return None,
    })
}

/// A version, of which the last numbers may be left out; also one that is written as a number.
fn version(value: &DataValue<'_>) -> Option<Release> {
    let text = match value {
        DataValue::String(text) => (*text).to_owned(),
        DataValue::Number(number) => match number.as_i64() {
            Some(whole) => whole.to_string(),
            None => number.as_f64().to_string(),
        },
        _ => return None,
    };
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (core, rest) = text.split_at(end);
    match core.matches('.').count() {
        0 => Release::read(&format!("{core}.0.0{rest}")),
        1 => Release::read(&format!("{core}.0{rest}")),
        _ => Release::read(&text),
    }
}

/// `fractional`, which flagd changed twice.
enum Fractional {
    /// The share is a float: how far the hash is from 0, of what it can be at most.
    V1,
    /// Weights are whole numbers; this is our own way as well.
    V2,
    /// What is hashed is any value, in CBOR (RFC 8949, section 4.2.3: maps in the order of the length of their keys).
    V3,
}

impl CustomOperator for Fractional {
    fn evaluate<'a>(
        &self,
        arguments: &[&'a DataValue<'a>],
        context: &mut EvalContext<'_, 'a>,
        arena: &'a Bump,
    ) -> Result<&'a DataValue<'a>> {
        let found = self.hash(arguments, context.root_input());
        let found = found.and_then(|(hash, parts)| self.part(hash, &weighed(parts)?));
        Ok(found.unwrap_or_else(|| arena.null()))
    }
}

impl Fractional {
    /// The hash of who it is, and the parts.
    fn hash<'p, 'a>(
        &self,
        arguments: &'p [&'a DataValue<'a>],
        root: &DataValue<'_>,
    ) -> Option<(u32, &'p [&'a DataValue<'a>])> {
        let (first, rest) = arguments.split_first()?;
        let mut hash = Murmur32::default();
        let parts = match (self, first) {
            (Self::V3, DataValue::Null) => return None,
            (Self::V3, DataValue::Array(_)) => {
                let (flag, unit) = implicit(root)?;
                let both = [DataValue::String(flag), DataValue::String(unit)];
                encode(&DataValue::Array(&both), &mut hash);
                arguments
            }
            (Self::V3, value) => {
                encode(value, &mut hash);
                rest
            }
            (Self::V1 | Self::V2, DataValue::String(text)) => {
                hash.update(text.as_bytes());
                rest
            }
            (Self::V1 | Self::V2, other) => {
                let (flag, unit) = implicit(root)?;
                hash.update(flag.as_bytes());
                hash.update(unit.as_bytes());
                if other.is_null() { rest } else { arguments }
            }
        };
        Some((hash.finish(), parts))
    }

    /// The part that a hash falls on.
    fn part<'a>(&self, hash: u32, parts: &[(&'a DataValue<'a>, u32)]) -> Option<&'a DataValue<'a>> {
        let total: u64 = parts.iter().map(|(_, weight)| u64::from(*weight)).sum();
        if total == 0 || total > i32::MAX as u64 {
            return None;
        }
        let mut sum = 0;
        let is_reached = |sum: u64| match self {
            Self::V1 => {
                let distance = f64::from(hash.cast_signed().unsigned_abs()) / f64::from(i32::MAX);
                distance * 100.0 < sum as f64 * 100.0 / total as f64
            }
            Self::V2 | Self::V3 => (u64::from(hash) * total) >> 32 < sum,
        };
        let found = parts.iter().find(|(_, weight)| {
            sum += u64::from(*weight);
            is_reached(sum)
        });
        // In the first version, one hash lies beyond every part.
        let last = || parts.last().filter(|_| matches!(self, Self::V1));
        found.or_else(last).map(|(variant, _)| *variant)
    }
}

/// The flag's key and the unit, if it is known.
fn implicit<'r>(root: &'r DataValue<'_>) -> Option<(&'r str, &'r str)> {
    let unit = root
        .get(TARGETING_KEY)?
        .as_str()
        .filter(|unit| !unit.is_empty())?;
    let flag = root.get("$flagd").and_then(|known| known.get("flagKey"));
    Some((flag.and_then(DataValue::as_str).unwrap_or_default(), unit))
}

/// The parts with their weights, if all of them have one.
fn weighed<'a>(parts: &[&'a DataValue<'a>]) -> Option<Vec<(&'a DataValue<'a>, u32)>> {
    let one = |part: &&'a DataValue<'a>| {
        let (variant, weight) = match part {
            DataValue::Array([variant]) => (variant, 1.0),
            DataValue::Array([variant, weight, ..]) => (variant, weight.as_f64()?),
            _ => return None,
        };
        if matches!(variant, DataValue::Array(_) | DataValue::Object(_)) || weight.fract() != 0.0 {
            return None;
        }
        let weight = (weight <= f64::from(i32::MAX)).then(|| weight.max(0.0) as u32);
        Some((variant, weight?))
    };
    parts.iter().map(one).collect()
}

/// Hands the bytes of a value in CBOR on (RFC 8949).
fn encode(value: &DataValue<'_>, hash: &mut Murmur32) {
    match value {
        DataValue::Null => hash.update(&[0xf6]),
        DataValue::Bool(is) => hash.update(&[0xf4 + u8::from(*is)]),
        DataValue::Number(number) => match number.as_i64() {
            Some(whole) => encode_whole(whole.into(), hash),
            None => encode_number(number.as_f64(), hash),
        },
        DataValue::String(text) => encode_text(text, hash),
        DataValue::Array(all) => {
            head(4, all.len() as u64, hash);
            for one in *all {
                encode(one, hash);
            }
        }
        DataValue::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(one, _), (other, _)| one.len().cmp(&other.len()).then_with(|| one.cmp(other)));
            head(5, fields.len() as u64, hash);
            for (name, value) in fields {
                encode_text(name, hash);
                encode(value, hash);
            }
        }
    }
}

fn encode_text(text: &str, hash: &mut Murmur32) {
    head(3, text.len() as u64, hash);
    hash.update(text.as_bytes());
}

fn encode_whole(number: i128, hash: &mut Murmur32) {
    let (kind, rest) = if number < 0 { (1, -1 - number) } else { (0, number) };
    head(kind, u64::try_from(rest).unwrap_or(u64::MAX), hash);
}

/// A number: whole ones without a point, others in as few bytes as hold them.
fn encode_number(number: f64, hash: &mut Murmur32) {
    let is_whole = number.fract() == 0.0 && (i64::MIN as f64..u64::MAX as f64).contains(&number);
    if is_whole {
        encode_whole(number as i128, hash);
        return;
    }
    let short = number as f32;
    if f64::from(short).total_cmp(&number).is_ne() {
        hash.update(&[0xfb]);
        hash.update(&number.to_be_bytes());
        return;
    }
    match half(short) {
        Some(half) => {
            hash.update(&[0xf9]);
            hash.update(&half.to_be_bytes());
        }
        None => {
            hash.update(&[0xfa]);
            hash.update(&short.to_be_bytes());
        }
    }
}

/// The bits of a number in half precision (IEEE 754), if it has no more.
fn half(number: f32) -> Option<u16> {
    let bits = number.to_bits();
    let sign = (bits >> 16) & 0x8000;
    let exponent = i32::try_from((bits >> 23) & 0xff).ok()? - 127;
    let fraction = bits & 0x7f_ffff;
    let (rest, shift) = match exponent {
        -14..=15 => (fraction | (u32::try_from(exponent + 15).ok()? << 23), 13),
        -24..=-15 => (fraction | 0x80_0000, u32::try_from(-1 - exponent).ok()?),
        _ => return None,
    };
    let is_exact = rest & ((1 << shift) - 1) == 0;
    is_exact
        .then(|| u16::try_from(sign | (rest >> shift)).ok())
        .flatten()
}

/// What begins a value: its kind and a number, in as few bytes as hold it.
fn head(kind: u8, number: u64, hash: &mut Murmur32) {
    let kind = kind << 5;
    match number {
        0..=23 => hash.update(&[kind | number as u8]),
        24..=0xff => hash.update(&[kind | 24, number as u8]),
        0x100..=0xffff => {
            hash.update(&[kind | 25]);
            hash.update(&(number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            hash.update(&[kind | 26]);
            hash.update(&(number as u32).to_be_bytes());
        }
        _ => {
            hash.update(&[kind | 27]);
            hash.update(&number.to_be_bytes());
        }
    }
}

/// The hash of a value in CBOR.
#[cfg(test)]
pub(super) fn hash_of(value: &serde_json::Value) -> u32 {
    let arena = Bump::new();
    let mut hash = Murmur32::default();
    let text = value.to_string();
    let value = DataValue::from_str(&text, &arena).expect("JSON is what it reads");
    encode(&value, &mut hash);
    hash.finish()
}
