//! Flags as flagd's, with targeting in JSONLogic.
//!
//! Units are put in order as by `fractional` with whole weights ([`Fractional::V2`](super::Fractional::V2)), which is our own way.
//! What JSONLogic would say of somebody else than we do is refused: another order of units, patterns and networks, and numbers
//! and versions, of which it takes more texts for one than we do. A unit is a text, a number or a boolean.

use std::collections::BTreeSet;

use eval::Definitions;
use eval::definition::{Condition, Dialect, Flag, Gate, Rule, Span};
use serde_json::{Map, Value, json};

use super::{Fractional, TARGETING_KEY, USER};
use crate::{Fault, Writing, part};

mod conditions;
mod outcome;

/// What targeting may be in JSON, with all flags that it needs.
const BYTES_MAX: usize = 256 << 10;
/// Flags that need flags that need flags.
const DEPTH_MAX: usize = 16;
/// What flagd calls the operator, in every version.
const FRACTIONAL: &str = "fractional";
/// Parts that weights make together: thousandths of a percent.
const WHOLE: u32 = 100_000;

/// Writes flags as flagd's definitions, for providers whose `fractional` is that one.
///
/// With any but [`V2`](Fractional::V2), splits and gates of ours are refused: they would put units in another order.
pub fn write(definitions: &Definitions, fractional: Fractional) -> Writing {
    let mut flags = Map::new();
    let mut refused = Vec::new();
    for (key, flag) in &definitions.flags {
        let writer = Writer {
            definitions,
            key,
            flag,
            fractional,
        };
        match writer.flag().and_then(|flag| writer.finished(flag)) {
            Ok(flag) => {
                flags.insert(key.clone(), flag);
            }
            Err(fault) => refused.push(fault.of(key)),
        }
    }
    Writing {
        document: json!({ "$schema": "https://flagd.dev/schema/v0/flags.json", "flags": flags }),
        refused,
    }
}

/// Writes one flag.
struct Writer<'a> {
    definitions: &'a Definitions,
    key: &'a str,
    flag: &'a Flag,
    fractional: Fractional,
}

