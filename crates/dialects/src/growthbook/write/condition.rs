//! Conditions and segments as conditions and saved groups.

use eval::Definitions;
use eval::definition::{Condition, Op, Test};
use serde_json::{Map, Value as Json, json};

use crate::growthbook::json::number_text;
use crate::growthbook::pattern;
use crate::{Fault, part};

mod element;

/// Parts that all conditions of a payload may have together: segments stand in each that names them.
const PARTS_MAX: usize = 200_000;
/// Conditions within conditions, through segments.
const DEPTH_MAX: usize = 40;
/// Digits of numbers in versions that are in the same order everywhere.
const DIGITS_MAX: usize = 4;

/// Writes conditions, and collects the lists that they name.
#[derive(Debug)]
pub(super) struct Conditions<'d> {
    definitions: &'d Definitions,
    groups: Map<String, Json>,
    parts: usize,
    depth: usize,
}

impl<'d> Conditions<'d> {
    pub(super) fn new(definitions: &'d Definitions) -> Self {
        Self {
            definitions,
            groups: Map::new(),
            parts: 0,
            depth: 0,
        }
    }

    pub(super) fn into_groups(self) -> Map<String, Json> {
        self.groups
    }

    /// Writes a condition.
    pub(super) fn write(&mut self, condition: &Condition, at: &str) -> Result<Json, Fault> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            let detail =
                format!("All conditions, and the segments in them, have more than {PARTS_MAX} parts.");
            return Err(Fault::new(at, "too_large", detail));
        }
        if self.depth >= DEPTH_MAX {
            let detail =
                format!("Conditions, and the segments in them, are nested more than {DEPTH_MAX} deep.");
            return Err(Fault::new(at, "too_deep", detail));
        }
        self.depth += 1;
        let written = self.condition(condition, at);
        self.depth -= 1;
        written
    }

    fn condition(&mut self, condition: &Condition, at: &str) -> Result<Json, Fault> {
        match condition {
            Condition::All { all } => Ok(json!({ "$and": self.each(all, &format!("{at}/all"))? })),
            Condition::Any { any } if any.is_empty() => Ok(nobody()),
            Condition::Any { any } => Ok(json!({ "$or": self.each(any, &format!("{at}/any"))? })),
            Condition::Not { not } => Ok(json!({ "$not": self.write(not, &format!("{at}/not"))? })),
            Condition::Segment { segment } => self.segment(segment, at),
            Condition::During { .. } => {
                let detail = "SDKs do not know what time it is.";
                Err(Fault::new(format!("{at}/during"), "window_unsaid", detail))
            }
            Condition::Share { .. } => {
                let detail = "SDKs know shares of all for a whole rule, and not within its condition.";
                Err(Fault::new(format!("{at}/share"), "share_unsaid", detail))
            }
            Condition::Element { element, fits } => element::written(element, fits, at),
            Condition::Attribute(test) if test.text_only => written_for_texts(test, at),
            Condition::Attribute(test) => written(test, at),
        }
    }

    fn each(&mut self, conditions: &[Condition], at: &str) -> Result<Vec<Json>, Fault> {
        let each = conditions.iter().enumerate();
        each.map(|(place, one)| self.write(one, &format!("{at}/{place}")))
            .collect()
    }

    /// A segment that is a list of values is a saved group; others stand where they are named.
    fn segment(&mut self, key: &str, at: &str) -> Result<Json, Fault> {
        let Some(segment) = self.definitions.segments.get(key) else {
            let detail = format!("There is no segment `{key}`.");
            return Err(Fault::new(at, "segment_unknown", detail));
        };
        match &segment.when {
            Condition::Attribute(test) if is_list(test) => {
                self.groups.insert(key.to_owned(), loosely(&test.values).into());
                Ok(json!({ (test.attribute.as_str()): { "$inGroup": key } }))
            }
            when => self.write(when, &format!("/segments/{}/when", part(key))),
        }
    }
}

/// Whether somebody is among values that are listed.
fn is_list(test: &Test) -> bool {
    test.op == Op::In && !test.ignore_case && !test.text_only && !is_reserved(&test.attribute)
}

