//! Which variant of a split a call gets.

use std::fmt::Write as _;
use std::net::IpAddr;

use domain::id::{ApplicationId, SubscriptionId};
use domain::release::{GivenCookie, SameSite, Split, SplitBy, Variant, VariantName};
use eval::bucketing::{Bucketing, Shares};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::action::OWN_FIELDS;
use crate::conditions::{cookie_name, cookies, header_name};
use crate::fault::{Fault, Faults};
use crate::path::normal_host;

mod why;

pub use why::Why;

/// How many variants there are.
const VARIANTS_MIN: usize = 2;
const VARIANTS_MAX: usize = 8;
/// The greatest weight of a variant.
const WEIGHT_MAX: u32 = 10_000;
/// The shortest and the longest life of a cookie, in seconds; browsers keep none for longer.
const AGE_MIN: u32 = 60;
const AGE_MAX: u32 = 400 * 86_400;

/// A split, compiled.
#[derive(Debug)]
pub struct Splitting {
    names: Box<[VariantName]>,
    weights: Box<[u32]>,
    shares: Shares,
    units: Units,
    given: Option<Given>,
    forced_header: Option<HeaderName>,
    forced_cookie: Option<Box<str>>,
    /// The field of answers that names the variant.
    pub answer_header: Option<HeaderName>,
}

/// What callers are told apart by, and how they are hashed.
#[derive(Debug)]
pub(crate) struct Units {
    bucketing: Bucketing,
    by: By,
}

#[derive(Debug)]
enum By {
    Application,
    Subscription,
    Header(HeaderName),
    Cookie(Box<str>),
    ClientAddress,
}

/// A cookie that is given, as far as it is always the same.
#[derive(Debug)]
struct Given {
    before: Box<str>,
    after: Box<str>,
}

/// What a call is told apart by.
#[derive(Debug, Clone, Copy)]
pub struct Unit<'a> {
    /// Its head, as policies have left it.
    pub headers: &'a HeaderMap,
    /// Its client.
    pub address: IpAddr,
    /// The id of the application whose key it carries.
    pub application: Option<ApplicationId>,
    /// The subscription that it falls under.
    pub subscription: Option<SubscriptionId>,
}

/// Which variant a call gets.
#[derive(Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its place in the split.
    pub variant: usize,
    /// Why it is this one.
    pub why: Why,
    /// `Set-Cookie` of the answer, for a client that has no cookie yet.
    pub cookie: Option<HeaderValue>,
}

