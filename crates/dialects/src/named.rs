//! Which segments are named.

use std::collections::{BTreeMap, BTreeSet};

use eval::Definitions;
use eval::definition::Condition;

/// The segments that a condition names; each time counts.
pub(crate) fn named(condition: &Condition) -> Vec<&str> {
    match condition {
        Condition::All { all: parts } | Condition::Any { any: parts } => {
            parts.iter().flat_map(named).collect()
        }
        Condition::Not { not } => named(not),
        Condition::Segment { segment } => vec![segment],
        Condition::During { .. }
        | Condition::Share { .. }
        | Condition::Element { .. }
        | Condition::Attribute(_) => Vec::new(),
    }
}

/// Gives segments that a condition names other names.
pub(crate) fn rename(condition: &mut Condition, names: &BTreeMap<String, String>) {
    match condition {
        Condition::All { all: parts } | Condition::Any { any: parts } => {
            parts.iter_mut().for_each(|part| rename(part, names));
        }
        Condition::Not { not } => rename(not, names),
        Condition::Segment { segment } => {
            if let Some(name) = names.get(segment) {
                segment.clone_from(name);
            }
        }
        Condition::During { .. }
        | Condition::Share { .. }
        | Condition::Element { .. }
        | Condition::Attribute(_) => {}
    }
}

/// Takes out the segments that no flag leads to.
pub(crate) fn leave_out_unnamed(definitions: &mut Definitions) {
    let rules = definitions.flags.values().flat_map(|flag| &flag.targeting.rules);
    let mut waiting: Vec<_> = rules
        .filter_map(|rule| rule.when.as_ref())
        .flat_map(named)
        .collect();
    let mut left = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if left.insert(name.to_owned()) {
            let segment = definitions.segments.get(name);
            waiting.extend(segment.into_iter().flat_map(|segment| named(&segment.when)));
        }
    }
    definitions.segments.retain(|name, _| left.contains(name));
}
