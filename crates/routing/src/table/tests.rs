use domain::catalog::Stage;
use domain::id::{ApiId, OrganizationId, RouteId, UpstreamId, VersionId};
use domain::release::Importance;
use domain::snapshot::Route;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Invalid, Request, Table};
use crate::{is_below, normal};

fn route(number: u128, host: Option<&str>, base_path: &str, matches: &Value, priority: i32) -> Route {
    let id = Uuid::from_u128;
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
        matches: serde_json::from_value(matches.clone()).unwrap(),
        priority,
        upstream: Some(UpstreamId::new(id(4))),
        split: None,
        redirect: None,
        answer: None,
        rewrite: None,
        connect: None,
        mirror: None,
        importance: Importance::default(),
        body_bytes_max: 100,
        operations: Vec::new(),
        policies: Vec::new(),
    }
}

#[test]
fn tunnels_and_calls_take_nothing_from_each_other() {
    let none = json!({});
    let mut routes = [
        route(1, Some("a.test"), "/", &none, 0),
        route(2, Some("a.test"), "", &none, 0),
        route(3, Some("*.b.test"), "/", &none, 0),
    ];
    for route in &mut routes[1..] {
        route.connect = Some(domain::routing::Connect::default());
    }
    let table = Table::compile(&routes, None).unwrap();
    let find = |method, host, path| {
        let request = Request {
            method,
            host,
            authority: b"",
            path,
            query: "",
            headers: &HeaderMap::new(),
            certificate: None,
            flags: None,
        };
        table.find(&request).map(|found| found.route)
    };
    let (call, tunnel) = (&Method::POST, &Method::CONNECT);
    assert_eq!(
        [
            find(call, "a.test", "/x"),
            find(call, "x.b.test", "/"),
            find(tunnel, "a.test", ""),
            find(tunnel, "x.b.test", ""),
            find(tunnel, "c.test", ""),
        ],
        [Some(0), None, Some(1), Some(2), None]
    );
    routes[2].host = routes[1].host.clone();
    assert!(matches!(
        Table::compile(&routes, None),
        Err(Invalid::Twice { .. })
    ));
}

fn header(name: &str) -> Value {
    json!({ "headers": [{ "name": name, "kind": "present" }] })
}

/// The routes that a request with these fields is offered to, the winner last with a star.
fn tried(table: &Table, routes: &[Route], host: &str, path: &str, fields: &[&str]) -> String {
    let mut headers = HeaderMap::new();
    for name in fields {
        headers.insert(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_static("1"),
        );
    }
    let request = Request {
        method: &Method::GET,
        host,
        authority: b"",
        path,
        query: "",
        headers: &headers,
        certificate: None,
        flags: None,
    };
    let mut tried = Vec::new();
    let found = table.walk(&request, &mut |candidate| {
        let fits = candidate.check(&request).is_ok();
        let star = if fits { "*" } else { "" };
        tried.push(format!("{}{star}", routes[candidate.route].id.uuid().as_u128()));
        fits
    });
    assert_eq!(
        found.map(|found| found.route),
        table.find(&request).map(|found| found.route)
    );
    tried.join(" ")
}

#[test]
fn the_most_exact_host_comes_first() {
    let none = json!({});
    let routes = [
        route(10, None, "/", &none, 0),
        route(11, Some("*.example.com"), "/", &none, 0),
        route(12, Some("*.eu.example.com"), "/", &none, 0),
        route(13, Some("a.eu.example.com"), "/shop", &none, 0),
        route(14, Some("*.com"), "/only", &none, 0),
    ];
    let table = Table::compile(&routes, None).unwrap();
    for (host, path, expected) in [
        ("a.eu.example.com", "/shop/x", "13*"),
        ("a.eu.example.com", "/x", "12*"),
        ("b.eu.example.com", "/shop", "12*"),
        ("x.b.eu.example.com", "/shop", "12*"),
        ("us.example.com", "/shop", "11*"),
        ("example.com", "/shop", "10*"),
        ("example.com", "/only/x", "14*"),
        ("badexample.com", "/x", "10*"),
        ("eu.example.com", "/x", "11*"),
        ("com", "/only", "10*"),
        ("", "/x", "10*"),
        ("", "/metrics", ""),
        ("us.example.com", "/metrics", "11*"),
    ] {
        assert_eq!(tried(&table, &routes, host, path, &[]), expected, "{host} {path}");
    }
}

