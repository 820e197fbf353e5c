//! Where a route is.

use crate::fault::{Fault, Faults};
use crate::path::{normal_base_path, normal_host};

/// The normal forms of a route's host and base path, `/` for none.
///
/// # Errors
/// Everything that is wrong with them.
pub fn place(host: Option<&str>, base_path: &str) -> Result<(Option<String>, String), Vec<Fault>> {
    let mut faults = Faults::default();
    let is_any_host = host.is_none();
    let host = host.map(normal_host).transpose().unwrap_or_else(|detail| {
        let suggestion = "Write a DNS name without port, as `api.example.com` or `*.example.com`.";
        faults.add("/host", "host_invalid", detail, suggestion);
        None
    });
    let base_path = normal_base_path(base_path, is_any_host).unwrap_or_else(|detail| {
        let suggestion = "Write it as `/shop`, or `/` for none.";
        faults.add("/base_path", "path_invalid", detail, suggestion);
        String::new()
    });
    faults.or((host, base_path))
}
