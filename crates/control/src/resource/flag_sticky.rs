//! Sticky rules of flags: whoever they have let pass keeps what they have when the rule is changed.

use std::collections::BTreeMap;

use domain::Name;
use eval::definition::{Rule, Targeting};
use eval::sticky;

use super::fault::Faults;

type Environments = BTreeMap<Name, Targeting>;

/// Moves what sticky rules were to what some keep of them; `before` is what is replaced, if anything is.
///
/// A rule is the one that had its name before. So each sticky rule has a name of its own in its environment.
pub(super) fn carry(faults: &mut Faults, before: Option<&Environments>, after: &mut Environments) {
    for (environment, targeting) in after {
        let was = before.and_then(|before| before.get(environment));
        let was = was.map(|was| &*was.rules).unwrap_or_default();
        let is_alone: Vec<bool> = targeting
            .rules
            .iter()
            .map(|rule| is_alone(rule, &targeting.rules))
            .collect();
        for (place, rule) in targeting.rules.iter_mut().enumerate() {
            let at = format!("/environments/{environment}/rules/{place}");
            if !rule.sticky {
                continue;
            }
            if !is_alone[place] {
                let detail = "A sticky rule has a name that no other rule of the environment has: it is known by it when it \
                     is changed.";
                let suggestion = "Name the rule, as the experiment that it is for.";
                faults.add(&format!("{at}/name"), "sticky_nameless", detail, suggestion);
                continue;
            }
            let Some(was) = was.iter().find(|was| was.name == rule.name) else {
                continue;
            };
            if let Err(problem) = sticky::carry(was, rule) {
                let pointer = format!("{at}{}", problem.pointer);
                let suggestion = "See what sticky rules promise: docs/flags.md, \"Who gets what\".";
                faults.add(&pointer, problem.code, problem.detail, suggestion);
            }
        }
    }
}

fn is_alone(rule: &Rule, rules: &[Rule]) -> bool {
    let named = rules.iter().filter(|other| other.name == rule.name).count();
    rule.name.as_ref().is_some_and(|name| !name.trim().is_empty()) && named == 1
}
