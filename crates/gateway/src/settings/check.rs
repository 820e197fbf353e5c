//! What cannot be set: limits that cannot hold, and settings that nothing would heed.

use super::{Limits, Protocols, Settings};
use crate::proxies::Says;

/// The most calls that a core remembers.
const RECENT_CALLS_MAX: u64 = 100_000;
/// The most routes with figures of their own.
const ROUTE_SERIES_MAX: u64 = 10_000;
/// The longest time to drain, a day.
const DRAIN_SECONDS_MAX: u64 = 86_400;
/// The smallest and the largest head of a request, in bytes.
const HEAD_BYTES: (u64, u64) = (1_024, 262_144);
/// The most header fields of a request.
const FIELDS_MAX: u64 = 1_000;

/// A setting of a node cannot hold, or nothing would heed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gateway.{name}: {reason}")]
pub struct Unfit {
    /// The setting below `gateway`.
    pub name: String,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

impl Unfit {
    fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            reason: reason.into(),
        }
    }
}

impl Settings {
    /// Checks what types cannot say: bounds, and that whatever is set has an effect.
    ///
    /// A node does not start with others, nor change to them while it runs.
    ///
    /// # Errors
    /// The first setting that is wrong, with what to do.
    pub fn check(&self) -> Result<(), Unfit> {
        self.limits.check()?;
        let limits = &self.limits;
        let (least, most) = HEAD_BYTES;
        for (name, value, least, most) in [
            ("recent_calls", self.recent_calls as u64, 0, RECENT_CALLS_MAX),
            ("route_series", self.route_series as u64, 0, ROUTE_SERIES_MAX),
            ("drain_seconds", self.drain_seconds.into(), 0, DRAIN_SECONDS_MAX),
            (
                "limits.connections_max",
                limits.connections_max as u64,
                1,
                u64::MAX,
            ),
            ("limits.head_bytes_max", limits.head_bytes_max as u64, least, most),
            ("limits.fields_max", limits.fields_max as u64, 1, FIELDS_MAX),
            ("limits.streams_max", limits.streams_max.into(), 1, u64::MAX),
        ] {
            if !(least..=most).contains(&value) {
                let reason = match most {
                    u64::MAX => format!("{value} is less than {least}"),
                    most => format!("{value} is not from {least} to {most}"),
                };
                return Err(Unfit::new(name, reason));
            }
        }
        self.check_tls()?;
        self.check_http3()?;
        if self.trusted_header != Says::default() && self.trusted_proxies.is_empty() {
            let reason =
                "nobody is believed without `gateway.trusted_proxies`; name the proxies, or remove it";
            return Err(Unfit::new("trusted_header", reason));
        }
        match &self.targets_directory {
            Some(directory) if !directory.is_dir() => {
                let reason = format!("{} is no directory; make it, or remove this", directory.display());
                Err(Unfit::new("targets_directory", reason))
            }
            _ => Ok(()),
        }
    }

    /// Wants somebody to be shown the certificate, or asked for theirs.
    fn check_tls(&self) -> Result<(), Unfit> {
        let is_set = [
            ("certificate", self.certificate.is_some()),
            ("client_certificates", self.client_certificates.is_some()),
        ];
        let Some((name, _)) = is_set.into_iter().find(|(_, is_set)| *is_set) else {
            return Ok(());
        };
        let listeners = self.all_listeners();
        if listeners.iter().any(|listener| self.ends_tls(listener)) {
            return Ok(());
        }
        let reason =
            "no listener ends TLS; set `gateway.listen_tls` or a listener with `tls = true`, or remove it";
        Err(Unfit::new(name, reason))
    }

    /// Wants HTTP/3 to be served somewhere if it is enabled.
    fn check_http3(&self) -> Result<(), Unfit> {
        let listeners = self.all_listeners();
        if !self.http3.enabled || listeners.iter().any(|listener| self.has_http3(listener)) {
            return Ok(());
        }
        let could = |protocols: Protocols, tls: bool| tls && protocols == Protocols::Http;
        let reason = if listeners.iter().any(|one| could(one.protocols, one.tls)) {
            "every listener with TLS has `proxy_protocol`, and datagrams have no PROXY header; add one without, or turn it off"
        } else {
            "no listener serves HTTP over TLS; set `gateway.listen_tls` or a listener with `tls = true`, or turn it off"
        };
        Err(Unfit::new("http3.enabled", reason))
    }
}

impl Limits {
    fn check(&self) -> Result<(), Unfit> {
        for (name, rate) in [("rate", self.rate), ("address_rate", self.address_rate)] {
            if let Some((field, reason)) = rate.and_then(|rate| rate.faults().into_iter().next()) {
                return Err(Unfit::new(
                    format!("limits.{name}{}", field.replace('/', ".")),
                    reason,
                ));
            }
        }
        if !(1..=128).contains(&self.ipv6_prefix) {
            return Err(Unfit::new("limits.ipv6_prefix", "from 1 to 128"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
