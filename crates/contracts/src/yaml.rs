//! Reads YAML 1.2 with positions: one document, anchors and merge keys written out within limits.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::json::duplicate_key;
use crate::node::{Entry, Map, Node, Value};
use crate::path::push_key;
use crate::report::{Place, Report, Stop, shorten};
use crate::{Limit, Limits, Rule};

use scalar::{Resolved, Scalar};

mod scalar;

/// Reads a YAML text.
pub(crate) fn parse<'a>(text: &'a str, limits: &Limits, report: &mut Report) -> Result<Node<'a>, Stop> {
    let mut builder = Builder {
        limits,
        report,
        frames: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        nodes: 0,
        repeated_bytes: 0,
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| builder.broken(text, &error))?;
        builder.event(event, span)?;
    }
    builder.root.take().ok_or_else(|| {
        let detail = "The document is empty.".to_owned();
        Stop::broken(
            Rule::DocumentEmpty,
            String::new(),
            Place { line: 1, column: 1 },
            detail,
        )
    })
}

/// A list or mapping that is not closed yet.
struct Frame<'a> {
    place: Place,
    /// 0 for none.
    anchor: usize,
    content: Content<'a>,
}

enum Content<'a> {
    List(Vec<Node<'a>>),
    Map {
        entries: Vec<Entry<'a>>,
        key: Option<Key<'a>>,
        /// What `<<` brought in.
        merged: Vec<Entry<'a>>,
    },
}

struct Key<'a> {
    text: Cow<'a, str>,
    place: Place,
    /// It is `<<`.
    merge: bool,
}

/// A value that can be repeated.
struct Anchored<'a> {
    node: Node<'a>,
    size: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

struct Builder<'a, 'l> {
    limits: &'l Limits,
    report: &'l mut Report,
    frames: Vec<Frame<'a>>,
    anchors: HashMap<usize, Anchored<'a>>,
    root: Option<Node<'a>>,
    nodes: usize,
    repeated_bytes: usize,
}

