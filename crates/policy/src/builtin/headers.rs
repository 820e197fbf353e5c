//! `headers`: sets and removes header fields.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::{Answer, Call};
use crate::kind::{Builtin, Fault};
use crate::verdict::Verdict;
use crate::{Phase, Policy, State};

/// Fields that frame a message or that the gateway vouches for.
const RESERVED: [&str; 12] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-gateline-application",
    "x-gateline-plan",
];
/// Fields that the gateway writes into requests after all policies; those about the connection hold as others say them
/// only where a trusted proxy does.
const WRITTEN_TO_SERVICES: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];
/// The same for answers.
const WRITTEN_TO_CLIENTS: [&str; 1] = ["x-request-id"];
/// The most fields per direction.
const FIELDS_MAX: usize = 64;

/// What changes on the way to the upstream and back.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Changes of the request.
    #[serde(default)]
    pub request: Change,
    /// Changes of the answer, the gateway's own answers included.
    #[serde(default)]
    pub response: Change,
}

/// Changes of one head: fields are removed first, then set.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Names of fields to remove.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Fields to set; they replace those of the same name.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// The compiled policy.
#[derive(Debug)]
pub struct Headers {
    request: Compiled,
    response: Compiled,
}

#[derive(Debug)]
struct Compiled {
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, HeaderValue)>,
}

impl Builtin for Headers {
    type Config = Config;
    const NAME: &'static str = "headers";
    const TITLE: &'static str = "Headers";
    const DESCRIPTION: &'static str = "Sets and removes header fields of requests and answers. Fields that frame \
        a message, and those by which the gateway vouches for the caller, cannot be changed.";
    const TAKES_AUDIENCE: bool = true;

    fn build(config: Config, _: Option<&State>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let request = compile(&config.request, "/request", &mut faults);
        let response = compile(&config.response, "/response", &mut faults);
        if faults.is_empty() {
            Ok(Self { request, response })
        } else {
            Err(faults)
        }
    }

    fn unheeded(config: &Config) -> Vec<Fault> {
        let mut faults = Vec::new();
        overwritten(&config.request, ("/request", &WRITTEN_TO_SERVICES), &mut faults);
        overwritten(&config.response, ("/response", &WRITTEN_TO_CLIENTS), &mut faults);
        faults
    }
}

impl Policy for Headers {
    // Answers get the fields even if the caller is refused.
    fn phase(&self) -> Phase {
        Phase::First
    }

    fn request<'a>(&'a self, call: &mut Call<'a, '_>) -> Verdict {
        apply(&self.request, call.headers);
        Verdict::Continue
    }

    fn response(&self, answer: &mut Answer<'_>) {
        apply(&self.response, answer.headers);
    }

    fn changes_answers(&self) -> bool {
        !self.response.remove.is_empty() || !self.response.set.is_empty()
    }
}

fn apply(change: &Compiled, headers: &mut HeaderMap) {
    for name in &change.remove {
        headers.remove(name);
    }
    for (name, value) in &change.set {
        headers.insert(name.clone(), value.clone());
    }
}

fn compile(change: &Change, place: &str, faults: &mut Vec<Fault>) -> Compiled {
    if change.remove.len().max(change.set.len()) > FIELDS_MAX {
        faults.push(Fault::new(place, format!("more than {FIELDS_MAX} fields")));
    }
    let mut remove = Vec::new();
    for (index, text) in change.remove.iter().enumerate() {
        remove.extend(name(text, format!("{place}/remove/{index}"), faults));
    }
    let mut set: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for (text, value) in &change.set {
        let pointer = pointer_of(place, text);
        let Some(name) = name(text, pointer.clone(), faults) else {
            continue;
        };
        if set.iter().any(|(other, _)| *other == name) {
            faults.push(Fault::new(
                pointer,
                "the field is set twice; names differ in case only",
            ));
            continue;
        }
        match HeaderValue::from_str(value) {
            Ok(value) => set.push((name, value)),
            Err(_) => faults.push(Fault::new(
                pointer,
                "the value has characters that a header cannot carry",
            )),
        }
    }
    Compiled { remove, set }
}

/// Where a field stands that is set.
fn pointer_of(place: &str, name: &str) -> String {
    format!("{place}/set/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Names the fields that are written after the policies.
fn overwritten(change: &Change, (place, written): (&str, &[&str]), faults: &mut Vec<Fault>) {
    for (index, name) in change.remove.iter().enumerate() {
        faults.extend(is_written(name, written, || format!("{place}/remove/{index}")));
    }
    for name in change.set.keys() {
        faults.extend(is_written(name, written, || pointer_of(place, name)));
    }
}

/// What is wrong with a field of requests that a policy sets, if the gateway writes it afterwards.
pub(super) fn overwritten_request(name: &str, pointer: &str) -> Option<Fault> {
    is_written(name, &WRITTEN_TO_SERVICES, || pointer.to_owned())
}

fn is_written(name: &str, written: &[&str], pointer: impl FnOnce() -> String) -> Option<Fault> {
    let known = written.iter().find(|known| known.eq_ignore_ascii_case(name))?;
    Some(Fault::new(
        pointer(),
        format!("the gateway writes `{known}` itself, after all policies, so this would have no effect"),
    ))
}

pub(super) fn name(text: &str, pointer: String, faults: &mut Vec<Fault>) -> Option<HeaderName> {
    let Ok(name) = text.parse::<HeaderName>() else {
        faults.push(Fault::new(pointer, "this is not the name of a header"));
        return None;
    };
    if RESERVED.contains(&name.as_str()) {
        faults.push(Fault::new(
            pointer,
            format!("`{name}` is the gateway's and cannot be changed"),
        ));
        return None;
    }
    Some(name)
}
