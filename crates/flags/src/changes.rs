//! How it is told that flags have changed: server-sent events in the form of OFREP (ADR 0008).

/// What is sent while there is nothing to tell.
pub const SIGN_OF_LIFE: &[u8] = b": \n\n";

/// The event that the definitions have this tag, which is letters and digits; `etag` is as in the header of an answer.
pub fn event(tag: &str) -> String {
    let said = serde_json::json!({ "type": "refetchEvaluation", "etag": format!("\"{tag}\"") });
    format!("id: {tag}\ndata: {said}\n\n")
}
