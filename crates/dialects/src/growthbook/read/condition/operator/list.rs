//! Operators of lists, and of what values are.

use eval::definition::{Condition, Op, Test};
use serde_json::{Map, Value as Json};

use super::super::{Conditions, all, everybody, nobody, not, test};
use crate::Fault;
use crate::growthbook::condition::operators;
use crate::growthbook::json::is_truthy;
use crate::kind::Kind;

/// The greatest number of entries that is spoken of.
const SIZE_MAX: f64 = u32::MAX as f64;

impl Conditions<'_> {
    /// What a value is.
    pub(super) fn kind(&mut self, attribute: &str, wanted: &Json, at: &str) -> Result<Condition, Fault> {
        let (kind, name) = match wanted.as_str() {
            Some("string") => (Kind::Text, "text"),
            Some("number") => (Kind::Number, "number"),
            Some("boolean") => (Kind::Bool, "boolean"),
            Some("array") => (Kind::Texts, "list"),
            Some("null") => return Ok(test(attribute, Op::IsAbsent, Vec::new())),
            Some("object") => {
                let detail = "Attributes with others in them are known by these, and not by themselves.";
                return Err(Fault::new(at, "value_unsaid", detail));
            }
            _ => return Ok(nobody()),
        };
        self.kinds.ask(attribute, kind, at)?;
        Ok(test(attribute, Op::IsKind, vec![name.to_owned()]))
    }

    /// How many entries a list has.
    pub(super) fn size(&mut self, attribute: &str, wanted: &Json, at: &str) -> Result<Condition, Fault> {
        self.kinds.put(attribute, Kind::Texts, at)?;
        let sizes = sizes(attribute, wanted, at)?;
        let is_list = test(attribute, Op::IsKind, vec!["list".to_owned()]);
        Ok(match sizes {
            Condition::Any { any } if any.is_empty() => nobody(),
            Condition::All { all } if all.is_empty() => is_list,
            // It fits lists alone.
            one @ Condition::Attribute(_) => one,
            other => all(vec![is_list, other]),
        })
    }

    /// What one element of a list must be.
    pub(super) fn element(&mut self, attribute: &str, wanted: &Json, at: &str) -> Result<Condition, Fault> {
        self.kinds.put(attribute, Kind::Texts, at)?;
        let Some(fields) = operators(wanted) else {
            let detail = "Elements of lists are texts, and have no fields.";
            return Err(Fault::new(at, "operator_unsaid", detail));
        };
        if ["$or", "$nor", "$and", "$savedGroup"]
            .iter()
            .any(|name| fields.contains_key(*name))
        {
            let detail = "Of an element only operators of its text can be said.";
            return Err(Fault::new(at, "operator_unsaid", detail));
        }
        let fits = self.of_element(attribute, fields, at)?;
        // Comparisons of texts fit a list that has one of them.
        Ok(match fits {
            Condition::Attribute(test) if matches!(test.op, Op::In | Op::Matches) => {
                Condition::Attribute(test)
            }
            Condition::Any { any } if any.is_empty() => nobody(),
            fits => Condition::Element {
                element: attribute.to_owned(),
                fits: Box::new(fits),
            },
        })
    }

    fn of_element(
        &self,
        attribute: &str,
        operators: &Map<String, Json>,
        at: &str,
    ) -> Result<Condition, Fault> {
        let mut parts = Vec::new();
        for (name, wanted) in operators {
            let at = format!("{at}/{name}");
            parts.push(self.of_text(attribute, (name, wanted), &at)?);
        }
        Ok(all(parts))
    }

    /// What a text must be.
    fn of_text(&self, attribute: &str, (name, wanted): (&str, &Json), at: &str) -> Result<Condition, Fault> {
        let pattern = |ignore_case| match wanted.as_str() {
            Some(pattern) => self.matches(attribute, pattern, ignore_case, at),
            None => Ok(nobody()),
        };
        let members = |ignore_case| {
            let list = wanted.as_array()?;
            Some(texts(attribute, list, ignore_case))
        };
        let found = match name {
            "$eq" => texts(attribute, std::slice::from_ref(wanted), false),
            "$ne" => not(texts(attribute, std::slice::from_ref(wanted), false)),
            "$in" => members(false).unwrap_or_else(nobody),
            "$nin" => members(false).map_or_else(nobody, not),
            "$ini" => members(true).unwrap_or_else(nobody),
            "$nini" => members(true).map_or_else(nobody, not),
            "$regex" => pattern(false)?,
            "$regexi" => pattern(true)?,
            "$notRegex" => not(pattern(false)?),
            "$notRegexi" => not(pattern(true)?),
            "$exists" if is_truthy(wanted) => everybody(),
            "$exists" => nobody(),
            "$type" if wanted == "string" => everybody(),
            "$type" => nobody(),
            "$not" => match operators(wanted) {
                Some(operators) => not(self.of_element(attribute, operators, at)?),
                None => not(texts(attribute, std::slice::from_ref(wanted), false)),
            },
            _ => {
                let detail = format!("`{name}` cannot be said of an element.");
                return Err(Fault::new(at, "operator_unsaid", detail));
            }
        };
        Ok(found)
    }
}

