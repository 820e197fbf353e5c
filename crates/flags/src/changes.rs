//! How it is told that flags have changed: server-sent events in the form of OFREP (ADR 0008).

/// What is sent while there is nothing to tell.
pub const SIGN_OF_LIFE: &[u8] = b": \n\n";

/// The event that what is there has this tag; a tag is letters and digits.
pub fn event(tag: &str) -> String {
    format!("id: {tag}\ndata: {{\"type\":\"refetchEvaluation\",\"etag\":\"{tag}\"}}\n\n")
}
