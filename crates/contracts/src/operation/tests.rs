use crate::{Contract, Limits, Operation, ParameterPlace, read};

fn contract(version: &str, rest: &str) -> Contract {
    let text = format!("openapi: {version}\ninfo: {{title: a, version: b}}\n{rest}");
    read(&text, &Limits::default()).unwrap_or_else(|refusal| panic!("{refusal}: {:#?}", refusal.findings))
}

fn names(operations: &[Operation]) -> Vec<String> {
    operations
        .iter()
        .map(|operation| format!("{} {} {}", operation.name, operation.method, operation.path))
        .collect()
}

/// The warnings with their pointers; hints are left out.
fn warnings(contract: &Contract) -> Vec<(&str, &str)> {
    contract
        .findings
        .iter()
        .filter(|finding| finding.severity == crate::Severity::Warning)
        .map(|finding| (finding.code.as_str(), finding.pointer.as_str()))
        .collect()
}

#[test]
fn operations_are_named() {
    let contract = contract(
        "3.0.0",
        "paths:
  /: {get: {}}
  /pets: {get: {operationId: listPets}, post: {}}
  /pets/{pet_id}/photos/{name}.{format}: {get: {}}
  /pets-photos: {post: {operationId: ' '}}
  /pets_photos: {post: {}}
  /ä/%20: {delete: {operationId: post_pets}}
  x-internal: {get: {}}
",
    );
    assert_eq!(
        names(&contract.operations),
        [
            "get_root GET /",
            "listPets GET /pets",
            "post_pets_2 POST /pets",
            "get_pets_pet_id_photos_name_format GET /pets/{pet_id}/photos/{name}.{format}",
            "post_pets_photos POST /pets-photos",
            "post_pets_photos_2 POST /pets_photos",
            "post_pets DELETE /ä/%20",
        ]
    );
}

#[test]
fn what_is_said_of_an_operation_is_read() {
    let contract = contract(
        "3.1.0",
        "security: [{key: []}]
paths:
  /pets/{id}:
    parameters:
      - {$ref: '#/components/parameters/Id'}
      - {name: trace, in: header}
    get:
      summary: ' One pet '
      description: About it.
      tags: [pets, 7]
      deprecated: true
      security: [{}, {key: [], oauth: [read]}]
      parameters:
        - {name: trace, in: header, required: true, description: own}
        - {name: page, in: query}
      responses: {}
    delete: {responses: {}}
components:
  parameters:
    Id: {name: id, in: path, required: true}
  securitySchemes: {key: {}, oauth: {}}
",
    );
    let [get, delete] = contract.operations.as_slice() else {
        panic!("two operations")
    };
    assert_eq!(get.pointer, "/paths/~1pets~1{id}/get");
    assert_eq!(
        (get.summary.as_str(), get.description.as_str()),
        ("One pet", "About it.")
    );
    assert_eq!(get.tags, ["pets", "7"]);
    assert!(get.deprecated && !delete.deprecated);
    assert_eq!(get.security, [vec![], vec!["key".to_owned(), "oauth".to_owned()]]);
    assert_eq!(delete.security, [["key"]]);
    let parameters: Vec<_> = get
        .parameters
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.place, parameter.required))
        .collect();
    assert_eq!(
        parameters,
        [
            ("id", ParameterPlace::Path, true),
            ("trace", ParameterPlace::Header, true),
            ("page", ParameterPlace::Query, false),
        ]
    );
    assert_eq!(warnings(&contract), []);
}