impl Splitting {
    /// Compiles the split of a route with this id.
    ///
    /// # Errors
    /// Everything that is wrong with it; pointers begin with `/split`.
    pub fn compile(split: &Split, route: &str) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let compiled = Self::read(split, route, &mut faults);
        let compiled = compiled.ok_or(()).map_err(|()| std::mem::take(&mut faults.0))?;
        faults.or(compiled)
    }

    fn read(split: &Split, route: &str, faults: &mut Faults) -> Option<Self> {
        let shares = shares(&split.variants, faults);
        let key = split.key.as_ref().map_or(route, |key| key.as_str());
        let units = Units::compile(split.by, split.by_name.as_deref(), "/split/by_name", key, faults);
        let given = split.give_cookie.as_ref().and_then(|cookie| {
            if split.by != SplitBy::Cookie {
                faults.add(
                    "/split/give_cookie",
                    "combination_invalid",
                    "Callers are not told apart by a cookie.",
                    "Leave it out, or set `by` to `cookie`.",
                );
            }
            given(split.by_name.as_deref().unwrap_or_default(), cookie, faults)
        });
        let forced = split.forced_by.as_ref();
        if forced.is_some_and(|forced| forced.header.is_none() && forced.cookie.is_none()) {
            faults.add(
                "/split/forced_by",
                "field_invalid",
                "It names nothing by which a call could say what it wants.",
                "Name a `header` or a `cookie`, or leave it out.",
            );
        }
        let forced_header = forced.and_then(|forced| forced.header.as_deref());
        let forced_cookie = forced.and_then(|forced| forced.cookie.as_deref());
        let answer_header = split.answer_header.as_deref();
        let answer_header =
            answer_header.and_then(|name| named("/split/answer_header", name, header_name, faults));
        if let Some(name) = &answer_header
            && (OWN_FIELDS.contains(&name.as_str()) || name == http::header::SET_COOKIE)
        {
            faults.add(
                "/split/answer_header",
                "name_invalid",
                "This field says something else.",
                "Choose another name, as `X-Variant`.",
            );
        }
        Some(Self {
            names: split.variants.iter().map(|one| one.name).collect(),
            weights: split.variants.iter().map(|one| one.weight).collect(),
            given,
            forced_header: forced_header
                .and_then(|name| named("/split/forced_by/header", name, header_name, faults)),
            forced_cookie: forced_cookie
                .and_then(|name| named("/split/forced_by/cookie", name, cookie_name, faults)),
            answer_header,
            units: units?,
            shares: shares?,
        })
    }

    /// Chooses the variant of a call; `random` is asked for the value of a cookie that is given.
    pub fn choose(&self, unit: &Unit<'_>, random: impl FnOnce() -> u128) -> Chosen {
        if let Some((variant, why)) = self.forced(unit.headers) {
            return Chosen {
                variant,
                why,
                cookie: None,
            };
        }
        let by_hash = |hash, why: fn(u32) -> Why, cookie| Chosen {
            variant: self.shares.place(hash),
            why: why(hash),
            cookie,
        };
        if let Some(hash) = self.units.hash(unit) {
            return by_hash(hash, Why::Unit, None);
        }
        match &self.given {
            None => by_hash(self.units.of_address(unit.address), Why::Address, None),
            Some(given) => {
                let value = format!("{:032x}", random());
                let cookie = format!("{}{value}{}", given.before, given.after);
                let hash = self.units.bucketing.of(value.as_bytes());
                by_hash(hash, Why::Given, HeaderValue::from_str(&cookie).ok())
            }
        }
    }

    /// The variant that a head decides on by itself: it asks for one, or has what callers are told apart by.
    pub fn choose_by_head(&self, headers: &HeaderMap) -> Option<usize> {
        let said = match &self.units.by {
            By::Header(name) => headers.get(name).map(HeaderValue::as_bytes),
            By::Cookie(name) => cookies(headers, name).next(),
            _ => None,
        };
        let said = said.map(|said| self.shares.place(self.units.bucketing.of(said)));
        self.forced(headers).map(|(variant, _)| variant).or(said)
    }

    /// The variant that a call asks for, and by what.
    fn forced(&self, headers: &HeaderMap) -> Option<(usize, Why)> {
        let named = |wanted: &[u8]| {
            let mut names = self.names.iter();
            names.position(|name| name.as_str().as_bytes() == wanted)
        };
        let by_header = self.forced_header.as_ref();
        let by_header = by_header.and_then(|name| named(headers.get(name)?.as_bytes()));
        let by_cookie = || {
            let name = self.forced_cookie.as_deref()?;
            let variant = cookies(headers, name).find_map(named)?;
            Some((variant, Why::ForcedByCookie))
        };
        by_header
            .map(|variant| (variant, Why::ForcedByHeader))
            .or_else(by_cookie)
    }
}

impl Units {
    /// Reads what callers are told apart by; `pointer` is the place of the name.
    pub(crate) fn compile(
        by: SplitBy,
        name: Option<&str>,
        pointer: &str,
        key: &str,
        faults: &mut Faults,
    ) -> Option<Self> {
        Some(Self {
            by: self::by((by, name), pointer, faults)?,
            bucketing: Bucketing::new(key),
        })
    }

    /// Where a caller is; by its address if it lacks what callers are told apart by.
    pub(crate) fn hash_or_address(&self, unit: &Unit<'_>) -> u32 {
        self.hash(unit).unwrap_or_else(|| self.of_address(unit.address))
    }

    fn hash(&self, unit: &Unit<'_>) -> Option<u32> {
        let of = |bytes: &[u8]| self.bucketing.of(bytes);
        match &self.by {
            By::Application => unit.application.map(|id| of(&id.encoded())),
            By::Subscription => unit.subscription.map(|id| of(&id.encoded())),
            By::Header(name) => unit.headers.get(name).map(|value| of(value.as_bytes())),
            By::Cookie(name) => cookies(unit.headers, name).next().map(of),
            By::ClientAddress => Some(self.of_address(unit.address)),
        }
    }

    fn of_address(&self, address: IpAddr) -> u32 {
        match address {
            IpAddr::V4(address) => self.bucketing.of_text(address),
            // What follows is a client's to choose, and many change it all the time.
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                self.bucketing.of_text(std::net::Ipv6Addr::from_bits(network))
            }
        }
    }
}

