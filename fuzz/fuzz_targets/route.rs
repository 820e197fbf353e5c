//! Routes and a path: what the table finds is what looking at every route finds.

#![no_main]

use std::cmp::Reverse;

use domain::id::{ApiId, OrganizationId, RouteId, UpstreamId, VersionId};
use domain::routing::{FieldKind, FieldMatch, Match, PathKind, PathMatch};
use domain::snapshot::Route;
use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;
use routing::{Conditions, Request, Table, check_path, is_below};
use uuid::Uuid;

const HOSTS: [Option<&str>; 6] =
    [None, Some("a.test"), Some("b.a.test"), Some("*.test"), Some("*.a.test"), Some("*.b.a.test")];

/// A route of a line: two bytes for host, priority, kind of condition, then base path and, behind a blank, value.
fn route(number: usize, line: &[u8]) -> Option<Route> {
    let (&[host, kind], text) = line.split_first_chunk()?;
    let text = std::str::from_utf8(text).ok()?;
    let (base_path, value) = text.split_once(' ').unwrap_or((text, ""));
    if base_path.len() > 500 || base_path.contains(['?', '#']) || !base_path.starts_with('/') {
        return None;
    }
    let path = |kind| Some(PathMatch { kind, value: value.to_owned() });
    let mut matches = Match::default();
    match kind % 6 {
        0 => {}
        1 => matches.path = path(PathKind::Exact),
        2 => matches.path = path(PathKind::Prefix),
        3 => matches.path = path(PathKind::Template),
        4 => matches.path = path(PathKind::Regex),
        _ => {
            matches.query = vec![FieldMatch {
                name: "q".to_owned(),
                kind: FieldKind::Exact,
                value: Some(value.to_owned()),
                not: kind & 64 != 0,
            }];
        }
    }
    let id = Uuid::from_u128;
    let route = serde_json::json!({
        "id": RouteId::new(id(number as u128 + 1)),
        "organization": OrganizationId::new(id(1)),
        "api": ApiId::new(id(2)),
        "api_name": "shop",
        "version": VersionId::new(id(3)),
        "stage": "stable",
        "host": HOSTS[usize::from(host) % HOSTS.len()],
        "base_path": base_path,
        "match": matches,
        "priority": host / 64,
        "upstream": UpstreamId::new(id(4)),
        "body_bytes_max": 100,
        "operations": [],
        "policies": [],
    });
    serde_json::from_value(route).ok()
}

/// How well a host fits; none if it does not.
fn host_rank(route: &Route, host: &str) -> Option<usize> {
    match route.host.as_deref() {
        None => Some(0),
        Some(wildcard) if wildcard.starts_with("*.") => {
            host.ends_with(&wildcard[1..]).then_some(wildcard.len())
        }
        Some(exact) => (exact == host).then_some(1000),
    }
}

/// A path with what a base path may have of characters decoded, since it means the same then (RFC 3986 section 6.2.2.2).
fn decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let character = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).map(char::from);
        match character.filter(|known| known.is_ascii_alphanumeric() || "-._~!$&'()+,;=:@".contains(*known)) {
            Some(character) => {
                decoded.push(character);
                decoded.push_str(&part[2..]);
            }
            None => {
                decoded.push('%');
                decoded.push_str(part);
            }
        }
    }
    decoded
}

fn by_looking(routes: &[Route], request: &Request<'_>) -> Option<usize> {
    let fits = |route: &Route| {
        let base = route.base_path.trim_end_matches('/');
        let is_ours = ["health", "metrics", ".well-known"]
            .contains(&request.path.split('/').nth(1).unwrap_or_default());
        is_below(&decoded(request.path), base)
            && !(route.host.is_none() && base.is_empty() && is_ours)
            && Conditions::compile(&route.matches, (route.organization, &route.base_path))
                .is_ok_and(|conditions| conditions.check(request).is_ok())
    };
    let ranked = routes.iter().enumerate().filter(|(_, route)| fits(route));
    let ranked = ranked.filter_map(|(index, route)| {
        let base = route.base_path.trim_end_matches('/').len();
        let conditions = route.matches.conditions();
        let rank = (host_rank(route, request.host)?, base, route.priority, conditions, Reverse(route.id));
        Some((rank, index))
    });
    ranked.max().map(|(_, index)| index)
}

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let Some(Ok(target)) = lines.next().map(std::str::from_utf8) else {
        return;
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !path.starts_with('/') || check_path(path).is_err() {
        return;
    }
    let routes: Vec<Route> =
        lines.take(12).enumerate().filter_map(|(number, line)| route(number, line)).collect();
    let Ok(table) = Table::compile(&routes, None) else {
        return;
    };
    let again = Table::compile(&routes, Some(&table)).expect("it was compiled before");
    let headers = HeaderMap::new();
    for host in ["", "a.test", "b.a.test", "c.b.a.test", "other.example"] {
        let request = Request { method: &Method::GET, host, authority: b"", path, query, headers: &headers, certificate: None, flags: None };
        let found = table.find(&request).map(|found| found.route);
        assert_eq!(found, by_looking(&routes, &request), "{host} {path}");
        assert_eq!(again.find(&request).map(|found| found.route), found, "what was compiled before");
    }
});
