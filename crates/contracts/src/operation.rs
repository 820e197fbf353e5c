//! Reads the operations of a document.

use std::collections::{HashMap, HashSet};

use crate::contract::{Format, Operation};
use crate::node::{EMPTY, Entry, Map, Node, Value};
use crate::path::Path;
use crate::reference::{Found, Resolver};
use crate::report::{Place, Report, Stop, shorten};
use crate::template::{Template, without_query};
use crate::{Limit, Limits, Rule, parameter};

mod name;

const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// Reads every operation under `paths`; hands them back in the order of the document.
pub(crate) fn read_all<'t, 'a>(
    resolver: &Resolver<'t, 'a>,
    document: &'t Map<'a>,
    format: Format,
    limits: &Limits,
    report: &mut Report,
) -> Result<Vec<Operation>, Stop> {
    let at = Path::Root;
    let at = at.key("paths");
    let paths = match document.entry("paths") {
        Some(Entry {
            node: Node {
                value: Value::Map(paths),
                ..
            },
            ..
        }) => paths,
        Some(entry) if !matches!(entry.node.value, Value::Null) => {
            report.add(Rule::StructureWrong, &at, entry.place, || {
                format!("`paths` is {}; it should be a mapping.", entry.node.kind())
            });
            &EMPTY
        }
        other => {
            let may_miss = format != Format::OpenApi30
                && ["webhooks", "components"]
                    .iter()
                    .any(|key| document.get(key).is_some());
            if !may_miss {
                let place = other.map_or(Place { line: 1, column: 1 }, |entry| entry.place);
                report.add(Rule::PathsMissing, &Path::Root, place, || {
                    "`paths` is missing.".to_owned()
                });
            }
            &EMPTY
        }
    };
    let mut reader = Reader {
        resolver,
        format,
        limits,
        report,
        security: document.get("security"),
        schemes: document
            .get("components")
            .and_then(Node::map)
            .and_then(|c| c.get("securitySchemes")?.map()),
        found: Vec::new(),
        shapes: HashMap::new(),
    };
    for entry in paths.iter().filter(|entry| !entry.key.starts_with("x-")) {
        reader.path_item(entry, &at.key(&entry.key))?;
    }
    let found = reader.found;
    if found.is_empty() && !report.has_errors() {
        report.add(Rule::OperationsNone, &at, Place::default(), || {
            "The document has no operation.".to_owned()
        });
    }
    let kept = distinct(found, report);
    Ok(name::assign(kept, report))
}

/// An operation on the way to becoming one of the contract.
struct Draft {
    operation: Operation,
    /// As the document has it.
    id: Option<(String, Place)>,
    place: Place,
    shape: String,
    /// The path in the document has a query or fragment.
    cut: bool,
    /// What the path parameters may look like, in the order of the path.
    tells: Vec<String>,
}

struct Reader<'r, 't, 'a> {
    resolver: &'r Resolver<'t, 'a>,
    format: Format,
    limits: &'r Limits,
    report: &'r mut Report,
    /// What holds for operations that say nothing.
    security: Option<&'r Node<'a>>,
    schemes: Option<&'r Map<'a>>,
    found: Vec<Draft>,
    /// The first path of each shape.
    shapes: HashMap<String, String>,
}

/// A path and what its operations share.
struct Shared<'s, 'n, 'a> {
    path: &'s str,
    template: &'s Template,
    shape: &'s str,
    parameters: Option<(&'n Node<'a>, String)>,
    cut: bool,
}

