//! The wire of Unleash's clients: features with their rules for those who evaluate by themselves, toggles for pages.
//!
//! What a feature means is in [`dialects::unleash`]. Source: the API reference of Unleash, client and frontend API.

use std::borrow::Cow;

use bytes::Bytes;
use dialects::unleash::{ATTRIBUTES, Answer, RANDOM, Variant, known_as};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::attributes::{Attributes, QuestionFault};
use crate::raw::Raw;
use crate::set::{Asker, Set};

pub(crate) mod features;

use features::{Change, Features};

/// What is known of whom a page asks about, and when.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context<'a> {
    /// Its fields, called as ours, and its properties.
    pub attributes: Attributes<'a>,
    /// The moment that is asked about, if it is not now.
    pub at: Option<Timestamp>,
}

/// How often features were asked for within a while, as clients report it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The flag's key, which is the feature's name.
    pub flag: String,
    /// The variant, as it is called with us.
    pub variant: String,
    /// How often it was given.
    pub count: u64,
}

/// The most counts of a report that are taken.
const COUNTS_MAX: usize = 10_000;
/// The greatest count of a report that is believed.
const COUNT_MAX: u64 = 1 << 40;

#[derive(Serialize)]
struct Toggle<'a> {
    name: &'a str,
    enabled: bool,
    variant: Variant,
    #[serde(rename = "impressionData")]
    impression_data: bool,
}

impl<'a> Context<'a> {
    /// The same as [`from_pairs`](Self::from_pairs) of a query that was not read yet; `key` is no property.
    ///
    /// # Errors
    /// There are too many.
    pub fn from_query(query: &'a str) -> Result<Self, QuestionFault> {
        Self::from_pairs(form_urlencoded::parse(query.as_bytes()))
    }

