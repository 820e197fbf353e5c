//! Finds what stands under a path: a tree of path templates, compiled per route.
//!
//! Segments are compared after percent-decoding. Where several templates fit, the one whose first different
//! segment is more specific wins: text, then text with parameters, then a parameter alone.

use std::borrow::Cow;
use std::fmt::Write as _;

use memchr::memchr;

use crate::text::{Mark, Text};

/// Path templates of one route, each with a value.
#[derive(Debug)]
pub(crate) struct Tree<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    texts: Vec<(Text, Self)>,
    mixed: Vec<(Box<[Piece]>, Self)>,
    parameter: Option<Box<Self>>,
    values: Vec<T>,
}

/// A part of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(Box<str>),
    Parameter,
}

/// What of a path has not been looked at.
#[derive(Debug, Clone, Copy)]
struct Path<'a> {
    /// Without the slash before it; `None` at the end.
    rest: Option<&'a str>,
    /// Whether a percent sign is in it.
    is_encoded: bool,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            texts: Vec::new(),
            mixed: Vec::new(),
            parameter: None,
            values: Vec::new(),
        }
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self {
            root: Node::default(),
        }
    }
}

impl<T> Tree<T> {
    /// Adds a value under a template as `/pets/{pet_id}`; several values may stand under one template.
    pub(crate) fn insert(&mut self, template: &str, value: T) {
        let mut node = &mut self.root;
        for segment in segments(template) {
            node = node.child(segment);
        }
        node.values.push(value);
    }

    /// Every value.
    pub(crate) fn values(&self) -> Vec<&T> {
        let mut found = Vec::new();
        self.root.collect(&mut found);
        found
    }

    /// Offers the values of all templates that fit `path`, the most specific first, until `take` takes one.
    pub(crate) fn find<'a, R>(&'a self, path: &str, mut take: impl FnMut(&'a [T]) -> Option<R>) -> Option<R> {
        let path = Path {
            rest: Some(path.strip_prefix('/').unwrap_or(path)),
            is_encoded: memchr(b'%', path.as_bytes()).is_some(),
        };
        self.root.find(path, &mut take)
    }
}

impl<T> Node<T> {
    fn collect<'a>(&'a self, found: &mut Vec<&'a T>) {
        found.extend(&self.values);
        let texts = self.texts.iter().map(|(_, node)| node);
        let mixed = self.mixed.iter().map(|(_, node)| node);
        for node in texts.chain(mixed).chain(self.parameter.as_deref()) {
            node.collect(found);
        }
    }

    fn child(&mut self, segment: &str) -> &mut Self {
        let pieces = pieces(segment);
        match pieces.as_slice() {
            [Piece::Parameter] => self.parameter.get_or_insert_default(),
            [] | [Piece::Text(_)] => {
                let text = decode(segment);
                let index = self.text(&text).unwrap_or_else(|index| {
                    self.texts.insert(index, (Text::from(&*text), Self::default()));
                    index
                });
                &mut self.texts[index].1
            }
            _ => {
                let found = self.mixed.iter().position(|(known, _)| **known == *pieces);
                let index = found.unwrap_or_else(|| {
                    let rank = rank(&pieces);
                    let index = self.mixed.partition_point(|(known, _)| self::rank(known) <= rank);
                    self.mixed.insert(index, (pieces.into(), Self::default()));
                    index
                });
                &mut self.mixed[index].1
            }
        }
    }

    /// Where a text is, or where it would be.
    fn text(&self, text: &str) -> Result<usize, usize> {
        let mark = Mark::of(text);
        self.texts.binary_search_by(|(known, _)| known.order(mark, text))
    }

    /// Visits each node at most once, so a search costs at most the size of the tree.
    fn find<'a, R>(&'a self, path: Path<'_>, take: &mut impl FnMut(&'a [T]) -> Option<R>) -> Option<R> {
        let Some(rest) = path.rest else {
            return if self.values.is_empty() {
                None
            } else {
                take(&self.values)
            };
        };
        let (segment, rest) = match memchr(b'/', rest.as_bytes()) {
            Some(end) => (&rest[..end], Some(&rest[end + 1..])),
            None => (rest, None),
        };
        let segment = if path.is_encoded {
            decode(segment)
        } else {
            Cow::Borrowed(segment)
        };
        let rest = Path { rest, ..path };
        if let Ok(index) = self.text(&segment)
            && let Some(found) = self.texts[index].1.find(rest, take)
        {
            return Some(found);
        }
        for (pieces, node) in &self.mixed {
            if fits(pieces, &segment)
                && let Some(found) = node.find(rest, take)
            {
                return Some(found);
            }
        }
        let parameter = self.parameter.as_ref().filter(|_| !segment.is_empty())?;
        parameter.find(rest, take)
    }
}

pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// Splits a segment as `{owner}.{format}`; parameters side by side are one.
pub(crate) fn pieces(segment: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((_, after)) = after.split_once('}') else {
            break;
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(decode(before).into()));
        }
        if pieces.last() != Some(&Piece::Parameter) {
            pieces.push(Piece::Parameter);
        }
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(decode(rest).into()));
    }
    pieces
}

/// Orders templates of a segment: fewer parameters first, then more text.
fn rank(pieces: &[Piece]) -> (usize, std::cmp::Reverse<usize>) {
    let text = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.len(),
        Piece::Parameter => 0,
    });
    let parameters = pieces.iter().filter(|piece| **piece == Piece::Parameter).count();
    (parameters, std::cmp::Reverse(text.sum()))
}

/// Whether a segment has the texts in their order, with at least one character for each parameter.
pub(crate) fn fits(pieces: &[Piece], segment: &str) -> bool {
    match pieces {
        [] => segment.is_empty(),
        [Piece::Parameter] => !segment.is_empty(),
        [Piece::Text(text), rest @ ..] => segment
            .strip_prefix(&**text)
            .is_some_and(|segment| fits(rest, segment)),
        [Piece::Parameter, Piece::Text(text)] => segment
            .strip_suffix(&**text)
            .is_some_and(|value| !value.is_empty()),
        // The first place where the text occurs is enough: what it leaves to the rest is the most.
        [Piece::Parameter, Piece::Text(text), rest @ ..] => segment
            .char_indices()
            .skip(1)
            .find(|(place, _)| segment[*place..].starts_with(&**text))
            .is_some_and(|(place, _)| fits(rest, &segment[place + text.len()..])),
        [Piece::Parameter, Piece::Parameter, ..] => unreachable!("parameters side by side are one"),
    }
}

/// Replaces `%41` by `A`; a percent sign without two digits stays, and what would not be UTF-8 stays encoded.
pub(crate) fn decode(segment: &str) -> Cow<'_, str> {
    decode_but(segment, b"")
}

/// Decodes all but some characters, which stay encoded, in capitals.
pub(crate) fn decode_but<'a>(text: &'a str, kept: &[u8]) -> Cow<'a, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        rest = after;
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                rest = &after[2..];
                let byte = (high << 4 | low) as u8;
                if kept.contains(&byte) {
                    decoded.push(b'%');
                    decoded.extend(after[..2].iter().map(u8::to_ascii_uppercase));
                } else {
                    decoded.push(byte);
                }
            }
            _ => decoded.push(*first),
        }
    }
    // One byte that is no UTF-8 must not keep the others from being compared.
    Cow::Owned(String::from_utf8(decoded).unwrap_or_else(|error| readable(error.as_bytes())))
}

/// Bytes as text, percent-encoded where they are no UTF-8.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
