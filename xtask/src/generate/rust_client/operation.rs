//! Operations become methods.

use serde_json::Value;

use super::names::{doc, pascal, snake};
use super::schema::{Types, description};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// Query parameters that would make an answer other than its type.
const RESHAPING: [&str; 1] = ["fields"];
/// Headers that the client sends of its own accord.
const OWN_HEADERS: [&str; 5] = [
    "authorization",
    "x-gateline-organization",
    "x-request-id",
    "accept",
    "traceparent",
];

/// What is sent as the body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    Nothing,
    Json(String),
    MergePatch(String),
    Form(String),
    /// Bytes of this media type.
    Raw(String),
    /// Bytes of a media type that the caller names.
    RawOfKind,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    Json(String),
    Raw,
}

/// A parameter that is not in the path.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) wire: String,
    /// The method of a call that adds it.
    pub(super) adder: &'static str,
}

/// One method of the client.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) method: &'static str,
    pub(super) path: String,
    documentation: String,
    pub(super) in_path: Vec<String>,
    pub(super) parameters: Vec<Parameter>,
    body: Body,
    pub(super) answer: Answer,
    /// The type of the entries, for pages that can be followed.
    pub(super) entries: Option<String>,
    /// The fields of an entry that hold one value each.
    pub(super) scalars: Vec<String>,
}

/// All operations of a document, in its order; or why one cannot be called.
pub(super) fn all<'a>(document: &'a Value, types: &mut Types<'a>) -> Result<Vec<Operation>, String> {
    let mut operations = Vec::new();
    let paths = document
        .get("paths")
        .and_then(Value::as_object)
        .ok_or("has no paths")?;
    for (path, item) in paths {
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            if let Some(operation) = read((path, method), (item, operation), types)? {
                operations.push(operation);
            }
        }
    }
    Ok(operations)
}

fn read<'a>(
    (path, method): (&str, &'static str),
    (item, operation): (&'a Value, &'a Value),
    types: &mut Types<'a>,
) -> Result<Option<Operation>, String> {
    let name = operation.get("operationId").and_then(Value::as_str);
    let name = snake(name.ok_or_else(|| format!("{method} {path} has no operationId"))?);
    let answers = operation
        .get("responses")
        .ok_or_else(|| format!("{name} has no responses"))?;
    let Some((answer, entries)) = answer(answers, &name, types) else {
        return Ok(None);
    };
    let scalars = entries.as_ref().map(|(_, items)| types.scalars(items));
    let listed = |owner: &'a Value| {
        owner
            .get("parameters")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let parameters: Vec<&Value> = listed(item)
        .chain(listed(operation))
        .map(|parameter| types.resolve(parameter))
        .collect();
    let in_path = parameters
        .iter()
        .filter(|parameter| place(parameter) == "path")
        .map(|one| wire(one))
        .collect();
    let others: Vec<&Value> = parameters
        .into_iter()
        .filter(|parameter| match place(parameter) {
            "query" => !RESHAPING.contains(&wire(parameter).as_str()),
            "header" => !OWN_HEADERS.contains(&wire(parameter).to_lowercase().as_str()),
            _ => false,
        })
        .collect();
    if !others.is_empty() {
        types.parameters(&format!("{}Params", pascal(&name)), &name, &others);
    }
    let summary = operation
        .get("summary")
        .and_then(Value::as_str)
        .or_else(|| description(operation));
    Ok(Some(Operation {
        documentation: doc(summary, &format!("`{name}`."), "    "),
        in_path,
        parameters: others
            .iter()
            .map(|one| Parameter {
                wire: wire(one),
                adder: match (place(one), one["schema"]["type"] == "object") {
                    ("header", _) => "header",
                    (_, true) => "query_each",
                    (_, false) => "query",
                },
            })
            .collect(),
        body: body(operation, &name, types)?,
        entries: entries
            .map(|(name, _)| name)
            .filter(|_| others.iter().any(|parameter| wire(parameter) == "cursor")),
        scalars: scalars.unwrap_or_default(),
        answer,
        name,
        method,
        path: path.to_owned(),
    }))
}

/// Where a parameter is: `path`, `query` or `header`.
fn place(parameter: &Value) -> &str {
    parameter.get("in").and_then(Value::as_str).unwrap_or_default()
}

/// A parameter's name as it is sent.
fn wire(parameter: &Value) -> String {
    let name = parameter.get("name").and_then(Value::as_str);
    name.unwrap_or_default().to_owned()
}

fn body<'a>(operation: &'a Value, name: &str, types: &mut Types<'a>) -> Result<Body, String> {
    let Some(request) = operation.get("requestBody").filter(|body| !body.is_null()) else {
        return Ok(Body::Nothing);
    };
    let content = types.resolve(request).get("content").and_then(Value::as_object);
    let Some((kind, media)) = content.and_then(|content| content.iter().next()) else {
        return Err(format!("{name}: the body has no content"));
    };
    let schema = media.get("schema").unwrap_or(&Value::Null);
    let mut schema = || types.name_of(schema, &format!("{}Body", pascal(name)));
    Ok(match kind.as_str() {
        "application/json" => Body::Json(schema()),
        "application/merge-patch+json" => Body::MergePatch(schema()),
        "application/x-www-form-urlencoded" => Body::Form(schema()),
        _ if content.is_some_and(|content| content.len() > 1) => Body::RawOfKind,
        other => Body::Raw(other.to_owned()),
    })
}

/// Type and schema of a page's entries, for answers that are pages.
type Entries<'a> = Option<(String, &'a Value)>;