/// Whether a text is among values; what is no text is none.
fn texts(attribute: &str, values: &[Json], ignore_case: bool) -> Condition {
    let values: Vec<String> = values
        .iter()
        .filter_map(Json::as_str)
        .map(str::to_owned)
        .collect();
    match values.is_empty() {
        true => nobody(),
        false => Condition::Attribute(Test {
            attribute: attribute.to_owned(),
            op: Op::In,
            values,
            ignore_case,
            text_only: false,
            short: false,
        }),
    }
}

/// What the number of a list's entries must be.
fn sizes(attribute: &str, wanted: &Json, at: &str) -> Result<Condition, Fault> {
    let is = |op: Op, size: f64| test(attribute, op, vec![format!("{size}")]);
    let equal = |size: f64| match size.fract() == 0.0 && (0.0..=SIZE_MAX).contains(&size) {
        true => is(Op::SizeEq, size),
        false => nobody(),
    };
    let more = |size: f64| match size {
        size if size < 0.0 => everybody(),
        size if size > SIZE_MAX => nobody(),
        size => is(Op::SizeGt, size.floor()),
    };
    let less = |size: f64| match size {
        size if size <= 0.0 => nobody(),
        size if size > SIZE_MAX => everybody(),
        size => is(Op::SizeLt, size.ceil()),
    };
    let Some(operators) = operators(wanted) else {
        return number(wanted, at).map(equal);
    };
    let mut parts = Vec::new();
    for (name, wanted) in operators {
        let at = format!("{at}/{name}");
        let one_of = || -> Result<Condition, Fault> {
            let list = wanted.as_array().ok_or_else(|| size_unsaid(&at))?;
            let each = list.iter().map(|size| number(size, &at).map(equal));
            Ok(Condition::Any {
                any: each.collect::<Result<_, _>>()?,
            })
        };
        parts.push(match name.as_str() {
            "$eq" => equal(number(wanted, &at)?),
            "$ne" => not(equal(number(wanted, &at)?)),
            "$gt" => more(number(wanted, &at)?),
            "$lte" => not(more(number(wanted, &at)?)),
            "$lt" => less(number(wanted, &at)?),
            "$gte" => not(less(number(wanted, &at)?)),
            "$in" => one_of()?,
            "$nin" => not(one_of()?),
            "$not" => not(sizes(attribute, wanted, &at)?),
            _ => return Err(size_unsaid(&at)),
        });
    }
    Ok(all(parts))
}

fn number(value: &Json, at: &str) -> Result<f64, Fault> {
    value.as_f64().ok_or_else(|| size_unsaid(at))
}

fn size_unsaid(at: &str) -> Fault {
    let detail = "How many entries a list has can be compared with numbers only.";
    Fault::new(at, "operator_unsaid", detail)
}