fn shares(variants: &[Variant], faults: &mut Faults) -> Option<Shares> {
    if !(VARIANTS_MIN..=VARIANTS_MAX).contains(&variants.len()) {
        let found = variants.len();
        faults.add(
            "/split/variants",
            "field_out_of_range",
            format!("It has {found} entries; {VARIANTS_MIN} to {VARIANTS_MAX} are allowed."),
            "Change the number of entries; one service behind is an `upstream_id`.",
        );
    }
    for (index, variant) in variants.iter().enumerate() {
        if variant.weight > WEIGHT_MAX {
            faults.add(
                format!("/split/variants/{index}/weight"),
                "field_out_of_range",
                format!("{} is not between 0 and {WEIGHT_MAX}.", variant.weight),
                "Choose a number in that range.",
            );
        }
        if variants[..index].iter().any(|before| before.name == variant.name) {
            faults.add(
                format!("/split/variants/{index}/name"),
                "name_taken",
                format!("Another variant is called `{}`.", variant.name),
                "Choose another name.",
            );
        }
    }
    let weights: Vec<_> = variants.iter().map(|variant| variant.weight).collect();
    let shares = Shares::new(&weights);
    if shares.is_none() && !variants.is_empty() {
        faults.add(
            "/split/variants",
            "combination_invalid",
            "No variant has a weight, so no call could go anywhere.",
            "Give one of them a weight above 0.",
        );
    }
    shares
}

fn by(said: (SplitBy, Option<&str>), pointer: &str, faults: &mut Faults) -> Option<By> {
    match said {
        (SplitBy::Header, Some(name)) => named(pointer, name, header_name, faults).map(By::Header),
        (SplitBy::Cookie, Some(name)) => named(pointer, name, cookie_name, faults).map(By::Cookie),
        (SplitBy::Application, None) => Some(By::Application),
        (SplitBy::Subscription, None) => Some(By::Subscription),
        (SplitBy::ClientAddress, None) => Some(By::ClientAddress),
        _ => {
            faults.add(
                pointer,
                "combination_invalid",
                "`header` and `cookie` need a name, nothing else has one.",
                "Name the header field or the cookie, or remove the name.",
            );
            None
        }
    }
}

fn named<N>(
    pointer: &str,
    name: &str,
    read: fn(&str) -> Result<N, &'static str>,
    faults: &mut Faults,
) -> Option<N> {
    let read = read(name);
    read.map_err(|detail| {
        faults.add(
            pointer,
            "name_invalid",
            detail,
            "Use letters, digits and hyphens, at most 200.",
        );
    })
    .ok()
}

/// Source: RFC 6265bis, sections 4.1.2 (attributes) and 4.1.3 (prefixes of names).
fn given(name: &str, cookie: &GivenCookie, faults: &mut Faults) -> Option<Given> {
    let at = |field: &str| format!("/split/give_cookie/{field}");
    if !(AGE_MIN..=AGE_MAX).contains(&cookie.max_age_seconds) {
        faults.add(
            at("max_age_seconds"),
            "field_out_of_range",
            format!(
                "{} is not between {AGE_MIN} and {AGE_MAX}.",
                cookie.max_age_seconds
            ),
            "Choose a number in that range.",
        );
    }
    let is_path = cookie.path.starts_with('/')
        && cookie.path.len() <= 500
        && cookie
            .path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b';');
    if !is_path {
        faults.add(
            at("path"),
            "field_invalid",
            "It is no path.",
            "Begin it with a slash; `/` is for all paths.",
        );
    }
    prefixed(name, cookie, faults);
    let mut after = format!("; Path={}; Max-Age={}", cookie.path, cookie.max_age_seconds);
    if let Some(domain) = &cookie.domain {
        match normal_host(domain) {
            Ok(domain) if !domain.starts_with('*') => {
                let _ = write!(after, "; Domain={domain}");
            }
            _ => faults.add(
                at("domain"),
                "host_invalid",
                "It is not a host.",
                "Write a DNS name, as `example.com`; it holds for all below it.",
            ),
        }
    }
    after.push_str(match cookie.same_site {
        SameSite::Strict => "; SameSite=Strict",
        SameSite::Lax => "; SameSite=Lax",
        SameSite::None => "; SameSite=None",
    });
    if cookie.secure {
        after.push_str("; Secure");
    }
    if cookie.http_only {
        after.push_str("; HttpOnly");
    }
    Some(Given {
        before: format!("{name}=").into(),
        after: after.into(),
    })
}

/// What browsers want of a cookie with such a name.
fn prefixed(name: &str, cookie: &GivenCookie, faults: &mut Faults) {
    let at = |field: &str| format!("/split/give_cookie/{field}");
    let is_for_host = name.starts_with("__Host-");
    let needs_secure = is_for_host || name.starts_with("__Secure-") || cookie.same_site == SameSite::None;
    if needs_secure && !cookie.secure {
        faults.add(
            at("secure"),
            "combination_invalid",
            "Browsers take such a cookie only if it is `secure`.",
            "Set it, or choose another `same_site` or name.",
        );
    }
    if is_for_host && (cookie.domain.is_some() || cookie.path != "/") {
        faults.add(
            at("path"),
            "combination_invalid",
            "Browsers take a cookie `__Host-…` only with the path `/` and without a domain.",
            "Change them, or choose another name.",
        );
    }
}

#[cfg(test)]
mod tests;
