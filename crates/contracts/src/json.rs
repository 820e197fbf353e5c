//! Reads JSON (RFC 8259) with positions, in one pass and without copying text that has no escapes.

use std::borrow::Cow;

use crate::node::{Entry, Map, Node, Value};
use crate::path::{Path, push_key};
use crate::report::{Place, Report, Stop, shorten};
use crate::{Limit, Limits, Rule};

/// Reads a JSON text.
pub(crate) fn parse<'a>(text: &'a str, limits: &Limits, report: &mut Report) -> Result<Node<'a>, Stop> {
    let mut parser = Parser {
        text,
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
        line_start: 0,
        wide: 0,
        nodes: 0,
        limits,
        report,
    };
    parser.skip_blank();
    let root = parser.value(&Path::Root, 0)?;
    parser.skip_blank();
    if parser.at < parser.bytes.len() {
        return Err(parser.unexpected(&Path::Root, "the end of the document"));
    }
    Ok(root)
}

struct Parser<'a, 'l> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
    /// Where the line begins.
    line_start: usize,
    /// Bytes since then that continue a character.
    wide: usize,
    nodes: usize,
    limits: &'l Limits,
    report: &'l mut Report,
}

impl<'a> Parser<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn place(&self) -> Place {
        let column = (self.at - self.line_start).saturating_sub(self.wide) + 1;
        Place {
            line: self.line,
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                    self.wide = 0;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                _ => return,
            }
        }
    }

    fn broken(&self, path: &Path<'_>, detail: String) -> Stop {
        Stop::broken(Rule::JsonBroken, path.pointer(), self.place(), detail)
    }

    fn unexpected(&self, path: &Path<'_>, expected: &str) -> Stop {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(character) => format!("`{}`", character.escape_debug()),
            None => "the end of the document".to_owned(),
        };
        self.broken(path, format!("Expected {expected}, found {found}."))
    }

    fn value(&mut self, path: &Path<'_>, depth: usize) -> Result<Node<'a>, Stop> {
        let place = self.place();
        self.nodes += 1;
        if self.nodes > self.limits.nodes_max {
            return Err(Stop::over(Limit::Nodes, self.limits, path.pointer(), place));
        }
        let value = match self.peek() {
            Some(b'"') => Value::Text(self.string(path)?),
            Some(b'{' | b'[') if depth >= self.limits.depth_max => {
                return Err(Stop::over(Limit::Depth, self.limits, path.pointer(), place));
            }
            Some(b'{') => Value::Map(self.map(path, depth + 1)?),
            Some(b'[') => Value::List(self.list(path, depth + 1)?),
            Some(b'-' | b'0'..=b'9') => Value::Number(Cow::Borrowed(self.number(path)?)),
            Some(b't') => self.word(path, "true", Value::Bool(true))?,
            Some(b'f') => self.word(path, "false", Value::Bool(false))?,
            Some(b'n') => self.word(path, "null", Value::Null)?,
            _ => return Err(self.unexpected(path, "a value")),
        };
        Ok(Node { place, value })
    }

    fn word(&mut self, path: &Path<'_>, word: &str, value: Value<'a>) -> Result<Value<'a>, Stop> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.unexpected(path, "a value"))
        }
    }

    fn list(&mut self, path: &Path<'_>, depth: usize) -> Result<Vec<Node<'a>>, Stop> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_blank();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(items);
        }
        loop {
            items.push(self.value(&path.index(items.len()), depth)?);
            self.skip_blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break self.at += 1,
                _ => return Err(self.unexpected(path, "`,` or `]`")),
            }
            self.skip_blank();
        }
        items.shrink_to_fit();
        Ok(items)
    }

    fn map(&mut self, path: &Path<'_>, depth: usize) -> Result<Map<'a>, Stop> {
        let mut entries = Vec::new();
        self.at += 1;
        self.skip_blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return self.close_map(path, entries);
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected(path, "a key in quotes"));
            }
            let place = self.place();
            let key = self.string(path)?;
            self.skip_blank();
            if self.peek() != Some(b':') {
                return Err(self.unexpected(&path.key(&key), "`:`"));
            }
            self.at += 1;
            self.skip_blank();
            let node = self.value(&path.key(&key), depth)?;
            entries.push(Entry { key, place, node });
            self.skip_blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return self.close_map(path, entries);
                }
                _ => return Err(self.unexpected(path, "`,` or `}`")),
            }
            self.skip_blank();
        }
    }

    fn close_map(&self, path: &Path<'_>, entries: Vec<Entry<'a>>) -> Result<Map<'a>, Stop> {
        Map::new(entries)
            .map_err(|(entries, earlier, later)| duplicate_key(path.pointer(), &entries, earlier, later))
    }

    fn number(&mut self, path: &Path<'_>) -> Result<&'a str, Stop> {
        let (start, place) = (self.at, self.place());
        self.skip_if(|byte| byte == b'-', 1);
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else if self.skip_if(|byte| byte.is_ascii_digit(), usize::MAX) == 0 {
            return Err(self.unexpected(path, "a digit"));
        }
        if self.skip_if(|byte| byte == b'.', 1) == 1
            && self.skip_if(|byte| byte.is_ascii_digit(), usize::MAX) == 0
        {
            return Err(self.unexpected(path, "a digit"));
        }
        if self.skip_if(|byte| matches!(byte, b'e' | b'E'), 1) == 1 {
            self.skip_if(|byte| matches!(byte, b'+' | b'-'), 1);
            if self.skip_if(|byte| byte.is_ascii_digit(), usize::MAX) == 0 {
                return Err(self.unexpected(path, "a digit"));
            }
        }
        if self
            .peek()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        {
            return Err(self.unexpected(path, "the end of the number"));
        }
        let text = &self.text[start..self.at];
        if text.parse::<f64>().is_ok_and(f64::is_infinite) {
            self.report.add(Rule::NumberUnrepresentable, path, place, || {
                format!("The number {} is too large.", shorten(text))
            });
        }
        Ok(text)
    }

    /// Skips at most `most` bytes that fit; hands back how many.
    fn skip_if(&mut self, fits: impl Fn(u8) -> bool, most: usize) -> usize {
        let count = self.bytes[self.at..]
            .iter()
            .take(most)
            .take_while(|&&byte| fits(byte))
            .count();
        self.at += count;
        count
    }

    fn string(&mut self, path: &Path<'_>) -> Result<Cow<'a, str>, Stop> {
        let opening = self.place();
        self.at += 1;
        let start = self.at;
        self.skip_plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        let mut text = self.text[start..self.at].to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => text.push(self.escape(path)?),
                Some(_) => return Err(self.unexpected(path, "an escape for the control character")),
                None => {
                    let detail = "The text that begins here has no closing quote.".to_owned();
                    return Err(Stop::broken(Rule::JsonBroken, path.pointer(), opening, detail));
                }
            }
            let start = self.at;
            self.skip_plain();
            text.push_str(&self.text[start..self.at]);
        }
    }

    /// Skips what stands for itself in a text.
    fn skip_plain(&mut self) {
        let rest = &self.bytes[self.at..];
        let mut wide = 0;
        let mut length = rest.len();
        for (index, &byte) in rest.iter().enumerate() {
            if byte == b'"' || byte == b'\\' || byte < 0x20 {
                length = index;
                break;
            }
            wide += usize::from(byte & 0xC0 == 0x80);
        }
        self.at += length;
        self.wide += wide;
    }

    fn escape(&mut self, path: &Path<'_>) -> Result<char, Stop> {
        let place = self.place();
        let character = match self.bytes.get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(path, place),
            _ => return Err(self.broken(path, "This escape does not exist in JSON.".to_owned())),
        };
        self.at += 2;
        Ok(character)
    }

    fn unicode_escape(&mut self, path: &Path<'_>, place: Place) -> Result<char, Stop> {
        let Some(first) = self.hex(self.at + 2) else {
            return Err(self.broken(path, "`\\u` needs four hexadecimal digits.".to_owned()));
        };
        self.at += 6;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        if first < 0xDC00
            && self.bytes[self.at..].starts_with(b"\\u")
            && let Some(second) = self.hex(self.at + 2)
            && (0xDC00..0xE000).contains(&second)
        {
            self.at += 6;
            let scalar = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return Ok(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.report.add(Rule::TextUnpaired, path, place, || {
            format!("`\\u{first:04x}` is half a character; it was replaced by U+FFFD.")
        });
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.bytes.get(at..at + 4)?;
        digits
            .iter()
            .try_fold(0, |sum, &byte| Some(sum * 16 + char::from(byte).to_digit(16)?))
    }
}

/// The refusal of a mapping, to which the pointer leads, with the same key twice.
pub(crate) fn duplicate_key(
    mut pointer: String,
    entries: &[Entry<'_>],
    earlier: usize,
    later: usize,
) -> Stop {
    let (first, second) = (&entries[earlier], &entries[later]);
    push_key(&mut pointer, &second.key);
    let detail = format!(
        "The key `{}` was already given in line {}.",
        shorten(&second.key),
        first.place.line
    );
    Stop::broken(Rule::KeyDuplicate, pointer, second.place, detail)
}

#[cfg(test)]
mod tests;
