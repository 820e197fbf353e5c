//! Resources by name, for commands and declarative files that treat all of them alike.
//!
//! Bodies and answers are free JSON here, on purpose: what a person's file says has to reach the server as it is,
//! because the server knows best what is wrong with it, and what the server answers has to reach a script whole.
//! A type would drop the fields that this version does not know. Where a program names the resource itself, the
//! generated methods of [`Client`] are the better way.

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::call::{Call, segment};
pub use crate::generated::collections::COLLECTIONS;
use crate::{Client, Error};

/// The most entries that the server gives at once.
const PAGE: usize = 200;

/// A list of the API, and what can be done with its entries.
#[derive(Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its name for people, as `plans` or `audit-entries`.
    pub name: &'static str,
    /// What one of its entries is called, as `plan`.
    pub one: &'static str,
    /// Where it is; lists inside of another resource have `{id}` there.
    pub path: &'static str,
    /// Where one entry is, with `{id}`; absent if entries cannot be read one by one.
    pub item: Option<&'static str>,
    /// Whether entries can be made.
    pub creates: bool,
    /// Whether they can be changed.
    pub changes: bool,
    /// Whether they can be removed.
    pub removes: bool,
    /// Query parameters that choose and order entries, as `filter[api]` or `sort`.
    pub filters: &'static [&'static str],
    /// Fields of an entry that hold one value each.
    pub fields: &'static [&'static str],
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
    has_more: bool,
    next_cursor: Option<String>,
}

impl Collection {
    /// The collection of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        COLLECTIONS.iter().find(|one| one.name == name)
    }

    /// Whether it is inside of another resource, whose id is needed to list it.
    pub fn is_nested(&self) -> bool {
        self.path.contains("{id}")
    }

    /// The collection whose entries this one is inside of.
    pub fn parent(&self) -> Option<&'static Self> {
        let (parent, _) = self.path.split_once("/{id}/")?;
        let item = format!("{parent}/{{id}}");
        COLLECTIONS.iter().find(|one| one.item == Some(item.as_str()))
    }

    /// The filter that finds entries by what people call them: their name, or a flag's key.
    pub fn name_filter(&self) -> Option<&'static str> {
        let names = ["filter[name]", "filter[key]"];
        names.into_iter().find(|filter| self.filters.contains(filter))
    }

    /// Whether entries can be found by their names.
    pub fn has_names(&self) -> bool {
        self.name_filter().is_some()
    }

    fn at(&self, id: &str, offered: bool, what: &'static str) -> Result<String, Error> {
        let item = self.item.filter(|_| offered);
        let path = item.map(|path| path.replace("{id}", &segment(id)));
        path.ok_or(Error::NotOffered {
            collection: self.name,
            what,
        })
    }
}

impl Client {
    /// All entries that the query chooses, page after page; `parent` is the id of the resource that a nested
    /// collection is in.
    pub async fn entries(
        &self,
        collection: &Collection,
        parent: Option<&str>,
        query: &[(&str, &str)],
    ) -> Result<Vec<Value>, Error> {
        let all = self.first_entries(collection, parent, query, usize::MAX).await?;
        Ok(all.0)
    }

    /// The first `most` of [`Self::entries`], and whether there are more.
    pub async fn first_entries(
        &self,
        collection: &Collection,
        parent: Option<&str>,
        query: &[(&str, &str)],
        most: usize,
    ) -> Result<(Vec<Value>, bool), Error> {
        let path = collection
            .path
            .replace("{id}", &segment(parent.unwrap_or_default()));
        let mut entries = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let limit = PAGE.min(most - entries.len()).max(1);
            let mut call = Call::new(Method::GET, path.clone()).query("limit", Some(&limit));
            for (name, value) in query {
                call = call.query(name, Some(value));
            }
            let page: Page = self.send_json(call.query("cursor", cursor.as_ref())).await?;
            entries.extend(page.data);
            match page.next_cursor {
                Some(next) if page.has_more && entries.len() < most => cursor = Some(next),
                _ => {
                    let has_more = page.has_more || entries.len() > most;
                    entries.truncate(most);
                    return Ok((entries, has_more));
                }
            }
        }
    }

    /// One entry by its id.
    pub async fn entry(&self, collection: &Collection, id: &str) -> Result<Value, Error> {
        let path = collection.at(id, true, "read one by one")?;
        self.send_json(Call::new(Method::GET, path)).await
    }

    /// Makes an entry; gives it as the server has it.
    pub async fn create_entry(&self, collection: &Collection, body: &Value) -> Result<Value, Error> {
        let call = Call::new(Method::POST, collection.path).json(body)?;
        self.send_json(call).await
    }

    /// Changes what a merge patch (RFC 7396) names, unless the entry is not at this revision any more.
    pub async fn change_entry(
        &self,
        collection: &Collection,
        (id, revision): (&str, i64),
        patch: &Value,
    ) -> Result<Value, Error> {
        let path = collection.at(id, collection.changes, "changed")?;
        let call = Call::new(Method::PATCH, path).header("If-Match", Some(&etag(revision)));
        self.send_json(call.merge_patch(patch)?).await
    }

    /// Removes an entry, unless it is not at this revision any more.
    pub async fn remove_entry(
        &self,
        collection: &Collection,
        (id, revision): (&str, i64),
    ) -> Result<(), Error> {
        let path = collection.at(id, collection.removes, "removed")?;
        let call = Call::new(Method::DELETE, path).header("If-Match", Some(&etag(revision)));
        self.send_nothing(call).await
    }
}

/// A resource's ETag for `If-Match`: its revision as a strong validator (RFC 9110).
pub fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}