/// The answer of the first success; `None` for streams, which have no method.
fn answer<'a>(answers: &'a Value, name: &str, types: &mut Types<'a>) -> Option<(Answer, Entries<'a>)> {
    let success = ["200", "201", "202", "204"]
        .iter()
        .find_map(|status| answers.get(*status));
    let content = success
        .and_then(|answer| types.resolve(answer).get("content"))
        .and_then(Value::as_object);
    let Some((kind, media)) = content.and_then(|content| content.iter().next()) else {
        return Some((Answer::Nothing, None));
    };
    if kind == "text/event-stream" {
        return None;
    }
    let schema = media
        .get("schema")
        .filter(|_| kind.ends_with("json") && !kind.ends_with("ndjson"));
    let Some(schema) = schema else {
        return Some((Answer::Raw, None));
    };
    let answer = types.name_of(schema, &format!("{}Answer", pascal(name)));
    let items = types.resolve(schema).pointer("/properties/data/items");
    let entries = items.map(|items| (types.name_of(items, &format!("{answer}DataItem")), items));
    Some((Answer::Json(answer), entries))
}

/// A type's name as it is written outside of `types`.
fn outside(kind: &str) -> String {
    match kind {
        "String" | "bool" | "u64" | "i64" | "f64" | "Value" => kind.to_owned(),
        _ => match kind.split_once('<') {
            Some((wrapper, inner)) => format!("{wrapper}<{}>", outside(inner.trim_end_matches('>'))),
            None => format!("types::{kind}"),
        },
    }
}

impl Operation {
    fn answer_type(&self) -> String {
        match &self.answer {
            Answer::Nothing => "()".to_owned(),
            Answer::Json(kind) => outside(kind),
            Answer::Raw => "Bytes".to_owned(),
        }
    }

    /// The arguments: names with types, and names alone.
    fn arguments(&self) -> (String, String) {
        let mut typed = String::new();
        let mut plain: Vec<String> = Vec::new();
        for name in &self.in_path {
            typed.push_str(&format!(", {}: &str", snake(name)));
            plain.push(snake(name));
        }
        if !self.parameters.is_empty() {
            typed.push_str(&format!(", params: &types::{}Params", pascal(&self.name)));
            plain.push("params".to_owned());
        }
        let body = match &self.body {
            Body::Nothing => None,
            Body::Json(kind) | Body::MergePatch(kind) | Body::Form(kind) => {
                Some(format!("&{}", outside(kind)))
            }
            Body::Raw(_) | Body::RawOfKind => Some("Bytes".to_owned()),
        };
        if self.body == Body::RawOfKind {
            typed.push_str(", media_type: &'static str");
            plain.push("media_type".to_owned());
        }
        if let Some(kind) = body {
            typed.push_str(&format!(", body: {kind}"));
            plain.push("body".to_owned());
        }
        (typed, plain.join(", "))
    }

    /// The method.
    pub(super) fn source(&self) -> String {
        let (arguments, _) = self.arguments();
        let mut path = self.path.clone();
        let mut filled = String::new();
        for name in &self.in_path {
            path = path.replace(&format!("{{{name}}}"), "{}");
            filled.push_str(&format!(", segment({})", snake(name)));
        }
        let path = if filled.is_empty() {
            format!("\"{path}\"")
        } else {
            format!("format!(\"{path}\"{filled})")
        };
        let mut call = format!("Call::new(Method::{}, {path})", self.method.to_uppercase());
        for Parameter { wire, adder } in &self.parameters {
            let field = format!("params.{}.as_ref()", snake(wire));
            call.push_str(&match *adder {
                "query_each" => format!(".query_each({field})"),
                adder => format!(".{adder}(\"{wire}\", {field})"),
            });
        }
        match &self.body {
            Body::Nothing => {}
            Body::Json(_) => call.push_str(".json(body)?"),
            Body::MergePatch(_) => call.push_str(".merge_patch(body)?"),
            Body::Form(_) => call.push_str(".form(body)?"),
            Body::Raw(kind) => call.push_str(&format!(".raw(\"{kind}\", body)")),
            Body::RawOfKind => call.push_str(".raw(media_type, body)"),
        }
        let send = match self.answer {
            Answer::Nothing => "send_nothing",
            Answer::Json(_) => "send_json",
            Answer::Raw => "send_raw",
        };
        format!(
            "{}    ///\n    /// `{} {}`\n    pub async fn {}(&self{arguments}) -> Result<{}, Error> {{\n\
             let call = {call};\nself.{send}(call).await\n}}\n",
            self.documentation,
            self.method.to_uppercase(),
            self.path,
            self.name,
            self.answer_type(),
        )
    }

    /// A method that follows all pages, for operations that have pages.
    pub(super) fn list_source(&self) -> Option<String> {
        let entries = outside(self.entries.as_ref()?);
        let (typed, plain) = self.arguments();
        let plain = plain.replace("params", "&params");
        Some(format!(
            "    /// All entries of [`{name}`](Self::{name}), page after page; `params.cursor` is where it begins.\n\
             pub async fn {name}_all(&self{typed}) -> Result<Vec<{entries}>, Error> {{\n\
             let mut params = params.clone();\nlet mut entries = Vec::new();\nloop {{\n\
             let page = self.{name}({plain}).await?;\nentries.extend(page.data);\n\
             match page.next_cursor {{\nSome(cursor) if page.has_more => params.cursor = Some(cursor),\n\
             _ => return Ok(entries),\n}}\n}}\n}}\n",
            name = self.name,
        ))
    }
}
