//! Versions as the SDKs order them: as texts whose numbers are padded.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::json::{number_text, order_of_texts};

/// What ends a line in JavaScript.
const LINE_ENDS: [char; 4] = ['\n', '\r', '\u{2028}', '\u{2029}'];

/// Which of two versions comes first; both are texts, or both numbers.
pub(super) fn order(one: &Json, other: &Json) -> Option<Ordering> {
    let texts = match (one, other) {
        (Json::String(one), Json::String(other)) => (padded(one), padded(other)),
        (Json::Number(one), Json::Number(other)) => {
            let padded = |number: f64| padded(&number_text(number));
            (padded(one.as_f64()?), padded(other.as_f64()?))
        }
        _ => return None,
    };
    Some(order_of_texts(&texts.0, &texts.1))
}

/// A version so that texts are in the order of versions: `v1.10.0+7` is `    1-   10-    0-~`.
pub(super) fn padded(version: &str) -> String {
    let version = if version.is_empty() { "0" } else { version };
    let version = version.strip_prefix('v').unwrap_or(version);
    let last_line = version.rfind(LINE_ENDS).unwrap_or(0);
    let build = version[last_line..].find('+').map(|place| last_line + place);
    let version = &version[..build.unwrap_or(version.len())];
    let mut parts: Vec<_> = version.split(['-', '.']).map(padded_part).collect();
    if parts.len() == 3 {
        // Behind everything that comes before a release.
        parts.push("~".to_owned());
    }
    parts.join("-")
}

fn padded_part(part: &str) -> String {
    match !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("{part:>5}"),
        false => part.to_owned(),
    }
}
