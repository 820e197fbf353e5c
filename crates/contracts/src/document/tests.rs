use serde_json::json;

use crate::{Format, Limits, Reason, Severity, read};

const HEAD: &str = "openapi: 3.1.0\ninfo: {title: Pets, version: 1.2.0}\n";

/// Document (`HEAD` stands for a good beginning of two lines), code, pointer, line and column.
const REFUSED: &[(&str, &str, &str, u32, u32)] = &[
    ("[]", "not_openapi", "", 1, 1),
    ("just text", "not_openapi", "", 1, 1),
    ("info: {}\npaths: {}", "not_openapi", "", 1, 1),
    ("asyncapi: 3.0.0", "not_openapi", "", 1, 1),
    ("info: {}\nswagger: '2.0'", "swagger_2", "/swagger", 2, 1),
    ("openapi: 4.0.0", "openapi_version_unsupported", "/openapi", 1, 10),
    ("openapi: {}", "openapi_version_unsupported", "/openapi", 1, 10),
    ("openapi: 3.1.0\npaths: {}", "info_missing", "", 1, 1),
    (
        "openapi: 3.1.0\ninfo: x\npaths: {}",
        "structure_wrong",
        "/info",
        2,
        7,
    ),
    (
        "openapi: 3.0.0\ninfo: {title: a, version: b}",
        "paths_missing",
        "",
        1,
        1,
    ),
    ("HEAD", "paths_missing", "", 1, 1),
    ("HEADpaths: []", "structure_wrong", "/paths", 3, 1),
    (
        "HEADpaths:\n  pets: {}",
        "path_without_slash",
        "/paths/pets",
        4,
        3,
    ),
    (
        "HEADpaths:\n  /pets/{id: {}",
        "path_braces_unbalanced",
        "/paths/~1pets~1{id",
        4,
        3,
    ),
    (
        "HEADpaths:\n  /pets/{}: {}",
        "path_parameter_unnamed",
        "/paths/~1pets~1{}",
        4,
        3,
    ),
    (
        "HEADpaths:\n  /pets/{id}: {get: {}}\n  /pets/{name}:\n    get: {}",
        "operation_duplicate",
        "/paths/~1pets~1{name}/get",
        6,
        5,
    ),
    (
        "HEADpaths:\n  /a: {get: {operationId: x}}\n  /b:\n    get:\n      operationId: x",
        "operation_id_duplicate",
        "/paths/~1b/get/operationId",
        7,
        7,
    ),
    (
        "HEADpaths:\n  /a:\n    get: {}\n    get: {}",
        "key_duplicate",
        "/paths/~1a/get",
        6,
        5,
    ),
    (
        "HEADpaths:\n  /a: {$ref: other.yaml}",
        "reference_external_path",
        "/paths/~1a/$ref",
        4,
        14,
    ),
    (
        "HEADpaths:\n  /a: {$ref: '#/b'}",
        "reference_unresolved",
        "/paths/~1a/$ref",
        4,
        14,
    ),
    (
        "HEADpaths:\n  /a: {$ref: '#/paths/~1a'}",
        "reference_circular",
        "/paths/~1a/$ref",
        4,
        14,
    ),
    (
        "HEADpaths:\n  /a:\n    get:\n      responses:\n        200:\n          $ref: '#/components/responses/Ok'",
        "reference_unresolved",
        "/paths/~1a/get/responses/200/$ref",
        8,
        17,
    ),
];

#[test]
fn what_is_refused_says_where_and_what_to_do() {
    for &(text, code, pointer, line, column) in REFUSED {
        let text = text.replace("HEAD", HEAD);
        let refusal = read(&text, &Limits::default()).expect_err(&text);
        let finding = &refusal.findings[0];
        assert_eq!(
            (
                finding.code.as_str(),
                finding.pointer.as_str(),
                finding.line,
                finding.column
            ),
            (code, pointer, line, column),
            "{text}"
        );
        assert_eq!(
            (refusal.reason, finding.severity),
            (Reason::Invalid, Severity::Error),
            "{text}"
        );
        assert!(
            !finding.detail.is_empty() && !finding.suggestion.is_empty(),
            "{text}"
        );
    }
}

