//! The named schemas of the OpenAPI document, made of the types that are sent and received.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Marks properties that may be absent, until the document is finished.
const ABSENT: &str = "x-absent";

/// Schemas by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Takes a type with all types it holds; returns the reference to it.
    pub(crate) fn add<T: ToSchema>(&mut self) -> Value {
        let mut nested = Vec::new();
        T::schemas(&mut nested);
        nested.push((T::name().into_owned(), T::schema()));
        for (name, schema) in nested {
            let mut schema = serde_json::to_value(schema).expect("schemas are plain data");
            without_null(&mut schema);
            self.0.entry(name).or_insert(schema);
        }
        reference(&T::name())
    }

    /// Takes a type as resources are shown: with the fields of `Extra` and with `links`.
    pub(crate) fn add_shown<T: ToSchema, Extra: ToSchema>(&mut self) -> Value {
        self.add::<T>();
        let extra = self.add::<Extra>();
        let links = self.add::<super::links::Links>();
        let name = T::name().into_owned();
        let mut shown = self.flat(&self.0[&name]);
        let added = self.flat(self.resolve(&extra));
        if let Value::Object(shown) = &mut shown {
            let mut properties = object(&Value::Object(shown.clone()), "properties");
            properties.extend(object(&added, "properties"));
            properties.insert("links".to_owned(), links);
            // What has a default may be left out of a body, but it is in every answer.
            // Resources inside of others have no links.
            let always = properties
                .iter()
                .filter(|(name, property)| property.get(ABSENT).is_none() && *name != "links");
            let required = always.map(|(name, _)| json!(name)).collect();
            shown.insert("required".to_owned(), Value::Array(required));
            shown.insert("properties".to_owned(), Value::Object(properties));
        }
        self.0.insert(name.clone(), shown);
        self.0.remove(&*Extra::name());
        reference(&name)
    }

    /// Takes a page of a type that is there already.
    pub(crate) fn add_page(&mut self, entry: &str) -> Value {
        let name = format!("Page_{entry}");
        let schema = json!({
            "type": "object",
            "description": "One page of a list.",
            "required": ["data", "has_more"],
            "properties": {
                "data": { "type": "array", "items": reference(entry), "description": "The entries, in the order asked for." },
                "has_more": { "type": "boolean", "description": "Whether there are more." },
                "next_cursor": { "type": "string", "description": "What to pass as `cursor` to get them." },
            },
        });
        self.0.insert(name.clone(), schema);
        reference(&name)
    }

    /// Takes the merge patch of an editable part: every field may be given, and null removes what may be absent.
    pub(crate) fn add_patch<Spec: ToSchema>(&mut self) -> Value {
        let spec = self.add::<Spec>();
        let mut patch = self.flat(self.resolve(&spec));
        let required = array(&patch, "required");
        if let Some(properties) = patch.get_mut("properties").and_then(Value::as_object_mut) {
            for (name, property) in properties.iter_mut() {
                if !required.contains(&json!(name)) {
                    nullable(property);
                }
                if let Value::Object(property) = property {
                    property.remove("default");
                }
            }
        }
        if let Value::Object(patch) = &mut patch {
            patch.remove("required");
            patch.insert("additionalProperties".to_owned(), json!(false));
            let text = "What is to change (JSON Merge Patch, RFC 7396); null removes what may be absent.";
            patch.insert("description".to_owned(), json!(text));
        }
        let name = format!("{}Patch", Spec::name().trim_end_matches("Spec"));
        self.0.insert(name.clone(), patch);
        reference(&name)
    }

    /// Drops a type that only stood in for another schema.
    pub(crate) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Adds all of the other's.
    ///
    /// # Panics
    /// If two types have one name: the document would describe one of them with the fields of the other.
    pub(crate) fn extend(&mut self, other: &Self) {
        // A resource as it is shown has more than the type alone, which others may have taken as a part.
        let is_shown = |schema: &Value| schema.pointer("/properties/links").is_some();
        for (name, schema) in &other.0 {
            match self.0.get(name) {
                Some(known) if is_shown(known) == is_shown(schema) => {
                    assert!(known == schema, "two types are called `{name}`");
                }
                Some(known) if is_shown(known) => {}
                _ => {
                    self.0.insert(name.clone(), schema.clone());
                }
            }
        }
    }

    /// The names of the properties of a schema, flattened ones included.
    pub(crate) fn properties(&self, schema: &Value) -> Vec<String> {
        let schema = self.flat(self.resolve(schema));
        object(&schema, "properties")
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    }

    /// All of them, without `allOf`: what is flattened in JSON is flat in the schema too.
    pub(crate) fn finish(&self) -> Value {
        let flat = self.0.iter().map(|(name, schema)| {
            let mut schema = self.flat(schema);
            without_marks(&mut schema);
            (name.clone(), schema)
        });
        Value::Object(flat.collect())
    }

    pub(crate) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|target| target.rsplit('/').next())
            .and_then(|name| self.0.get(name))
            .unwrap_or(schema)
    }

    fn flat(&self, schema: &Value) -> Value {
        let Some(parts) = schema.get("allOf").and_then(Value::as_array) else {
            return schema.clone();
        };
        let mut whole = Map::from_iter([("type".to_owned(), json!("object"))]);
        let (mut properties, mut required) = (Map::new(), Vec::new());
        let own = schema.get("description");
        let described = own.or_else(|| parts.iter().rev().find_map(|part| part.get("description")));
        if let Some(text) = described {
            whole.insert("description".to_owned(), text.clone());
        }
        for part in parts {
            let part = self.flat(self.resolve(part));
            properties.extend(object(&part, "properties"));
            required.extend(array(&part, "required"));
        }
        whole.insert("required".to_owned(), Value::Array(required));
        whole.insert("properties".to_owned(), Value::Object(properties));
        Value::Object(whole)
    }
}