#[test]
fn a_base_path_is_itself_however_it_is_written() {
    let none = json!({});
    let routes = [
        route(10, None, "/", &none, 0),
        route(11, None, "/secret", &none, 0),
        route(12, None, "/secret/v1", &none, 0),
    ];
    let table = Table::compile(&routes, None).unwrap();
    let find = |path: &str| {
        let request = Request {
            method: &Method::GET,
            host: "",
            authority: b"",
            path,
            query: "",
            headers: &HeaderMap::new(),
            certificate: None,
            flags: None,
        };
        let found = table.find(&request).unwrap();
        (
            routes[found.route].id.uuid().as_u128(),
            path[found.base..].to_owned(),
        )
    };
    for (path, number, rest) in [
        ("/secret/a", 11, "/a"),
        ("/%73ecret/a", 11, "/a"),
        ("/%73%65%63%72%65%74", 11, ""),
        ("/secre%74/%FF/%61", 11, "/%FF/%61"),
        ("/%73ecret/v%31/%61", 12, "/%61"),
        ("/secret/v%2531", 11, "/v%2531"),
        // An encoded slash parts no segments, and what is encoded twice is something else.
        ("/secret%2Fv1", 10, "/secret%2Fv1"),
        ("/%2573ecret", 10, "/%2573ecret"),
        ("/secret%FF", 10, "/secret%FF"),
        ("/%53ecret", 10, "/%53ecret"),
    ] {
        assert_eq!(find(path), (number, rest.to_owned()), "{path}");
    }
}

#[test]
fn routes_of_a_place_are_tried_by_priority_conditions_and_age() {
    let two = json!({ "headers": [{ "name": "a", "kind": "present" }, { "name": "b", "kind": "present" }] });
    let routes = [
        route(10, None, "/shop", &json!({}), 0),
        route(13, None, "/shop", &header("b"), 0),
        route(12, None, "/shop", &header("c"), 0),
        route(14, None, "/shop", &two, 0),
        route(15, None, "/shop", &header("d"), 5),
        route(16, None, "/shop", &header("e"), -5),
        route(17, None, "/shop/deep", &header("f"), -9),
        route(18, Some("h.example"), "/shop", &header("g"), 0),
    ];
    // The other way round it is the same.
    for is_reversed in [false, true] {
        let mut routes = routes.to_vec();
        if is_reversed {
            routes.reverse();
        }
        let table = Table::compile(&routes, None).unwrap();
        for (host, path, fields, expected) in [
            ("", "/shop/x", &[][..], "15 14 12 13 10*"),
            ("", "/shop/x", &["a", "b"], "15 14*"),
            ("", "/shop/x", &["b", "d"], "15*"),
            ("", "/shop/deep/x", &[], "17 15 14 12 13 10*"),
            ("", "/shop/deep/x", &["f"], "17*"),
            ("", "/shop/deeper", &["f"], "15 14 12 13 10*"),
            ("h.example", "/shop", &[], "18 15 14 12 13 10*"),
            ("h.example", "/shop", &["g"], "18*"),
            ("", "/", &[], ""),
        ] {
            assert_eq!(
                tried(&table, &routes, host, path, fields),
                expected,
                "{host} {path} {fields:?}"
            );
        }
    }
}

#[test]
fn what_cannot_stand_together_is_refused() {
    let none = json!({});
    let refused = |routes: &[Route]| Table::compile(routes, None).unwrap_err();
    let twice = [
        route(10, None, "/shop", &none, 0),
        route(11, None, "/shop/", &none, 7),
    ];
    assert!(matches!(refused(&twice), Invalid::Twice { .. }));
    let same = [
        route(10, Some("A.example"), "/shop", &header("X"), 0),
        route(11, Some("a.example"), "/shop", &header("x"), 0),
    ];
    assert!(matches!(refused(&same), Invalid::Twice { .. }));
    let host = [route(10, Some("a*.example"), "/shop", &none, 0)];
    assert!(matches!(refused(&host), Invalid::Route { .. }));
    for base_path in ["/health", "/metrics/x", "shop"] {
        let base_path = [route(10, None, base_path, &none, 0)];
        assert!(matches!(refused(&base_path), Invalid::Route { .. }));
    }
    let conditions = [route(10, None, "/shop", &json!({ "methods": ["get"] }), 0)];
    assert!(refused(&conditions).to_string().contains("/match/methods/0"));
}

