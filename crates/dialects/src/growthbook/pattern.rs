//! Regular expressions of JavaScript, said in the words of a matcher that needs linear time.
//!
//! What both write alike and mean differently is translated: classes as `\d` and borders of words, which are of ASCII
//! only, and what is special within `[…]`. Look-around and references to groups cannot be found in linear time; a pattern with
//! them is none.

use regex::{Regex, RegexBuilder};

/// What a compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

/// Compiles a pattern; none if it is not one.
pub(crate) fn compile(pattern: &str, ignores_case: bool) -> Option<Regex> {
    RegexBuilder::new(&translated(pattern))
        .case_insensitive(ignores_case)
        .size_limit(PATTERN_BYTES)
        .build()
        .ok()
}

/// The same pattern for Rust's `regex`.
pub(crate) fn translated(pattern: &str) -> String {
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

/// What may come next in a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// Nothing that could be repeated.
    Nothing,
    /// Something that may be repeated.
    Atom,
    /// Something that is repeated.
    Repeated,
}

/// A pattern of Rust's `regex` as JavaScript writes it; none if it means something else there, or nothing.
///
/// It takes letters, `. ^ $ | * + ? ( ) { } [ ]` and what is escaped to stand for itself. Classes with names mean other
/// letters in JavaScript; flags and sets of sets do not exist.
pub(super) fn written(pattern: &str) -> Option<String> {
    let mut written = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut after = After::Nothing;
    while let Some(char) = rest.chars().next() {
        let length = match char {
            '\\' => escaped(rest)?,
            '[' => class(rest)?,
            '(' if rest.starts_with("(?") && !rest.starts_with("(?:") => return None,
            '(' if rest.starts_with("(?:") => 3,
            '{' => counted(rest)?,
            _ => char.len_utf8(),
        };
        let (part, others) = rest.split_at(length);
        after = match (char, after) {
            ('*' | '+' | '?' | '{', After::Atom) => After::Repeated,
            // As few as will do.
            ('?', After::Repeated) => After::Nothing,
            ('*' | '+' | '?' | '{', _) => return None,
            ('(' | '|' | '^' | '$', _) => After::Nothing,
            // Half of such a letter is a letter in JavaScript.
            (char, _) if char > '\u{ffff}' => return None,
            _ => After::Atom,
        };
        match part {
            "." => written.push_str(r"[^\n]"),
            "/" => written.push_str(r"\/"),
            part => written.push_str(part),
        }
        rest = others;
    }
    Some(written)
}

/// The length of an escaped sign that stands for itself.
fn escaped(rest: &str) -> Option<usize> {
    let char = rest.chars().nth(1)?;
    (char.is_ascii_punctuation() && char != '<' && char != '>').then_some(2)
}

/// The length of `{2}`, `{2,}` or `{2,3}`.
fn counted(rest: &str) -> Option<usize> {
    let end = rest.find('}')?;
    let (from, to) = rest[1..end].split_once(',').unwrap_or((&rest[1..end], "1"));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!from.is_empty() && is_number(from) && is_number(to)).then_some(end + 1)
}

/// The length of `[a-z]`, if there are only letters, and escaped signs, in it.
fn class(rest: &str) -> Option<usize> {
    let start = if rest.starts_with("[^") { 2 } else { 1 };
    let mut at = start;
    loop {
        let here = &rest[at..];
        let char = here.chars().next()?;
        match char {
            ']' if at > start => return Some(at + 1),
            '\\' => at += escaped(here)?,
            '[' | ']' => return None,
            // They make sets of two.
            '&' | '-' | '~' if here[1..].starts_with(char) => return None,
            char if char > '\u{ffff}' => return None,
            char => at += char.len_utf8(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{compile, written};

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

    #[test]
    fn patterns_are_written_that_mean_the_same() {
        let same = [
            "",
            "^a+?b$",
            "(?:a|b){2,3}",
            r"[^a-z\-\]]x*",
            r"a\.b",
            "(a)(b)?",
            "ä[ö-ü]",
            "x{2}y{3,}",
        ];
        for pattern in same {
            assert_eq!(written(pattern).as_deref(), Some(pattern));
        }
        assert_eq!(written("a/.").as_deref(), Some(r"a\/[^\n]"));
        let other = [
            r"\d",
            r"\pL",
            r"\<a",
            "(?i)a",
            "(?P<n>a)",
            "[[:alpha:]]",
            "[a&&b]",
            "[]a]",
            "[a--b]",
            "a**",
            "a+??",
            "^*",
            "x{,3}",
            "x{ 2}",
            "😀",
            "[😀]",
            "[a",
            "\\",
        ];
        for pattern in other {
            assert_eq!(written(pattern), None, "{pattern}");
        }
    }
}
