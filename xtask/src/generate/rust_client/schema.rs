//! Schemas become types.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::names::{doc, pascal, snake};

/// The types of the client, by name.
#[derive(Debug)]
pub(super) struct Types<'a> {
    document: &'a Value,
    made: BTreeMap<String, String>,
    /// What bodies of requests are made of: callers build these.
    sent: BTreeSet<&'a str>,
    /// Those of them that are merge patches.
    patches: BTreeSet<&'a str>,
}

/// Up to so many required fields are arguments of `new`.
const ARGUMENTS_MAX: usize = 5;

impl<'a> Types<'a> {
    /// Makes a type of every component schema.
    pub(super) fn new(document: &'a Value) -> Self {
        let mut types = Self {
            document,
            made: BTreeMap::new(),
            sent: BTreeSet::new(),
            patches: BTreeSet::new(),
        };
        types.find_sent();
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

    /// Finds what callers build.
    fn find_sent(&mut self) {
        let paths = self.document.get("paths").and_then(Value::as_object);
        let operations = paths
            .into_iter()
            .flat_map(Map::values)
            .filter_map(Value::as_object);
        for operation in operations.flat_map(Map::values) {
            let Some(body) = operation.get("requestBody") else {
                continue;
            };
            if let Some(patch) = body.pointer("/content/application~1merge-patch+json/schema") {
                self.patches.extend(target(patch));
            }
            self.send(body);
        }
    }

    fn send(&mut self, part: &'a Value) {
        match part {
            Value::Object(fields) => {
                if let Some(name) = target(part)
                    && self.sent.insert(name)
                {
                    self.send(self.resolve(part));
                }
                fields.values().for_each(|part| self.send(part));
            }
            Value::Array(parts) => parts.iter().for_each(|part| self.send(part)),
            _ => {}
        }
    }

    fn structure(&mut self, name: &str, schema: &'a Value) -> String {
        let mut properties = Vec::new();
        let mut required = Vec::new();
        self.collect(schema, &mut properties, &mut required);
        let patch = self.patches.iter().any(|sent| pascal(sent) == name);
        let mut fields = String::new();
        let mut parts = Vec::new();
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
            let kind = match (needed, patch) {
                (true, _) => kind,
                // Absent leaves the field alone, null removes what it holds: both can be said.
                (false, true) => format!("Option<{kind}>"),
                (false, false) => optional(&kind),
            };
            fields.push_str(&format!("    pub {field}: {kind},\n"));
            parts.push(Part {
                text: self.is_text(property),
                field,
                kind,
            });
        }
        let documentation = doc(self.described(schema), &format!("`{name}`."), "");
        let default = if parts.iter().all(Part::is_optional) {
            ", Default"
        } else {
            ""
        };
        let constructor = if self.sent.iter().any(|sent| pascal(sent) == name) {
            constructor(name, &parts)
        } else {
            String::new()
        };
        format!(
            "{documentation}#[derive(Debug, Clone{default}, PartialEq, Serialize, Deserialize)]\npub struct {name} {{\n{fields}}}\n{constructor}"
        )
    }

    fn is_text(&self, schema: &'a Value) -> bool {
        let schema = self.resolve(schema);
        kind(schema) == ("string", false) && !is_enum(schema)
    }

    /// The fields of an object that hold one value each, in the document's order.
    pub(super) fn scalars(&self, schema: &'a Value) -> Vec<String> {
        let mut properties = Vec::new();
        self.collect(schema, &mut properties, &mut Vec::new());
        let scalar = |property: &'a Value| {
            let property = self.resolve(nullable(property).unwrap_or(property));
            !matches!(kind(property).0, "array" | "object" | "")
        };
        let scalars = properties.into_iter().filter(|(_, property)| scalar(property));
        scalars.map(|(wire, _)| wire.clone()).collect()
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

/// The last part of a `$ref`.
fn target(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.rsplit('/').next()
}

/// A field of a struct.
struct Part {
    field: String,
    kind: String,
    /// Whether it is a `String`, under whatever name.
    text: bool,
}

impl Part {
    fn is_optional(&self) -> bool {
        self.kind.starts_with("Option<")
    }
}

/// `new` with what is required, so that callers name only what they mean; nothing if there is nothing to leave out.
fn constructor(name: &str, parts: &[Part]) -> String {
    let needed: Vec<&Part> = parts.iter().filter(|part| !part.is_optional()).collect();
    if needed.len() == parts.len() || !(1..=ARGUMENTS_MAX).contains(&needed.len()) {
        return String::new();
    }
    let argument = |part: &&Part| {
        let kind = if part.text {
            "impl Into<String>"
        } else {
            &part.kind
        };
        format!("{}: {kind}", part.field)
    };
    let arguments: Vec<String> = needed.iter().map(argument).collect();
    let value = |part: &Part| match part.field.as_str() {
        field if part.is_optional() => format!("{field}: None,\n"),
        field if part.text => format!("{field}: {field}.into(),\n"),
        field => format!("{field},\n"),
    };
    let values: String = parts.iter().map(value).collect();
    format!(
        "\nimpl {name} {{\n/// What is required, and nothing else.\n\
         pub fn new({}) -> Self {{\nSelf {{\n{values}}}\n}}\n}}\n",
        arguments.join(", ")
    )
}

fn enumeration(name: &str, schema: &Value) -> String {
    let values = schema
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let (mut variants, mut arms, mut reading) = (String::new(), String::new(), String::new());
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
        reading.push_str(&format!("\"{wire}\" => Self::{variant},\n"));
    }
    let documentation = doc(description(schema), &format!("`{name}`."), "");
    format!(
        "{documentation}#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]\npub enum {name} {{\n\
         {variants}    /// A value that this client does not know yet, as it came.\n    #[serde(untagged)]\n    \
         Unrecognized(String),\n}}\n\n\
         impl std::fmt::Display for {name} {{\n\
         fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{\n\
         f.write_str(match self {{\n{arms}Self::Unrecognized(text) => text,\n}})\n}}\n}}\n\n\
         impl From<&str> for {name} {{\nfn from(text: &str) -> Self {{\nmatch text {{\n{reading}\
         other => Self::Unrecognized(other.to_owned()),\n}}\n}}\n}}\n"
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
