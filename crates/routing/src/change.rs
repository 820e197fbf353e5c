//! Changes of a path: another prefix, a whole other path with parts of the old one, or a substitution.

use std::collections::HashMap;
use std::fmt::Write as _;

use domain::routing::Substitution;
use regex::Regex;

use crate::fault::Faults;
use crate::path::{normal, normal_base_path};
use crate::tree::{decode, segments};
use crate::value;

/// The most characters of what is put in.
const TEXT_MAX: usize = 1000;

/// A change of a path.
#[derive(Debug)]
pub(crate) enum Change {
    /// Another base path, without a slash at the end.
    Prefix(Box<str>),
    Template(Template),
    Regex(Regex, Box<str>),
}

/// A whole path with variables.
#[derive(Debug)]
pub(crate) struct Template {
    parts: Vec<Part>,
    /// The template that the whole path was compared with.
    compared: Option<Box<str>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Variable(Box<str>),
}

impl Change {
    /// Compiles at most one of another prefix, another path and a substitution.
    pub(crate) fn compile(
        pointer: &str,
        (prefix, path, regex): (Option<&str>, Option<&str>, Option<&Substitution>),
        compared: Option<&str>,
        faults: &mut Faults,
    ) -> Option<Self> {
        if usize::from(prefix.is_some()) + usize::from(path.is_some()) + usize::from(regex.is_some()) > 1 {
            faults.add(
                pointer,
                "change_twice",
                "The path can be changed in one way only.",
                "Say only one of `prefix`, `path` and `regex`.",
            );
            return None;
        }
        if let Some(prefix) = prefix {
            return match normal_base_path(prefix, false) {
                Ok(prefix) => Some(Self::Prefix(prefix.trim_end_matches('/').into())),
                Err(detail) => {
                    let suggestion = "Write it as `/shop`, or `/` for none.";
                    faults.add(format!("{pointer}/prefix"), "path_invalid", detail, suggestion);
                    None
                }
            };
        }
        if let Some(path) = path {
            let is_path = path.starts_with('/')
                && !path.starts_with("//")
                && path.len() <= TEXT_MAX
                && path.is_ascii()
                && !path.contains(['?', '#', '\\', ' '])
                && !path.chars().any(char::is_control)
                && !path.split('/').any(|segment| matches!(segment, "." | ".."));
            if !is_path {
                faults.add(
                    format!("{pointer}/path"),
                    "path_invalid",
                    "It is not a path.",
                    "Write it as `/v2/items/{id}`, percent-encoded, without query.",
                );
                return None;
            }
            return Some(Self::Template(Template {
                parts: parts(path),
                compared: compared.map(Into::into),
            }));
        }
        regex.and_then(|regex| substitution(pointer, regex, faults))
    }

    /// The new path of a request's `path`, of which the base path takes `base` bytes.
    pub(crate) fn apply(&self, path: &str, base: usize, operation: Option<&str>) -> String {
        let rest = &path[base..];
        match self {
            Self::Prefix(prefix) if prefix.is_empty() && rest.is_empty() => "/".to_owned(),
            Self::Prefix(prefix) => format!("{prefix}{rest}"),
            Self::Template(template) => template.fill(path, rest, operation),
            Self::Regex(regex, replacement) => {
                let decoded = normal(rest);
                if !regex.is_match(&decoded) {
                    return rest.to_owned();
                }
                let replaced = encode(&regex.replace(&decoded, &**replacement));
                if replaced.starts_with('/') {
                    replaced
                } else {
                    format!("/{replaced}")
                }
            }
        }
    }
}

impl Template {
    /// A variable that neither the compared path nor the operation has.
    pub(crate) fn unknown(&self, operation: Option<&str>) -> Option<&str> {
        let has = |template: Option<&str>, name: &str| {
            template.is_some_and(|template| parts(template).contains(&Part::Variable(name.into())))
        };
        self.parts.iter().find_map(|part| match part {
            Part::Variable(name) if !has(self.compared.as_deref(), name) && !has(operation, name) => {
                Some(&**name)
            }
            _ => None,
        })
    }