impl Writer<'_> {
    /// Calls the provider's `fractional` by its name.
    fn finished(&self, mut flag: Value) -> Result<Value, Fault> {
        let theirs = self.fractional.operator();
        let Some(targeting) = flag.get_mut("targeting").filter(|_| theirs != FRACTIONAL) else {
            return Ok(flag);
        };
        if names(targeting, FRACTIONAL) {
            let detail = "The provider's `fractional` puts units in another order than we do.";
            return Err(Fault::new(self.pointer(""), "dialect_unsayable", detail));
        }
        rename(targeting, theirs, FRACTIONAL);
        Ok(flag)
    }

    fn flag(&self) -> Result<Value, Fault> {
        let targeting = &self.flag.targeting;
        let is_null = |name: &str| self.flag.variants.get(name).is_none_or(Value::is_null);
        let variants: Map<_, _> = self
            .flag
            .variants
            .iter()
            .filter(|(name, _)| !is_null(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut written = json!({ "state": "ENABLED", "variants": variants });
        if !targeting.enabled {
            // To flagd, a flag that is disabled has the value of whoever asks.
            match is_null(&targeting.off) {
                true => written["state"] = "DISABLED".into(),
                false => written["defaultVariant"] = targeting.off.as_str().into(),
            }
            return Ok(written);
        }
        let default = targeting.otherwise.serve.as_ref().unwrap_or(&targeting.off);
        if !is_null(default) {
            written["defaultVariant"] = default.as_str().into();
        }
        let is_static = targeting.prerequisites.is_empty()
            && targeting.overrides.is_empty()
            && targeting.rules.is_empty();
        if is_static && targeting.otherwise.serve.is_some() {
            return Ok(written);
        }
        let has_null = self.flag.variants.values().any(Value::is_null);
        if has_null && !is_null(default) {
            let detail = "A variant without a value is what flagd has by default, and another one is.";
            return Err(Fault::new(
                self.pointer("/otherwise"),
                "default_unsayable",
                detail,
            ));
        }
        let logic = self.logic(0)?;
        if logic.to_string().len() > BYTES_MAX {
            let detail = format!("Its targeting takes more than {BYTES_MAX} bytes.");
            return Err(Fault::new(self.pointer(""), "too_large", detail));
        }
        written["targeting"] = logic;
        Ok(written)
    }

    fn pointer(&self, rest: &str) -> String {
        format!("/flags/{}{rest}", part(self.key))
    }

    /// A variant's name; nothing for one without a value.
    fn variant(&self, name: &str) -> Value {
        match self.flag.variants.get(name) {
            Some(Value::Null) | None => Value::Null,
            Some(_) => name.into(),
        }
    }

    /// What names the variant; as deep as it is needed by others.
    fn logic(&self, depth: usize) -> Result<Value, Fault> {
        let targeting = &self.flag.targeting;
        let off = self.variant(&targeting.off);
        if !targeting.enabled {
            return Ok(off);
        }
        let mut parts = Vec::new();
        for (place, needed) in targeting.prerequisites.iter().enumerate() {
            let met = self.prerequisite(
                &needed.flag,
                &needed.variants,
                depth,
                &format!("/prerequisites/{place}"),
            )?;
            parts.extend([json!({ "!": [met] }), off.clone()]);
        }
        for (place, one) in targeting.overrides.iter().enumerate() {
            let by = attribute(&one.by, &self.pointer(&format!("/overrides/{place}/by")))?;
            // A list is nobody.
            let is_one = json!({ "and": [{ "!": [conditions::is_list(&by)] }, conditions::is_one_of(&by, &one.values)] });
            parts.extend([is_one, self.variant(&one.serve)]);
        }
        for (place, rule) in targeting.rules.iter().enumerate() {
            let at = format!("/rules/{place}");
            let when = self.when(rule, depth, &at)?;
            if let Some(logic) = &rule.logic {
                if depth > 0 {
                    let detail = "It is needed by another flag, for which its logic would be asked with the other's key.";
                    return Err(Fault::new(
                        self.pointer(&format!("{at}/logic")),
                        "logic_unsayable",
                        detail,
                    ));
                }
                let logic = renamed(logic, self.fractional).map_err(|detail| {
                    Fault::new(self.pointer(&format!("{at}/logic")), "dialect_unsayable", detail)
                })?;
                let is_any = json!({ "!==": [logic, null] });
                parts.extend([json!({ "and": [when, is_any] }), logic]);
                continue;
            }
            parts.extend([when, self.rule(rule, &at)?]);
        }
        let last = match &targeting.otherwise.serve {
            // Nothing is what flagd has by default, and tells so.
            Some(_) if depth == 0 => Value::Null,
            _ => self.outcome(&targeting.otherwise, "/otherwise")?,
        };
        parts.push(last);
        // One logic alone is what it was read from.
        if let ([rule], [_, logic, Value::Null]) = (&*targeting.rules, &*parts)
            && rule.logic.is_some()
            && rule.when.is_none()
            && rule.gates.is_empty()
            && rule.requires.is_empty()
        {
            return Ok(logic.clone());
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => json!({ "if": parts }),
        })
    }

    /// Whether another flag gives one of some variants.
    fn prerequisite(
        &self,
        flag: &str,
        variants: &[String],
        depth: usize,
        place: &str,
    ) -> Result<Value, Fault> {
        let fault = |code, detail: String| Fault::new(self.pointer(place), code, detail);
        let Some((key, other)) = self.definitions.flags.get_key_value(flag) else {
            return Err(fault("flag_unknown", format!("There is no flag `{flag}`.")));
        };
        if depth >= DEPTH_MAX {
            return Err(fault(
                "too_deep",
                format!("Prerequisites lead further than {DEPTH_MAX} flags."),
            ));
        }
        if other.variants.values().any(Value::is_null) {
            return Err(fault(
                "prerequisite_unsayable",
                format!("A variant of `{flag}` has no value."),
            ));
        }
        let writer = Writer {
            definitions: self.definitions,
            key,
            flag: other,
            fractional: self.fractional,
        };
        let logic = writer.logic(depth + 1).map_err(|inner| {
            fault(
                "prerequisite_unsayable",
                format!("The flag `{flag}` cannot be written: {}", inner.detail),
            )
        })?;
        if logic.to_string().len() > BYTES_MAX {
            return Err(fault(
                "too_large",
                format!("What `{flag}` needs takes more than {BYTES_MAX} bytes."),
            ));
        }
        Ok(json!({ "in": [logic, variants] }))
    }

    /// Whether a rule is for somebody.
    fn when(&self, rule: &Rule, depth: usize, place: &str) -> Result<Value, Fault> {
        let mut all = Vec::new();
        if rule.from.is_some() || rule.until.is_some() {
            let (from, until) = (rule.from.clone(), rule.until.clone());
            all.push(conditions::during(&Span { from, until }, &self.pointer(place))?);
        }
        if let Some(when) = &rule.when {
            let at = self.pointer(&format!("{place}/when"));
            all.push(self.condition(when, &at)?);
        }
        for (number, gate) in rule.gates.iter().enumerate() {
            all.push(share(gate, &self.pointer(&format!("{place}/gates/{number}")))?);
        }
        for (number, needed) in rule.requires.iter().enumerate() {
            let at = format!("{place}/requires/{number}");
            all.push(self.prerequisite(&needed.flag, &needed.variants, depth, &at)?);
        }
        Ok(match all.len() {
            0 => true.into(),
            1 => all.remove(0),
            _ => json!({ "and": all }),
        })
    }

    fn condition(&self, when: &Condition, pointer: &str) -> Result<Value, Fault> {
        conditions::logic(when, self.definitions, pointer, 0)
    }
}

