//! Operators of values.

use eval::definition::{Condition, Op, Test};
use serde_json::Value as Json;

use super::{Conditions, nobody, not, pattern_of, test};
use crate::Fault;
use crate::growthbook::json::is_truthy;
use crate::kind::Kind;

mod list;

/// The greatest number in a version that is in the same order as in Semantic Versioning: texts of up to four digits are padded.
const DIGITS_MAX: usize = 4;

impl Conditions<'_> {
    /// Equal to one value.
    pub(super) fn equals(&mut self, attribute: &str, wanted: &Json, at: &str) -> Result<Condition, Fault> {
        match wanted {
            // Lists and objects are the same as nothing.
            Json::Array(_) | Json::Object(_) => Ok(nobody()),
            Json::Null => Ok(test(attribute, Op::IsAbsent, Vec::new())),
            Json::String(text) => {
                self.kinds.put(attribute, Kind::Text, at)?;
                Ok(test(attribute, Op::In, vec![text.clone()]))
            }
            single => self.members(attribute, std::slice::from_ref(single), false, at),
        }
    }

    pub(super) fn operator(
        &mut self,
        attribute: &str,
        (name, wanted): (&str, &Json),
        at: &str,
    ) -> Result<Condition, Fault> {
        let list = wanted.as_array();
        match (name, list) {
            ("$eq", _) => self.equals(attribute, wanted, at),
            ("$ne", _) => Ok(not(self.equals(attribute, wanted, at)?)),
            ("$in", Some(list)) => self.members(attribute, list, false, at),
            ("$ini", Some(list)) => self.members(attribute, list, true, at),
            ("$nin", Some(list)) => Ok(not(self.members(attribute, list, false, at)?)),
            ("$nini", Some(list)) => Ok(not(self.members(attribute, list, true, at)?)),
            ("$all", Some(list)) => self.has_all(attribute, list, false, at),
            ("$alli", Some(list)) => self.has_all(attribute, list, true, at),
            ("$in" | "$ini" | "$nin" | "$nini" | "$all" | "$alli", None) => Ok(nobody()),
            ("$lt", _) => self.ordered(attribute, Op::Lt, wanted, at),
            ("$lte", _) => self.ordered(attribute, Op::Lte, wanted, at),
            ("$gt", _) => self.ordered(attribute, Op::Gt, wanted, at),
            ("$gte", _) => self.ordered(attribute, Op::Gte, wanted, at),
            ("$veq", _) => self.version(attribute, Op::SemverEq, wanted, at),
            ("$vne", _) => Ok(not(self.version(attribute, Op::SemverEq, wanted, at)?)),
            ("$vlt", _) => self.version(attribute, Op::SemverLt, wanted, at),
            ("$vlte", _) => self.version(attribute, Op::SemverLte, wanted, at),
            ("$vgt", _) => self.version(attribute, Op::SemverGt, wanted, at),
            ("$vgte", _) => self.version(attribute, Op::SemverGte, wanted, at),
            ("$exists", _) => Ok(match is_truthy(wanted) {
                true => test(attribute, Op::IsPresent, Vec::new()),
                false => test(attribute, Op::IsAbsent, Vec::new()),
            }),
            ("$regex", _) => self.pattern(attribute, wanted, false, at),
            ("$regexi", _) => self.pattern(attribute, wanted, true, at),
            ("$notRegex", _) => Ok(not(self.pattern(attribute, wanted, false, at)?)),
            ("$notRegexi", _) => Ok(not(self.pattern(attribute, wanted, true, at)?)),
            ("$not", _) => Ok(not(self.value(attribute, wanted, at)?)),
            ("$elemMatch", _) => self.element(attribute, wanted, at),
            ("$size", _) => self.size(attribute, wanted, at),
            ("$type", _) => self.kind(attribute, wanted, at),
            ("$inGroup", _) => Ok(self
                .group_of_values(attribute, wanted, at)?
                .unwrap_or_else(nobody)),
            ("$notInGroup", _) => Ok(self
                .group_of_values(attribute, wanted, at)?
                .map_or_else(nobody, not)),
            ("$and" | "$or" | "$nor" | "$savedGroup" | "$savedGroups", _) => Ok(nobody()),
            _ => {
                let detail = format!("`{name}` cannot be said.");
                Err(Fault::new(at, "operator_unsaid", detail))
            }
        }
    }

    /// One of several values; they are of one kind, but for `null`.
    pub(super) fn members(
        &mut self,
        attribute: &str,
        values: &[Json],
        ignore_case: bool,
        at: &str,
    ) -> Result<Condition, Fault> {
        let (mut op, mut said, mut with_null) = (Op::In, Vec::new(), false);
        for value in values {
            let (kind, text) = match value {
                Json::String(text) => (Kind::TextOrTexts, text.clone()),
                Json::Number(number) => (Kind::Number, number.to_string()),
                Json::Bool(is) => (Kind::Bool, is.to_string()),
                Json::Null => {
                    with_null = true;
                    continue;
                }
                // Lists and objects are the same as nothing.
                Json::Array(_) | Json::Object(_) => continue,
            };
            self.kinds.put(attribute, kind, at)?;
            if kind == Kind::Number {
                op = Op::Eq;
            }
            said.push(text);
        }
        let one = Condition::Attribute(Test {
            attribute: attribute.to_owned(),
            op,
            values: said,
            ignore_case: ignore_case && op == Op::In,
            text_only: false,
            short: false,
        });
        Ok(match with_null {
            true => Condition::Any {
                any: vec![one, test(attribute, Op::IsAbsent, Vec::new())],
            },
            false => one,
        })
    }

    fn has_all(
        &mut self,
        attribute: &str,
        list: &[Json],
        ignore_case: bool,
        at: &str,
    ) -> Result<Condition, Fault> {
        self.kinds.put(attribute, Kind::Texts, at)?;
        let texts = list.iter().map(|value| value.as_str().map(str::to_owned));
        let Some(values) = texts.collect() else {
            let detail = "Lists have texts only.";
            return Err(Fault::new(at, "value_unsaid", detail));
        };
        Ok(Condition::Attribute(Test {
            attribute: attribute.to_owned(),
            op: Op::HasAll,
            values,
            ignore_case,
            text_only: false,
            short: false,
        }))
    }

    /// Texts are ordered letter by letter elsewhere, and not at all here.
    fn ordered(&mut self, attribute: &str, op: Op, wanted: &Json, at: &str) -> Result<Condition, Fault> {
        match wanted {
            Json::Number(number) => {
                self.kinds.put(attribute, Kind::Number, at)?;
                Ok(test(attribute, op, vec![number.to_string()]))
            }
            Json::String(_) => {
                let detail = "Texts, dates among them, cannot be ordered letter by letter.";
                Err(Fault::new(at, "order_of_texts", detail))
            }
            _ => Ok(nobody()),
        }
    }

    /// Versions of three numbers are in the same order as in Semantic Versioning, others are not.
    fn version(&mut self, attribute: &str, op: Op, wanted: &Json, at: &str) -> Result<Condition, Fault> {
        let plain = wanted.as_str().map(|text| text.strip_prefix('v').unwrap_or(text));
        let is_number = |part: &str| {
            (1..=DIGITS_MAX).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && (part == "0" || !part.starts_with('0'))
        };
        let plain = plain.filter(|text| text.split('.').count() == 3 && text.split('.').all(is_number));
        let Some(version) = plain else {
            let detail = format!("{wanted} is not three numbers of up to {DIGITS_MAX} digits, as `2.1.0`.");
            return Err(Fault::new(at, "version_unsaid", detail));
        };
        self.kinds.put(attribute, Kind::Text, at)?;
        Ok(test(attribute, op, vec![version.to_owned()]))
    }

    fn pattern(
        &mut self,
        attribute: &str,
        wanted: &Json,
        ignore_case: bool,
        at: &str,
    ) -> Result<Condition, Fault> {
        let Some(pattern) = wanted.as_str() else {
            return Ok(nobody());
        };
        self.kinds.put(attribute, Kind::Text, at)?;
        self.matches(attribute, pattern, ignore_case, at)
    }

    pub(super) fn matches(
        &self,
        attribute: &str,
        pattern: &str,
        ignore_case: bool,
        at: &str,
    ) -> Result<Condition, Fault> {
        Ok(Condition::Attribute(Test {
            attribute: attribute.to_owned(),
            op: Op::Matches,
            values: vec![pattern_of(pattern, ignore_case, at)?],
            ignore_case,
            text_only: false,
            short: false,
        }))
    }

    /// Whether a value is in a saved list; none if there is no list that it could be in or not.
    fn group_of_values(&mut self, attribute: &str, id: &Json, at: &str) -> Result<Option<Condition>, Fault> {
        let Some(id) = id.as_str() else { return Ok(None) };
        let values = match self.groups.get(id) {
            None => return Ok(Some(nobody())),
            Some(Json::Array(values)) => return self.listed(id, (attribute, None), values).map(Some),
            Some(Json::Object(group)) => group,
            Some(_) => return Ok(None),
        };
        let own = values.get("attributeKey").and_then(Json::as_str);
        match (values.get("type").and_then(Json::as_str), values.get("values")) {
            (Some("list"), Some(Json::Array(list))) => self.listed(id, (attribute, own), list).map(Some),
            (Some("list" | "condition") | None, _) => Ok(None),
            (Some(other), _) => {
                let detail = format!("Nobody knows saved groups of the type `{other}`.");
                Err(Fault::new(at, "group_unknown", detail))
            }
        }
    }
}
