use domain::id::{StreamRouteId, UpstreamId};
use domain::snapshot::{Snapshot, StreamRoute};
use uuid::Uuid;

use super::{Invalid, Streams};

fn route(number: u128, port: Option<u16>, hosts: &[&str]) -> StreamRoute {
    StreamRoute {
        id: StreamRouteId::new(Uuid::from_u128(number)),
        port,
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        upstream: UpstreamId::new(Uuid::from_u128(1)),
        idle_ms: 1000,
        connections_max: 1,
    }
}

fn compile(routes: Vec<StreamRoute>, http: &[&str], previous: Option<&Streams>) -> Result<Streams, Invalid> {
    let mut snapshot = Snapshot::empty("sandbox".parse().unwrap());
    snapshot.streams = routes;
    snapshot.certificates = vec![domain::snapshot::Certificate {
        id: domain::id::CertificateId::new(Uuid::from_u128(1)),
        revision: 1,
        hosts: http.iter().map(|host| (*host).to_owned()).collect(),
        chain: String::new(),
        sealed_key: String::new(),
        client_auth: None,
    }];
    let upstream = |id: UpstreamId| match id.uuid().as_u128() {
        1 => Some((7, true)),
        2 => Some((8, false)),
        _ => None,
    };
    Streams::compile(&snapshot, upstream, previous).map_err(|(_, why)| why)
}

#[test]
fn the_most_exact_name_takes_a_connection() {
    let routes = vec![
        route(1, None, &["db.example.com", "*.example.com"]),
        route(2, Some(8443), &["db.example.com"]),
        route(3, Some(8443), &["*.eu.example.com"]),
        route(4, Some(5432), &[]),
    ];
    let streams = compile(routes, &["www.example.com", "*.shop.example.com"], None).unwrap();
    let table = [
        (443, "db.example.com", Some(1)),
        (443, "other.example.com", Some(1)),
        (443, "a.eu.example.com", Some(1)),
        (443, "example.com", None),
        (443, "www.example.com", None),
        (443, "a.shop.example.com", None),
        (443, "a.www.example.com", Some(1)),
        (443, "elsewhere.test", None),
        (443, "", None),
        (8443, "db.example.com", Some(2)),
        (8443, "other.example.com", Some(1)),
        (8443, "a.b.eu.example.com", Some(3)),
        (8443, "www.example.com", None),
        (5432, "db.example.com", Some(1)),
    ];
    for (port, host, wanted) in table {
        let found = streams
            .of_host(port, host)
            .map(|stream| stream.id.uuid().as_u128());
        assert_eq!(found, wanted, "{host}:{port}");
    }
    let rest = |port| streams.of_port(port).map(|stream| stream.id.uuid().as_u128());
    assert_eq!([rest(443), rest(8443), rest(5432)], [None, None, Some(4)]);
}

#[test]
fn what_cannot_be_served_is_refused() {
    let id = |number| StreamRouteId::new(Uuid::from_u128(number));
    let upstream = |number| UpstreamId::new(Uuid::from_u128(number));
    let with = |number| StreamRoute {
        upstream: upstream(number),
        ..route(1, Some(1), &[])
    };
    let table = [
        (vec![with(3)], Invalid::NoUpstream(upstream(3))),
        (vec![with(2)], Invalid::Http(upstream(2))),
        (
            vec![route(1, Some(1), &[]), route(2, Some(1), &[])],
            Invalid::Twice { other: id(1) },
        ),
        (
            vec![route(1, None, &["a.b"]), route(2, None, &["A.b"])],
            Invalid::Twice { other: id(1) },
        ),
        (
            vec![route(1, Some(1), &["*.b"]), route(2, Some(1), &["*.b"])],
            Invalid::Twice { other: id(1) },
        ),
    ];
    for (routes, why) in table {
        assert_eq!(compile(routes, &[], None).err(), Some(why));
    }
    let bound = |idle_ms, connections_max| StreamRoute {
        idle_ms,
        connections_max,
        ..route(1, Some(1), &[])
    };
    for (route, pointer) in [
        (route(1, None, &[]), "/port"),
        (route(1, Some(0), &[]), "/port"),
        (route(1, None, &["a.*.example"]), "/hosts/0"),
        (route(1, None, &["a.b", "A.b"]), "/hosts/1"),
        (bound(999, 0), "/idle_ms"),
        (bound(1_000, 1_000_001), "/connections_max"),
    ] {
        match compile(vec![route], &[], None) {
            Err(Invalid::Rules(faults)) => assert_eq!(faults[0].pointer, pointer),
            other => panic!("{pointer}: {other:?}"),
        }
    }
    assert!(compile(Vec::new(), &["a.b"], None).unwrap().is_empty());
}

#[test]
fn open_connections_are_counted_over_changes() {
    let first = compile(vec![route(1, Some(1), &[])], &[], None).unwrap();
    let entered = first.of_port(1).unwrap().enter();
    assert!(entered.is_some() && first.of_port(1).unwrap().enter().is_none());
    let next = compile(vec![route(1, Some(2), &[])], &[], Some(&first)).unwrap();
    assert!(next.of_port(2).unwrap().enter().is_none());
    drop(entered);
    assert!(next.of_port(2).unwrap().enter().is_some());
}
