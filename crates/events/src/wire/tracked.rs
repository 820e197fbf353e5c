//! The body of a batch of tracked events.
//!
//! What many events have in common stands in it once: where they come from, and their types. Then come sections,
//! one for each call that recorded events, as [`Section`] gathered them; so that calls that are committed together
//! need not be written anew. All numbers are LEB128, signed ones zigzag; texts have their length before them:
//!
//! ```text
//! sources:  count, then for each: organization (16 bytes), key (16), environment
//! types:    count, then for each: id (16), name
//! sections: count, then for each: source, received_us, id (16), types: count and places, events: count and bytes
//! event:    flags (1 byte), type, microseconds after `received_us`, then what the flags tell of:
//!           id (16 bytes or text), source, user, anonymous user, properties
//! ```
//!
//! An event without an id of its own has the id of its section plus its place in it.

use domain::id::{EventTypeId, OrganizationId, SdkKeyId};
use domain::tracking::EventTypeName;
use domain::{Name, Timestamp};
use uuid::Uuid;

use super::{DecodeError, EVENTS_MAX, FORM_TRACKED, HEAD_BYTES};

/// The most bytes of the properties of an event and everything else it carries.
pub const EVENT_BYTES_MAX: usize = 32 << 10;
/// A section with so many bytes takes no further event.
const SECTION_BYTES_FULL: usize = 1 << 20;
/// A frame takes no section that would make it larger, so that it stays below
/// [`FRAME_BYTES_MAX`](super::FRAME_BYTES_MAX) with its tables.
const SECTIONS_BYTES_MAX: usize = 2 << 20;

const HAS_ID: u8 = 1;
const IS_UUID: u8 = 1 << 1;
const HAS_SOURCE: u8 = 1 << 2;
const HAS_USER: u8 = 1 << 3;
const HAS_ANONYMOUS: u8 = 1 << 4;
const HAS_PROPERTIES: u8 = 1 << 5;
const FLAGS: u8 = (1 << 6) - 1;

/// Who recorded events: a key of an organization, in one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whose events they are.
    pub organization: OrganizationId,
    /// Where they happened.
    pub environment: Name,
    /// The key that was shown.
    pub key: SdkKeyId,
}

/// What a tracked event is called by its sender, beside its type and time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks<'a> {
    /// Its id; made by us if absent.
    pub id: Option<&'a str>,
    /// What the id is unique in, as CloudEvents have it.
    pub source: Option<&'a str>,
    /// The user it is about.
    pub user: Option<&'a str>,
    /// The browser or device it is about, before somebody has signed in.
    pub anonymous: Option<&'a str>,
    /// A JSON object, as it was sent.
    pub properties: Option<&'a str>,
}

/// Events of one call, in the form of a batch's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    origin: Origin,
    received_at: Timestamp,
    id: Uuid,
    types: Vec<(EventTypeId, EventTypeName)>,
    bytes: Vec<u8>,
    /// Where each event ends.
    ends: Vec<u32>,
    /// What each event is recognised by; 0 for those without an id.
    hashes: Vec<u64>,
}

impl Section {
    /// Begins a section; `id` is a new UUIDv7, which events without one are numbered from.
    pub fn new(origin: Origin, received_at: Timestamp, id: Uuid) -> Self {
        Self {
            origin,
            received_at,
            id,
            types: Vec::new(),
            bytes: Vec::new(),
            ends: Vec::new(),
            hashes: Vec::new(),
        }
    }

    /// The place of a type in this section, if events of it are there already.
    pub fn find_type(&self, name: &str) -> Option<usize> {
        self.types.iter().position(|(_, known)| known.as_str() == name)
    }

    /// Adds a type; answers its place.
    pub fn add_type(&mut self, id: EventTypeId, name: EventTypeName) -> usize {
        self.types.push((id, name));
        self.types.len() - 1
    }

    /// Adds an event; `kind` is the place of its type, `hash` what it is recognised by, 0 for none.
    pub fn push(&mut self, kind: usize, at: Timestamp, hash: u64, marks: &Marks<'_>) {
        let uuid = marks.id.and_then(plain_uuid);
        let mut flags = 0;
        let mut flag = |is_there: bool, flag: u8| {
            if is_there {
                flags |= flag;
            }
        };
        flag(marks.id.is_some(), HAS_ID);
        flag(uuid.is_some(), IS_UUID);
        flag(marks.source.is_some(), HAS_SOURCE);
        flag(marks.user.is_some(), HAS_USER);
        flag(marks.anonymous.is_some(), HAS_ANONYMOUS);
        flag(marks.properties.is_some(), HAS_PROPERTIES);
        let bytes = &mut self.bytes;
        bytes.push(flags);
        put(bytes, kind as u64);
        put_signed(bytes, at.as_micros().wrapping_sub(self.received_at.as_micros()));
        match (uuid, marks.id) {
            (Some(uuid), _) => bytes.extend_from_slice(uuid.as_bytes()),
            (None, Some(id)) => put_text(bytes, id),
            (None, None) => {}
        }
        let rest = [marks.source, marks.user, marks.anonymous, marks.properties];
        for text in rest.into_iter().flatten() {
            put_text(bytes, text);
        }
        let end = u32::try_from(self.bytes.len()).expect("sections are full long before 4 GiB");
        self.ends.push(end);
        self.hashes.push(hash);
    }

