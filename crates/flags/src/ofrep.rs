//! OpenFeature Remote Evaluation Protocol (OFREP 0.3): its words for what somebody gets.
//!
//! Source: <https://github.com/open-feature/protocol>.

use domain::id::AssignmentId;
use serde::Serialize;
use serde_json::Value;

use crate::answer::{Evaluated, RuleName};
use crate::attributes::QuestionFault;

/// How a head ends.
const VALUE: &[u8] = br#""value":"#;

/// What somebody gets of a flag.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found<'a> {
    pub(crate) key: &'a str,
    /// None where it is `null`: the protocol has no such value, and lets the caller's default stand there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<&'a Value>,
    pub(crate) reason: &'static str,
    pub(crate) variant: &'a str,
    pub(crate) metadata: Metadata<'a>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    flag_version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleName<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignment_id: Option<AssignmentId>,
    /// Ours, if it says more than OpenFeature's.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Why there is no evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure<'a> {
    /// The flag's key, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    /// OpenFeature's code.
    pub error_code: &'static str,
    /// What is wrong.
    pub error_details: String,
}

impl<'a> Failure<'a> {
    /// There is no such flag.
    pub fn missing(key: &'a str, missing: &crate::Missing) -> Self {
        Self {
            key: Some(key),
            error_code: "FLAG_NOT_FOUND",
            error_details: missing.to_string(),
        }
    }

    /// The question cannot be read.
    pub fn of(key: Option<&'a str>, fault: &QuestionFault) -> Self {
        Self {
            key,
            error_code: match fault {
                QuestionFault::Syntax(_) => "PARSE_ERROR",
                QuestionFault::Form(_) => "INVALID_CONTEXT",
            },
            error_details: fault.to_string(),
        }
    }
}

impl<'a> From<Evaluated<'a>> for Found<'a> {
    fn from(found: Evaluated<'a>) -> Self {
        let reason = reason(found.reason);
        Self {
            key: found.key,
            value: Some(found.value).filter(|value| !value.is_null()),
            reason,
            variant: found.variant,
            metadata: Metadata {
                flag_version: found.flag_version,
                rule: found.rule,
                assignment_id: found.assignment_id,
                reason: (!reason.eq_ignore_ascii_case(found.reason)).then_some(found.reason),
            },
        }
    }
}

/// Writes what somebody gets of a flag as the JSON of [`Found`].
///
/// # Errors
/// Those of writing JSON.
#[expect(
    clippy::needless_pass_by_value,
    reason = "as whatever writes answers for a list"
)]
pub fn write(found: Evaluated<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let reason = reason(found.reason);
    found
        .head
        .short()
        .iter()
        .for_each(|part| out.extend_from_slice(part));
    if found.value.is_null() {
        out.truncate(out.len() - VALUE.len());
    } else {
        serde_json::to_writer(&mut *out, found.value)?;
        out.push(b',');
    }
    out.extend_from_slice(br#""reason":""#);
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(br#"","metadata":{"flagVersion":"#);
    serde_json::to_writer(&mut *out, &found.flag_version)?;
    if let Some(rule) = found.rule {
        out.extend_from_slice(br#","rule":"#);
        rule.write(out)?;
    }
    if let Some(id) = found.assignment_id {
        out.extend_from_slice(br#","assignmentId":""#);
        out.extend_from_slice(&id.encoded());
        out.push(b'"');
    }
    if !reason.eq_ignore_ascii_case(found.reason) {
        out.extend_from_slice(br#","reason":""#);
        out.extend_from_slice(found.reason.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"}}");
    Ok(())
}

/// Adds to an answer about several flags where it is told that something has changed, for the holder of a key.
pub fn add_streams(answer: &mut Vec<u8>, key: &str) {
    let key: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
    let uri = format!("/api/v1/feature-flags/changes?key={key}");
    if answer.pop() == Some(b'}') {
        let streams = serde_json::json!([{ "type": "sse", "endpoint": { "requestUri": uri } }]);
        answer.extend_from_slice(format!(r#","eventStreams":{streams}}}"#).as_bytes());
    }
}

/// OpenFeature's word for a reason. There are providers that know no others, though the specification allows them.
fn reason(ours: &str) -> &'static str {
    match ours {
        "static" => "STATIC",
        "targeting_match" => "TARGETING_MATCH",
        "split" => "SPLIT",
        "error" => "ERROR",
        "prerequisite_failed" | "disabled" => "DISABLED",
        _ => "DEFAULT",
    }
}
