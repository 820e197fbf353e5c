//! Where notifications may go, and how receivers know that they are ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::alert::AlertTarget;
use domain::id::AlertChannelId;
use lettre::Address;
use url::{Host, Url};

use crate::Control;
use crate::resource::fault::Faults;
use crate::secret::Purpose;

/// The most characters of a webhook's URL.
const URL_CHARS_MAX: usize = 2000;
/// The most mailboxes of a channel.
const MAILBOXES_MAX: usize = 20;

/// Says what is wrong with a target.
pub(crate) fn check(control: &crate::alert::AlertSettings, target: &AlertTarget, faults: &mut Faults) {
    match target {
        AlertTarget::Webhook { url, .. } => {
            if let Err(why) = webhook(control.allows_private, url) {
                let suggestion =
                    "Use the address of a server on the internet, as `https://hooks.example.com/alerts`.";
                faults.add("/target/url", "url_refused", why, suggestion);
            }
        }
        AlertTarget::Email { to } => {
            if control.mail.is_none() {
                let detail = "This installation sends no mail: `alerts.mail` is not set.";
                faults.add(
                    "/target/kind",
                    "mail_off",
                    detail,
                    "Use a webhook, or set `alerts.mail`.",
                );
            }
            faults.count("/target/to", to.len(), 1, MAILBOXES_MAX);
            for (place, address) in to.iter().enumerate() {
                if address.parse::<Address>().is_err() {
                    let detail = "It is not the address of a mailbox.";
                    let suggestion = "Write it as `team@example.com`, without a name.";
                    faults.add(
                        &format!("/target/to/{place}"),
                        "field_invalid",
                        detail,
                        suggestion,
                    );
                }
            }
        }
    }
}

/// The URL of a webhook, if one may be called there.
pub(super) fn webhook(allows_private: bool, text: &str) -> Result<Url, String> {
    if text.chars().count() > URL_CHARS_MAX {
        return Err(format!("It has more than {URL_CHARS_MAX} characters."));
    }
    let url = Url::parse(text).map_err(|error| format!("It is not a URL: {error}."))?;
    match url.scheme() {
        "https" => {}
        "http" if allows_private => {}
        "http" => return Err("It is not encrypted.".to_owned()),
        _ => return Err("It is not an `https` URL.".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("It has a name or a password in front of the host.".to_owned());
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) => None,
        None => return Err("It has no host.".to_owned()),
    };
    if !allows_private && address.is_some_and(|address| !is_public(address)) {
        return Err("Its address is not one of the public internet.".to_owned());
    }
    Ok(url)
}

/// Whether an address may be that of a server on the internet (the special-purpose registries of RFC 6890).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

/// Of the addresses of IPv6 only 2000::/3 is given out.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_documentation = (a == 0x2001 && b == 0xdb8) || (a == 0x3fff && b < 0x1000);
    let is_of_protocols = a == 0x2001 && b < 0x200;
    (0x2000..0x4000).contains(&a) && !is_documentation && !is_of_protocols
}

/// The IPv4 address that stands for an IPv6 one: mapped, compatible, NAT64 (RFC 6052) and 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([one, two], [three, four]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(one, two, three, four)
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0 | 0xffff) => Some(v4(g, h)),
        (0x64, 0xff9b, 0, 0, 0, 0) => Some(v4(g, h)),
        (0x2002, ..) => Some(v4(b, c)),
        _ => None,
    }
}

/// A channel's secret: it follows from those of the installation, so that nothing of it is stored.
pub(crate) fn secret(control: &Control, channel: AlertChannelId, number: i64) -> String {
    format!("whsec_{}", STANDARD.encode(key(control, channel, number)))
}

/// The key that a channel's webhooks are signed with.
pub(super) fn key(control: &Control, channel: AlertChannelId, number: i64) -> [u8; 32] {
    let about = format!("{channel}:{number}");
    control.secrets().mac(Purpose::Webhook, about.as_bytes())
}

#[cfg(test)]
mod tests;
