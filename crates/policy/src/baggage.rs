//! The header field `baggage`: <https://www.w3.org/TR/baggage/>.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The most members that a field is made to have: section 3.3.2 of the specification.
pub const MEMBERS_MAX: usize = 64;
/// The most bytes that a field is made to have.
pub const BYTES_MAX: usize = 8192;

/// A member that is to be in the field, or not.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// Its key, a token.
    pub key: &'a str,
    /// Its value, [encoded](encoded); the member is taken out if absent.
    pub value: Option<Cow<'a, str>>,
}

/// Puts members into a field that came in some lines, in place of those of the same keys; `None` if nothing is left.
///
/// Other members stay as they came, even those that cannot be understood. Ours that would make the field larger than
/// everybody has to pass on are left out.
pub fn merged<'h>(lines: impl Iterator<Item = &'h [u8]>, ours: &[Member<'_>]) -> Option<Vec<u8>> {
    let mut field = Vec::new();
    let mut count = 0;
    let came = lines.flat_map(|line| line.split(|byte| *byte == b','));
    let is_ours = |member: &[u8]| {
        let key = key(member);
        ours.iter().any(|one| one.key.as_bytes() == key)
    };
    let came = came.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty());
    for member in came.filter(|member| !is_ours(member)) {
        push(&mut field, &[member]);
        count += 1;
    }
    for member in ours {
        let Some(value) = &member.value else { continue };
        let comma = usize::from(!field.is_empty());
        let bytes = field.len() + comma + member.key.len() + 1 + value.len();
        if count < MEMBERS_MAX && bytes <= BYTES_MAX {
            push(&mut field, &[member.key.as_bytes(), b"=", value.as_bytes()]);
            count += 1;
        }
    }
    Some(field).filter(|field| !field.is_empty())
}

fn push(field: &mut Vec<u8>, parts: &[&[u8]]) {
    if !field.is_empty() {
        field.push(b',');
    }
    parts.iter().for_each(|part| field.extend_from_slice(part));
}

/// What stands before the value, and before the properties of a member without one.
fn key(member: &[u8]) -> &[u8] {
    let end = member.iter().position(|byte| b"=;".contains(byte));
    member[..end.unwrap_or(member.len())].trim_ascii()
}

/// A text as the value of a member: what is no `baggage-octet` is percent-encoded, and the percent sign.
pub fn encoded(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\",;\\%".contains(byte);
    if text.as_bytes().iter().all(is_plain) {
        return text.into();
    }
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.as_bytes() {
        match is_plain(byte) {
            true => encoded.push(char::from(*byte)),
            false => {
                // Writing to a text does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded.into()
}

#[cfg(test)]
mod tests;
