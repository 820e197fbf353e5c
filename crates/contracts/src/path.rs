//! Where a reader is in the tree, and what a reference points to.

use std::borrow::Cow;

/// The way from the root to a value, as a list on the stack; written out only for a finding.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'p> {
    /// The document.
    Root,
    /// A place whose pointer is known, as that of a reference's target.
    At(&'p str),
    /// The value of a key.
    Key(&'p Path<'p>, &'p str),
    /// An element of a list.
    Index(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    pub(crate) fn key(&'p self, key: &'p str) -> Self {
        Self::Key(self, key)
    }

    pub(crate) fn index(&'p self, index: usize) -> Self {
        Self::Index(self, index)
    }

    /// The JSON Pointer (RFC 6901); empty for the root.
    pub(crate) fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::At(pointer) => (*pointer).to_owned(),
            Self::Key(parent, key) => {
                let mut pointer = parent.pointer();
                push_key(&mut pointer, key);
                pointer
            }
            Self::Index(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }
}

/// Adds a key to a JSON Pointer.
pub(crate) fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    for character in key.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// What a `$ref` leads to.
#[derive(Debug, PartialEq)]
pub(crate) enum Target<'r> {
    /// Steps from the root.
    Local(Vec<Cow<'r, str>>),
    /// A name set with `$anchor`.
    Anchor(Cow<'r, str>),
    /// Another document.
    External,
}

impl<'r> Target<'r> {
    pub(crate) fn parse(reference: &'r str) -> Self {
        let Some(fragment) = reference.strip_prefix('#') else {
            return Self::External;
        };
        let fragment = decode_percent(fragment);
        if fragment.is_empty() {
            return Self::Local(Vec::new());
        }
        match fragment {
            Cow::Borrowed(text) => match text.strip_prefix('/') {
                Some(steps) => Self::Local(steps.split('/').map(decode_step).collect()),
                None => Self::Anchor(Cow::Borrowed(text)),
            },
            Cow::Owned(text) => match text.strip_prefix('/') {
                Some(steps) => Self::Local(
                    steps
                        .split('/')
                        .map(|step| Cow::Owned(decode_step(step).into_owned()))
                        .collect(),
                ),
                None => Self::Anchor(Cow::Owned(text)),
            },
        }
    }
}

fn decode_step(step: &str) -> Cow<'_, str> {
    if step.contains('~') {
        Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(step)
    }
}

/// Undoes percent-encoding; what is not UTF-8 afterwards is left as it was.
pub(crate) fn decode_percent(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |offset: usize| {
            bytes
                .get(at + offset)
                .and_then(|&byte| char::from(byte).to_digit(16))
        };
        match (bytes[at], hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests;
