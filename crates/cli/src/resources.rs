//! `gateline get` and `gateline delete`: every resource of the API by one mechanism.
//!
//! What there is, how it is found and which fields it has stand in the client's generated table
//! ([`client::COLLECTIONS`]), so a new resource of the API is here without a line. Making and changing resources is
//! what declarative folders are for (`apply`), and keys have commands of their own.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use client::{COLLECTIONS, Collection};
use serde_json::{Value, json};

use crate::confirm::confirmed;
use crate::output::{Output, cell, table};
use crate::session::Connection;
use crate::{Error, Exit};

/// What is listed or shown.
#[derive(Debug, Args)]
pub struct GetArguments {
    /// What kind of resource, in plural or singular.
    #[arg(value_parser = collection(|_| true))]
    resource: &'static Collection,
    /// Show only this one, by name or id, with all of its fields.
    name: Option<String>,
    #[command(flatten)]
    inside: Inside,
    /// Choose and order entries of a list, as `api=shop`, `q=text`, `sort=-created_at`; can be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    filter: Vec<(String, String)>,
    /// The most entries that are listed.
    #[arg(long, default_value_t = 1000, value_name = "NUMBER")]
    limit: usize,
}

/// What is deleted.
#[derive(Debug, Args)]
pub struct DeleteArguments {
    /// What kind of resource, in plural or singular.
    #[arg(value_parser = collection(|one| one.removes))]
    resource: &'static Collection,
    /// Which ones, by name or id.
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    inside: Inside,
    /// Delete without asking.
    #[arg(long, short)]
    yes: bool,
}

/// Where resources that belong to another one are looked for.
#[derive(Debug, Args)]
struct Inside {
    /// The resource they belong to, by name or id: the API of versions, the version of contracts.
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
}

/// Fields that say nothing in a list; ids of others say it too, but for the API's.
const HIDDEN: [&str; 6] = ["id", "description", "updated_at", "revision", "previous", "hash"];

/// Lists resources, or shows one.
pub(crate) async fn get(
    connection: &Connection,
    arguments: &GetArguments,
    output: &Output,
) -> Result<Exit, Error> {
    let collection = arguments.resource;
    let finder = Finder {
        connection,
        collection,
    };
    if let Some(name) = &arguments.name {
        let entry = finder.one(name, &arguments.inside).await?;
        output.answer(&entry, shown);
        return Ok(Exit::Done);
    }
    let parent = finder.parent(&arguments.inside).await?;
    let query = finder.query(&arguments.filter).await?;
    let query: Vec<(&str, &str)> = query
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let client = &connection.client;
    let (data, has_more) = client
        .first_entries(collection, parent.as_deref(), &query, arguments.limit)
        .await?;
    output.answer(&json!({ "data": data, "has_more": has_more }), |_| {
        listed(collection, &data)
    });
    if has_more {
        output.note(&format!(
            "only the first {} are listed; `--limit` gives more",
            arguments.limit
        ));
    }
    Ok(Exit::Done)
}

/// Deletes resources, each unless somebody changes it meanwhile.
pub(crate) async fn delete(
    connection: &Connection,
    arguments: &DeleteArguments,
    output: &Output,
) -> Result<Exit, Error> {
    let collection = arguments.resource;
    let finder = Finder {
        connection,
        collection,
    };
    let mut entries = Vec::new();
    for name in &arguments.names {
        entries.push(finder.one(name, &arguments.inside).await?);
    }
    let plan: String = entries
        .iter()
        .map(|entry| format!("- {}\n", titled(collection, entry)))
        .collect();
    let question = format!("Delete {} for ever?", entries.len());
    if !confirmed(arguments.yes, &plan, &question)? {
        output.note("nothing was deleted");
        return Ok(Exit::Negative);
    }
    for entry in &entries {
        let revision = entry.get("revision").and_then(Value::as_i64);
        let revision = revision.ok_or(Error::Answer { field: "revision" })?;
        let id = text(entry, "id");
        let deleted = connection.client.remove_entry(collection, (&id, revision)).await;
        deleted.inspect_err(|_| output.note(&format!("stopped at {}", titled(collection, entry))))?;
    }
    output.answer(&json!({ "deleted": entries }), |_| {
        format!("{plan}{} deleted\n", entries.len())
    });
    Ok(Exit::Done)
}