#[test]
fn sloppy_operations_are_served_and_remarked() {
    let cases = [
        (
            "/a/{id}: {get: {responses: {}}}",
            ("parameter_undeclared", "/paths/~1a~1{id}/get"),
        ),
        (
            "/a: {get: {responses: {}, parameters: [{name: id, in: path}]}}",
            ("parameter_unused", "/paths/~1a/get/parameters/0"),
        ),
        (
            "/a: {get: {responses: {}, parameters: [{name: id}]}}",
            ("parameter_incomplete", "/paths/~1a/get/parameters/0"),
        ),
        (
            "/a: {get: {responses: {}, parameters: [{name: b, in: query}, {name: b, in: query}]}}",
            ("parameter_duplicate", "/paths/~1a/get/parameters/1"),
        ),
        (
            "/a: {get: {responses: {}, parameters: {}}}",
            ("type_wrong", "/paths/~1a/get/parameters"),
        ),
        ("/a: {get: }", ("operation_empty", "/paths/~1a/get")),
        ("/a: {GET: {responses: {}}}", ("method_invalid", "/paths/~1a/GET")),
        (
            "/a?b=c: {get: {responses: {}}}",
            ("path_with_query", "/paths/~1a?b=c"),
        ),
        (
            "/a: {get: {responses: {}, security: [{none: []}]}}",
            ("security_scheme_unknown", "/paths/~1a/get/security"),
        ),
        (
            "/{a+}: {get: {responses: {}, parameters: [{name: a, in: path}]}}",
            ("path_parameter_rest", "/paths/~1{a+}"),
        ),
        (
            "/{a}/{a}: {get: {responses: {}, parameters: [{name: a, in: path}]}}",
            ("path_parameter_twice", "/paths/~1{a}~1{a}"),
        ),
    ];
    for (path, warning) in cases {
        let contract = contract("3.1.0", &format!("paths:\n  {path}\n"));
        assert_eq!(warnings(&contract), [warning], "{path}");
        assert_eq!(contract.operations.len(), 1, "{path}");
        assert_eq!(contract.operations[0].method, "GET", "{path}");
    }
}

#[test]
fn a_forgotten_path_parameter_is_known_from_the_path() {
    let contract = contract(
        "3.0.0",
        "paths:\n  /{a}/{b}: {get: {parameters: [{name: b, in: path}]}}\n",
    );
    let parameters: Vec<_> = contract.operations[0]
        .parameters
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.declared))
        .collect();
    assert_eq!(parameters, [("a", false), ("b", true)]);
}

#[test]
fn what_the_document_tells_apart_is_merged() {
    let fragments = contract(
        "3.0.0",
        "paths:
  /#one: {post: {operationId: one}}
  /#two: {post: {operationId: two}}
  /objects?list: {get: {operationId: list}}
  /objects: {get: {operationId: read}}
",
    );
    assert_eq!(names(&fragments.operations), ["one POST /", "read GET /objects"]);
    assert!(
        fragments
            .findings
            .iter()
            .any(|f| f.code == "operation_merged" && f.detail.contains("`one`"))
    );

    let formats = contract(
        "3.0.0",
        "paths:
  /pets/{id}:
    get: {operationId: by_id, parameters: [{name: id, in: path, schema: {type: string, format: uuid}}]}
  /pets/{name}:
    get: {operationId: by_name, parameters: [{name: name, in: path, schema: {$ref: '#/components/schemas/Name'}}]}
    put: {operationId: rename, parameters: [{name: name, in: path}]}
components: {schemas: {Name: {type: string}}}
",
    );
    assert_eq!(
        names(&formats.operations),
        ["by_id GET /pets/{id}", "rename PUT /pets/{name}"]
    );
}

#[test]
fn path_items_may_be_referred_to() {
    let contract = contract(
        "3.1.0",
        "paths:
  /a: {$ref: '#/components/pathItems/A'}
  /b: {$ref: '#/components/pathItems/A', put: {operationId: own}}
components:
  pathItems:
    A: {$ref: '#/components/pathItems/B'}
    B: {get: {operationId: read}}
",
    );
    assert_eq!(
        names(&contract.operations),
        ["read GET /a", "own PUT /b", "read_2 GET /b"]
    );
    assert_eq!(contract.operations[0].pointer, "/components/pathItems/B/get");
}

#[test]
fn openapi_3_2_has_more_methods() {
    let paths =
        "paths:\n  /a:\n    query: {}\n    additionalOperations: {COPY: {}, CONNECT: {}, 'a b': {}}\n";
    let contract32 = contract("3.2.0", paths);
    assert_eq!(
        names(&contract32.operations),
        ["query_a QUERY /a", "copy_a COPY /a"]
    );
    assert_eq!(
        warnings(&contract32)
            .iter()
            .filter(|(code, _)| *code == "method_invalid")
            .count(),
        2
    );
    assert_eq!(contract("3.1.0", paths).operations, []);
}

#[test]
fn oddities_of_paths_are_hinted_at() {
    let contract = contract(
        "3.0.0",
        "paths:\n  /a b: {get: {}}\n  /x/{y}: {get: {}}\n  /x/{z}: {put: {}}\n",
    );
    let hints: Vec<_> = contract
        .findings
        .iter()
        .filter(|finding| finding.code.starts_with("path_"))
        .map(|finding| (finding.code.as_str(), finding.line))
        .collect();
    assert_eq!(hints, [("path_characters", 4), ("path_equivalent", 6)]);
    assert_eq!(contract.operations.len(), 3);
}
