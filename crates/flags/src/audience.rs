//! For whom routes and policies are: audiences, compiled.

use domain::flag::{AUDIENCE_MAX, AttributePlace, AttributeSource, SOURCES_MAX};
use http::HeaderName;

use crate::attributes::FormFault;
use crate::calls::KNOWN;

/// The most characters of a name.
const NAME_MAX: usize = 200;
/// The most variants of a flag that are named.
const VARIANTS_MAX: usize = 100;

/// Those for whom something is, ready to be [asked](crate::Ask) about.
#[derive(Debug)]
pub struct Audience {
    pub(crate) flags: Box<[Wanted]>,
    pub(crate) segments: Box<[Member]>,
    pub(crate) sources: Sources,
}

/// What a flag has to give.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) key: Box<str>,
    /// One of these variants; that it is on if empty.
    pub(crate) variants: Box<[Box<str>]>,
}

/// Who has to be in a segment, or not.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) key: Box<str>,
    pub(crate) is_inside: bool,
}

/// The part of an audience to which a call does not belong, by its place; shows as JSON Pointer in the audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// A flag that is not there, or gives another variant.
    Flag(usize),
    /// A segment that is not there, or of which the call is not, or is if it should not be.
    Segment(usize),
}

impl std::fmt::Display for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(place) => write!(f, "/flags/{place}"),
            Self::Segment(place) => write!(f, "/segments/{place}"),
        }
    }
}

impl Audience {
    /// Compiles an audience.
    ///
    /// # Errors
    /// All that is wrong with it; pointers are in the audience.
    pub fn compile(source: &domain::flag::Audience) -> Result<Self, Vec<FormFault>> {
        let mut faults = Vec::new();
        if source.conditions() == 0 {
            let detail = "It names neither a flag nor a segment.";
            fault(
                &mut faults,
                "",
                "field_required",
                detail,
                "Name one, or leave the audience out.",
            );
        }
        bounded(&mut faults, "/flags", source.flags.len(), AUDIENCE_MAX);
        bounded(&mut faults, "/segments", source.segments.len(), AUDIENCE_MAX);
        for (place, flag) in source.flags.iter().enumerate() {
            let pointer = format!("/flags/{place}/variants");
            bounded(&mut faults, &pointer, flag.variants.len(), VARIANTS_MAX);
        }
        let flags = source.flags.iter().map(|flag| Wanted {
            key: flag.key.as_str().into(),
            variants: flag.variants.iter().map(|name| name.as_str().into()).collect(),
        });
        let segments = source.segments.iter().map(|segment| Member {
            key: segment.key.as_str().into(),
            is_inside: !segment.not,
        });
        let sources = Sources::compile(&source.attributes, "/attributes", &mut faults);
        match faults.is_empty() {
            true => Ok(Self {
                flags: flags.collect(),
                segments: segments.collect(),
                sources,
            }),
            false => Err(faults),
        }
    }

    /// The part that is looked at first.
    pub const fn first(&self) -> Outside {
        match self.flags.is_empty() {
            true => Outside::Segment(0),
            false => Outside::Flag(0),
        }
    }
}

/// Where in calls attributes stand.
#[derive(Debug, Default)]
pub struct Sources {
    all: Box<[(Box<str>, Place)]>,
    /// The same for the same sources, so that what was found with them is not looked for again.
    pub(crate) mark: u64,
}

/// Where an attribute stands.
#[derive(Debug)]
pub(crate) enum Place {
    Header(HeaderName),
    Query(Box<str>),
    Cookie(Box<str>),
}

impl Sources {
    /// Compiles sources; what is wrong with them, with pointers that begin with `at`, is added to `faults`.
    pub fn compile(sources: &[AttributeSource], at: &str, faults: &mut Vec<FormFault>) -> Self {
        bounded(faults, at, sources.len(), SOURCES_MAX);
        let mut all: Vec<(Box<str>, Place)> = Vec::with_capacity(sources.len());
        for (place, source) in sources.iter().enumerate() {
            let at = format!("{at}/{place}");
            let name = &*source.name;
            if KNOWN.contains(&name) {
                let detail = format!("`{name}` is known of calls without being taken from them.");
                fault(
                    faults,
                    &format!("{at}/name"),
                    "name_reserved",
                    &detail,
                    "Choose another name.",
                );
            } else if !is_name(name) {
                let detail = "It is empty, too long, or has a control character.";
                fault(
                    faults,
                    &format!("{at}/name"),
                    "name_invalid",
                    detail,
                    "Use the name in the flag.",
                );
            } else if all.iter().any(|(known, _)| **known == *name) {
                let detail = format!("`{name}` is taken from somewhere already.");
                fault(
                    faults,
                    &format!("{at}/name"),
                    "name_taken",
                    &detail,
                    "Name each once.",
                );
            }
            match field(source) {
                Some(field) => all.push((name.into(), field)),
                None => {
                    let detail = format!("`{}` is no name of this kind.", source.field().escape_debug());
                    let suggestion = "Write `field` as it stands in requests.";
                    fault(
                        faults,
                        &format!("{at}/field"),
                        "name_invalid",
                        &detail,
                        suggestion,
                    );
                }
            }
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self {
            mark: mark(&all),
            all: all.into(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.all.iter().map(|(name, place)| (&**name, place))
    }
}

fn field(source: &AttributeSource) -> Option<Place> {
    let field = source.field();
    match source.from {
        AttributePlace::Header => {
            let name = HeaderName::from_bytes(field.as_bytes()).ok();
            name.filter(|name| name.as_str().len() <= NAME_MAX)
                .map(Place::Header)
        }
        AttributePlace::Query => is_name(field).then(|| Place::Query(field.into())),
        // A cookie's name is a token, as a header's is: RFC 6265 section 4.1.1.
        AttributePlace::Cookie => (is_name(field) && HeaderName::from_bytes(field.as_bytes()).is_ok())
            .then(|| Place::Cookie(field.into())),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_MAX && !name.chars().any(char::is_control)
}

fn mark(all: &[(Box<str>, Place)]) -> u64 {
    use std::hash::{Hash as _, Hasher as _};
    let mut hash = rustc_hash::FxHasher::default();
    for (name, place) in all {
        name.hash(&mut hash);
        match place {
            Place::Header(field) => (0, field.as_str()).hash(&mut hash),
            Place::Query(field) => (1, &**field).hash(&mut hash),
            Place::Cookie(field) => (2, &**field).hash(&mut hash),
        }
    }
    hash.finish()
}

fn bounded(faults: &mut Vec<FormFault>, at: &str, found: usize, max: usize) {
    if found > max {
        let detail = format!("It has {found} entries; at most {max} are allowed.");
        fault(
            faults,
            at,
            "field_out_of_range",
            &detail,
            "Change the number of entries.",
        );
    }
}

fn fault(faults: &mut Vec<FormFault>, at: &str, code: &'static str, detail: &str, suggestion: &'static str) {
    faults.push(FormFault {
        pointer: at.to_owned(),
        code,
        detail: detail.to_owned(),
        suggestion,
    });
}

#[cfg(test)]
mod tests;
