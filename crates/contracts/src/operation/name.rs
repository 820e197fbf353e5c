//! Names of operations.

use std::collections::{HashMap, HashSet};

use super::Draft;
use crate::Rule;
use crate::contract::Operation;
use crate::path::Path;
use crate::report::{Report, shorten};

/// Gives every operation a name of its own: the `operationId`, or one made of method and path.
pub(super) fn assign(drafts: Vec<Draft>, report: &mut Report) -> Vec<Operation> {
    // Where an id was first given; a path item that stands under two paths brings its ids twice.
    let mut given: HashMap<String, (String, u32)> = HashMap::new();
    for draft in &drafts {
        let Some((id, place)) = &draft.id else { continue };
        match given.get(id) {
            None => {
                given.insert(id.clone(), (draft.operation.pointer.clone(), place.line));
            }
            Some((pointer, _)) if *pointer == draft.operation.pointer => {}
            Some((_, line)) => {
                let at = Path::At(&draft.operation.pointer);
                report.add(Rule::OperationIdDuplicate, &at.key("operationId"), *place, || {
                    format!(
                        "The operationId `{}` was already given in line {line}.",
                        shorten(id)
                    )
                });
            }
        }
    }
    let mut taken = HashSet::new();
    let mut operations = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let mut operation = draft.operation;
        let wanted = match draft.id {
            Some((id, _)) if !taken.contains(&id) => id,
            Some((id, _)) => free(&id, |name| taken.contains(name) || given.contains_key(name)),
            None => {
                let made = free(&make(&operation.method, &operation.path), |name| {
                    taken.contains(name) || given.contains_key(name)
                });
                report.add(
                    Rule::OperationIdMissing,
                    &Path::At(&operation.pointer),
                    draft.place,
                    || {
                        format!(
                            "`operationId` is missing; the operation is named `{}`.",
                            shorten(&made)
                        )
                    },
                );
                made
            }
        };
        taken.insert(wanted.clone());
        operation.name = wanted;
        operations.push(operation);
    }
    operations
}

/// `GET /pets/{pet_id}/photos` becomes `get_pets_pet_id_photos`.
fn make(method: &str, path: &str) -> String {
    let mut name = method.to_ascii_lowercase();
    let mut gap = true;
    for character in path.chars() {
        if character.is_alphanumeric() {
            if gap {
                name.push('_');
            }
            name.push(character);
            gap = false;
        } else {
            gap = true;
        }
    }
    if path.chars().any(char::is_alphanumeric) {
        name
    } else {
        name + "_root"
    }
}

fn free(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(name) {
        return name.to_owned();
    }
    (2_u32..)
        .map(|number| format!("{name}_{number}"))
        .find(|name| !is_taken(name))
        .unwrap_or_default()
}
