//! The document as consumers should see it: the gateway's address, its key, its answers.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::Contract;
use crate::path::push_key;

mod parts;

use parts::Names;

const METHODS: [&str; 9] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace", "query",
];
/// Where operations usually stand.
const VISITED: [&str; 2] = ["/paths/", "/components/pathItems/"];

/// Where and how a contract is served.
#[derive(Debug, Clone, Copy)]
pub struct Effective<'a> {
    /// What stands before the paths: the gateway's address and the route's base path, without a slash at the
    /// end.
    pub server_url: &'a str,
    /// The header that carries the key; none if the API is open.
    pub key_header: Option<&'a str>,
    /// Where the pages of error codes are, as `https://portal.example.com/docs/errors`; none leaves them out.
    pub errors_url: Option<&'a str>,
}

impl Contract {
    /// The document as it is published.
    ///
    /// `servers` is the gateway alone. The provider's security schemes give way to the gateway's key, because
    /// consumers never see what the upstream asks for. Every operation gains the gateway's own answers: 401
    /// and 403 (unless the API is open) and 429, as problems (RFC 9457) with `Retry-After`; successful answers
    /// gain `RateLimit` and `RateLimit-Policy`. Path parameters that the provider forgot are declared. Nothing
    /// that the provider wrote about an answer is replaced.
    pub fn effective(&self, how: &Effective<'_>) -> Value {
        let mut document = self.to_json();
        let Some(root) = document.as_object_mut() else {
            return document;
        };
        if let Some(version) = root.get_mut("openapi").filter(|version| version.is_number()) {
            *version = Value::String(format!("{}.0", &self.format.as_str()["openapi-".len()..]));
        }
        if let Some(info) = object(root, "info") {
            info.insert("title".to_owned(), Value::String(self.title.clone()));
            info.insert("version".to_owned(), Value::String(self.version.clone()));
        }
        root.insert("servers".to_owned(), json!([{ "url": how.server_url }]));
        let names = parts::install(root, how);
        match &names.scheme {
            Some(scheme) => root.insert("security".to_owned(), json!([{ scheme: [] }])),
            None => root.shift_remove("security"),
        };
        let forgotten = self.forgotten();
        let mut each = |pointer: &str, operation: &mut Map<String, Value>| {
            declare(operation, forgotten.get(pointer).map_or(&[], Vec::as_slice));
            publish(operation, &names);
        };
        if let Some(paths) = object(root, "paths") {
            visit(paths, "/paths", &mut each);
        }
        if let Some(items) = object(root, "components").and_then(|components| object(components, "pathItems"))
        {
            visit(items, "/components/pathItems", &mut each);
        }
        // Path items that stand elsewhere and are referred to.
        let visited = |pointer: &str| VISITED.iter().any(|beginning| pointer.starts_with(beginning));
        let elsewhere: BTreeSet<&str> = self
            .operations
            .iter()
            .map(|operation| operation.pointer.as_str())
            .filter(|at| !visited(at))
            .collect();
        for pointer in elsewhere {
            if let Some(operation) = document.pointer_mut(pointer).and_then(Value::as_object_mut) {
                each(pointer, operation);
            }
        }
        document
    }

    /// The path parameters that operations lack, by pointer.
    fn forgotten(&self) -> HashMap<&str, Vec<&str>> {
        let mut forgotten: HashMap<&str, Vec<&str>> = HashMap::new();
        for operation in &self.operations {
            for parameter in operation
                .parameters
                .iter()
                .filter(|parameter| !parameter.declared)
            {
                forgotten
                    .entry(&operation.pointer)
                    .or_default()
                    .push(&parameter.name);
            }
        }
        forgotten
    }
}

/// Calls `each` with pointer and body of every operation of some path items; takes nested `servers` away.
fn visit(items: &mut Map<String, Value>, at: &str, each: &mut impl FnMut(&str, &mut Map<String, Value>)) {
    for (path, item) in items.iter_mut().filter(|(path, _)| !path.starts_with("x-")) {
        let Some(item) = item.as_object_mut() else {
            continue;
        };
        item.shift_remove("servers");
        let mut pointer = at.to_owned();
        push_key(&mut pointer, path);
        visit_methods(
            item,
            &pointer,
            &|key| METHODS.contains(&key.to_ascii_lowercase().as_str()),
            each,
        );
        if let Some(more) = object(item, "additionalOperations") {
            visit_methods(more, &format!("{pointer}/additionalOperations"), &|_| true, each);
        }
    }
}

fn visit_methods(
    item: &mut Map<String, Value>,
    at: &str,
    is_method: &impl Fn(&str) -> bool,
    each: &mut impl FnMut(&str, &mut Map<String, Value>),
) {
    for (key, operation) in item.iter_mut().filter(|(key, _)| is_method(key)) {
        if let Some(operation) = operation.as_object_mut() {
            let mut pointer = at.to_owned();
            push_key(&mut pointer, key);
            each(&pointer, operation);
        }
    }
}

fn declare(operation: &mut Map<String, Value>, forgotten: &[&str]) {
    let list = operation.entry("parameters").or_insert_with(|| json!([]));
    match list.as_array_mut() {
        Some(list) => list.extend(forgotten.iter().map(
            |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
        )),
        None => *list = json!([]),
    }
    if list.as_array().is_some_and(Vec::is_empty) {
        operation.shift_remove("parameters");
    }
}

/// Replaces what an operation says about access and adds the gateway's answers.
fn publish(operation: &mut Map<String, Value>, names: &Names) {
    operation.shift_remove("security");
    operation.shift_remove("servers");
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else {
        return;
    };
    for (status, response) in responses.iter_mut() {
        if status.starts_with('2')
            && let Some(response) = response
                .as_object_mut()
                .filter(|response| !response.contains_key("$ref"))
        {
            add_missing(response, "headers", &names.success_headers);
        }
    }
    for (status, name) in &names.responses {
        match responses.get_mut(*status).and_then(Value::as_object_mut) {
            None => {
                let reference = format!("#/components/responses/{name}");
                responses.insert((*status).to_owned(), json!({ "$ref": reference }));
            }
            Some(own) if own.contains_key("$ref") => {}
            Some(own) => {
                add_missing(own, "content", &names.content);
                if *status == "429" {
                    add_missing(own, "headers", &names.limit_headers);
                }
            }
        }
    }
}

/// Adds to the mapping at `key` the entries that it does not have.
fn add_missing(parent: &mut Map<String, Value>, key: &str, additions: &Map<String, Value>) {
    let held = parent.entry(key).or_insert_with(|| json!({}));
    let Some(held) = held.as_object_mut() else { return };
    for (name, value) in additions {
        if !held.keys().any(|own| own.eq_ignore_ascii_case(name)) {
            held.insert(name.clone(), value.clone());
        }
    }
}

fn object<'v>(parent: &'v mut Map<String, Value>, key: &str) -> Option<&'v mut Map<String, Value>> {
    parent.get_mut(key)?.as_object_mut()
}

#[cfg(test)]
mod tests;