    fn fill(&self, path: &str, rest: &str, operation: Option<&str>) -> String {
        let mut values = HashMap::new();
        if let Some(operation) = operation {
            capture(operation, rest, &mut values);
        }
        if let Some(compared) = &self.compared {
            capture(compared, path, &mut values);
        }
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Variable(name) => {
                    // A slash in a value is part of it, not of the path.
                    let value = values.get(&**name).map_or("", String::as_str);
                    filled.push_str(&encode(&value.replace('%', "%25").replace('/', "%2F")));
                }
            }
        }
        filled
    }
}

/// Splits a template into its text and its variables; of variables side by side the first one has all.
fn parts(template: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        if !before.is_empty() {
            parts.push(Part::Text(before.into()));
        }
        parts.push(Part::Variable(name.into()));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.into()));
    }
    parts
}

/// Notes what stands in a path for the variables of a template that it fits, decoded.
fn capture(template: &str, path: &str, values: &mut HashMap<String, String>) {
    for (template, segment) in segments(template).zip(segments(path)) {
        if !template.contains('{') {
            continue;
        }
        let segment = decode(segment);
        let mut rest: &str = &segment;
        let parts = parts(template);
        for (index, part) in parts.iter().enumerate() {
            match part {
                Part::Text(text) => rest = rest.strip_prefix(&*decode(text)).unwrap_or(rest),
                Part::Variable(name) => {
                    // As the tree reads it: up to the first place where the text after it occurs, or to the end.
                    let end = match parts.get(index + 1) {
                        Some(Part::Text(text)) if index + 2 == parts.len() => {
                            rest.len().saturating_sub(decode(text).len())
                        }
                        Some(Part::Text(text)) => {
                            let skipped = rest.chars().next().map_or(0, char::len_utf8);
                            let found = rest[skipped..].find(&*decode(text));
                            found.map_or(rest.len(), |place| place + skipped)
                        }
                        _ => rest.len(),
                    };
                    let (value, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                    values.insert(name.to_string(), value.to_owned());
                    rest = after;
                }
            }
        }
    }
}

fn substitution(pointer: &str, regex: &Substitution, faults: &mut Faults) -> Option<Change> {
    let pattern = value::pattern(&regex.pattern, &format!("{pointer}/regex/pattern"), faults)?;
    let text = &regex.replacement;
    let is_text = text.len() <= TEXT_MAX && !text.chars().any(char::is_control) && !text.contains(['?', '#']);
    let place = format!("{pointer}/regex/replacement");
    if !is_text {
        faults.add(
            place,
            "path_invalid",
            format!("It has a `?`, a `#`, a control character, or more than {TEXT_MAX} characters."),
            "Write a part of a path.",
        );
        return None;
    }
    if let Some(group) = groups(text).find(|group| {
        let by_number = group
            .parse()
            .is_ok_and(|number: usize| number < pattern.captures_len());
        !by_number && !pattern.capture_names().flatten().any(|name| name == *group)
    }) {
        faults.add(
            place,
            "group_unknown",
            format!("The expression has no group `{group}`."),
            "Write `${1}` or `${name}`, with braces where a letter, digit or `_` follows; `$$` is `$`.",
        );
        return None;
    }
    Some(Change::Regex(pattern, text.as_str().into()))
}

/// The groups that a replacement names, read as the library reads them.
fn groups(replacement: &str) -> impl Iterator<Item = &str> {
    let mut rest = replacement;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('$')?;
            if let Some(after) = after.strip_prefix('$') {
                rest = after;
                continue;
            }
            if let Some((name, after)) = after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                rest = after;
                return Some(name);
            }
            let end = after
                .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                .unwrap_or(after.len());
            rest = &after[end..];
            if end > 0 {
                return Some(&after[..end]);
            }
        }
    })
}

/// A path as it may stand in a request: what cannot stand there is percent-encoded, what is encoded stays so.
pub(crate) fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    let bytes = path.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        let is_encoded = || {
            bytes
                .get(index + 1..index + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        let stays = byte.is_ascii_alphanumeric()
            || b"-._~!$&'()*+,;=:@/".contains(byte)
            || (*byte == b'%' && is_encoded());
        if stays {
            encoded.push(char::from(*byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
