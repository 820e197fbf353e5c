//! Distinguished names as text: RFC 4514.
//!
//! Two texts that [`canonical`] makes the same name the same; what it makes of a certificate's name ([`write`]) can be
//! compared byte by byte, because nothing in a value can pass for another part of the name.

use std::fmt::Write as _;

/// The short names of attributes that RFC 4514 section 3 wants to be known, with their object identifiers.
const SHORT: [(&str, &str); 9] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
];

/// One attribute of a name: its object identifier with dots, and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// What it says, as `2.5.4.3`.
    pub kind: String,
    /// What it is.
    pub value: Value,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// Something else, as it is encoded (BER).
    Encoded(Vec<u8>),
}

/// Writes a name; its parts in the order of the certificate, which is the other way round than the text has them.
///
/// Attributes that make one part together are put in order, since they have none.
pub fn write(parts: &[Vec<Attribute>]) -> String {
    let mut text = String::new();
    for part in parts.iter().rev() {
        let mut attributes: Vec<_> = part.iter().map(attribute).collect();
        attributes.sort_unstable();
        if !text.is_empty() {
            text.push(',');
        }
        text += &attributes.join("+");
    }
    text
}

/// A text in the one way in which [`write`] writes the same name; `None` if it is not a name.
///
/// Spaces around `,`, `+` and `=` do not matter, nor how characters are escaped, nor the case of attributes.
pub fn canonical(text: &str) -> Option<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut part = Vec::new();
        loop {
            let (attribute, end, more) = read(rest)?;
            part.push(attribute);
            rest = more;
            match end {
                Some('+') => {}
                Some(_) if rest.is_empty() => return None,
                _ => break,
            }
        }
        parts.push(part);
    }
    parts.reverse();
    Some(write(&parts))
}

fn attribute(attribute: &Attribute) -> String {
    let short = SHORT.iter().find(|(_, kind)| *kind == attribute.kind);
    let mut text = short
        .map_or(attribute.kind.as_str(), |(short, _)| short)
        .to_owned();
    text.push('=');
    match &attribute.value {
        Value::Text(value) => escape(value, &mut text),
        Value::Encoded(bytes) => {
            text.push('#');
            for byte in bytes {
                let _ = write!(text, "{byte:02x}");
            }
        }
    }
    text
}

/// Escapes what means something, and what cannot be seen.
fn escape(value: &str, text: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let is_at_edge =
            (index == 0 && matches!(character, ' ' | '#')) || (index == last && character == ' ');
        if character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                let _ = write!(text, "\\{byte:02x}");
            }
        } else {
            if is_at_edge || matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
    }
}

/// Reads an attribute, the sign behind it, and what follows.
fn read(text: &str) -> Option<(Attribute, Option<char>, &str)> {
    let (kind, rest) = text.split_once('=')?;
    let kind = kind.trim();
    let known = SHORT.iter().find(|(short, _)| short.eq_ignore_ascii_case(kind));
    let kind = match known {
        Some((_, kind)) => (*kind).to_owned(),
        None if is_identifier(kind) => kind.to_owned(),
        None => return None,
    };
    let rest = rest.trim_start_matches(' ');
    let (value, end) = match rest.strip_prefix('#') {
        Some(hex) => encoded(hex)?,
        None => value(rest)?,
    };
    let mut more = rest[end..].chars();
    let sign = more.next();
    Some((Attribute { kind, value }, sign, more.as_str()))
}

/// Whether a text is an object identifier with dots.
fn is_identifier(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|number| {
            !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && (number == "0" || !number.starts_with('0'))
        })
}

/// Reads an encoded value and says where in `#…` it ends.
fn encoded(hex: &str) -> Option<(Value, usize)> {
    let end = hex.find([',', '+']).unwrap_or(hex.len());
    let digits = hex[..end].trim_end().as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let bytes: Option<_> = digits
        .chunks(2)
        .map(|pair| byte(char::from(pair[0]), char::from(pair[1])))
        .collect();
    Some((Value::Encoded(bytes?), end + 1))
}

/// Reads a value and says where it ends.
fn value(text: &str) -> Option<(Value, usize)> {
    let mut bytes = Vec::new();
    // Spaces at the end belong to it only if the last one is escaped.
    let mut kept = 0;
    let mut end = text.len();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ',' | '+' => {
                end = at;
                break;
            }
            '\\' => {
                let (_, escaped) = characters.next()?;
                if escaped.is_ascii_hexdigit() {
                    let (_, second) = characters.next()?;
                    bytes.push(byte(escaped, second)?);
                } else if matches!(
                    escaped,
                    ' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\'
                ) {
                    bytes.push(u8::try_from(escaped).ok()?);
                } else {
                    return None;
                }
                kept = bytes.len();
            }
            '"' | ';' | '<' | '>' | '\0' => return None,
            other => {
                let mut buffer = [0; 4];
                bytes.extend_from_slice(other.encode_utf8(&mut buffer).as_bytes());
                if other != ' ' {
                    kept = bytes.len();
                }
            }
        }
    }
    bytes.truncate(kept);
    Some((Value::Text(String::from_utf8(bytes).ok()?), end))
}

fn byte(high: char, low: char) -> Option<u8> {
    u8::try_from(high.to_digit(16)? << 4 | low.to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{Attribute, Value, canonical, write};

    fn text(kind: &str, value: &str) -> Attribute {
        Attribute {
            kind: kind.to_owned(),
            value: Value::Text(value.to_owned()),
        }
    }

    #[test]
    fn names_are_written_from_the_last_part_and_escaped() {
        let parts = [
            vec![text("2.5.4.6", "DE")],
            vec![text("2.5.4.10", "Gleis, Söhne & \"Co\"")],
            vec![
                text("2.5.4.3", " #a+b=c\0 "),
                text("0.9.2342.19200300.100.1.1", "u1"),
            ],
            vec![Attribute {
                kind: "1.2.3".to_owned(),
                value: Value::Encoded(vec![4, 0x0a]),
            }],
        ];
        let written = write(&parts);
        assert_eq!(
            written,
            r#"1.2.3=#040a,CN=\ #a\+b=c\00\ +UID=u1,O=Gleis\, Söhne & \"Co\",C=DE"#
        );
        assert_eq!(
            canonical(&written).as_deref(),
            Some(&*written),
            "it is the canonical text"
        );
        assert_eq!(write(&[]), "");
    }

    #[test]
    fn texts_of_one_name_become_the_same() {
        for (given, expected) in [
            ("cn = api.example.com , o=Acme", "CN=api.example.com,O=Acme"),
            ("UID=1+CN=a", "CN=a+UID=1"),
            (r"CN=a\2cb", r"CN=a\,b"),
            (r"CN=L\c3\b6we", "CN=Löwe"),
            (r"CN=a\ ", r"CN=a\ "),
            ("CN=a=b", "CN=a=b"),
            (r"CN=a\=b", "CN=a=b"),
            ("2.5.4.3=a", "CN=a"),
            ("1.2.3=#0C0161", "1.2.3=#0c0161"),
            ("CN=", "CN="),
            ("", ""),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(expected), "{given}");
        }
        for bad in [
            "api.example.com",
            "CN=a,",
            "CN=a+",
            "CN=a;O=b",
            "X=a",
            r"CN=a\",
            r"CN=a\x",
            r"CN=\ff",
            "1.2.3=#0",
            "1.02=a",
            "CN=\"a\"",
        ] {
            assert_eq!(canonical(bad), None, "{bad}");
        }
    }
}
