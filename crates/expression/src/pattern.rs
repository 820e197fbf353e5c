//! Regular expressions that are safe to run on what anybody sends.

use regex::{Regex, RegexBuilder};

/// The most characters of a pattern.
pub const PATTERN_MAX: usize = 1000;
/// The most memory of a compiled pattern, in bytes; its cache may have as much per thread.
pub const COMPILED_BYTES_MAX: usize = 256 * 1024;

/// Compiles a pattern that may fit anywhere; what is wrong with it is a clause without a full stop.
///
/// It takes time linear in the text, whatever the text is: there are no back references and no look-around.
pub fn pattern(text: &str) -> Result<Regex, String> {
    if text.chars().count() > PATTERN_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "it has a control character or more than {PATTERN_MAX} characters"
        ));
    }
    let compiled = RegexBuilder::new(text)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build();
    compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!(
                "it is not a regular expression: {}",
                last.trim_start_matches("error: ")
            )
        }
    })
}