#[test]
fn conditions_that_stay_are_not_compiled_again() {
    let routes = |name: &str| [route(10, None, "/shop", &header(name), 0)];
    let first = Table::compile(&routes("a"), None).unwrap();
    let same = Table::compile(&routes("a"), Some(&first)).unwrap();
    let other = Table::compile(&routes("b"), Some(&first)).unwrap();
    let of = |table: &Table| std::sync::Arc::as_ptr(&table.compiled.values().next().unwrap().conditions);
    assert_eq!(of(&first), of(&same));
    assert_ne!(of(&first), of(&other));
}

/// What the table says, by looking at every route.
fn by_looking(routes: &[Route], host: &str, path: &str, fields: &[&str]) -> Option<usize> {
    let mut best: Option<(usize, _)> = None;
    for (index, route) in routes.iter().enumerate() {
        let host_rank = match route.host.as_deref() {
            None => 0,
            Some(wildcard) if wildcard.starts_with("*.") && host.ends_with(&wildcard[1..]) => wildcard.len(),
            Some(exact) if exact == host => 1000,
            Some(_) => continue,
        };
        let base = route.base_path.trim_end_matches('/');
        let has = |name: &str| fields.contains(&name);
        if !is_below(&normal(path), base) || !route.matches.headers.iter().all(|field| has(&field.name)) {
            continue;
        }
        let rank = (
            host_rank,
            base.len(),
            route.priority,
            route.matches.conditions(),
            std::cmp::Reverse(route.id),
        );
        if best.as_ref().is_none_or(|(_, known)| rank > *known) {
            best = Some((index, rank));
        }
    }
    best.map(|(index, _)| index)
}

fn host() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a.x.test", "b.x.test", "x.test", "test", "y.a.x.test"])
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 0..4)
        .prop_map(|segments| segments.iter().map(|segment| format!("/{segment}")).collect())
}

/// A path as clients may write it.
fn written() -> impl Strategy<Value = String> {
    let segments = vec![
        "a", "b", "ab", "%61", "%62", "a%62", "%61b", "a%2Fb", "%2561", "a%FF", "%",
    ];
    prop::collection::vec(prop::sample::select(segments), 0..4)
        .prop_map(|segments| segments.iter().map(|segment| format!("/{segment}")).collect())
}

fn fields() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["h1", "h2"], 0..=2)
}

proptest! {
    #[test]
    fn the_table_finds_what_looking_at_every_route_finds(
        drawn in prop::collection::vec(
            (prop::option::of(host()), any::<bool>(), path(), fields(), -1..2_i32), 0..40),
        asked in prop::collection::vec((host(), written(), fields()), 1..20),
    ) {
        let mut routes: Vec<Route> = Vec::new();
        for (index, (host, is_wildcard, path, fields, priority)) in drawn.into_iter().enumerate() {
            let host = host.map(|host| if is_wildcard { format!("*.{host}") } else { host.to_owned() });
            let fields: Vec<Value> =
                fields.iter().map(|name| json!({ "name": name, "kind": "present" })).collect();
            let path = if path.is_empty() { "/" } else { &path };
            let made = route(index as u128 + 1, host.as_deref(), path, &json!({ "headers": fields }), priority);
            let same = |other: &&Route| (&other.host, &other.base_path, &other.matches)
                == (&made.host, &made.base_path, &made.matches);
            if !routes.iter().any(|other| same(&other)) {
                routes.push(made);
            }
        }
        let table = Table::compile(&routes, None).unwrap();
        for (host, path, fields) in asked {
            let path = if path.is_empty() { "/".to_owned() } else { path };
            let mut headers = HeaderMap::new();
            for name in &fields {
                headers.insert(*name, HeaderValue::from_static("1"));
            }
            let request = Request { method: &Method::GET, host, authority: b"", path: &path, query: "", headers: &headers, certificate: None, flags: None };
            let found = table.find(&request);
            let route = found.map(|found| found.route);
            prop_assert_eq!(route, by_looking(&routes, host, &path, &fields), "{} {} {:?}", host, path, fields);
            if let Some(found) = found {
                let base_path = routes[found.route].base_path.trim_end_matches('/');
                prop_assert_eq!(normal(&path[..found.base]), base_path, "what is removed is the base path");
            }
        }
    }
}
