//! Conditions of which a part is decided, because some attributes are known: the decided parts go.
//!
//! So a server that knows an account tells a page only what still depends on the page.

use serde_json::{Map, Value as Json, json};

use super::condition::{Malformed, Matcher, reference_to};

/// What is left of a condition once some attributes are known.
///
/// `true` or `false` when nothing else can change it, else the condition without its decided parts. What is not known is what
/// `known` does not have, and every path into an object, of which a part may be known. A condition that is not well formed
/// is left as it is.
pub fn prune(condition: &Json, known: &Map<String, Json>, groups: &Map<String, Json>) -> Json {
    Pruner::new(known, groups).root(condition)
}

/// What was found of a condition.
enum Left {
    Decided(bool),
    /// It is open, and nothing of it is decided.
    AsWritten,
    Pruned(Json),
}

type Found = Result<Left, Malformed>;

/// Prunes conditions for one who knows some attributes.
pub(super) struct Pruner<'g> {
    known: Json,
    groups: &'g Map<String, Json>,
}

/// One condition, and the groups that it leads to.
struct Pruning<'p, 'g> {
    pruner: &'p Pruner<'g>,
    matcher: Matcher<'g>,
}

impl<'g> Pruner<'g> {
    pub(super) fn new(known: &Map<String, Json>, groups: &'g Map<String, Json>) -> Self {
        Self {
            known: known.clone().into(),
            groups,
        }
    }

    fn pruning(&self) -> Pruning<'_, 'g> {
        Pruning {
            pruner: self,
            matcher: Matcher::new(self.groups),
        }
    }

    /// What is left of a whole condition.
    pub(super) fn root(&self, condition: &Json) -> Json {
        match self.pruning().condition(condition) {
            Ok(Left::Decided(is)) => is.into(),
            Ok(Left::Pruned(pruned)) => pruned,
            Ok(Left::AsWritten) | Err(Malformed) => condition.clone(),
        }
    }

    /// What is left of a saved group's condition, if it is one and not decided.
    pub(super) fn group(&self, id: &str) -> Option<Json> {
        match self.pruning().group(&json!({ "id": id })) {
            Ok(Left::Pruned(pruned)) => Some(pruned),
            _ => None,
        }
    }

    fn is_known(&self, path: &str) -> bool {
        !path.contains('.') && self.known.get(path).is_some()
    }
}

impl Pruning<'_, '_> {
    fn condition(&mut self, condition: &Json) -> Found {
        self.matcher.descend()?;
        let found = self.entries(condition);
        self.matcher.ascend();
        found
    }

    fn entries(&mut self, condition: &Json) -> Found {
        let Some(entries) = condition.as_object() else {
            return match condition {
                Json::Null => Err(Malformed),
                _ => Ok(Left::Decided(false)),
            };
        };
        let mut left = Map::new();
        for (key, wanted) in entries {
            match self.entry(key, wanted)? {
                Left::Decided(true) => {}
                Left::Decided(false) => return Ok(Left::Decided(false)),
                Left::AsWritten => {
                    left.insert(key.clone(), wanted.clone());
                }
                Left::Pruned(pruned) => {
                    left.insert(key.clone(), pruned);
                }
            }
        }
        Ok(match left.is_empty() {
            true => Left::Decided(true),
            false => Left::Pruned(left.into()),
        })
    }

    fn entry(&mut self, key: &str, wanted: &Json) -> Found {
        match key {
            "$and" => self.list(wanted, false),
            "$or" => self.list(wanted, true),
            "$nor" => Ok(opposite(self.list(wanted, true)?)),
            "$not" => Ok(opposite(self.condition(wanted)?)),
            // The reference stays, the group is not written in its place.
            "$savedGroup" => Ok(match self.group(wanted)? {
                Left::Pruned(_) => Left::AsWritten,
                found => found,
            }),
            name if self.pruner.is_known(name) => {
                let found = self.matcher.entry(name, wanted, &self.pruner.known)?;
                Ok(found.map_or(Left::AsWritten, Left::Decided))
            }
            _ => Ok(Left::AsWritten),
        }
    }

    /// A list of which one must fit (`is_any`), or all.
    fn list(&mut self, conditions: &Json, is_any: bool) -> Found {
        let conditions = conditions.as_array().ok_or(Malformed)?;
        let mut left = Vec::new();
        for condition in conditions {
            match self.condition(condition)? {
                Left::Decided(is) if is == is_any => return Ok(Left::Decided(is)),
                Left::Decided(_) => {}
                Left::AsWritten => left.push(condition.clone()),
                Left::Pruned(pruned) => left.push(pruned),
            }
        }
        Ok(match left.is_empty() {
            // An empty list lets everybody pass.
            true => Left::Decided(!is_any || conditions.is_empty()),
            false => Left::Pruned(left.into()),
        })
    }

    /// What is left of the condition of a saved group.
    fn group(&mut self, reference: &Json) -> Found {
        let Some((id, attribute)) = reference_to(reference) else {
            return Ok(Left::Decided(false));
        };
        let Some(group) = self.pruner.groups.get(id).and_then(Json::as_object) else {
            return Ok(Left::Decided(false));
        };
        match group.get("type").and_then(Json::as_str) {
            Some("condition") if group.get("condition").is_some_and(Json::is_object) => {
                if self.matcher.entered.iter().any(|entered| entered == id) {
                    return Ok(Left::Decided(false));
                }
                self.matcher.enter(id)?;
                let found = self.condition(&group["condition"]);
                self.matcher.entered.pop();
                found
            }
            Some("list") => {
                let key = attribute.or_else(|| group.get("attributeKey")?.as_str());
                let is_open = group.get("values").is_some_and(Json::is_array)
                    && key.is_some_and(|key| !self.pruner.is_known(key));
                match is_open {
                    true => Ok(Left::AsWritten),
                    false => self.decided(reference),
                }
            }
            Some("remote") => match self.pruner.is_known(super::condition::REMOTE_GROUPS) {
                true => self.decided(reference),
                false => Ok(Left::AsWritten),
            },
            _ => self.decided(reference),
        }
    }

    fn decided(&mut self, reference: &Json) -> Found {
        let found = self.matcher.entry("$savedGroup", reference, &self.pruner.known)?;
        Ok(found.map_or(Left::AsWritten, Left::Decided))
    }
}

fn opposite(found: Left) -> Left {
    match found {
        Left::Decided(is) => Left::Decided(!is),
        open => open,
    }
}