    /// When its events came.
    pub const fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// Whether the next event belongs to another section.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= SECTION_BYTES_FULL || self.ends.len() >= EVENTS_MAX
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of the events as they are written.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// What each event is recognised by; 0 for those without an id.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Leaves out the events whose places `keep` does not want.
    pub(crate) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let (mut kept, mut length, mut start) = (0, 0, 0);
        for place in 0..self.ends.len() {
            let end = self.ends[place] as usize;
            if keep(place) {
                self.bytes.copy_within(start..end, length);
                length += end - start;
                self.hashes[kept] = self.hashes[place];
                self.ends[kept] = u32::try_from(length).expect("it is not longer than it was");
                kept += 1;
            }
            start = end;
        }
        self.bytes.truncate(length);
        self.ends.truncate(kept);
        self.hashes.truncate(kept);
    }
}

/// The 16 bytes of an id that is a UUID as [`Uuid`] writes it, so that it is read as it was sent.
fn plain_uuid(text: &str) -> Option<Uuid> {
    let is_plain = text.len() == 36
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    if is_plain {
        Uuid::try_parse(text).ok()
    } else {
        None
    }
}

/// Writes sections into frames, as few as hold them; [`seal`](super::seal) makes them whole.
pub(crate) fn frames(sections: &[Section]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = sections;
    while !rest.is_empty() {
        let (mut bytes, mut events) = (0, 0);
        let fits = rest.iter().take_while(|section| {
            bytes += section.byte_len();
            events += section.len();
            bytes <= SECTIONS_BYTES_MAX && events <= EVENTS_MAX
        });
        let count = fits.count().max(1);
        frames.push(frame(&rest[..count]));
        rest = &rest[count..];
    }
    frames
}

fn frame(sections: &[Section]) -> Vec<u8> {
    let mut origins: Vec<&Origin> = Vec::new();
    let mut types: Vec<&(EventTypeId, EventTypeName)> = Vec::new();
    let mut places = Vec::with_capacity(sections.len());
    for section in sections {
        let origin = place_of(&mut origins, &section.origin, |a, b| a == b);
        let of_types = section
            .types
            .iter()
            .map(|it| place_of(&mut types, it, |a, b| a.0 == b.0));
        places.push((origin, of_types.collect::<Vec<_>>()));
    }
    let events: usize = sections.iter().map(Section::byte_len).sum();
    let mut out = Vec::with_capacity(events + 64 * sections.len() + 128);
    out.extend_from_slice(&[0, 0, 0, 0, FORM_TRACKED]);
    put(&mut out, origins.len() as u64);
    for origin in origins {
        out.extend_from_slice(origin.organization.uuid().as_bytes());
        out.extend_from_slice(origin.key.uuid().as_bytes());
        put_text(&mut out, origin.environment.as_str());
    }
    put(&mut out, types.len() as u64);
    for (id, name) in types {
        out.extend_from_slice(id.uuid().as_bytes());
        put_text(&mut out, name.as_str());
    }
    put(&mut out, sections.len() as u64);
    for (section, (origin, types)) in sections.iter().zip(places) {
        put(&mut out, origin);
        put_signed(&mut out, section.received_at.as_micros());
        out.extend_from_slice(section.id.as_bytes());
        put(&mut out, types.len() as u64);
        types.into_iter().for_each(|place| put(&mut out, place));
        put(&mut out, section.ends.len() as u64);
        put(&mut out, section.bytes.len() as u64);
        out.extend_from_slice(&section.bytes);
    }
    debug_assert!(out.len() > HEAD_BYTES, "a body has its counts");
    out
}

/// The place of an item in a list without doubles. The lists are short: keys and types of one moment.
fn place_of<'a, T>(list: &mut Vec<&'a T>, item: &'a T, same: impl Fn(&T, &T) -> bool) -> u64 {
    let known = list.iter().rposition(|known| same(known, item));
    let place = known.unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    });
    place as u64
}

/// The id of a tracked event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventId<'a> {
    /// A UUID: the sender's, or ours.
    Uuid(Uuid),
    /// Another text of the sender.
    Text(&'a str),
}

impl std::fmt::Display for EventId<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uuid(uuid) => std::fmt::Display::fmt(uuid, f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A tracked event as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracked<'a> {
    /// Whose it is.
    pub organization: OrganizationId,
    /// The environment's name.
    pub environment: &'a str,
    /// The key that recorded it.
    pub key: SdkKeyId,
    /// Its type.
    pub event_type: EventTypeId,
    /// The type's name at that time.
    pub type_name: &'a str,
    /// Its id: unique in the organization and environment, and with `source` if there is one.
    pub id: EventId<'a>,
    /// Whether its sender gave the id; it is ours if not.
    pub is_named: bool,
    /// What the id is unique in, as CloudEvents have it.
    pub source: Option<&'a str>,
    /// When it happened, as its sender says.
    pub at: Timestamp,
    /// When it came in.
    pub received_at: Timestamp,
    /// The user it is about.
    pub user: Option<&'a str>,
    /// The browser or device it is about.
    pub anonymous: Option<&'a str>,
    /// A JSON object as it was sent; syntactically right.
    pub properties: Option<&'a str>,
}

