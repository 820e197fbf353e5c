//! `feature_flags`: tells the service behind which variants of feature flags the caller has.

use std::collections::HashSet;

use domain::flag::{AttributeSource, FlagKey};
use flags::Sources;
use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Policy;
use crate::State;
use crate::baggage::{self, Member};
use crate::builtin::headers;
use crate::call::Call;
use crate::kind::{Builtin, Fault};
use crate::verdict::Verdict;

/// The most flags.
const FLAGS_MAX: usize = 20;
/// What the names of header fields begin with that are not chosen.
const PREFIX: &str = "x-feature-";
/// What the keys of members of `baggage` begin with.
const MEMBER_PREFIX: &str = "feature_flag.";

/// Which flags, and what they are asked about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The flags: 1 to 20.
    #[schemars(length(min = 1, max = 20))]
    pub flags: Vec<TellFlag>,
    /// Where in the call it stands what the flags ask about. `method`, `host`, `path`, `remote_address`, and of callers
    /// that are known `application_id`, `organization_id`, `subscription_id`, `plan` and `key_id` are there without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub attributes: Vec<AttributeSource>,
    /// Whether variants are told in `baggage` as well, as `feature_flag.new-checkout=on`.
    #[serde(default = "yes")]
    pub baggage: bool,
}

/// A flag of which the variant is told.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TellFlag {
    /// The flag's key.
    #[schemars(length(min = 1, max = 100))]
    pub key: String,
    /// The header field that has the variant's name; `X-Feature-` and the key if absent, with `-` for `.`, `_` and `~`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub header: Option<String>,
}

const fn yes() -> bool {
    true
}

/// The compiled policy.
#[derive(Debug)]
pub struct FeatureFlags {
    keys: Box<[Box<str>]>,
    flags: Box<[Flag]>,
    sources: Sources,
    has_baggage: bool,
}

#[derive(Debug)]
struct Flag {
    header: HeaderName,
    /// Its key in `baggage`.
    member: Box<str>,
}

impl Builtin for FeatureFlags {
    type Config = Config;
    const NAME: &'static str = "feature_flags";
    const TITLE: &'static str = "Feature flags";
    const DESCRIPTION: &'static str = "Tells the service behind which variants of feature flags the caller has: in a \
        header field for each flag, and in `baggage` (W3C), which services pass on. What clients send under these names is \
        removed.";

    fn build(config: Config, _: Option<&State>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        if config.flags.is_empty() || config.flags.len() > FLAGS_MAX {
            faults.push(Fault::new("/flags", format!("1 to {FLAGS_MAX} flags")));
        }
        let mut headers = HashSet::new();
        let mut keys = HashSet::new();
        let mut flags = Vec::with_capacity(config.flags.len());
        for (place, flag) in config.flags.iter().enumerate() {
            let at = format!("/flags/{place}");
            if let Err(error) = flag.key.parse::<FlagKey>() {
                faults.push(Fault::new(format!("{at}/key"), error.to_string()));
                continue;
            }
            if !keys.insert(&*flag.key) {
                faults.push(Fault::new(format!("{at}/key"), "the flag is named twice"));
            }
            let Some(header) = header(flag, &format!("{at}/header"), &mut faults) else {
                continue;
            };
            if !headers.insert(header.clone()) {
                let detail = format!("`{header}` is the header of another flag");
                faults.push(Fault::new(format!("{at}/header"), detail));
            }
            flags.push(Flag {
                header,
                member: format!("{MEMBER_PREFIX}{}", flag.key).into(),
            });
        }
        let mut found = Vec::new();
        let sources = Sources::compile(&config.attributes, "/attributes", &mut found);
        let found = found
            .into_iter()
            .map(|fault| Fault::new(fault.pointer, fault.detail));
        faults.extend(found);
        match faults.is_empty() {
            true => Ok(Self {
                keys: config.flags.iter().map(|flag| flag.key.as_str().into()).collect(),
                flags: flags.into(),
                sources,
                has_baggage: config.baggage,
            }),
            false => Err(faults),
        }
    }

    fn unheeded(config: &Config) -> Vec<Fault> {
        let flags = config.flags.iter().enumerate();
        let faults = flags.filter_map(|(place, flag)| {
            headers::overwritten_request(flag.header.as_deref()?, &format!("/flags/{place}/header"))
        });
        faults.collect()
    }
}

fn header(flag: &TellFlag, at: &str, faults: &mut Vec<Fault>) -> Option<HeaderName> {
    let usual = || format!("{PREFIX}{}", flag.key.replace(['.', '_', '~'], "-"));
    let text = flag.header.clone().unwrap_or_else(usual);
    let name = headers::name(&text, at.to_owned(), faults)?;
    if name == BAGGAGE {
        faults.push(Fault::new(
            at,
            "`baggage` has all variants, see the field `baggage`",
        ));
        return None;
    }
    Some(name)
}

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

impl Policy for FeatureFlags {
    fn request<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        let given = match call.flags {
            Some(flags) => flags.variants(call.place.organization, (&self.keys, &self.sources), call.head()),
            None => vec![None; self.flags.len()],
        };
        let given: Vec<_> = (given.into_iter())
            .map(|variant| variant.map(baggage::encoded))
            .collect();
        for (flag, variant) in self.flags.iter().zip(&given) {
            let value = variant.as_ref().and_then(|text| HeaderValue::from_str(text).ok());
            match value {
                Some(value) => drop(call.headers.insert(flag.header.clone(), value)),
                None => drop(call.headers.remove(&flag.header)),
            }
        }
        if self.has_baggage {
            let ours = self.flags.iter().zip(given).map(|(flag, value)| Member {
                key: &flag.member,
                value,
            });
            let ours: Vec<_> = ours.collect();
            let lines = call.headers.get_all(BAGGAGE).iter();
            let field = baggage::merged(lines.map(HeaderValue::as_bytes), &ours);
            let field = field.and_then(|field| HeaderValue::try_from(field).ok());
            match field {
                Some(field) => drop(call.headers.insert(BAGGAGE, field)),
                None => drop(call.headers.remove(BAGGAGE)),
            }
        }
        Verdict::Continue
    }

    fn flags(&self) -> Vec<&str> {
        self.keys.iter().map(|key| &**key).collect()
    }
}

#[cfg(test)]
mod tests;
