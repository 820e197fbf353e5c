//! Regular expressions of JavaScript, said in the words of a matcher that needs linear time.
//!
//! What both write alike and mean differently is translated: classes as `\d` and borders of words, which are of ASCII
//! only, and what is special within `[…]`. Look-around and references to groups cannot be found in linear time; a pattern with
//! them is none.

use regex::{Regex, RegexBuilder};

/// What a compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

/// Compiles a pattern; none if it is not one.
pub(super) fn compile(pattern: &str, ignores_case: bool) -> Option<Regex> {
    RegexBuilder::new(&translated(pattern))
        .case_insensitive(ignores_case)
        .size_limit(PATTERN_BYTES)
        .build()
        .ok()
}

/// The same pattern for Rust's `regex`.
pub(super) fn translated(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars();
    let mut is_in_class = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some(escaped) => escape(escaped, is_in_class, &mut written),
                None => written.push('\\'),
            },
            '[' if !is_in_class => {
                is_in_class = true;
                written.push('[');
            }
            ']' if is_in_class => {
                is_in_class = false;
                written.push(']');
            }
            // Those make sets of sets in Rust.
            '[' | '&' | '~' if is_in_class => {
                written.push('\\');
                written.push(char);
            }
            // All ends of lines, not only `\n`.
            '.' if !is_in_class => written.push_str(r"[^\n\r\u2028\u2029]"),
            _ => written.push(char),
        }
    }
    written
}

fn escape(escaped: char, is_in_class: bool, written: &mut String) {
    let class = match escaped {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        's' => r"\s\u{feff}",
        'D' => "^0-9",
        'W' => "^0-9A-Za-z_",
        'S' => r"^\s\u{feff}",
        'b' if is_in_class => return written.push_str(r"\x08"),
        'b' => return written.push_str(r"(?-u:\b)"),
        'B' => return written.push_str(r"(?-u:\B)"),
        '_' | '/' => return written.push(escaped),
        other => return written.extend(['\\', other]),
    };
    let is_inside = is_in_class && escaped.is_ascii_lowercase();
    match is_inside {
        true => written.push_str(class),
        false => written.extend(["[", class, "]"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_javascript() {
        let table = [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^[\d\-]+$", "1-2", true),
            (r"^[^\D]$", "7", true),
            (r"^\w$", "ä", false),
            (r"^\W$", "ä", true),
            (r"\bb\b", "äbä", true),
            (r"[[&~]", "&", true),
            (r"^[[]$", "[", true),
            (r"^a.b$", "a\u{2028}b", false),
            (r"^a.b$", "aäb", true),
            (r"\/", "a/b", true),
            (r"^https?:\/\/", "https://a", true),
            (r"^\s$", "\u{feff}", true),
            (r"^[\b]$", "\u{8}", true),
        ];
        for (pattern, text, wanted) in table {
            let found = compile(pattern, false).unwrap();
            assert_eq!(found.is_match(text), wanted, "{pattern} {text}");
        }
        for none in ["(", "(?=a)", r"(a)\1", "\\", "/???***[)"] {
            assert!(compile(none, false).is_none(), "{none}");
        }
        assert!(compile("ÄB", true).unwrap().is_match("äb"));
    }
}