/// Finds resources by what people call them.
struct Finder<'a> {
    connection: &'a Connection,
    collection: &'static Collection,
}

impl Finder<'_> {
    /// One entry with all of its fields.
    async fn one(&self, name: &str, inside: &Inside) -> Result<Value, Error> {
        let (collection, client) = (self.collection, &self.connection.client);
        let id = if is_id(name) || !collection.has_names() {
            name.to_owned()
        } else {
            let parent = self.parent(inside).await?;
            self.id(collection, parent.as_deref(), name).await?
        };
        if collection.item.is_some() {
            return Ok(client.entry(collection, &id).await?);
        }
        let parent = self.parent(inside).await?;
        let entries = client.entries(collection, parent.as_deref(), &[]).await?;
        let found = entries.into_iter().find(|entry| text(entry, "id") == id);
        found.ok_or_else(|| nothing(collection, name))
    }

    /// The id of the resource that a nested collection is in.
    async fn parent(&self, inside: &Inside) -> Result<Option<String>, Error> {
        let collection = self.collection;
        let wrong = |reason: String| Err(Error::Argument { reason });
        match (collection.parent(), &inside.of) {
            (None, None) => Ok(None),
            (None, Some(_)) => wrong(format!(
                "{} belong to no other resource: leave `--of` out",
                collection.name
            )),
            (Some(parent), None) => wrong(format!(
                "{} belong to one of {}: name it with `--of`",
                collection.name, parent.name
            )),
            (Some(_), Some(of)) if is_id(of) => Ok(Some(of.clone())),
            (Some(parent), Some(of)) if parent.has_names() && !parent.is_nested() => {
                self.id(parent, None, of).await.map(Some)
            }
            (Some(_), Some(of)) => Ok(Some(of.clone())),
        }
    }

    /// Query parameters for filters, with ids for names.
    async fn query(&self, filters: &[(String, String)]) -> Result<Vec<(&'static str, String)>, Error> {
        let mut query = Vec::new();
        for (name, value) in filters {
            let bracketed = format!("filter[{name}]");
            let known = self.collection.filters.iter();
            let known = known.copied().find(|known| known == name || *known == bracketed);
            let Some(known) = known else {
                return Err(Error::Argument {
                    reason: unknown_filter(self.collection, name),
                });
            };
            let value = match Collection::named(&format!("{name}s")) {
                Some(other) if other.has_names() && !other.is_nested() && !is_id(value) => {
                    self.id(other, None, value).await?
                }
                _ => value.clone(),
            };
            query.push((known, value));
        }
        Ok(query)
    }

    async fn id(
        &self,
        collection: &'static Collection,
        parent: Option<&str>,
        name: &str,
    ) -> Result<String, Error> {
        let filter = collection
            .name_filter()
            .ok_or_else(|| nothing(collection, name))?;
        let named = [(filter, name)];
        let found = self.connection.client.entries(collection, parent, &named).await?;
        let first = found.first().map(|entry| text(entry, "id"));
        first.ok_or_else(|| nothing(collection, name))
    }
}

/// Ids have a prefix, an underscore and 26 characters; names of event types may have underscores as well.
fn is_id(text: &str) -> bool {
    let suffix = text.rsplit_once('_').map(|(_, suffix)| suffix);
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    suffix.is_some_and(|suffix| suffix.len() == 26 && suffix.bytes().all(known))
}

fn nothing(collection: &Collection, name: &str) -> Error {
    Error::NotFound {
        kind: collection.one,
        name: name.to_owned(),
    }
}

fn unknown_filter(collection: &Collection, name: &str) -> String {
    let known = collection.filters.iter();
    let known: Vec<&str> = known
        .map(|one| one.trim_start_matches("filter[").trim_end_matches(']'))
        .collect();
    let known = if known.is_empty() {
        "cannot be filtered".to_owned()
    } else {
        format!("can be filtered by {}", known.join(", "))
    };
    format!("{} {known}, not by `{name}`", collection.name)
}

