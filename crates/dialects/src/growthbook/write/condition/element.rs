//! Conditions on single elements of a list.

use eval::definition::{Condition, Op, Test};
use serde_json::{Map, Value as Json, json};

use super::{literal, nobody, of, pattern_of};
use crate::Fault;

/// In how many ways an element may fit: each is an object of operators, of which each stands there once.
const WAYS_MAX: usize = 100;

/// A comparison, and whether it must fit.
type Literal<'c> = (&'c Test, bool);

/// An element fits in one of the ways in which the condition can hold.
pub(super) fn written(list: &str, fits: &Condition, at: &str) -> Result<Json, Fault> {
    let ways = ways(fits, true).ok_or_else(|| {
        unsaid(
            &format!("It takes more than {WAYS_MAX} conditions on an element."),
            at,
        )
    })?;
    let mut any = Vec::new();
    for way in ways {
        let operators = operators(&way, at)?;
        any.push(of(list, &json!({ "$elemMatch": operators }), at)?);
    }
    Ok(match any.len() {
        0 => nobody(),
        1 => any.remove(0),
        _ => json!({ "$or": any }),
    })
}

fn unsaid(detail: &str, at: &str) -> Fault {
    Fault::new(format!("{at}/fits"), "element_unsaid", detail)
}

/// The ways in which it holds, or does not; none if there are too many.
fn ways(condition: &Condition, wanted: bool) -> Option<Vec<Vec<Literal<'_>>>> {
    let found = match (condition, wanted) {
        (Condition::All { all }, true) | (Condition::Any { any: all }, false) => {
            let mut found = vec![Vec::new()];
            for one in all {
                found = joined(&found, &ways(one, wanted)?)?;
            }
            found
        }
        (Condition::Any { any: all }, true) | (Condition::All { all }, false) => {
            let each: Option<Vec<_>> = all.iter().map(|one| ways(one, wanted)).collect();
            each?.concat()
        }
        (Condition::Not { not }, wanted) => ways(not, !wanted)?,
        (Condition::Attribute(test), wanted) => vec![vec![(test, wanted)]],
        // No such condition compiles.
        _ => return None,
    };
    (found.len() <= WAYS_MAX).then_some(found)
}

/// Each of some ways with each of others.
fn joined<'c>(ways: &[Vec<Literal<'c>>], more: &[Vec<Literal<'c>>]) -> Option<Vec<Vec<Literal<'c>>>> {
    if ways.len() * more.len() > WAYS_MAX {
        return None;
    }
    let pairs = ways
        .iter()
        .flat_map(|way| more.iter().map(move |other| (way, other)));
    Some(
        pairs
            .map(|(way, other)| [way.as_slice(), other].concat())
            .collect(),
    )
}

/// All of several comparisons with one element, in one object.
fn operators(way: &[Literal<'_>], at: &str) -> Result<Map<String, Json>, Fault> {
    let mut all = Map::new();
    for (test, wanted) in way {
        let ignore_case = test.ignore_case;
        let by_case =
            |plain: &'static str, ignoring: &'static str| if ignore_case { ignoring } else { plain };
        let (name, said) = match (test.op, *wanted) {
            (Op::In, true) | (Op::NotIn, false) => (by_case("$in", "$ini"), json!(test.values)),
            (Op::In, false) | (Op::NotIn, true) => (by_case("$nin", "$nini"), json!(test.values)),
            (_, true) => (by_case("$regex", "$regexi"), pattern(test, at)?.into()),
            (_, false) => (
                "$not",
                json!({ by_case("$regex", "$regexi"): pattern(test, at)? }),
            ),
        };
        match (all.get_mut(name), said) {
            (None, said) => {
                all.insert(name.to_owned(), said);
            }
            // None of these and none of those.
            (Some(Json::Array(known)), Json::Array(more)) if name.starts_with("$n") => known.extend(more),
            _ => {
                let detail = "SDKs cannot be told to compare one element twice by the same operator.";
                return Err(unsaid(detail, at));
            }
        }
    }
    if all.is_empty() {
        // Each element fits.
        all.insert("$exists".to_owned(), true.into());
    }
    Ok(all)
}

/// One pattern for all values.
fn pattern(test: &Test, at: &str) -> Result<String, Fault> {
    let at = format!("{at}/fits");
    let each = test.values.iter().map(|text| match test.op {
        Op::StartsWith => Ok(format!("^{}", literal(text))),
        Op::EndsWith => Ok(format!("{}$", literal(text))),
        Op::Contains => Ok(literal(text)),
        _ => Ok(format!("(?:{})", pattern_of(text, &at)?)),
    });
    Ok(each.collect::<Result<Vec<_>, _>>()?.join("|"))
}
