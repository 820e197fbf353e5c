//! What flags give to calls that pass a gateway: asked by routes and policies, counted once for each call.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::net::IpAddr;

use domain::id::{ApplicationId, EventTypeId, KeyId, OrganizationId, SubscriptionId};
use domain::{Name, Timestamp};
use http::HeaderMap;
use http::header::COOKIE;

use crate::attributes::Attributes;
use crate::audience::{Audience, Outside, Place, Sources, Wanted};
use crate::set::{Looked, Set};
use crate::sets::Sets;

/// The attributes that are known of calls without being taken from somewhere; the first four of every call, the others
/// once it is known who calls.
pub(crate) const KNOWN: [&str; 9] = [
    "method",
    "host",
    "path",
    "remote_address",
    "application_id",
    "organization_id",
    "subscription_id",
    "plan",
    "key_id",
];

/// What stays the same of a call on its way.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'r> {
    /// Its method.
    pub method: &'r str,
    /// The host without port, in lower case; empty if none is named.
    pub host: &'r str,
    /// The whole path.
    pub path: &'r str,
    /// The query without its question mark.
    pub query: &'r str,
    /// The client's address, if it is known.
    pub address: Option<IpAddr>,
    /// When it came.
    pub now: Timestamp,
}

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'r> {
    /// The program.
    pub application: ApplicationId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its right to call.
    pub subscription: SubscriptionId,
    /// The plan's name.
    pub plan: &'r str,
    /// The key that was used.
    pub key: KeyId,
}

/// What a call is like at the moment.
#[derive(Debug, Clone, Copy)]
pub struct Head<'r> {
    /// Its header fields.
    pub headers: &'r HeaderMap,
    /// Who calls, if that is known yet.
    pub caller: Option<Caller<'r>>,
}

/// Answers for the flags of a call.
pub trait Ask: fmt::Debug {
    /// Whether a call is of an audience of an organization; the first part that does not hold is told.
    ///
    /// # Errors
    /// It is not.
    fn fits(&self, organization: OrganizationId, audience: &Audience, head: Head<'_>) -> Result<(), Outside>;

    /// The variants that a call gets of flags of an organization, in the order of their keys; `None` for flags that are
    /// not there.
    fn variants(
        &self,
        organization: OrganizationId,
        flags: (&[Box<str>], &Sources),
        head: Head<'_>,
    ) -> Vec<Option<&str>>;
}

/// What one call is told of flags; the same question is answered once.
#[derive(Debug)]
pub struct Asking<'s> {
    sets: &'s Sets,
    facts: Facts<'s>,
    found: RefCell<Vec<Found<'s>>>,
    /// How many of them were told.
    told: Cell<usize>,
}

/// What a call got of a flag.
#[derive(Debug)]
struct Found<'s> {
    set: &'s Set,
    /// The attributes' sources, and whether it was known who calls.
    known: (u64, bool),
    looked: Looked<'s>,
    /// Which unit it is, if that decided.
    unit: Option<Box<str>>,
}

/// A variant that a call was given.
#[derive(Debug, Clone, Copy)]
pub struct Exposed<'s> {
    /// Whose flag it is.
    pub organization: OrganizationId,
    /// The environment's name.
    pub environment: &'s Name,
    /// The organization's type of events for it.
    pub event_type: EventTypeId,
    /// The flag's key.
    pub flag: &'s str,
    /// The flag's version.
    pub version: u64,
    /// The variant.
    pub variant: &'s str,
    /// The attribute that says who it is.
    pub by: &'s str,
    /// Its value.
    pub unit: &'s str,
}

impl<'s> Asking<'s> {
    /// Begins to answer for a call.
    pub const fn new(sets: &'s Sets, facts: Facts<'s>) -> Self {
        Self {
            sets,
            facts,
            found: RefCell::new(Vec::new()),
            told: Cell::new(0),
        }
    }

