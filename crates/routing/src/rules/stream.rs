//! Stream routes.

use crate::fault::{Fault, Faults};
use crate::path::normal_host;

/// The most hosts of a stream route.
const HOSTS_MAX: usize = 100;
/// The shortest silence after which a stream may be closed: a second.
pub(crate) const IDLE_MS_MIN: u32 = 1_000;
/// The longest: a day.
pub(crate) const IDLE_MS_MAX: u32 = 86_400_000;
/// The most connections that a bound may let a node have.
const CONNECTIONS_MAX: u32 = 1_000_000;

/// Everything that is wrong with a stream route; hosts get their normal form.
pub fn stream(port: Option<u16>, hosts: &mut [String], (idle_ms, connections_max): (u32, u32)) -> Vec<Fault> {
    let mut faults = Faults::default();
    self::hosts(&mut faults, hosts);
    match port {
        Some(port) => faults.range("/port", port, 1, u16::MAX),
        None if hosts.is_empty() => faults.add(
            "/port",
            "field_missing",
            "Without hosts, it would take whatever comes to every port.",
            "Name the port, or the hosts that clients name in TLS.",
        ),
        None => {}
    }
    faults.range("/idle_ms", idle_ms, IDLE_MS_MIN, IDLE_MS_MAX);
    faults.range("/connections_max", connections_max, 0, CONNECTIONS_MAX);
    faults.0
}

fn hosts(faults: &mut Faults, hosts: &mut [String]) {
    faults.count("/hosts", hosts.len(), 0, HOSTS_MAX);
    for index in 0..hosts.len().min(HOSTS_MAX) {
        let pointer = format!("/hosts/{index}");
        match normal_host(&hosts[index]) {
            Ok(normal) => hosts[index] = normal,
            Err(detail) => faults.add(
                pointer.clone(),
                "host_invalid",
                detail,
                "Write a DNS name without port, as `db.example.com` or `*.example.com`.",
            ),
        }
        if hosts[..index].contains(&hosts[index]) {
            faults.add(
                pointer,
                "field_twice",
                "The host stands there twice.",
                "Remove one.",
            );
        }
    }
}
