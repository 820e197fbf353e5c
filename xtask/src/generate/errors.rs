//! `spec/errors.json`: the catalogue of error codes for documentation and other languages.

use domain::Code;

use crate::source::Error;

/// All codes with status, title and suggestion, as JSON.
pub(super) fn catalogue() -> Result<String, Error> {
    let entries: Vec<_> = Code::ALL.iter().map(|code| code.entry()).collect();
    let text = serde_json::to_string_pretty(&entries).map_err(|error| Error::Document {
        document: "spec/errors.json".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(text + "\n")
}