impl<'a> Builder<'a, '_> {
    fn event(&mut self, event: Event<'a>, span: Span) -> Result<(), Stop> {
        let place = place(span.start);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let detail = "A second YAML document begins here.".to_owned();
                Err(Stop::broken(Rule::DocumentsSeveral, String::new(), place, detail))
            }
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::Scalar(text, style, anchor, tag) => {
                if self.takes_key() {
                    return self.key(text, style, anchor, place);
                }
                self.count(1, place)?;
                let value = self.scalar(Scalar { text, style, tag }, place);
                self.put(Node { place, value }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(place, anchor, tag.as_deref(), Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.open(place, anchor, tag.as_deref(), content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => Ok(()),
        }
    }

    /// Whether the next value is a key.
    fn takes_key(&self) -> bool {
        matches!(
            self.frames.last(),
            Some(Frame {
                content: Content::Map { key: None, .. },
                ..
            })
        )
    }

    fn open(
        &mut self,
        place: Place,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content<'a>,
    ) -> Result<(), Stop> {
        if self.takes_key() {
            return Err(self.stop(
                Rule::KeyNotScalar,
                place,
                "A list or mapping stands as a key here.",
            ));
        }
        if self.frames.len() >= self.limits.depth_max {
            return Err(self.over(Limit::Depth, place));
        }
        self.count(1, place)?;
        let expected = if matches!(content, Content::List(_)) {
            "seq"
        } else {
            "map"
        };
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && tag.suffix == expected)
        {
            self.remark_tag(tag, place);
        }
        self.frames.push(Frame {
            place,
            anchor,
            content,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let value = match frame.content {
            Content::List(mut items) => {
                items.shrink_to_fit();
                Value::List(items)
            }
            Content::Map { entries, merged, .. } => Value::Map(self.map(entries, merged)?),
        };
        self.put(
            Node {
                place: frame.place,
                value,
            },
            frame.anchor,
        )
    }

    /// The mapping of its own entries and of those that `<<` brought in and it does not have itself.
    fn map(&self, entries: Vec<Entry<'a>>, merged: Vec<Entry<'a>>) -> Result<Map<'a>, Stop> {
        let refuse = |(entries, earlier, later): (Vec<Entry<'a>>, usize, usize)| {
            duplicate_key(self.pointer(), &entries, earlier, later)
        };
        let own = Map::new(entries).map_err(refuse)?;
        if merged.is_empty() {
            return Ok(own);
        }
        let mut names = HashSet::new();
        let additions: Vec<Entry<'a>> = merged
            .into_iter()
            .filter(|entry| own.get(&entry.key).is_none() && names.insert(entry.key.clone()))
            .collect();
        let mut all = own.into_entries();
        all.extend(additions);
        Map::new(all).map_err(refuse)
    }

    fn key(
        &mut self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        anchor: usize,
        place: Place,
    ) -> Result<(), Stop> {
        if anchor != 0 {
            let node = Node {
                place,
                value: Value::Text(text.clone()),
            };
            self.remember(anchor, &node, place)?;
        }
        let merge = style == ScalarStyle::Plain && text == "<<";
        if let Some(Frame {
            content: Content::Map { key, .. },
            ..
        }) = self.frames.last_mut()
        {
            *key = Some(Key { text, place, merge });
        }
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar<'a>, place: Place) -> Value<'a> {
        match scalar::resolve(scalar.text, scalar.style, scalar.tag.as_deref()) {
            Resolved::Value(value) => value,
            Resolved::Unrepresentable(text) => {
                self.remark(Rule::NumberUnrepresentable, place, || {
                    format!("{} is not a number in JSON; it was read as text.", shorten(&text))
                });
                Value::Text(text)
            }
            Resolved::Foreign(value) => {
                if let Some(tag) = &scalar.tag {
                    self.remark_tag(tag, place);
                }
                value
            }
        }
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Stop> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(self.stop(
                Rule::AliasRecursive,
                place,
                "The alias stands inside its own anchor.",
            ));
        };
        let size = anchored.size;
        if self.takes_key() {
            let Some(text) = anchored.node.written().map(str::to_owned) else {
                return Err(self.stop(
                    Rule::KeyNotScalar,
                    place,
                    "The alias stands as a key and is not text.",
                ));
            };
            self.repeat(size, place)?;
            return self.key(Cow::Owned(text), ScalarStyle::DoubleQuoted, 0, place);
        }
        if self.frames.len() + size.depth > self.limits.depth_max {
            return Err(self.over(Limit::Depth, place));
        }
        // Counted before it is copied: a bomb is refused before it goes off.
        self.repeat(size, place)?;
        let node = self.anchors.get(&anchor).map(|anchored| anchored.node.clone());
        node.map_or(Ok(()), |node| self.put(node, 0))
    }

    /// Puts a finished and counted value where it belongs.
    fn put(&mut self, node: Node<'a>, anchor: usize) -> Result<(), Stop> {
        let place = node.place;
        if anchor != 0 {
            self.remember(anchor, &node, place)?;
        }
        match self.frames.last_mut() {
            None => self.root = Some(node),
            Some(Frame {
                content: Content::List(items),
                ..
            }) => items.push(node),
            Some(Frame {
                content: Content::Map { entries, key, merged },
                ..
            }) => match key.take() {
                Some(Key { merge: true, .. }) => match merge_entries(node) {
                    Some(more) => merged.extend(more),
                    None => {
                        return Err(self.stop(Rule::MergeInvalid, place, "`<<` has no mapping to merge."));
                    }
                },
                Some(Key { text, place, .. }) => entries.push(Entry {
                    key: text,
                    place,
                    node,
                }),
                None => {}
            },
        }
        Ok(())
    }

    /// Keeps a copy of a value that has an anchor.
    fn remember(&mut self, anchor: usize, node: &Node<'a>, place: Place) -> Result<(), Stop> {
        let size = measure(node);
        self.repeat(size, place)?;
        self.anchors.insert(
            anchor,
            Anchored {
                node: node.clone(),
                size,
            },
        );
        Ok(())
    }

    fn repeat(&mut self, size: Size, place: Place) -> Result<(), Stop> {
        self.repeated_bytes = self.repeated_bytes.saturating_add(size.bytes);
        if self.repeated_bytes > self.limits.repeated_bytes_max {
            return Err(self.over(Limit::RepeatedBytes, place));
        }
        self.count(size.nodes, place)
    }

    fn count(&mut self, nodes: usize, place: Place) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes_max {
            Err(self.over(Limit::Nodes, place))
        } else {
            Ok(())
        }
    }

    fn remark_tag(&mut self, tag: &Tag, place: Place) {
        self.remark(Rule::TagIgnored, place, || {
            format!("The tag `{}` is ignored.", shorten(&tag.to_string()))
        });
    }

    fn remark(&mut self, rule: Rule, place: Place, detail: impl FnOnce() -> String) {
        let pointer = self.pointer();
        self.report.add_at(rule, || pointer, place, detail);
    }

    /// The pointer to the value that is read now.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for frame in &self.frames {
            match &frame.content {
                Content::List(items) => push_key(&mut pointer, &items.len().to_string()),
                Content::Map { key: Some(key), .. } => push_key(&mut pointer, &key.text),
                Content::Map { key: None, .. } => {}
            }
        }
        pointer
    }

    fn stop(&self, rule: Rule, place: Place, detail: &str) -> Stop {
        Stop::broken(rule, self.pointer(), place, detail.to_owned())
    }

    fn over(&self, limit: Limit, place: Place) -> Stop {
        Stop::over(limit, self.limits, self.pointer(), place)
    }

    fn broken(&self, text: &str, error: &ScanError) -> Stop {
        let place = place(*error.marker());
        let line = text
            .lines()
            .nth((place.line as usize).saturating_sub(1))
            .unwrap_or_default();
        let indented_by_tab = line.trim_start_matches(' ').starts_with('\t');
        let rule = if indented_by_tab {
            Rule::YamlTab
        } else {
            Rule::YamlBroken
        };
        Stop::broken(
            rule,
            self.pointer(),
            place,
            format!("The YAML cannot be read: {}.", error.info()),
        )
    }
}

