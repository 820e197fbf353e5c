//! What attributes of contexts are called with us.

use std::collections::{BTreeMap, BTreeSet};

use crate::Fault;

/// The kind of a context that says none.
const USER: &str = "user";
/// What a user's key is called.
const USER_ID: &str = "user_id";
/// The attribute that says which one it is.
pub(super) const KEY: &str = "key";

/// Attributes by their names; a name means one of them.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<String, (String, Vec<String>)>,
}

/// An attribute, as a clause or a roll-out says it: with a kind it is a reference (`/address/city`), else a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) attribute: &'a str,
}

impl<'a> Said<'a> {
    /// The key of a context of a kind.
    pub(super) const fn key(kind: Option<&'a str>) -> Self {
        Self { kind, attribute: KEY }
    }

    fn kind(&self) -> &'a str {
        self.kind.filter(|kind| !kind.is_empty()).unwrap_or(USER)
    }

    /// The parts of a path; none if it is no reference.
    fn path(&self) -> Option<Vec<String>> {
        let attribute = self.attribute;
        let parts = match attribute.strip_prefix('/').filter(|_| self.kind.is_some()) {
            Some(path) => path
                .split('/')
                .map(|part| part.replace("~1", "/").replace("~0", "~"))
                .collect(),
            None => vec![attribute.to_owned()],
        };
        parts
            .iter()
            .all(|part: &String| !part.is_empty())
            .then_some(parts)
    }
}

impl Names {
    /// The name of an attribute.
    pub(super) fn of(&mut self, said: Said<'_>, at: &str) -> Result<String, Fault> {
        let Some(path) = said.path() else {
            let detail = format!("`{}` is no reference to an attribute.", said.attribute);
            return Err(Fault::new(at, "attribute_invalid", detail));
        };
        let kind = said.kind();
        let name = match (kind, path.as_slice()) {
            (USER, [key]) if key == KEY => USER_ID.to_owned(),
            (USER, path) => path.join("."),
            (kind, path) => format!("{kind}.{}", path.join(".")),
        };
        let meant = (kind.to_owned(), path);
        let known = self.known.entry(name.clone()).or_insert_with(|| meant.clone());
        if *known == meant {
            return Ok(name);
        }
        let detail = format!("Two attributes would be called `{name}`.");
        Err(Fault::new(at, "attribute_ambiguous", detail))
    }
}

/// Whether a kind is that of a context that says none.
pub(super) fn is_user(kind: Option<&str>) -> bool {
    kind.is_none_or(|kind| kind.is_empty() || kind == USER)
}

/// The kinds that are named, once each.
pub(super) fn kinds<'a>(values: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    values.collect()
}