/// Reads the name of a collection; shells complete it.
fn collection(offered: fn(&Collection) -> bool) -> impl TypedValueParser<Value = &'static Collection> {
    let offered = COLLECTIONS.iter().filter(move |one| offered(one));
    let words = offered.map(|one| PossibleValue::new(one.name).alias(one.one));
    PossibleValuesParser::new(words).map(|word| {
        let same = |one: &&Collection| one.name == word || one.one == word;
        COLLECTIONS.iter().find(same).expect("one of the possible values")
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("a filter is NAME=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

/// A list for people: the id, then what tells entries apart.
fn listed(collection: &Collection, entries: &[Value]) -> String {
    if entries.is_empty() {
        return format!("no {}\n", collection.name.replace('-', " "));
    }
    let told = |field: &&&str| {
        !HIDDEN.contains(*field)
            && (!field.ends_with("_id") || **field == "api_id" && collection.name != "versions")
    };
    let fields: Vec<&str> = std::iter::once(&"id")
        .chain(collection.fields.iter().filter(told))
        .copied()
        .collect();
    let rows = entries
        .iter()
        .map(|entry| fields.iter().map(|field| text(entry, field)).collect());
    let header: Vec<String> = fields.iter().map(|field| field.replace('_', " ")).collect();
    table(&header, rows)
}

/// One resource for people: a line per field.
fn shown(entry: &Value) -> String {
    let fields = entry.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, value)| *name != "links" && !value.is_null());
    fields
        .map(|(name, _)| format!("{name:<22} {}\n", text(entry, name)))
        .collect()
}

fn titled(collection: &Collection, entry: &Value) -> String {
    let (kind, id) = (collection.one, text(entry, "id"));
    let name = text(entry, if entry.get("key").is_some() { "key" } else { "name" });
    if name.is_empty() {
        format!("{kind} {id}")
    } else {
        format!("{kind} {name} ({id})")
    }
}

/// A field as text; empty when it is absent.
fn text(entry: &Value, field: &str) -> String {
    cell(entry.get(field))
}

#[cfg(test)]
mod tests {
    use client::{COLLECTIONS, Collection};
    use serde_json::json;

    use super::{listed, pair, shown, unknown_filter};

    #[test]
    fn every_collection_has_a_singular() {
        for (plural, one) in [
            ("policies", "policy"),
            ("audit-entries", "audit-entry"),
            ("keys", "key"),
        ] {
            assert_eq!(Collection::named(plural).map(|found| found.one), Some(one));
        }
        for collection in COLLECTIONS {
            let one = collection.one;
            assert!(
                COLLECTIONS.iter().all(|other| other.name != one),
                "`{one}` means two things"
            );
            assert_eq!(
                collection.is_nested(),
                collection.parent().is_some(),
                "{collection:?}"
            );
        }
    }

    #[test]
    fn lists_show_what_tells_entries_apart() {
        let plans = Collection::named("plans").unwrap();
        let entry = json!({ "id": "pln_1", "name": "gold", "title": "Gold", "organization_id": "org_1", "revision": 3,
            "keys_max": 10, "quota": { "requests": 1 }, "links": { "self": "/x" } });
        let table = listed(plans, std::slice::from_ref(&entry));
        let words: Vec<&str> = table.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "ID", "NAME", "TITLE", "KEYS", "MAX", "pln_1", "gold", "Gold", "10"
            ]
        );
        assert_eq!(listed(plans, &[]), "no plans\n");
        let all = shown(&entry);
        assert!(all.contains("quota                  {\"requests\":1}\n"), "{all}");
        assert!(!all.contains("links"), "{all}");
    }

    #[test]
    fn a_wrong_filter_names_the_right_ones() {
        assert_eq!(pair("api=a=b"), Ok(("api".to_owned(), "a=b".to_owned())));
        assert!(pair("api").is_err());
        assert_eq!(
            unknown_filter(Collection::named("plans").unwrap(), "x"),
            "plans can be filtered by sort, q, name, not by `x`"
        );
    }
}
