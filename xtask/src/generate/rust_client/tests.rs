use serde_json::{Value, json};

use super::{collections, operations, types};

/// What our generator of OpenAPI documents writes: flattened specs, optional references, pages, merge patches.
fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "paths": {
            "/api/v1/apis": {
                "get": {
                    "operationId": "list_apis",
                    "summary": "Lists APIs",
                    "parameters": [
                        { "name": "limit", "in": "query", "schema": { "type": "integer", "minimum": 0 } },
                        { "name": "cursor", "in": "query", "schema": { "type": "string" } },
                        { "name": "fields", "in": "query", "schema": { "type": "string" } },
                        { "name": "filter[name]", "in": "query", "schema": { "type": ["string", "null"] } },
                        { "name": "labels", "in": "query", "schema": {
                            "type": "object", "additionalProperties": { "type": "string" } } },
                        { "name": "X-Gateline-Organization", "in": "header", "schema": { "type": "string" } }
                    ],
                    "responses": { "200": { "content": { "application/json": {
                        "schema": { "$ref": "#/components/schemas/Page_Api" } } } } }
                },
                "post": {
                    "operationId": "create_api",
                    "requestBody": { "content": { "application/json": {
                        "schema": { "$ref": "#/components/schemas/ApiSpec" } } } },
                    "responses": { "201": { "content": { "application/json": {
                        "schema": { "$ref": "#/components/schemas/Api" } } } } }
                }
            },
            "/api/v1/apis/{api_id}": {
                "patch": {
                    "operationId": "update_api",
                    "parameters": [
                        { "name": "api_id", "in": "path", "required": true, "schema": { "type": "string" } },
                        { "name": "If-Match", "in": "header", "schema": { "type": "string" } }
                    ],
                    "requestBody": { "content": { "application/merge-patch+json": {
                        "schema": { "$ref": "#/components/schemas/ApiPatch" } } } },
                    "responses": { "200": { "content": { "application/json": {
                        "schema": { "$ref": "#/components/schemas/Api" } } } } }
                },
                "delete": {
                    "operationId": "delete_api",
                    "parameters": [
                        { "name": "api_id", "in": "path", "required": true, "schema": { "type": "string" } }
                    ],
                    "responses": { "204": { "description": "Gone." } }
                }
            },
            "/api/v1/events": {
                "get": { "operationId": "watch", "responses": { "200": { "content": { "text/event-stream": {} } } } }
            }
        },
        "components": { "schemas": schemas() }
    })
}

fn schemas() -> Value {
    json!({
            "ApiId": { "type": "string", "pattern": "^api_" },
            "Stage": { "type": "string", "description": "How far.", "enum": ["draft", "in_use"] },
            "ApiSpec": { "type": "object", "description": "Editable.", "required": ["name"], "properties": {
                "name": { "type": "string" },
                "type": { "type": "string" },
                "labels": { "type": "object", "additionalProperties": { "type": "integer" } },
                "stage": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Stage" }] },
                "config": {}
            } },
            "ApiPatch": { "type": "object", "properties": {
                "name": { "type": "string" },
                "stage": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Stage" }] }
            } },
            "Api": { "allOf": [{ "$ref": "#/components/schemas/ApiSpec" }, {
                "type": "object", "description": "A named interface.", "required": ["id", "revision"],
                "properties": { "id": { "$ref": "#/components/schemas/ApiId" }, "revision": { "type": "integer" } }
            }] },
            "Page_Api": { "type": "object", "required": ["data", "has_more"], "properties": {
                "data": { "type": "array", "items": { "$ref": "#/components/schemas/Api" } },
                "has_more": { "type": "boolean" },
                "next_cursor": { "type": ["string", "null"] }
            } }
    })
}

fn has(source: &str, part: &str) {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        squeeze(source).contains(&squeeze(part)),
        "{part}\n--- is not in ---\n{source}"
    );
}

#[test]
fn flattened_specs_become_one_struct() {
    let source = types(&document()).unwrap();
    has(
        &source,
        "/// A named interface. #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)] pub struct Api {",
    );
    has(&source, "pub name: String,");
    has(&source, "pub id: ApiId, /// `revision`. pub revision: i64, }");
    has(
        &source,
        "#[serde(default, skip_serializing_if = \"Option::is_none\")] pub stage: Option<Stage>,",
    );
    has(&source, "pub labels: Option<BTreeMap<String, i64>>,");
    has(&source, "pub config: Option<Value>,");
    has(&source, "pub r#type: Option<String>,");
    has(&source, "pub type ApiId = String;");
    has(&source, "#[serde(rename = \"in_use\")] InUse,");
}

#[test]
fn what_is_sent_is_easy_to_make() {
    let source = types(&document()).unwrap();
    has(
        &source,
        "impl ApiSpec { /// What is required, and nothing else. pub fn new(name: impl Into<String>) -> Self {",
    );
    has(
        &source,
        "Default, PartialEq, Serialize, Deserialize)] pub struct ApiPatch",
    );
    // Absent and null mean different things in a merge patch.
    has(&source, "pub stage: Option<Option<Stage>>,");
    // What the server says next year is kept as it is.
    has(&source, "#[serde(untagged)] Unrecognized(String),");
    has(&source, "\"in_use\" => Self::InUse,");
}

#[test]
fn lists_become_rows_of_a_table() {
    let source = collections(&document()).unwrap();
    has(
        &source,
        "Collection { name: \"apis\", one: \"api\", path: \"/api/v1/apis\", item: None, creates: true, changes: false, \
         removes: false, filters: &[\"filter[name]\"], fields: &[\"name\", \"type\", \"stage\", \"id\", \"revision\"], }",
    );
}

#[test]
fn operations_become_methods() {
    let source = operations(&document()).unwrap();
    has(
        &source,
        "pub async fn list_apis(&self, params: &types::ListApisParams) -> Result<types::PageApi, Error>",
    );
    has(&source, ".query(\"filter[name]\", params.filter_name.as_ref())");
    has(&source, ".query_each(params.labels.as_ref())");
    has(
        &source,
        "async fn update_api( &self, api_id: &str, params: &types::UpdateApiParams, body: &types::ApiPatch, )",
    );
    has(&source, "format!(\"/api/v1/apis/{}\", segment(api_id))");
    has(&source, ".header(\"If-Match\", params.if_match.as_ref())");
    has(
        &source,
        "pub async fn delete_api(&self, api_id: &str) -> Result<(), Error>",
    );
    has(
        &source,
        "pub async fn list_apis_all(&self, params: &types::ListApisParams) -> Result<Vec<types::Api>, Error>",
    );
    assert!(!source.contains("watch"), "streams have no method");
    assert!(
        !source.contains("fields"),
        "entries without some of their fields are of no type"
    );
    assert!(
        !source.contains("X-Gateline-Organization"),
        "the client sends it itself"
    );
}

#[test]
fn an_operation_without_a_name_is_an_error() {
    let mut document = document();
    document["paths"]["/api/v1/apis"]["get"]["operationId"] = Value::Null;
    let error = operations(&document).unwrap_err().to_string();
    assert_eq!(error, "spec/openapi.json: get /api/v1/apis has no operationId");
}
