//! Changes of rules whose units keep what they have.
//!
//! A [sticky](Rule::sticky) rule is changed by way of [`carry`]: what it gave to those whom it has let pass goes to
//! [`kept`](Rule::kept), so that the split that is written down is one for newcomers.

use std::collections::BTreeMap;

use crate::Problem;
use crate::definition::{Gate, Kept, Rule};
use crate::flags::{KEPT_MAX, PARTS, thousandths};

/// Parts of all in thousandths of a percent: from, to; in their order and apart from each other.
type Parts = Vec<(u32, u32)>;
/// Weights in thousandths of a percent, of the variants that get any.
type Weights = BTreeMap<String, u32>;

/// Sees that whoever a rule has let pass keeps the variant that they have when it becomes another one.
///
/// Does nothing unless the rule is sticky afterwards. Who is not let pass any more is remembered, and gets the same again when
/// they are. What the changed rule says of `kept` is not looked at, if the rule before it has a split: nobody forgets anything
/// as long as the rule is sticky.
///
/// # Errors
/// A sticky rule puts units in another order, in which it is not known who was let pass; or more than 20 earlier splits would
/// have to be kept. Pointers lead into the rule.
pub fn carry(before: &Rule, after: &mut Rule) -> Result<(), Problem> {
    let (Some(gate), Some(split), true) = (after.gates.first(), &after.split, after.sticky) else {
        return Ok(());
    };
    let (Some(gate_before), Some(split_before)) = (before.gates.first(), &before.split) else {
        return Ok(());
    };
    if let Some(pointer) = moved(before, after, (gate_before, gate)) {
        let detail = "Who was let pass is known by the first gate's `key`, `by`, `or_by` and `dialect`, and what they got by \
            the rule's `by` and `or_by`: with other ones nobody would keep what they have. Make another rule, or take \
            `sticky` and `kept` away first.";
        return match before.sticky {
            true => Err(problem(pointer, "sticky_moved", detail.to_owned())),
            false => Ok(()),
        };
    }
    if gate_before.parts == gate.parts && split_before == split {
        after.kept.clone_from(&before.kept);
        return Ok(());
    }
    // What is no number of ours is refused when it is compiled.
    let Some((covered, weights)) = parts(&gate.parts).zip(weights(split)) else {
        return Ok(());
    };
    let mut known = known(before, (gate_before, split_before));
    for (earlier, parts) in &mut known {
        // Those get it anyway.
        if *earlier == weights {
            *parts = without(parts, &covered);
        }
    }
    known.retain(|(_, parts)| !parts.is_empty());
    if known.len() > KEPT_MAX {
        let detail = format!(
            "{} earlier splits would have to be kept, and at most {KEPT_MAX} are. Make another rule, or take `sticky` and \
             `kept` away first, so that everybody gets what the split says.",
            known.len()
        );
        return Err(problem("/kept", "kept_count", detail));
    }
    after.kept = known.into_iter().map(kept).collect();
    Ok(())
}

fn problem(pointer: &str, code: &'static str, detail: String) -> Problem {
    Problem {
        pointer: pointer.to_owned(),
        code,
        detail,
    }
}

/// What puts units in another order than before, if anything does.
fn moved(before: &Rule, after: &Rule, (gate_before, gate): (&Gate, &Gate)) -> Option<&'static str> {
    let order = |gate: &Gate| {
        (
            gate.key.clone(),
            gate.by.clone(),
            gate.or_by.clone(),
            gate.dialect,
        )
    };
    let units = |rule: &Rule| (rule.by.clone(), rule.or_by.clone());
    if order(gate_before) != order(gate) {
        Some("/gates/0")
    } else if units(before) != units(after) {
        Some("/by")
    } else {
        None
    }
}

/// Each split that somebody has, or had when they were let pass, and where they stand.
fn known(rule: &Rule, (gate, split): (&Gate, &BTreeMap<String, f64>)) -> Vec<(Weights, Parts)> {
    let earlier = rule.kept.iter().map(|kept| (&kept.split, &kept.parts));
    let mut seen = Parts::new();
    let mut known: Vec<(Weights, Parts)> = Vec::new();
    for (split, own) in earlier.chain([(split, &gate.parts)]) {
        let Some((weights, own)) = weights(split).zip(parts(own)) else {
            continue;
        };
        // The first that has them decides.
        let own = without(&own, &seen);
        seen = joined(seen.iter().chain(&own));
        match known.iter_mut().find(|(other, _)| *other == weights) {
            Some((_, parts)) => *parts = joined(parts.iter().chain(&own)),
            None => known.push((weights, own)),
        }
    }
    known
}

fn weights(split: &BTreeMap<String, f64>) -> Option<Weights> {
    let each = split
        .iter()
        .map(|(name, percent)| Some((name.clone(), thousandths(*percent)?)));
    let mut weights: Weights = each.collect::<Option<_>>()?;
    weights.retain(|_, weight| *weight > 0);
    Some(weights)
}

fn parts(parts: &[(f64, f64)]) -> Option<Parts> {
    let each = parts
        .iter()
        .map(|(from, to)| thousandths(*from).zip(thousandths(*to)));
    let parts: Parts = each.collect::<Option<_>>()?;
    Some(joined(&parts))
}

/// The same parts in their order, those that meet as one.
fn joined<'p>(parts: impl IntoIterator<Item = &'p (u32, u32)>) -> Parts {
    let mut all: Parts = parts
        .into_iter()
        .copied()
        .filter(|(from, to)| from < to)
        .collect();
    all.sort_unstable();
    let mut joined = Parts::with_capacity(all.len());
    for (from, to) in all {
        match joined.last_mut() {
            Some((_, end)) if *end >= from => *end = to.max(*end),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// What is left of parts.
fn without(parts: &Parts, taken: &Parts) -> Parts {
    let mut left = Parts::new();
    let mut passed = 0;
    for (from, to) in parts {
        let mut start = *from;
        passed += taken[passed..]
            .iter()
            .take_while(|(_, end)| *end <= start)
            .count();
        for (taken_from, taken_to) in taken[passed..].iter().take_while(|(begin, _)| begin < to) {
            if start < *taken_from {
                left.push((start, *taken_from));
            }
            start = start.max(*taken_to);
        }
        if start < *to {
            left.push((start, *to));
        }
    }
    left
}

fn kept((weights, parts): (Weights, Parts)) -> Kept {
    let percent = |thousandths: u32| f64::from(thousandths) / PARTS;
    Kept {
        parts: parts
            .into_iter()
            .map(|(from, to)| (percent(from), percent(to)))
            .collect(),
        split: weights
            .into_iter()
            .map(|(name, weight)| (name, percent(weight)))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