fn place(marker: Marker) -> Place {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Place {
        line: number(marker.line()),
        column: number(marker.col() + 1),
    }
}

/// What a merge key brings in; none if its value is no mapping and no list of them.
fn merge_entries(node: Node<'_>) -> Option<Vec<Entry<'_>>> {
    match node.value {
        Value::Map(map) => Some(map.into_entries()),
        Value::List(list) => {
            let mut all = Vec::new();
            for item in list {
                let Value::Map(map) = item.value else { return None };
                all.extend(map.into_entries());
            }
            Some(all)
        }
        _ => None,
    }
}

fn measure(node: &Node<'_>) -> Size {
    let mut size = Size {
        nodes: 1,
        ..Size::default()
    };
    let mut add = |child: &Node<'_>, key_bytes: usize| {
        let inner = measure(child);
        size.nodes += inner.nodes;
        size.bytes += inner.bytes + key_bytes;
        size.depth = size.depth.max(inner.depth);
    };
    match &node.value {
        Value::List(list) => list.iter().for_each(|child| add(child, 0)),
        Value::Map(map) => map.iter().for_each(|entry| add(&entry.node, entry.key.len())),
        Value::Text(text) | Value::Number(text) => size.bytes = text.len(),
        Value::Null | Value::Bool(_) => {}
    }
    if matches!(node.value, Value::List(_) | Value::Map(_)) {
        size.depth += 1;
    }
    size
}

#[cfg(test)]
mod tests;
