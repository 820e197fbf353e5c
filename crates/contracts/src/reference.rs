//! References: what they lead to, and that all of them lead somewhere.

use std::cell::OnceCell;
use std::collections::HashMap;

use crate::Rule;
use crate::node::{Node, Value};
use crate::path::{Path, Target, push_key};
use crate::report::{Report, shorten};

/// How many references in a row are followed before they count as a circle.
const HOPS_MAX: usize = 64;

/// Finds what references within the document point to.
pub(crate) struct Resolver<'t, 'a> {
    root: &'t Node<'a>,
    anchors: OnceCell<HashMap<&'t str, &'t Node<'a>>>,
}

/// What a reference leads to.
pub(crate) enum Found<'t, 'a> {
    /// The value, with its pointer.
    Node(&'t Node<'a>, String),
    /// Nothing in this document.
    Nowhere,
    /// Another document.
    External,
    /// References that lead to each other.
    Circle,
}

impl<'t, 'a> Resolver<'t, 'a> {
    pub(crate) fn new(root: &'t Node<'a>) -> Self {
        Self {
            root,
            anchors: OnceCell::new(),
        }
    }

    /// What a reference points to, be it a reference itself.
    pub(crate) fn find(&self, reference: &str) -> Found<'t, 'a> {
        match Target::parse(reference) {
            Target::External => Found::External,
            Target::Anchor(name) => match self.anchors().get(name.as_ref()) {
                Some(node) => Found::Node(node, format!("#{name}")),
                None => Found::Nowhere,
            },
            Target::Local(steps) => {
                let mut node = self.root;
                let mut pointer = String::new();
                for step in &steps {
                    let Some(child) = node.step(step) else {
                        return Found::Nowhere;
                    };
                    push_key(&mut pointer, step);
                    node = child;
                }
                Found::Node(node, pointer)
            }
        }
    }

    /// The value that a reference object stands for at last.
    pub(crate) fn follow(&self, reference: &str) -> Found<'t, 'a> {
        let mut found = self.find(reference);
        for _ in 0..HOPS_MAX {
            match found {
                Found::Node(node, pointer) => match node.reference() {
                    Some(next) => found = self.find(next),
                    None => return Found::Node(node, pointer),
                },
                other => return other,
            }
        }
        Found::Circle
    }

    fn anchors(&self) -> &HashMap<&'t str, &'t Node<'a>> {
        self.anchors.get_or_init(|| {
            let mut anchors = HashMap::new();
            collect_anchors(self.root, &mut anchors);
            anchors
        })
    }
}

fn collect_anchors<'t, 'a>(node: &'t Node<'a>, anchors: &mut HashMap<&'t str, &'t Node<'a>>) {
    match &node.value {
        Value::List(list) => list.iter().for_each(|child| collect_anchors(child, anchors)),
        Value::Map(map) => {
            for key in ["$anchor", "$dynamicAnchor"] {
                if let Some(name) = map.get(key).and_then(Node::text) {
                    anchors.entry(name).or_insert(node);
                }
            }
            map.iter().for_each(|entry| collect_anchors(&entry.node, anchors));
        }
        _ => {}
    }
}

/// What the keys of a mapping are.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    /// Words of OpenAPI or JSON Schema.
    Words,
    /// Names that the author chose.
    Names,
    /// Paths; the reader of operations looks after their references.
    Paths,
    /// Words of a path item.
    PathItem,
}

/// Remarks every reference that leads nowhere or out of the document.
pub(crate) fn check(resolver: &Resolver<'_, '_>, report: &mut Report) {
    Walk { resolver, report }.node(resolver.root, &Path::Root, Keys::Words, false);
}

struct Walk<'w, 't, 'a> {
    resolver: &'w Resolver<'t, 'a>,
    report: &'w mut Report,
}

impl Walk<'_, '_, '_> {
    /// `relative`: within a schema that has an `$id`, from which references may start.
    fn node(&mut self, node: &Node<'_>, path: &Path<'_>, keys: Keys, relative: bool) {
        let map = match &node.value {
            Value::List(list) => {
                for (index, child) in list.iter().enumerate() {
                    self.node(child, &path.index(index), Keys::Words, relative);
                }
                return;
            }
            Value::Map(map) => map,
            _ => return,
        };
        let relative =
            relative || (keys == Keys::Words && map.get("$id").is_some_and(|id| id.text().is_some()));
        for entry in map.iter() {
            let path = path.key(&entry.key);
            if entry.key == "$ref"
                && let Some(reference) = entry.node.text()
            {
                if keys != Keys::PathItem {
                    self.reference(reference, &entry.node, &path, relative);
                }
            } else if let Some(keys) = keys_below(keys, &entry.key, &entry.node) {
                self.node(&entry.node, &path, keys, relative);
            }
        }
    }

    fn reference(&mut self, reference: &str, node: &Node<'_>, path: &Path<'_>, relative: bool) {
        let rule = match self.resolver.find(reference) {
            Found::Node(..) => return,
            Found::External => Rule::ReferenceExternal,
            _ if relative => Rule::ReferenceUncertain,
            _ => Rule::ReferenceUnresolved,
        };
        self.report.add(rule, path, node.place, || match rule {
            Rule::ReferenceExternal => format!("`{}` is in another document.", shorten(reference)),
            _ => format!("`{}` leads nowhere.", shorten(reference)),
        });
    }
}

/// What the keys below a key are; none if there is data of the author, where `$ref` means nothing.
fn keys_below(keys: Keys, key: &str, node: &Node<'_>) -> Option<Keys> {
    match keys {
        Keys::Names => return Some(Keys::Words),
        Keys::Paths if key.starts_with("x-") => return None,
        Keys::Paths => return Some(Keys::PathItem),
        Keys::Words | Keys::PathItem => {}
    }
    let is_map = node.map().is_some();
    match key {
        "paths" if is_map => Some(Keys::Paths),
        "example" | "default" | "enum" | "const" | "value" | "mapping" | "scopes" => None,
        "examples" if !is_map => None,
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" | "schemas"
        | "responses" | "headers" | "callbacks" | "links" | "pathItems" | "webhooks" | "requestBodies"
        | "securitySchemes" | "content" | "encoding" | "parameters" | "examples" | "variables"
        | "mediaTypes"
            if is_map =>
        {
            Some(Keys::Names)
        }
        _ if key.starts_with("x-") => None,
        _ => Some(Keys::Words),
    }
}

#[cfg(test)]
mod tests;