    /// Reads `?userId=1&properties[plan]=pro`; other names are properties too.
    ///
    /// # Errors
    /// There are too many.
    pub fn from_pairs(
        pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Result<Self, QuestionFault> {
        let mut context = Self::default();
        let mut texts = Vec::new();
        for (name, value) in pairs {
            let property = name
                .strip_prefix("properties[")
                .and_then(|rest| rest.strip_suffix(']'));
            match property.map(str::to_owned) {
                Some(property) => texts.push((property.into(), value)),
                None if name == CURRENT_TIME => context.at = value.parse().ok(),
                None => texts.push((ours(name), value)),
            }
        }
        context.attributes = Attributes::from_texts(texts)?;
        Ok(context)
    }

    /// Reads `{"context": {"userId": "1", "properties": {"plan": "pro"}}}`.
    ///
    /// # Errors
    /// It is no JSON, no object, or there are too many.
    pub fn from_body(body: &'a [u8]) -> Result<Self, QuestionFault> {
        let mut context = Self::default();
        let mut texts = Vec::new();
        for (name, value) in crate::attributes::object(body)? {
            let (true, Raw::Object(fields)) = (name == "context", value) else {
                continue;
            };
            for (name, value) in fields {
                match value {
                    Raw::Object(properties) if name == "properties" => {
                        let each = properties.into_iter();
                        texts.extend(each.filter_map(|(name, value)| Some((name, value.into_text()?))));
                    }
                    value if name == CURRENT_TIME => {
                        context.at = value.into_text().and_then(|text| text.parse().ok());
                    }
                    value => texts.extend(value.into_text().map(|text| (ours(name), text))),
                }
            }
        }
        context.attributes = Attributes::from_texts(texts)?;
        Ok(context)
    }

    /// Notes a number by chance, which Unleash draws where nothing says who somebody is.
    pub fn put_random(&mut self, random: f64) {
        self.attributes.put_number(RANDOM, random);
    }
}

/// The document where there are no flags.
pub const NOTHING: &[u8] = br#"{"version":2,"features":[],"segments":[]}"#;
const CURRENT_TIME: &str = "currentTime";
/// The project in which clients find all features.
const PROJECT: &str = "default";

/// What a field of Unleash's context is called with us.
fn ours(name: Cow<'_, str>) -> Cow<'_, str> {
    let known = ATTRIBUTES.iter().find(|(theirs, _)| *theirs == name);
    known.map_or(name, |(_, ours)| Cow::Borrowed(*ours))
}

/// The features that are on for somebody, as pages ask for them: `{"toggles": […]}`.
///
/// # Errors
/// Those of writing JSON.
pub fn toggles(
    set: &Set,
    asker: Asker,
    context: &Context<'_>,
    now: Timestamp,
) -> serde_json::Result<Vec<u8>> {
    let mut toggles = Vec::new();
    let at = context.at.unwrap_or(now);
    set.each_found(asker, (None, &context.attributes), at, |key, off, found| {
        let answer = Answer::of(off, found);
        if answer.enabled {
            toggles.push(Toggle {
                name: key,
                enabled: true,
                variant: answer.variant,
                impression_data: false,
            });
        }
    });
    serde_json::to_vec(&json!({ "toggles": toggles }))
}

/// The document of those features whose names begin so.
pub fn document_of(set: &Set, prefix: &str) -> Vec<u8> {
    let (written, features) = set.unleash_parts();
    let mut document = br#"{"version":2,"features":["#.to_vec();
    for (number, place) in features.with_prefix(prefix).enumerate() {
        if number > 0 {
            document.push(b',');
        }
        document.extend_from_slice(&written.document[place]);
    }
    document.extend_from_slice(br#"],"segments":[]}"#);
    document
}

/// What has changed since the set with a tag, as `{"events": […]}`: features that are others or are gone. All features, as one
/// event, if that set is not known any more.
pub fn delta(set: Option<&Set>, known: Option<&str>) -> String {
    if let (Some(set), Some(known)) = (set, known)
        && let Some(before) = set.told_before(known)
    {
        return set.change_since(known, || changes(set, before)).into_owned();
    }
    hydrated(set)
}

/// An event of the stream: `unleash-connected` with all features if nothing was told before, and else `unleash-updated` with
/// what has changed since the set with the tag that was told.
pub fn event(set: Option<&Set>, told: Option<&str>) -> Bytes {
    let write = |name: &str| {
        let (id, delta) = (id_of(set), delta(set, told));
        Bytes::from(format!("id: {id}\nevent: {name}\ndata: {delta}\n\n"))
    };
    match (set, told) {
        (_, Some(_)) => write("unleash-updated"),
        (Some(set), None) => set.unleash().streamed(|| write("unleash-connected")),
        (None, None) => write("unleash-connected"),
    }
}

fn changes(set: &Set, before: &Features) -> String {
    let (written, features) = set.unleash_parts();
    let id = id_of(Some(set));
    let events = features.changes(before).map(|change| match change {
        Change::Updated(place) => {
            let feature = String::from_utf8_lossy(&written.document[place]);
            format!(r#"{{"type":"feature-updated","eventId":{id},"feature":{feature}}}"#)
        }
        Change::Removed(name) => {
            let event =
                json!({ "type": "feature-removed", "eventId": id, "featureName": name, "project": PROJECT });
            event.to_string()
        }
    });
    let events: Vec<_> = events.collect();
    format!(r#"{{"events":[{}]}}"#, events.join(","))
}

fn hydrated(set: Option<&Set>) -> String {
    // The document's own fields: not read again for each who asks.
    let document = set.map_or(NOTHING, |set| &*set.unleash().document);
    let fields = str::from_utf8(document)
        .ok()
        .and_then(|text| text.strip_prefix('{'));
    let fields = fields.and_then(|text| text.strip_suffix('}')).unwrap_or_default();
    let id = id_of(set);
    format!(r#"{{"events":[{{"type":"hydration","eventId":{id},{fields}}}]}}"#)
}

/// A number that is another one with each state, as clients want it.
fn id_of(set: Option<&Set>) -> u32 {
    let tag = set.map_or("0", Set::tag);
    u32::from_str_radix(tag.get(..7).unwrap_or("0"), 16).unwrap_or(0)
}

#[derive(Deserialize)]
struct Metrics {
    bucket: Bucket,
}

#[derive(Deserialize)]
struct Bucket {
    #[serde(default)]
    toggles: std::collections::BTreeMap<String, Counts>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    yes: u64,
    #[serde(default)]
    no: u64,
    #[serde(default)]
    variants: std::collections::BTreeMap<String, u64>,
}

/// Reads what a client reports of its evaluations: how often it was given which variant of the flags of a set. Of flags and
/// variants that are not there for whoever reports, nothing is told.
///
/// A count of 0 stands for each variant that could be meant where a client tells that a feature was on and does not say which
/// variant it had: it was asked for.
///
/// # Errors
/// It is of another form.
pub fn metrics(body: &[u8], (set, asker): (Option<&Set>, Asker)) -> Result<Vec<Count>, QuestionFault> {
    let metrics: Metrics =
        serde_json::from_slice(body).map_err(|error| QuestionFault::Syntax(error.to_string()))?;
    let mut all = Vec::new();
    for (key, counts) in metrics.bucket.toggles {
        let Some((variants, off)) = set.and_then(|set| set.variants(asker, &key)) else {
            continue;
        };
        let others = variants.filter(|(name, _)| *name != off);
        let mut add = |variant: &str, count: u64| {
            let (flag, variant, count) = (key.clone(), variant.to_owned(), count.min(COUNT_MAX));
            all.push(Count { flag, variant, count });
        };
        let named = counts.variants.iter();
        let named: Vec<_> = named
            .filter(|(name, count)| *name != "disabled" && **count > 0)
            .collect();
        for (name, count) in &named {
            if let Some(ours) = known_as(others.clone(), Some(name)).next() {
                add(ours, **count);
            }
        }
        let of_variants = named
            .iter()
            .map(|(_, count)| **count)
            .fold(0, u64::saturating_add);
        let without = counts.yes.saturating_sub(of_variants);
        if without > 0 {
            match known_as(others.clone(), None).next() {
                Some(ours) => add(ours, without),
                // Of several that could be meant it is known only that one of them was asked for.
                None if named.is_empty() => {
                    let share = u64::from(others.clone().count() == 1);
                    others.for_each(|(ours, _)| add(ours, share * without));
                }
                None => {}
            }
        }
        if counts.no > 0 {
            add(off, counts.no);
        }
    }
    all.truncate(COUNTS_MAX);
    Ok(all)
}

#[cfg(test)]
mod tests;