impl Tracked<'_> {
    /// What it carries, in bytes: its texts and its properties.
    pub fn bytes(&self) -> u64 {
        let id = match self.id {
            EventId::Uuid(_) => 36,
            EventId::Text(text) => text.len(),
        };
        let texts = [self.source, self.user, self.anonymous, self.properties];
        let texts: usize = texts.into_iter().flatten().map(str::len).sum();
        (id + self.type_name.len() + texts) as u64
    }
}

/// Reads the body of a frame.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Tracked<'_>>, DecodeError> {
    let mut reader = Reader { rest: bytes };
    let mut origins = Vec::new();
    for _ in 0..reader.count()? {
        let (organization, key) = (reader.uuid()?, reader.uuid()?);
        origins.push((
            OrganizationId::new(organization),
            SdkKeyId::new(key),
            reader.text()?,
        ));
    }
    let mut types = Vec::new();
    for _ in 0..reader.count()? {
        types.push((EventTypeId::new(reader.uuid()?), reader.text()?));
    }
    let mut events = Vec::new();
    for _ in 0..reader.count()? {
        let origin = *at(&origins, reader.number()?)?;
        let received_at = reader.signed()?;
        let id = reader.uuid()?;
        let mut of_section = Vec::new();
        for _ in 0..reader.count()? {
            of_section.push(*at(&types, reader.number()?)?);
        }
        let count = reader.count()?;
        if events.len() + count > EVENTS_MAX {
            return Err(DecodeError::TooLarge { limit: EVENTS_MAX });
        }
        let length = usize::try_from(reader.number()?).map_err(|_| DecodeError::Malformed)?;
        let mut section = SectionReader {
            reader: Reader {
                rest: reader.take(length)?,
            },
            origin,
            types: of_section,
            received_at,
            id: id.as_u128(),
        };
        for place in 0..count {
            events.push(section.event(place as u128)?);
        }
        if !section.reader.rest.is_empty() {
            return Err(DecodeError::Malformed);
        }
    }
    if reader.rest.is_empty() {
        Ok(events)
    } else {
        Err(DecodeError::Malformed)
    }
}

struct SectionReader<'a> {
    reader: Reader<'a>,
    origin: (OrganizationId, SdkKeyId, &'a str),
    types: Vec<(EventTypeId, &'a str)>,
    received_at: i64,
    id: u128,
}

impl<'a> SectionReader<'a> {
    fn event(&mut self, place: u128) -> Result<Tracked<'a>, DecodeError> {
        let reader = &mut self.reader;
        let flags = reader.take(1)?[0];
        if flags & !FLAGS != 0 || flags & (HAS_ID | IS_UUID) == IS_UUID {
            return Err(DecodeError::Malformed);
        }
        let (event_type, type_name) = *at(&self.types, reader.number()?)?;
        let after = reader.signed()?;
        let id = match (flags & HAS_ID != 0, flags & IS_UUID != 0) {
            (true, true) => EventId::Uuid(reader.uuid()?),
            (true, false) => EventId::Text(reader.text()?),
            (false, _) => EventId::Uuid(Uuid::from_u128(self.id.wrapping_add(place))),
        };
        let mut text = |flag: u8| (flags & flag != 0).then(|| reader.text()).transpose();
        Ok(Tracked {
            organization: self.origin.0,
            environment: self.origin.2,
            key: self.origin.1,
            event_type,
            type_name,
            id,
            is_named: flags & HAS_ID != 0,
            source: text(HAS_SOURCE)?,
            user: text(HAS_USER)?,
            anonymous: text(HAS_ANONYMOUS)?,
            properties: text(HAS_PROPERTIES)?,
            at: Timestamp::from_micros(self.received_at.wrapping_add(after)),
            received_at: Timestamp::from_micros(self.received_at),
        })
    }
}

fn at<T>(list: &[T], place: u64) -> Result<&T, DecodeError> {
    usize::try_from(place)
        .ok()
        .and_then(|place| list.get(place))
        .ok_or(DecodeError::Malformed)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0_u64;
        for place in 0..10 {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7F);
            if place == 9 && bits > 1 {
                return Err(DecodeError::Malformed);
            }
            number |= bits << (7 * place);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(DecodeError::Malformed)
    }

    fn signed(&mut self) -> Result<i64, DecodeError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A count of things that take a byte at least.
    fn count(&mut self) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.number()?).map_err(|_| DecodeError::Malformed)?;
        if count > EVENTS_MAX {
            return Err(DecodeError::TooLarge { limit: EVENTS_MAX });
        }
        Ok(count)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let length = usize::try_from(self.number()?).map_err(|_| DecodeError::Malformed)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::Malformed)
    }

    fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Uuid::from_slice(self.take(16)?).map_err(|_| DecodeError::Malformed)
    }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, (number << 1 ^ number >> 63).cast_unsigned());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
pub(crate) mod tests;
