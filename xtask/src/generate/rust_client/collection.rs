//! Lists become rows of a table, for commands that treat all resources alike.

use super::operation::{Answer, Operation, Parameter};

/// The table's source: a row for each list whose entries have ids.
pub(super) fn source(operations: &[Operation]) -> String {
    let rows: String = operations
        .iter()
        .filter_map(|list| row(list, operations))
        .collect();
    format!(
        "/// Every list of the API whose entries have ids, in the document's order.\n\
         pub const COLLECTIONS: &[Collection] = &[\n{rows}];\n"
    )
}

fn row(list: &Operation, operations: &[Operation]) -> Option<String> {
    let entries = list.entries.as_ref()?;
    if !list.scalars.iter().any(|field| field == "id") || list.in_path.len() > 1 {
        return None;
    }
    let name = list.name.strip_prefix("list_")?.replace('_', "-");
    let below = format!("{}/{{id}}", list.path);
    let reads = |one: &&Operation| {
        let typed = matches!(&one.answer, Answer::Json(kind) if kind == entries);
        one.method == "get" && one.in_path.len() == 1 && (typed || one.path == below)
    };
    let item = operations.iter().find(reads).map(|one| one.path.as_str());
    let offers = |method: &str, path: Option<&str>| {
        let same = |one: &Operation| one.method == method && Some(one.path.as_str()) == path;
        operations.iter().any(same)
    };
    let filter = |parameter: &Parameter| match parameter.wire.as_str() {
        _ if parameter.adder != "query" => None,
        "limit" | "cursor" => None,
        wire => Some(format!("{wire:?}")),
    };
    let filters: Vec<String> = list.parameters.iter().filter_map(filter).collect();
    let fields: Vec<String> = list.scalars.iter().map(|field| format!("{field:?}")).collect();
    Some(format!(
        "Collection {{ name: {name:?}, one: {:?}, path: {:?}, item: {item:?}, creates: {}, changes: {}, removes: {}, \
         filters: &[{}], fields: &[{}] }},\n",
        singular(&name),
        list.path,
        offers("post", Some(&list.path)),
        offers("patch", item),
        offers("delete", item),
        filters.join(", "),
        fields.join(", "),
    ))
}

/// `policies` gives `policy`, `audit-entries` gives `audit-entry`.
fn singular(plural: &str) -> String {
    match plural.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => plural.strip_suffix('s').unwrap_or(plural).to_owned(),
    }
}