#[test]
fn every_error_of_a_document_is_listed() {
    let text = "openapi: 3.0.0\npaths:\n  a: {}\n  /{b: {}\n";
    let refusal = read(text, &Limits::default()).unwrap_err();
    let codes: Vec<_> = refusal
        .findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect();
    assert_eq!(
        codes,
        ["info_missing", "path_without_slash", "path_braces_unbalanced"]
    );
}

#[test]
fn versions_of_openapi_are_told_apart() {
    for (version, format) in [
        ("3.0.0", Format::OpenApi30),
        ("3.0.3", Format::OpenApi30),
        ("3.1.0", Format::OpenApi31),
        ("'3.1.1'", Format::OpenApi31),
        ("3.1", Format::OpenApi31),
        ("3", Format::OpenApi30),
        ("3.2.0", Format::OpenApi32),
    ] {
        let text = format!("openapi: {version}\ninfo: {{title: a, version: 1.10}}\npaths: {{}}\n");
        let contract = read(&text, &Limits::default()).unwrap();
        assert_eq!(contract.format, format, "{version}");
        assert_eq!(contract.version, "1.10");
    }
}

#[test]
fn a_document_without_paths_may_be_about_webhooks_or_components() {
    for part in ["webhooks: {}", "components: {}"] {
        let contract = read(&format!("{HEAD}{part}\n"), &Limits::default()).unwrap();
        assert_eq!(contract.operations, []);
        assert_eq!(contract.findings[0].code, "operations_none");
    }
}

#[test]
fn sloppy_heads_are_remarked() {
    let text = "openapi: 3.0\ninfo: {version: }\nservers: {}\npaths: {/a: }\n";
    let contract = read(text, &Limits::default()).unwrap();
    assert_eq!((contract.title.as_str(), contract.version.as_str()), ("", ""));
    let codes: Vec<_> = contract
        .findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect();
    assert_eq!(
        codes,
        [
            "title_missing",
            "info_version_missing",
            "type_wrong",
            "type_wrong",
            "operations_none",
            "openapi_version_not_text"
        ]
    );
}

#[test]
fn servers_get_their_defaults() {
    let text = format!(
        "{HEAD}servers:\n  - url: https://{{region}}.example.com:{{port}}/v1\n    variables:\n      region: {{default: eu}}\n      port: {{default: 8443}}\n  - {{url: /relative}}\n  - {{url: 'http://{{unknown}}/'}}\n  - {{}}\npaths: {{}}\n"
    );
    let contract = read(&text, &Limits::default()).unwrap();
    assert_eq!(
        contract.servers,
        ["https://eu.example.com:8443/v1", "/relative", "http://{unknown}/"]
    );
    let codes: Vec<_> = contract
        .findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.pointer.as_str()))
        .collect();
    assert_eq!(
        codes,
        [
            ("server_variable_undefined", "/servers/2/url"),
            ("type_wrong", "/servers/3"),
            ("operations_none", "/paths")
        ]
    );
}

#[test]
fn yaml_and_json_of_the_same_document_are_the_same_contract() {
    let yaml = "openapi: 3.1.0\ninfo: {title: Pets, version: 1.0.0, description: About pets}\npaths:\n  /pets/{id}:\n    get:\n      operationId: read\n      tags: [pets]\n      responses:\n        200: {description: ok}\n";
    let json = json!({
        "openapi": "3.1.0",
        "info": { "title": "Pets", "version": "1.0.0", "description": "About pets" },
        "paths": { "/pets/{id}": { "get": {
            "operationId": "read", "tags": ["pets"], "responses": { "200": { "description": "ok" } },
        } } },
    });
    let from_yaml = read(yaml, &Limits::default()).unwrap();
    let from_json = read(&json.to_string(), &Limits::default()).unwrap();
    assert_eq!(from_yaml.to_json(), json);
    assert_eq!(from_json.to_json(), json);
    assert_eq!(from_yaml.operations, from_json.operations);
    let again = read(&from_json.to_json().to_string(), &Limits::default()).unwrap();
    assert_eq!(again, from_json);
}