/// Holds for nobody.
fn nobody() -> Json {
    json!({ "$not": {} })
}

/// Names that conditions have for themselves.
fn is_reserved(attribute: &str) -> bool {
    attribute.is_empty() || attribute.starts_with('$')
}

/// An attribute is one of several values, or none.
pub(super) fn one_of(attribute: &str, op: &str, values: &[String], at: &str) -> Result<Json, Fault> {
    of(attribute, &json!({ op: loosely(values) }), at)
}

fn of(attribute: &str, wanted: &Json, at: &str) -> Result<Json, Fault> {
    if is_reserved(attribute) {
        let detail = "A name that is empty or begins with `$` means something else in conditions.";
        return Err(Fault::new(format!("{at}/attribute"), "attribute_unsaid", detail));
    }
    Ok(json!({ attribute: wanted }))
}

/// Values as texts, and as what else has that text: `"1"` and `1` are the same with us.
fn loosely(values: &[String]) -> Vec<Json> {
    let mut all: Vec<Json> = values.iter().map(|value| value.as_str().into()).collect();
    for value in values {
        if let Some(number) = value.parse().ok().filter(|number: &f64| number.is_finite())
            && number_text(number) == *value
        {
            all.push(json!(number));
        }
        if let Ok(is) = value.parse::<bool>() {
            all.push(is.into());
        }
    }
    all
}

/// What is no text is as if it were not there.
fn written_for_texts(test: &Test, at: &str) -> Result<Json, Fault> {
    let with = |op: Op| Test { op, ..test.clone() };
    let is_text = of(&test.attribute, &json!({ "$type": "string" }), at)?;
    match test.op {
        Op::NotIn => Ok(json!({ "$not": written_for_texts(&with(Op::In), at)? })),
        Op::IsAbsent => Ok(json!({ "$not": is_text })),
        Op::Eq | Op::Gt | Op::Gte | Op::Lt | Op::Lte | Op::Modulo => Err(unsaid("numbers in texts", at)),
        _ => Ok(json!({ "$and": [is_text, written(test, at)?] })),
    }
}

fn written(test: &Test, at: &str) -> Result<Json, Fault> {
    if test.short {
        let detail = "SDKs put a version that leaves out numbers before one that has them.";
        return Err(Fault::new(format!("{at}/short"), "version_unsaid", detail));
    }
    let attribute = test.attribute.as_str();
    let ignore_case = test.ignore_case;
    let values = &test.values;
    // Older SDKs take what is not there for 0, for the version 0 and for the text `null`.
    let comparison = |op: &str| of(attribute, &json!({ "$exists": true, op: number(test, at)? }), at);
    let version = |op: &str, value: &str| {
        of(
            attribute,
            &json!({ "$type": "string", op: release(value, at)? }),
            at,
        )
    };
    match test.op {
        Op::In => one_of(attribute, if ignore_case { "$ini" } else { "$in" }, values, at),
        Op::NotIn => one_of(attribute, if ignore_case { "$nini" } else { "$nin" }, values, at),
        Op::IsPresent => of(attribute, &json!({ "$exists": true }), at),
        Op::IsAbsent => of(attribute, &json!({ "$exists": false }), at),
        Op::StartsWith => patterns(test, at, |text| Ok(format!("^{}", literal(text)))),
        Op::EndsWith => patterns(test, at, |text| Ok(format!("{}$", literal(text)))),
        Op::Contains => patterns(test, at, |text| Ok(literal(text))),
        Op::Matches => patterns(test, at, |text| pattern_of(text, at)),
        Op::Eq => of(attribute, &json!({ "$in": numbers(test, at)? }), at),
        Op::Gt => comparison("$gt"),
        Op::Gte => comparison("$gte"),
        Op::Lt => comparison("$lt"),
        Op::Lte => comparison("$lte"),
        Op::SemverEq => {
            let each = values.iter().map(|value| version("$veq", value));
            Ok(json!({ "$or": each.collect::<Result<Vec<_>, _>>()? }))
        }
        Op::SemverGt => version("$vgt", first(test)),
        Op::SemverGte => version("$vgte", first(test)),
        Op::SemverLt => version("$vlt", first(test)),
        Op::SemverLte => version("$vlte", first(test)),
        Op::HasAll => {
            let op = if ignore_case { "$alli" } else { "$all" };
            of(attribute, &json!({ op: values }), at)
        }
        Op::SizeEq => of(attribute, &json!({ "$size": { "$in": numbers(test, at)? } }), at),
        Op::SizeGt => of(attribute, &json!({ "$size": { "$gt": number(test, at)? } }), at),
        Op::SizeLt => of(attribute, &json!({ "$size": { "$lt": number(test, at)? } }), at),
        Op::IsKind => {
            let each = values
                .iter()
                .map(|kind| of(attribute, &json!({ "$type": type_of(kind) }), at));
            Ok(json!({ "$or": each.collect::<Result<Vec<_>, _>>()? }))
        }
        Op::Modulo => Err(unsaid("remainders", at)),
        Op::Before | Op::After => Err(unsaid("moments", at)),
        Op::InNetwork => Err(unsaid("networks", at)),
    }
}