/// Whether somebody is in a share of all.
fn share(gate: &Gate, pointer: &str) -> Result<Value, Fault> {
    if gate.dialect != Dialect::Native {
        let detail = "flagd puts units in our order only.";
        return Err(Fault::new(
            format!("{pointer}/dialect"),
            "dialect_unsayable",
            detail,
        ));
    }
    let unit = unit(&gate.by, &gate.or_by, pointer)?;
    let mut parts = vec![json!({ "cat": [gate.key, unit.text] })];
    parts.extend(pieces(&gate.parts));
    Ok(json!({ "and": [unit.is_known, { "fractional": parts }] }))
}

/// Who it is: whether that is known, and the text of it.
struct Unit {
    is_known: Value,
    text: Value,
}

fn unit(by: &str, or_by: &[String], pointer: &str) -> Result<Unit, Fault> {
    let mut known = Vec::new();
    let mut texts = Vec::new();
    for name in std::iter::once(by).chain(or_by.iter().map(String::as_str)) {
        let value = attribute(name, pointer)?;
        let is_there = match or_by.is_empty() {
            true => json!({ "!==": [value, null] }),
            false => json!({ "and": [{ "!==": [value, null] }, { "!==": [value, ""] }] }),
        };
        let is_unit = json!({ "and": [is_there, { "!": [conditions::is_list(&value)] }] });
        known.push(is_unit.clone());
        texts.extend([is_unit, value]);
    }
    // The last one is there, if none before it is.
    if let Some(place) = texts.len().checked_sub(2) {
        texts.remove(place);
    }
    let text = match texts.len() {
        1 => texts.remove(0),
        _ => json!({ "if": texts }),
    };
    let is_known = match known.len() {
        1 => known.remove(0),
        _ => json!({ "or": known }),
    };
    Ok(Unit { is_known, text })
}

/// An attribute's value; the targeting key for `user_id`, where that is not known.
fn attribute(name: &str, pointer: &str) -> Result<Value, Fault> {
    match name {
        USER => Ok(json!({ "var": [USER, { "var": [TARGETING_KEY] }] })),
        _ if name.is_empty() || name.starts_with("$flagd") => Err(Fault::new(
            pointer,
            "attribute_taken",
            format!("To flagd, `{name}` is something else."),
        )),
        _ => Ok(json!({ "var": [name] })),
    }
}

fn thousandths(percent: f64) -> u32 {
    (percent * f64::from(WHOLE) / 100.0).round() as u32
}

/// Pieces of all, one behind the other, and whether they are in a part.
fn pieces(parts: &[(f64, f64)]) -> Vec<Value> {
    let parts: Vec<_> = parts
        .iter()
        .map(|(from, to)| thousandths(*from)..thousandths(*to))
        .collect();
    let mut ends: BTreeSet<u32> = parts.iter().flat_map(|part| [part.start, part.end]).collect();
    ends.insert(WHOLE);
    let mut start = 0;
    let mut pieces = Vec::new();
    for end in ends.into_iter().filter(|end| *end > 0) {
        let is_in = parts.iter().any(|part| part.contains(&start));
        pieces.push(json!([is_in, end - start]));
        start = end;
    }
    pieces
}

/// Logic in which no `fractional` is named but ours and the provider's.
fn renamed(logic: &Value, fractional: Fractional) -> Result<Value, String> {
    let others = [Fractional::V1, Fractional::V2, Fractional::V3];
    let mut others = others
        .into_iter()
        .filter(|one| *one != fractional)
        .map(Fractional::operator);
    match others.find(|name| names(logic, name)) {
        Some(name) => Err(format!(
            "`{name}` is what `fractional` was to another version of flagd."
        )),
        None => Ok(logic.clone()),
    }
}

/// Whether logic has an operator.
fn names(logic: &Value, operator: &str) -> bool {
    match logic {
        Value::Array(all) => all.iter().any(|one| names(one, operator)),
        Value::Object(fields) => {
            fields.contains_key(operator) || fields.values().any(|one| names(one, operator))
        }
        _ => false,
    }
}

/// Calls an operator otherwise.
fn rename(logic: &mut Value, from: &str, to: &str) {
    match logic {
        Value::Array(all) => all.iter_mut().for_each(|one| rename(one, from, to)),
        Value::Object(fields) => {
            if let Some(value) = fields.remove(from) {
                fields.insert(to.to_owned(), value);
            }
            fields.values_mut().for_each(|one| rename(one, from, to));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