impl<'t, 'a> Reader<'_, 't, 'a> {
    fn path_item(&mut self, entry: &'t Entry<'a>, at: &Path<'_>) -> Result<(), Stop> {
        let path = without_query(&entry.key);
        // The root may be written as nothing but a query or fragment.
        let path = if path.is_empty() && !entry.key.is_empty() {
            "/"
        } else {
            path
        };
        let cut = path.len() != entry.key.len();
        let template = match Template::parse(path) {
            Ok(template) => template,
            Err(error) => {
                self.report
                    .add(error.rule(), at, entry.place, || error.to_string());
                return Ok(());
            }
        };
        self.remark_path(entry, path, cut, at);
        if let Some(name) = template.parameter_twice() {
            self.report.add(Rule::PathParameterTwice, at, entry.place, || {
                format!("The parameter `{}` stands twice in the path.", shorten(name))
            });
        }
        let shape = template.shape();
        let first = self
            .shapes
            .entry(shape.clone())
            .or_insert_with(|| path.to_owned())
            .clone();
        if first != path {
            self.report.add(Rule::PathEquivalent, at, entry.place, || {
                format!(
                    "`{}` matches the same requests as `{}`.",
                    shorten(path),
                    shorten(&first)
                )
            });
        }
        let mut shared = Shared {
            path,
            template: &template,
            shape: &shape,
            parameters: None,
            cut,
        };
        let own = &entry.node;
        match own.reference() {
            None => self.item(own, &mut shared, at),
            Some(reference) => {
                let beside = own
                    .map()
                    .is_some_and(|map| METHODS.iter().any(|method| map.get(method).is_some()));
                if beside {
                    self.item(own, &mut shared, at)?;
                }
                self.referred_item(reference, own, &mut shared, at)
            }
        }
    }

    fn remark_path(&mut self, entry: &Entry<'_>, path: &str, cut: bool, at: &Path<'_>) {
        if cut {
            self.report.add(Rule::PathQuery, at, entry.place, || {
                format!("`{}` is served as `{}`.", shorten(&entry.key), shorten(path))
            });
        }
        if path.contains("+}") || path.contains("{+") {
            self.report.add(Rule::PathParameterRest, at, entry.place, || {
                format!(
                    "`{}` asks for a parameter of several segments; it is served as one.",
                    shorten(path)
                )
            });
        }
        let mut within = false;
        let odd = path.chars().find(|&character| {
            match character {
                '{' => within = true,
                '}' => within = false,
                _ => {}
            }
            !within && (character.is_whitespace() || character.is_control() || !character.is_ascii())
        });
        if let Some(odd) = odd {
            self.report.add(Rule::PathCharacters, at, entry.place, || {
                format!(
                    "The path has the character `{}`, which stands percent-encoded in requests.",
                    odd.escape_debug()
                )
            });
        }
    }

    fn referred_item(
        &mut self,
        reference: &str,
        own: &'t Node<'a>,
        shared: &mut Shared<'_, 't, 'a>,
        at: &Path<'_>,
    ) -> Result<(), Stop> {
        let (rule, detail) = match self.resolver.follow(reference) {
            Found::Node(node, pointer) => return self.item(node, shared, &Path::At(&pointer)),
            Found::External => (Rule::ReferenceExternalPath, "is in another document"),
            Found::Nowhere => (Rule::ReferenceUnresolved, "leads nowhere"),
            Found::Circle => (Rule::ReferenceCircular, "leads back to itself"),
        };
        let place = own
            .map()
            .and_then(|map| map.get("$ref"))
            .map_or(own.place, |node| node.place);
        self.report.add(rule, &at.key("$ref"), place, || {
            format!("`{}` {detail}.", shorten(reference))
        });
        Ok(())
    }
}