/// The reference to a named schema.
pub(crate) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn object(schema: &Value, name: &str) -> Map<String, Value> {
    schema
        .get(name)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn array(schema: &Value, name: &str) -> Vec<Value> {
    schema
        .get(name)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

/// What may be absent is never null in an answer, and a generator should not have to think of both.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(fields) => {
            fields.values_mut().for_each(without_null);
            always_there(fields);
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                    fields.insert(ABSENT.to_owned(), json!(true));
                }
            }
            let Some(Value::Array(choices)) = fields.get_mut("oneOf") else {
                return;
            };
            choices.retain(|choice| choice.get("type") != Some(&json!("null")));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                fields.remove("oneOf");
                fields.extend(only);
                fields.insert(ABSENT.to_owned(), json!(true));
            }
        }
        _ => {}
    }
}

/// What is always there although there may be none is null then.
fn always_there(schema: &mut Map<String, Value>) {
    let required = schema.get("required").cloned().unwrap_or_default();
    let is_required = |name: &str| {
        required
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == name))
    };
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        let may_be_absent = property
            .as_object_mut()
            .is_some_and(|fields| is_required(name) && fields.remove(ABSENT).is_some());
        if may_be_absent {
            nullable(property);
        }
    }
}

fn nullable(property: &mut Value) {
    let Value::Object(fields) = property else { return };
    if let Some(Value::String(kind)) = fields.get("type") {
        let kind = kind.clone();
        fields.insert("type".to_owned(), json!([kind, "null"]));
    } else if let Some(target) = fields.remove("$ref") {
        fields.insert(
            "oneOf".to_owned(),
            json!([{ "$ref": target }, { "type": "null" }]),
        );
    }
}

fn without_marks(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_marks),
        Value::Object(fields) => {
            fields.remove(ABSENT);
            fields.values_mut().for_each(without_marks);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use utoipa::ToSchema;

    use super::Schemas;

    mod quota {
        /// A repeated time.
        #[derive(utoipa::ToSchema)]
        #[expect(dead_code, reason = "only its schema is looked at")]
        pub(super) enum Period {
            Day,
        }
    }

    mod report {
        /// A span of time.
        #[derive(utoipa::ToSchema)]
        #[expect(dead_code, reason = "only its schema is looked at")]
        pub(super) struct Period {
            pub(super) from: String,
        }
    }

    fn of<T: ToSchema>() -> Schemas {
        let mut schemas = Schemas::default();
        schemas.add::<T>();
        schemas
    }

    #[test]
    fn one_type_may_be_taken_twice() {
        let mut schemas = of::<quota::Period>();
        schemas.extend(&of::<quota::Period>());
        assert_eq!(schemas.finish().as_object().map(serde_json::Map::len), Some(1));
    }

    #[test]
    #[should_panic(expected = "two types are called `Period`")]
    fn two_types_of_one_name_are_noticed() {
        of::<quota::Period>().extend(&of::<report::Period>());
    }
}