    /// What stays the same of the call.
    pub const fn facts(&self) -> &Facts<'s> {
        &self.facts
    }

    /// Counts what was given since this was called before, and hands on what depended on who it is.
    pub fn tell(&self, mut take: impl FnMut(&Exposed<'_>)) {
        let found = self.found.borrow();
        for place in self.told.replace(found.len())..found.len() {
            let one = &found[place];
            if found[..place].iter().any(|other| other.gives_the_same(one)) {
                continue;
            }
            one.set.note(&one.looked);
            let unit = one.looked.by.zip(one.unit.as_deref());
            if let (Some((by, unit)), Some(event_type)) = (unit, one.set.exposures()) {
                take(&Exposed {
                    organization: one.set.organization(),
                    environment: one.set.environment(),
                    event_type,
                    flag: one.looked.key,
                    version: one.looked.version,
                    variant: one.looked.variant,
                    by,
                    unit,
                });
            }
        }
    }

    /// What a call gets of a flag, if there is one; `subject` is made only if it was not asked before.
    fn look<'x>(
        &self,
        set: &'s Set,
        (key, known): (&str, (u64, bool)),
        subject: impl FnOnce() -> (&'x Attributes<'x>, &'x eval::Subject<'x>),
    ) -> Option<Looked<'s>> {
        let before = {
            let found = self.found.borrow();
            let mut same = found
                .iter()
                .filter(|it| it.known == known && it.looked.key == key);
            same.find(|it| std::ptr::eq(it.set, set)).map(|it| it.looked)
        };
        if before.is_some() {
            return before;
        }
        let (attributes, subject) = subject();
        let looked = set.look(key, subject)?;
        let unit = looked.by.and_then(|by| attributes.text(by));
        self.found.borrow_mut().push(Found {
            set,
            known,
            looked,
            unit: unit.map(Into::into),
        });
        Some(looked)
    }

    /// What is known of a call, made when it is needed first.
    fn asked<'x>(
        &'x self,
        set: &Set,
        (sources, head): (&'x Sources, Head<'x>),
        (attributes, subject): (&'x OnceCell<Attributes<'x>>, &'x OnceCell<eval::Subject<'x>>),
    ) -> (&'x Attributes<'x>, &'x eval::Subject<'x>) {
        let attributes = attributes.get_or_init(|| self.attributes(set, sources, head));
        (
            attributes,
            subject.get_or_init(|| set.subject(attributes, &[], self.facts.now)),
        )
    }

    fn attributes<'x>(&'x self, set: &Set, sources: &'x Sources, head: Head<'x>) -> Attributes<'x> {
        let mut attributes = Attributes::default();
        let facts = &self.facts;
        for (name, place) in sources.iter() {
            let text = match place {
                Place::Header(field) => {
                    let value = head.headers.get(field);
                    value.and_then(|value| str::from_utf8(value.as_bytes()).ok().map(Into::into))
                }
                Place::Query(field) => {
                    let mut all = form_urlencoded::parse(facts.query.as_bytes());
                    all.find(|(known, _)| *known == **field).map(|(_, value)| value)
                }
                Place::Cookie(field) => {
                    let value = cookie(head.headers, field);
                    value.and_then(|value| str::from_utf8(value).ok().map(Into::into))
                }
            };
            if let Some(text) = text {
                attributes.put_text(name, text);
            }
        }
        let mut put = |name: &'static str, text: &'x str| attributes.put_text(name, text.into());
        put("method", facts.method);
        put("host", facts.host);
        put("path", facts.path);
        let mut made = |name: &'static str, value: Option<&dyn fmt::Display>| {
            // Only what is asked about is worth its text.
            if let Some(value) = value.filter(|_| set.reads(name)) {
                attributes.put_text(name, value.to_string().into());
            }
        };
        let address = facts.address.map(|address| address.to_canonical());
        made("remote_address", address.as_ref().map(|it| it as _));
        if let Some(caller) = &head.caller {
            made("application_id", Some(&caller.application));
            made("organization_id", Some(&caller.organization));
            made("subscription_id", Some(&caller.subscription));
            made("key_id", Some(&caller.key));
            attributes.put_text("plan", caller.plan.into());
        }
        attributes
    }
}

impl Ask for Asking<'_> {
    fn fits(&self, organization: OrganizationId, audience: &Audience, head: Head<'_>) -> Result<(), Outside> {
        let (attributes, subject) = (OnceCell::new(), OnceCell::new());
        let known = (audience.sources.mark, head.caller.is_some());
        let set = self.sets.get(organization).map(|set| &**set);
        let asked = |set: &Set| self.asked(set, (&audience.sources, head), (&attributes, &subject));
        for (place, wanted) in audience.flags.iter().enumerate() {
            let looked = set.and_then(|set| self.look(set, (&wanted.key, known), || asked(set)));
            if !looked.is_some_and(|looked| wanted.has(&looked)) {
                return Err(Outside::Flag(place));
            }
        }
        for (place, member) in audience.segments.iter().enumerate() {
            let inside = set.and_then(|set| set.is_in(&member.key, asked(set).1));
            if inside != Some(member.is_inside) {
                return Err(Outside::Segment(place));
            }
        }
        Ok(())
    }

    fn variants(
        &self,
        organization: OrganizationId,
        (keys, sources): (&[Box<str>], &Sources),
        head: Head<'_>,
    ) -> Vec<Option<&str>> {
        let Some(set) = self.sets.get(organization) else {
            return vec![None; keys.len()];
        };
        let known = (sources.mark, head.caller.is_some());
        let (attributes, subject) = (OnceCell::new(), OnceCell::new());
        let asked = || self.asked(set, (sources, head), (&attributes, &subject));
        let each = keys.iter().map(|key| {
            let looked = self.look(set, (key, known), asked);
            looked.map(|looked| looked.variant)
        });
        each.collect()
    }
}

impl Found<'_> {
    fn gives_the_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.set, other.set)
            && self.looked.key == other.looked.key
            && self.looked.variant == other.looked.variant
            && self.unit == other.unit
    }
}

impl Wanted {
    fn has(&self, looked: &Looked<'_>) -> bool {
        match &*self.variants {
            [] => looked.is_on,
            variants => variants.iter().any(|name| **name == *looked.variant),
        }
    }
}

/// The first value of a cookie: RFC 6265 section 5.4.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut pairs = headers
        .get_all(COOKIE)
        .into_iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.find_map(|pair| {
        let (found, value) = pair.trim_ascii().split_at_checked(name.len())?;
        value.strip_prefix(b"=").filter(|_| found == name.as_bytes())
    })
}

#[cfg(test)]
mod tests;
