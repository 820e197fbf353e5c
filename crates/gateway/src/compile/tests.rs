use std::sync::Arc;

use domain::Snapshot;
use domain::catalog::Stage;
use domain::id::{ApiId, OperationId, OrganizationId, PolicyId, RouteId, UpstreamId, VersionId};
use domain::release::Importance;
use domain::routing::Match;
use domain::snapshot::{Operation, Policy, Route, Upstream};
use domain::traffic::{Target, UpstreamSpec};
use http::{HeaderMap, Method};
use routing::Request;
use serde_json::json;
use uuid::Uuid;

use super::{Compiled, Matched, Rejected, compile};

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn route(number: u128, host: Option<&str>, base_path: &str) -> Route {
    let operation = |index: u128, method: &str, path: &str| Operation {
        id: OperationId::new(id(number * 100 + index)),
        method: method.to_owned(),
        path: path.to_owned(),
    };
    Route {
        id: RouteId::new(id(number)),
        organization: OrganizationId::new(id(1)),
        api: ApiId::new(id(2)),
        api_name: "shop".parse().unwrap(),
        version: VersionId::new(id(3)),
        stage: Stage::Stable,
        deprecated_at: None,
        sunset_at: None,
        host: host.map(str::to_owned),
        base_path: base_path.to_owned(),
        matches: Match::default(),
        priority: 0,
        upstream: Some(UpstreamId::new(id(4))),
        split: None,
        redirect: None,
        answer: None,
        rewrite: None,
        connect: None,
        mirror: None,
        importance: Importance::default(),
        body_bytes_max: 100,
        operations: vec![
            operation(1, "GET", "/pets/{id}"),
            operation(2, "DELETE", "/pets/{name}"),
            operation(3, "GET", "/pets/mine"),
            operation(4, "POST", "/pets/mine"),
        ],
        policies: Vec::new(),
    }
}

fn snapshot(routes: Vec<Route>) -> Snapshot {
    let upstream = Upstream {
        id: UpstreamId::new(id(4)),
        spec: UpstreamSpec::new("shop".parse().unwrap(), vec![Target::new("http://127.0.0.1:1")]),
    };
    Snapshot {
        revision: 1,
        upstreams: vec![upstream],
        routes,
        ..Snapshot::empty("sandbox".parse().unwrap())
    }
}

fn compiled(routes: Vec<Route>) -> Result<Compiled, Rejected> {
    compile(&snapshot(routes), &"sandbox".parse().unwrap(), None)
}

/// What a request matches, in short: route and operation, or why not.
fn find(compiled: &Compiled, host: &str, method: &Method, path: &str) -> String {
    let number = |route: usize| compiled.routes[route].place.route.uuid().as_u128();
    let headers = HeaderMap::new();
    let request = Request {
        method,
        host,
        authority: b"",
        path,
        query: "",
        headers: &headers,
        certificate: None,
        flags: None,
    };
    match compiled.find(&request, |_, _| ()) {
        Matched::Operation {
            route,
            operation,
            rest,
        } => {
            format!(
                "{} {} {}",
                number(route),
                operation.id.uuid().as_u128() % 100,
                &path[rest..]
            )
        }
        Matched::Tunnel { route } => format!("{} tunnel", number(route)),
        Matched::OtherMethods { route, allow, .. } => format!("{} {allow}", number(route)),
        Matched::NoOperation { route } => format!("{} none", number(route)),
        Matched::Answered { route, .. } => format!("{} answers", number(route)),
        Matched::NoRoute => "none".to_owned(),
    }
}

#[test]
fn the_longest_base_path_of_the_host_wins() {
    let routes = vec![
        route(10, None, "/shop"),
        route(11, None, "/shop/v2"),
        route(12, Some("A.example"), "/"),
        route(13, Some("b.example"), "/shop"),
        route(14, None, "/"),
    ];
    let compiled = compiled(routes).unwrap();
    let table = [
        ("any", "/shop/pets/1", "10 1 /pets/1"),
        ("any", "/shop/v2/pets/1", "11 1 /pets/1"),
        ("any", "/shop/v20/pets/1", "10 none"),
        ("any", "/shopping/pets", "14 none"),
        ("any", "/pets/mine", "14 3 /pets/mine"),
        ("a.example", "/shop/pets/1", "12 none"),
        ("a.example", "/pets/1", "12 1 /pets/1"),
        ("b.example", "/shop/pets/1", "13 1 /pets/1"),
        ("b.example", "/pets/1", "14 1 /pets/1"),
        ("any", "/health/ready", "none"),
        ("any", "/metrics", "none"),
        ("a.example", "/metrics", "12 none"),
    ];
    for (host, path, expected) in table {
        assert_eq!(
            find(&compiled, host, &Method::GET, path),
            expected,
            "{host} {path}"
        );
    }
}

