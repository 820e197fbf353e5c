//! The wire of Unleash's clients: features with their rules for those who evaluate by themselves, toggles for pages.
//!
//! What a feature means is in [`dialects::unleash`]. Source: the API reference of Unleash, client and frontend API.

use std::borrow::Cow;

use dialects::unleash::{ATTRIBUTES, Answer, RANDOM, Variant};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::attributes::{Attributes, QuestionFault};
use crate::raw::Raw;
use crate::set::{Asker, Set};

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
    /// The feature's name, the flag's key.
    pub flag: String,
    /// The variant.
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
    set.each_found(asker, (None, &context.attributes), at, |key, flag, found| {
        let answer = Answer::of(flag, found);
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

/// All features as an event of the stream: `unleash-connected` at its beginning, `unleash-updated` behind it.
pub fn hydration(set: Option<&Set>, is_first: bool) -> String {
    // The document's own fields: not read again for each who listens.
    let document = set.map_or(NOTHING, |set| &*set.unleash().document);
    let fields = str::from_utf8(document)
        .ok()
        .and_then(|text| text.strip_prefix('{'));
    let fields = fields.and_then(|text| text.strip_suffix('}')).unwrap_or_default();
    // Clients want a number that is another one with each state.
    let tag = set.map_or("0", Set::tag);
    let id = u32::from_str_radix(tag.get(..7).unwrap_or("0"), 16).unwrap_or(0);
    let name = if is_first {
        "unleash-connected"
    } else {
        "unleash-updated"
    };
    let data = format!(r#"{{"events":[{{"type":"hydration","eventId":{id},{fields}}}]}}"#);
    format!("id: {id}\nevent: {name}\ndata: {data}\n\n")
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

/// Reads what a client reports of its evaluations: of each feature, how often it was on with which variant, and off.
///
/// # Errors
/// It is of another form.
pub fn metrics(body: &[u8]) -> Result<Vec<Count>, QuestionFault> {
    let metrics: Metrics =
        serde_json::from_slice(body).map_err(|error| QuestionFault::Syntax(error.to_string()))?;
    let mut all = Vec::new();
    for (flag, counts) in metrics.bucket.toggles {
        let mut add = |variant: &str, count: u64| {
            if count > 0 {
                let (flag, variant) = (flag.clone(), variant.to_owned());
                all.push(Count { flag, variant, count });
            }
        };
        let named = counts.variants.iter().filter(|(name, _)| *name != "disabled");
        let of_variants: u64 = named.clone().map(|(_, count)| *count).sum();
        named.for_each(|(name, count)| add(name, *count));
        add("on", counts.yes.saturating_sub(of_variants));
        add("off", counts.no);
    }
    Ok(all)
}

/// The counts of flags that are there for whoever reports them: who makes up names fills no table.
pub fn known(set: &Set, asker: Asker, counts: Vec<Count>) -> impl Iterator<Item = Count> {
    let known = counts
        .into_iter()
        .filter(move |count| set.has_variant(asker, &count.flag, &count.variant));
    known.take(COUNTS_MAX).map(|count| Count {
        count: count.count.min(COUNT_MAX),
        ..count
    })
}

#[cfg(test)]
mod tests;
