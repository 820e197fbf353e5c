//! Schemas become types.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::names::{doc, pascal, snake};

/// The types of the client, by name.
#[derive(Debug)]
pub(super) struct Types<'a> {
    document: &'a Value,
    made: BTreeMap<String, String>,
}

impl<'a> Types<'a> {
    /// Makes a type of every component schema.
    pub(super) fn new(document: &'a Value) -> Self {
        let mut types = Self {
            document,
            made: BTreeMap::new(),
        };
        let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
        for (name, schema) in schemas.into_iter().flatten() {
            types.define(&pascal(name), schema);
        }
        types
    }

    /// The source of all types.
    pub(super) fn source(&self) -> String {
        self.made.values().cloned().collect::<Vec<_>>().join("\n")
    }

    /// What `$ref` points to, or the value itself.
    pub(super) fn resolve(&self, value: &'a Value) -> &'a Value {
        let pointer = value
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|target| target.strip_prefix('#'));
        pointer
            .and_then(|pointer| self.document.pointer(pointer))
            .unwrap_or(value)
    }

    /// The Rust type of a schema, making types of their own for objects and enumerations inside it.
    pub(super) fn name_of(&mut self, schema: &'a Value, context: &str) -> String {
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            return pascal(target.rsplit('/').next().unwrap_or_default());
        }
        if let Some(inner) = nullable(schema) {
            return optional(&self.name_of(inner, context));
        }
        let (kind, null) = kind(schema);
        let name = match kind {
            _ if is_enum(schema) || is_struct(schema) => {
                self.define(context, schema);
                context.to_owned()
            }
            "string" => "String".to_owned(),
            "boolean" => "bool".to_owned(),
            "integer"
                if schema
                    .get("minimum")
                    .and_then(Value::as_f64)
                    .is_some_and(|least| least >= 0.0) =>
            {
                "u64".to_owned()
            }
            "integer" => "i64".to_owned(),
            "number" => "f64".to_owned(),
            "array" => match schema.get("items") {
                Some(items) => format!("Vec<{}>", self.name_of(items, &format!("{context}Item"))),
                None => "Vec<Value>".to_owned(),
            },
            "object" => match schema
                .get("additionalProperties")
                .filter(|schema| schema.is_object())
            {
                Some(values) => format!(
                    "BTreeMap<String, {}>",
                    self.name_of(values, &format!("{context}Value"))
                ),
                None => "Value".to_owned(),
            },
            _ => return "Value".to_owned(),
        };
        if null { optional(&name) } else { name }
    }

    /// Makes the type `name` of a schema.
    pub(super) fn define(&mut self, name: &str, schema: &'a Value) {
        if self.made.contains_key(name) {
            return;
        }
        // Known from now on, so that a type that contains itself ends.
        self.made.insert(name.to_owned(), String::new());
        let source = if is_enum(schema) {
            enumeration(name, schema)
        } else if is_struct(schema) {
            self.structure(name, schema)
        } else {
            let documentation = doc(description(schema), &format!("`{name}`."), "");
            let target = self.name_of(schema, &format!("{name}Inner"));
            format!("{documentation}pub type {name} = {target};\n")
        };
        self.made.insert(name.to_owned(), source);
    }

    /// Makes the type of an operation's query and header parameters: all optional but the required ones.
    pub(super) fn parameters(
        &mut self,
        name: &str,
        operation: &str,
        parameters: &[&'a Value],
    ) -> Vec<String> {
        let mut fields = String::new();
        let mut names = Vec::new();
        for parameter in parameters {
            let wire = parameter.get("name").and_then(Value::as_str).unwrap_or_default();
            let schema = parameter.get("schema").unwrap_or(&Value::Null);
            let mut kind = self.name_of(schema, &format!("{name}{}", pascal(wire)));
            if kind.starts_with("Vec<") || kind == "Value" {
                // Lists in a query are written with commas.
                "String".clone_into(&mut kind);
            }
            fields.push_str(&doc(description(parameter), &format!("`{wire}`."), "    "));
            fields.push_str(&format!("    pub {}: {},\n", snake(wire), optional(&kind)));
            names.push(wire.to_owned());
        }
        let source = format!(
            "/// Optional parameters of [`{operation}`](crate::Client::{operation}).\n\
             #[derive(Debug, Clone, Default, PartialEq)]\npub struct {name} {{\n{fields}}}\n"
        );
        self.made.insert(name.to_owned(), source);
        names
    }

    fn structure(&mut self, name: &str, schema: &'a Value) -> String {
        let mut properties = Vec::new();
        let mut required = Vec::new();
        self.collect(schema, &mut properties, &mut required);
        let mut fields = String::new();
        for (wire, property) in properties {
            let kind = self.name_of(property, &format!("{name}{}", pascal(wire)));
            let needed = required.contains(&wire.as_str());
            let field = snake(wire);
            fields.push_str(&doc(description(property), &format!("`{wire}`."), "    "));
            if !needed || kind.starts_with("Option<") {
                fields.push_str("    #[serde(default, skip_serializing_if = \"Option::is_none\")]\n");
            }
            if field.trim_start_matches("r#") != wire {
                fields.push_str(&format!("    #[serde(rename = \"{wire}\")]\n"));
            }
            let kind = if needed { kind } else { optional(&kind) };
            fields.push_str(&format!("    pub {field}: {kind},\n"));
        }
        let documentation = doc(self.described(schema), &format!("`{name}`."), "");
        format!(
            "{documentation}#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]\npub struct {name} {{\n{fields}}}\n"
        )
    }

    /// Gathers the properties of an object and of all parts of its `allOf`.
    fn collect(
        &self,
        schema: &'a Value,
        properties: &mut Vec<(&'a String, &'a Value)>,
        required: &mut Vec<&'a str>,
    ) {
        let schema = self.resolve(schema);
        for part in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.collect(part, properties, required);
        }
        let own = schema.get("properties").and_then(Value::as_object);
        for (wire, property) in own.into_iter().flat_map(Map::iter) {
            properties.retain(|(other, _)| *other != wire);
            properties.push((wire, property));
        }
        let names = schema.get("required").and_then(Value::as_array);
        required.extend(names.into_iter().flatten().filter_map(Value::as_str));
    }

    /// The description of a schema; for `allOf`, of the part that is the object itself.
    fn described(&self, schema: &'a Value) -> Option<&'a str> {
        let parts = schema.get("allOf").and_then(Value::as_array);
        let inside = || {
            parts
                .into_iter()
                .flatten()
                .rev()
                .find_map(|part| description(self.resolve(part)))
        };
        description(schema).or_else(inside)
    }
}