#[test]
fn the_method_may_choose_a_less_specific_path() {
    let compiled = compiled(vec![route(10, None, "/shop")]).unwrap();
    let table = [
        (Method::GET, "/shop/pets/mine", "10 3 /pets/mine"),
        (Method::HEAD, "/shop/pets/mine", "10 3 /pets/mine"),
        (Method::DELETE, "/shop/pets/mine", "10 2 /pets/mine"),
        (Method::PUT, "/shop/pets/mine", "10 GET, HEAD, POST, DELETE"),
        (Method::PUT, "/shop/pets/7", "10 GET, HEAD, DELETE"),
    ];
    for (method, path, expected) in table {
        assert_eq!(find(&compiled, "any", &method, path), expected, "{method} {path}");
    }
}

#[test]
fn what_cannot_be_served_is_rejected() {
    let text = |routes| compiled(routes).unwrap_err().to_string();
    let twice = text(vec![route(10, None, "/shop"), route(11, None, "/shop/")]);
    assert!(
        twice.ends_with("have the same host, base path and conditions"),
        "{twice}"
    );
    assert!(text(vec![route(10, None, "/health")]).contains("/base_path: `/health` is"));
    assert!(text(vec![route(10, None, "shop")]).contains("/base_path: It does not begin"));
    let mut unknown = route(10, None, "/shop");
    unknown.policies.push(Policy {
        id: None,
        operation: None,
        kind: "magic".to_owned(),
        config: json!({}),
        audience: None,
    });
    assert!(text(vec![unknown]).contains("policy `magic`"));
    let mut invalid = route(10, None, "/shop");
    invalid.policies.push(Policy {
        id: None,
        operation: None,
        kind: "body_limit".to_owned(),
        config: json!({}),
        audience: None,
    });
    assert!(text(vec![invalid]).contains("missing field `bytes`"));
    let mut no_upstream = snapshot(vec![route(10, None, "/shop")]);
    no_upstream.upstreams.clear();
    let environment = "sandbox".parse().unwrap();
    assert!(matches!(
        compile(&no_upstream, &environment, None),
        Err(Rejected::NoUpstream { .. })
    ));
    let mut no_target = snapshot(Vec::new());
    no_target.upstreams[0].spec.targets.clear();
    assert!(matches!(
        compile(&no_target, &environment, None),
        Err(Rejected::Upstream { .. })
    ));
    let other = compile(&snapshot(Vec::new()), &"production".parse().unwrap(), None);
    assert!(matches!(other, Err(Rejected::Environment { .. })));
    let newer = Snapshot {
        format: 2,
        ..snapshot(Vec::new())
    };
    assert!(matches!(
        compile(&newer, &environment, None),
        Err(Rejected::Format { found: 2 })
    ));
}

#[test]
fn the_most_special_key_auth_holds() {
    let mut special = route(10, None, "/shop");
    let key_auth = |number: Option<u128>, operation: Option<u128>| Policy {
        id: number.map(|number| PolicyId::new(id(number))),
        operation: operation.map(|operation| OperationId::new(id(operation))),
        kind: "key_auth".to_owned(),
        config: json!({ "header": format!("X-{}", number.unwrap_or(0)) }),
        audience: None,
    };
    special.policies = vec![
        key_auth(Some(2), Some(1003)),
        key_auth(Some(1), None),
        key_auth(None, None),
    ];
    let compiled = compiled(vec![special, route(11, None, "/bare")]).unwrap();
    let header = |route: usize, path: &str| {
        let operation = compiled.routes[route].operations.find(&Method::GET, path);
        format!("{:?}", operation.unwrap().chain.policies)
    };
    assert!(header(0, "/pets/mine").contains("\"x-2\""));
    assert!(header(0, "/pets/7").contains("\"x-1\""));
    assert!(header(1, "/pets/7").contains("\"x-api-key\""));
}

#[test]
fn chains_that_do_the_same_tell_their_own_policies() {
    let policed = |number: u128, base_path, policy: u128| {
        let mut route = route(number, None, base_path);
        route.policies.push(Policy {
            id: Some(PolicyId::new(id(policy))),
            operation: None,
            kind: "body_limit".to_owned(),
            config: json!({ "bytes": 100 }),
            audience: None,
        });
        route
    };
    let compiled = compiled(vec![
        policed(10, "/shop", 1),
        policed(11, "/cart", 2),
        policed(12, "/basket", 1),
    ])
    .unwrap();
    let chain = |route: usize| {
        let operation = compiled.routes[route].operations.find(&Method::GET, "/pets/7");
        Arc::clone(&operation.unwrap().chain)
    };
    let told = |route| chain(route).steps.iter().filter_map(|step| step.policy).next();
    assert_eq!(told(0), Some(PolicyId::new(id(1))));
    assert_eq!(told(1), Some(PolicyId::new(id(2))));
    // What is the same to its last word stands in memory once.
    assert!(Arc::ptr_eq(&chain(0), &chain(2)));
    assert!(!Arc::ptr_eq(&chain(0), &chain(1)));
}
