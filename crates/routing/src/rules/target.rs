//! The targets of an upstream.

use std::net::IpAddr;

use domain::traffic::{Resolve, Target};
use domain::upstream::STREAM_SCHEME;
use url::{Host, Url};

use crate::fault::Faults;

/// The most characters of a target's URL.
const URL_MAX: usize = 2000;
/// The greatest weight of a target.
const WEIGHT_MAX: u32 = 1000;
/// The greatest number of a target's priority.
const PRIORITY_MAX: u8 = 9;

/// Brings the URLs of targets into their normal form; `place` is where they stand, `max` how many there may be.
pub(super) fn check(faults: &mut Faults, place: &str, (targets, max): (&mut [Target], usize)) {
    faults.count(place, targets.len(), 1, max);
    let streams = targets
        .iter()
        .filter(|target| target.url.trim().starts_with(STREAM_SCHEME));
    if !matches!(streams.count(), count if count == 0 || count == targets.len()) {
        faults.add(
            place,
            "combination_invalid",
            "Some are at `tcp://`, others are not.",
            "Make one upstream for stream routes and another one for routes.",
        );
    }
    for (index, target) in targets.iter_mut().take(max).enumerate() {
        let pointer = format!("{place}/{index}/url");
        match target_url(&target.url) {
            Ok(url) => target.url = url,
            Err(detail) => faults.add(
                pointer,
                "url_invalid",
                detail,
                "Write it as `http://127.0.0.1:9000/base`: scheme, host, and port and path if needed; for stream routes as `tcp://127.0.0.1:5432`.",
            ),
        }
        faults.range(&format!("{place}/{index}/weight"), target.weight, 1, WEIGHT_MAX);
        if let Some((detail, suggestion)) = wrong_name(target) {
            faults.add(
                format!("{place}/{index}/resolve"),
                "combination_invalid",
                detail,
                suggestion,
            );
        }
        let priority = format!("{place}/{index}/priority");
        faults.range(&priority, target.priority, 0, PRIORITY_MAX);
    }
}

/// Why the host of a target's URL cannot be looked up as it says, if so, and what to do.
fn wrong_name(target: &Target) -> Option<(&'static str, &'static str)> {
    let url = Url::parse(&target.url).ok()?;
    // What is at `tcp://` is a name to this reader, whatever it is.
    let is_address = |host: &str| host.parse::<IpAddr>().is_ok();
    match (target.resolve, url.host()?) {
        (Resolve::System, _) => None,
        (_, Host::Domain(host)) if is_address(host) => Some((
            "Its host is an address, which is not looked up.",
            "Remove it, or write a name.",
        )),
        (_, Host::Ipv4(_) | Host::Ipv6(_)) => Some((
            "Its host is an address, which is not looked up.",
            "Remove it, or write a name.",
        )),
        (Resolve::Srv, _) if url.port().is_some() => Some((
            "The records of a service say the port.",
            "Remove the port from the URL.",
        )),
        _ => None,
    }
}

/// The normal form of a target's URL, without a slash at the end; or what is wrong with it.
pub fn target_url(text: &str) -> Result<String, String> {
    if text.len() > URL_MAX {
        return Err(format!("It has more than {URL_MAX} characters."));
    }
    let url = Url::parse(text.trim()).map_err(|error| format!("It is not a URL: {error}."))?;
    let is_stream = url.scheme() == "tcp";
    if !is_stream && !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` is not spoken to upstreams.", url.scheme()));
    }
    if is_stream && (url.port().is_none() || !matches!(url.path(), "" | "/")) {
        return Err("At `tcp://` there are a host and a port, and no path.".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "Credentials do not belong into it: everybody who may read it would see them.".to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("A query or fragment has no meaning in it.".to_owned());
    }
    match url.host() {
        None => return Err("It has no host.".to_owned()),
        Some(Host::Domain("")) => return Err("Its host is empty.".to_owned()),
        Some(Host::Domain(host)) if !host.chars().all(is_of_name) || (is_stream && host.len() > 253) => {
            return Err("Its host is not a name.".to_owned());
        }
        Some(_) => {}
    }
    if url.port() == Some(0) {
        return Err("Port 0 cannot be connected to.".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Underscores are in no host name (RFC 1123), but in names that container networks give.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._".contains(character)
}

#[cfg(test)]
mod tests;