/// The text that the document gives.
pub(super) fn description(schema: &Value) -> Option<&str> {
    schema.get("description").and_then(Value::as_str)
}

fn enumeration(name: &str, schema: &Value) -> String {
    let values = schema
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let (mut variants, mut arms) = (String::new(), String::new());
    for wire in values {
        // `-created_at` sorts the other way round.
        let variant = match wire.strip_prefix('-') {
            Some(field) => format!("{}Descending", pascal(field)),
            None => pascal(wire),
        };
        variants.push_str(&format!(
            "    /// `{wire}`.\n    #[serde(rename = \"{wire}\")]\n    {variant},\n"
        ));
        arms.push_str(&format!("Self::{variant} => \"{wire}\",\n"));
    }
    let documentation = doc(description(schema), &format!("`{name}`."), "");
    format!(
        "{documentation}#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]\npub enum {name} {{\n\
         {variants}    /// A value that this client does not know yet.\n    #[serde(other)]\n    Unrecognized,\n}}\n\n\
         impl std::fmt::Display for {name} {{\n\
         fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{\n\
         f.write_str(match self {{\n{arms}Self::Unrecognized => \"unrecognized\",\n}})\n}}\n}}\n"
    )
}

fn is_enum(schema: &Value) -> bool {
    let values = schema.get("enum").and_then(Value::as_array);
    values.is_some_and(|values| !values.is_empty() && values.iter().all(Value::is_string))
}

fn is_struct(schema: &Value) -> bool {
    let some = |name: &str| schema.get(name).is_some_and(|part| !part.is_null());
    some("properties") || some("allOf")
}

/// The type's name, and whether null is allowed besides.
fn kind(schema: &Value) -> (&str, bool) {
    match schema.get("type") {
        Some(Value::String(kind)) => (kind, false),
        Some(Value::Array(kinds)) => {
            let null = kinds.iter().any(|kind| kind == "null");
            let mut others = kinds
                .iter()
                .filter_map(Value::as_str)
                .filter(|kind| *kind != "null");
            match (others.next(), others.next()) {
                (Some(kind), None) => (kind, null),
                _ => ("", null),
            }
        }
        _ => ("", false),
    }
}

/// The other part of `oneOf: [null, other]`.
fn nullable(schema: &Value) -> Option<&Value> {
    let parts = schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()?;
    let is_null = |part: &&Value| part.get("type").is_some_and(|kind| kind == "null");
    let mut others = parts.iter().filter(|part| !is_null(part));
    let other = others.next()?;
    (parts.len() == 2 && others.next().is_none()).then_some(other)
}

fn optional(kind: &str) -> String {
    if kind.starts_with("Option<") {
        kind.to_owned()
    } else {
        format!("Option<{kind}>")
    }
}