fn unsaid(what: &str, at: &str) -> Fault {
    Fault::new(
        format!("{at}/op"),
        "operator_unsaid",
        format!("SDKs do not know {what}."),
    )
}

fn first(test: &Test) -> &str {
    test.values.first().map_or("", String::as_str)
}

fn number(test: &Test, at: &str) -> Result<f64, Fault> {
    read_number(first(test), at)
}

fn numbers(test: &Test, at: &str) -> Result<Vec<f64>, Fault> {
    test.values.iter().map(|value| read_number(value, at)).collect()
}

/// What JavaScript calls a kind of value.
fn type_of(kind: &str) -> &str {
    match kind {
        "text" => "string",
        "list" => "array",
        other => other,
    }
}

fn read_number(value: &str, at: &str) -> Result<f64, Fault> {
    let number = value
        .trim()
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| {
        Fault::new(
            format!("{at}/values"),
            "value_invalid",
            format!("`{value}` is not a number."),
        )
    })
}

/// A version that is in the same order there as here: three numbers of a few digits.
fn release(value: &str, at: &str) -> Result<String, Fault> {
    let plain = value.trim().trim_start_matches(['v', 'V']);
    let plain = plain.split_once('+').map_or(plain, |(plain, _)| plain);
    let is_number =
        |part: &str| (1..=DIGITS_MAX).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    match plain.split('.').count() == 3 && plain.split('.').all(is_number) {
        true => Ok(plain.to_owned()),
        false => {
            let detail = format!("`{value}` is not three numbers of up to {DIGITS_MAX} digits, as `2.1.0`.");
            Err(Fault::new(format!("{at}/values"), "version_unsaid", detail))
        }
    }
}

/// One of the patterns is found, in a text or in one of a list.
fn patterns(test: &Test, at: &str, write: impl Fn(&str) -> Result<String, Fault>) -> Result<Json, Fault> {
    let op = if test.ignore_case { "$regexi" } else { "$regex" };
    let mut any = Vec::new();
    for value in &test.values {
        let pattern = write(value)?;
        any.push(of(
            &test.attribute,
            &json!({ "$type": "string", op: pattern }),
            at,
        )?);
        any.push(of(
            &test.attribute,
            &json!({ "$elemMatch": { op: pattern } }),
            at,
        )?);
    }
    Ok(json!({ "$or": any }))
}

/// A text as a pattern that finds just that.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if r"\^$.|?*+()[]{}/".contains(char) {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}

/// A pattern that means the same in JavaScript.
fn pattern_of(text: &str, at: &str) -> Result<String, Fault> {
    pattern::written(text).ok_or_else(|| {
        let detail = format!("`{text}` has something that means something else in JavaScript, or nothing.");
        Fault::new(format!("{at}/values"), "pattern_unsaid", detail)
    })
}
