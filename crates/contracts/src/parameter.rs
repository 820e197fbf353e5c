//! Reads the parameters of an operation.

use crate::Rule;
use crate::contract::{Parameter, ParameterPlace};
use crate::node::{Map, Node, Value};
use crate::path::Path;
use crate::reference::{Found, Resolver};
use crate::report::{Place, Report, shorten};
use crate::template::Template;

/// Gathers the lists of a path item and of an operation; an operation's own replace those of the path.
pub(crate) struct Lists<'r, 't, 'a> {
    resolver: &'r Resolver<'t, 'a>,
    report: &'r mut Report,
    read: Vec<Read>,
}

struct Read {
    parameter: Parameter,
    /// What a value may look like beyond its type.
    tell: String,
    at: Place,
    pointer: String,
    /// Counts lists: the same name twice in one is wrong.
    list: usize,
}

impl<'r, 't, 'a> Lists<'r, 't, 'a> {
    pub(crate) fn new(resolver: &'r Resolver<'t, 'a>, report: &'r mut Report) -> Self {
        Self {
            resolver,
            report,
            read: Vec::new(),
        }
    }

    pub(crate) fn read(&mut self, node: &'t Node<'a>, at: &Path<'_>) {
        let Some(list) = node.list() else {
            if !matches!(node.value, Value::Null) {
                self.report.add(Rule::TypeWrong, at, node.place, || {
                    format!("`parameters` is {}; it should be a list.", node.kind())
                });
            }
            return;
        };
        let number = self.read.last().map_or(0, |last| last.list + 1);
        for (index, node) in list.iter().enumerate() {
            self.parameter(node, &at.index(index), number);
        }
    }

    fn parameter(&mut self, node: &'t Node<'a>, at: &Path<'_>, list: usize) {
        let target = match node.reference().map(|reference| self.resolver.follow(reference)) {
            None => node,
            Some(Found::Node(target, _)) => target,
            // Remarked where all references are checked.
            Some(_) => return,
        };
        let known = target.map().and_then(|map| {
            let name = map.get("name")?.written()?;
            let place = ParameterPlace::parse(map.get("in")?.text()?)?;
            Some((map, name, place))
        });
        let Some((map, name, place)) = known else {
            self.report.add(Rule::ParameterIncomplete, at, node.place, || {
                "The parameter has no `name`, or none of the known places in `in`.".to_owned()
            });
            return;
        };
        let parameter = Parameter {
            name: name.to_owned(),
            place,
            required: place == ParameterPlace::Path || map.get("required").is_some_and(Node::is_true),
            description: map
                .get("description")
                .and_then(Node::written)
                .unwrap_or_default()
                .trim()
                .to_owned(),
            declared: true,
        };
        let tell = if place == ParameterPlace::Path {
            self.tell(map)
        } else {
            String::new()
        };
        let read = Read {
            parameter,
            tell,
            at: node.place,
            pointer: at.pointer(),
            list,
        };
        let same = |other: &&mut Read| {
            (&other.parameter.name, other.parameter.place) == (&read.parameter.name, read.parameter.place)
        };
        match self.read.iter_mut().find(same) {
            None => self.read.push(read),
            Some(earlier) => {
                if earlier.list == list {
                    self.report.add(Rule::ParameterDuplicate, at, node.place, || {
                        format!("The parameter `{}` stands twice in the list.", shorten(name))
                    });
                }
                *earlier = read;
            }
        }
    }

    /// What sets the values of a parameter apart, written so that equal ones are equal.
    fn tell(&self, parameter: &Map<'_>) -> String {
        let schema = parameter
            .get("schema")
            .and_then(|schema| match schema.reference() {
                None => schema.map(),
                Some(reference) => match self.resolver.follow(reference) {
                    Found::Node(target, _) => target.map(),
                    _ => None,
                },
            });
        let Some(schema) = schema else {
            return String::new();
        };
        let mut tell = String::new();
        for key in ["format", "pattern", "enum", "const", "minLength", "maxLength"] {
            let Some(node) = schema.get(key) else { continue };
            let width_only =
                key == "format" && matches!(node.text(), Some("int32" | "int64" | "float" | "double"));
            if !width_only {
                tell.push_str(key);
                tell.push_str(&node.clone().into_json().to_string());
            }
        }
        tell
    }

    /// The parameters of the operation, and for each of the path's what sets its values apart.
    pub(crate) fn finish(
        self,
        template: &Template,
        place: Place,
        at: &Path<'_>,
    ) -> (Vec<Parameter>, Vec<String>) {
        let Self { report, mut read, .. } = self;
        let names: Vec<&str> = template.parameters().collect();
        read.retain(|entry| {
            let fits = entry.parameter.place != ParameterPlace::Path
                || names.contains(&entry.parameter.name.trim_matches('+'));
            if !fits {
                report.add(Rule::ParameterUnused, &Path::At(&entry.pointer), entry.at, || {
                    format!("The path has no `{{{}}}`.", shorten(&entry.parameter.name))
                });
            }
            fits
        });
        let mut tells = Vec::with_capacity(names.len());
        let mut added = Vec::new();
        for name in names {
            let declared = read.iter().find(|entry| {
                entry.parameter.place == ParameterPlace::Path
                    && entry.parameter.name.trim_matches('+') == name
            });
            let added_already = added.iter().any(|parameter: &Parameter| parameter.name == name);
            if declared.is_none() && !added_already {
                report.add(Rule::ParameterUndeclared, at, place, || {
                    format!("The path parameter `{}` is not declared.", shorten(name))
                });
                added.push(Parameter {
                    name: name.to_owned(),
                    place: ParameterPlace::Path,
                    required: true,
                    description: String::new(),
                    declared: false,
                });
            }
            tells.push(declared.map(|entry| entry.tell.clone()).unwrap_or_default());
        }
        (
            added
                .into_iter()
                .chain(read.into_iter().map(|entry| entry.parameter))
                .collect(),
            tells,
        )
    }
}