impl<'t, 'a> Reader<'_, 't, 'a> {
    /// Reads the methods of a path item that is no reference.
    fn item(
        &mut self,
        node: &'t Node<'a>,
        shared: &mut Shared<'_, 't, 'a>,
        at: &Path<'_>,
    ) -> Result<(), Stop> {
        let Some(item) = node.map() else {
            self.report.add(Rule::TypeWrong, at, node.place, || {
                format!("The path item is {}; it should be a mapping.", node.kind())
            });
            return Ok(());
        };
        if let Some(parameters) = item.get("parameters") {
            shared.parameters = Some((parameters, at.key("parameters").pointer()));
        }
        self.remark_servers(item, at);
        for entry in item.iter() {
            let query = self.format == Format::OpenApi32 && entry.key == "query";
            if METHODS.contains(&entry.key.as_ref()) || query {
                self.operation(&entry.key, entry, shared, &at.key(&entry.key))?;
            } else if METHODS
                .iter()
                .any(|method| entry.key.eq_ignore_ascii_case(method))
            {
                self.report
                    .add(Rule::MethodInvalid, &at.key(&entry.key), entry.place, || {
                        format!(
                            "The method `{}` is not in lower case; it was read as such.",
                            entry.key
                        )
                    });
                self.operation(&entry.key, entry, shared, &at.key(&entry.key))?;
            }
        }
        let additional = item
            .get("additionalOperations")
            .filter(|_| self.format == Format::OpenApi32);
        let at = at.key("additionalOperations");
        for entry in additional.and_then(Node::map).into_iter().flat_map(Map::iter) {
            let at = at.key(&entry.key);
            let token = entry
                .key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
            if !token || entry.key.is_empty() || entry.key.eq_ignore_ascii_case("connect") {
                self.report.add(Rule::MethodInvalid, &at, entry.place, || {
                    format!("`{}` cannot be served as a method.", shorten(&entry.key))
                });
                continue;
            }
            self.operation(&entry.key, entry, shared, &at)?;
        }
        Ok(())
    }

    fn operation(
        &mut self,
        method: &str,
        entry: &'t Entry<'a>,
        shared: &Shared<'_, 't, 'a>,
        at: &Path<'_>,
    ) -> Result<(), Stop> {
        if self.found.len() >= self.limits.operations_max {
            return Err(Stop::over(
                Limit::Operations,
                self.limits,
                at.pointer(),
                entry.place,
            ));
        }
        let method = method.to_ascii_uppercase();
        let map = entry.node.map().unwrap_or(&EMPTY);
        if map.is_empty() {
            self.report.add(Rule::OperationEmpty, at, entry.place, || {
                "Nothing is said about the operation.".to_owned()
            });
        } else if map.get("responses").is_none() {
            self.report.add(Rule::ResponsesMissing, at, entry.place, || {
                "`responses` is missing.".to_owned()
            });
        }
        self.remark_servers(map, at);
        let text = |key: &str| {
            map.get(key)
                .and_then(Node::written)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let mut lists = parameter::Lists::new(self.resolver, self.report);
        if let Some((node, pointer)) = &shared.parameters {
            lists.read(node, &Path::At(pointer));
        }
        if let Some(node) = map.get("parameters") {
            lists.read(node, &at.key("parameters"));
        }
        let (parameters, tells) = lists.finish(shared.template, entry.place, at);
        let tags = map.get("tags").and_then(Node::list).unwrap_or_default();
        let operation = Operation {
            name: String::new(),
            path: shared.path.to_owned(),
            pointer: at.pointer(),
            summary: text("summary"),
            description: text("description"),
            tags: tags.iter().filter_map(Node::written).map(str::to_owned).collect(),
            deprecated: map.get("deprecated").is_some_and(Node::is_true),
            parameters,
            security: self.security(map, at),
            method,
        };
        let id = map.entry("operationId").and_then(|id| {
            let text = id.node.written()?.trim();
            (!text.is_empty()).then(|| (text.to_owned(), id.place))
        });
        let shape = shared.shape.to_owned();
        self.found.push(Draft {
            operation,
            id,
            place: entry.place,
            shape,
            cut: shared.cut,
            tells,
        });
        Ok(())
    }

    fn remark_servers(&mut self, map: &Map<'_>, at: &Path<'_>) {
        if let Some(entry) = map
            .entry("servers")
            .filter(|entry| entry.node.list().is_some_and(|list| !list.is_empty()))
        {
            self.report
                .add(Rule::ServersNested, &at.key("servers"), entry.place, || {
                    "`servers` of single paths and operations are not used.".to_owned()
                });
        }
    }

    fn security(&mut self, map: &Map<'_>, at: &Path<'_>) -> Vec<Vec<String>> {
        let own = map.get("security");
        let Some(list) = own.or(self.security).and_then(Node::list) else {
            return Vec::new();
        };
        let mut alternatives = Vec::new();
        for requirement in list.iter().filter_map(Node::map) {
            for entry in requirement.iter().filter(|_| own.is_some()) {
                if self
                    .schemes
                    .is_none_or(|schemes| schemes.get(&entry.key).is_none())
                {
                    self.report
                        .add(Rule::SecurityUnknown, &at.key("security"), entry.place, || {
                            format!("The security scheme `{}` is not defined.", shorten(&entry.key))
                        });
                }
            }
            alternatives.push(
                requirement
                    .iter()
                    .map(|entry| entry.key.clone().into_owned())
                    .collect(),
            );
        }
        alternatives
    }
}

/// Keeps one operation of each method and shape of path.
///
/// Two are merged when the document itself tells them apart by something that does not decide where a request
/// goes: a query, a fragment, or what a path parameter may look like. Otherwise the second is an error.
fn distinct(found: Vec<Draft>, report: &mut Report) -> Vec<Draft> {
    let mut groups: HashMap<(String, String), Vec<usize>> = HashMap::new();
    for (index, draft) in found.iter().enumerate() {
        groups
            .entry((draft.operation.method.clone(), draft.shape.clone()))
            .or_default()
            .push(index);
    }
    let mut dropped = HashSet::new();
    let mut groups: Vec<Vec<usize>> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort();
    for group in groups {
        let first = group
            .iter()
            .copied()
            .find(|&index| !found[index].cut)
            .unwrap_or(group[0]);
        dropped.extend(group.iter().copied().filter(|&index| index != first));
        for (position, &index) in group.iter().enumerate() {
            let (draft, kept) = (&found[index], &found[first]);
            let twin = group[..position]
                .iter()
                .map(|&earlier| &found[earlier])
                .find(|earlier| !draft.cut && !earlier.cut && earlier.tells == draft.tells);
            let at = Path::At(&draft.operation.pointer);
            if let Some(twin) = twin {
                let (method, path, line) = (&draft.operation.method, &draft.operation.path, twin.place.line);
                report.add(Rule::OperationDuplicate, &at, draft.place, || {
                    format!(
                        "`{method} {}` matches the same requests as `{method} {}` in line {line}.",
                        shorten(path),
                        shorten(&twin.operation.path)
                    )
                });
            } else if index != first {
                report.add(Rule::OperationMerged, &at, draft.place, || {
                    let name = kept.id.as_ref().map_or(&kept.operation.pointer, |(id, _)| id);
                    format!("Its requests cannot be told from those of `{}`.", shorten(name))
                });
            }
        }
    }
    found
        .into_iter()
        .enumerate()
        .filter(|(index, _)| !dropped.contains(index))
        .map(|(_, draft)| draft)
        .collect()
}

#[cfg(test)]
mod tests;
