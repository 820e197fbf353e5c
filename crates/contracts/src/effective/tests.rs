use insta::assert_json_snapshot;
use serde_json::json;

use super::Effective;
use crate::{Contract, Limits, read};

const PETS: &str = "\
openapi: 3.0
info: {title: Pets, version: 1.10}
servers: [{url: https://pets.internal}]
security: [{oauth: [read]}]
paths:
  /pets/{id}:
    servers: [{url: https://other.internal}]
    get:
      operationId: readPet
      security: [{basic: []}]
      responses:
        200: {description: A pet, headers: {ratelimit: {schema: {type: string}}}}
        404: {description: No such pet}
        429: {description: Too fast}
        default: {$ref: '#/components/responses/Any'}
    delete:
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
components:
  responses:
    Any: {description: Anything}
    GatewayLimited: {description: Somebody took the name}
  securitySchemes:
    oauth: {type: oauth2, flows: {}}
    basic: {type: http, scheme: basic}
";

const HOW: Effective<'_> = Effective {
    server_url: "http://127.0.0.1:8080/pets",
    key_header: Some("X-API-Key"),
    errors_url: Some("https://portal.example.com/docs/errors"),
};

fn contract(text: &str) -> Contract {
    read(text, &Limits::default()).unwrap()
}

#[test]
fn the_published_document() {
    assert_json_snapshot!(contract(PETS).effective(&HOW));
}

#[test]
fn an_open_api_has_no_key() {
    let document = contract(PETS).effective(&Effective {
        key_header: None,
        errors_url: None,
        ..HOW
    });
    assert_eq!(document.get("security"), None);
    assert_eq!(document.pointer("/components/securitySchemes"), None);
    let statuses: Vec<_> = document["paths"]["/pets/{id}"]["delete"]["responses"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(statuses, ["429"]);
}

#[test]
fn it_can_be_read_again_and_says_the_same() {
    let first = contract(PETS);
    let again = contract(&first.effective(&HOW).to_string());
    assert_eq!(again.servers, ["http://127.0.0.1:8080/pets"]);
    assert_eq!((again.title.as_str(), again.version.as_str()), ("Pets", "1.10"));
    let names = |contract: &Contract| -> Vec<_> {
        contract
            .operations
            .iter()
            .map(|operation| (operation.name.clone(), operation.path.clone()))
            .collect()
    };
    assert_eq!(names(&again), names(&first));
    assert!(
        again
            .operations
            .iter()
            .all(|operation| operation.security == [["ApiKey"]])
    );
    assert!(
        again
            .operations
            .iter()
            .flat_map(|operation| &operation.parameters)
            .all(|parameter| parameter.declared)
    );
}

#[test]
fn strange_components_do_not_stop_it() {
    for components in ["[]", "{schemas: 1, responses: []}"] {
        let text = format!(
            "openapi: 3.1.0\ninfo: {{title: a, version: b}}\npaths: {{/a: {{get: {{responses: []}}}}}}\ncomponents: {components}\n"
        );
        let document = contract(&text).effective(&HOW);
        assert!(document.pointer("/components/schemas/GatewayProblem").is_some());
        assert_eq!(document["paths"]["/a"]["get"], json!({ "responses": [] }));
    }
}

#[test]
fn path_items_that_stand_elsewhere_are_published_too() {
    let text = "openapi: 3.1.0\ninfo: {title: a, version: b}\npaths: {/a: {$ref: '#/x-items/A'}}\nx-items: {A: {get: {security: [{old: []}]}}}\n";
    let document = contract(text).effective(&HOW);
    let operation = &document["x-items"]["A"]["get"];
    assert_eq!(operation.get("security"), None);
    assert!(operation["responses"].get("429").is_some());
}
