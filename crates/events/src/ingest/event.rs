//! One event: whether it may be taken, and its place in a section.

use std::borrow::Cow;
use std::hash::Hasher as _;
use std::sync::Arc;

use domain::Timestamp;
use domain::tracking::{EVENT_ERRORS_MAX, EventError, EventTypeState};
use serde_json::Value;
use siphasher::sip::SipHasher13;
use uuid::Uuid;

use super::directory::{Directory, EventKind, Key};
use super::{CALL_EVENTS_MAX, Events, FUTURE_MAX, ID_CHARS_MAX, Ingest, UNIT_CHARS_MAX};
use crate::wire::{EVENT_BYTES_MAX, Marks, Origin, Section};

/// The most levels of properties.
const DEPTH_MAX: usize = 32;

/// The fields of an event as JSON, as they stand in the body.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
    pub(super) time: Option<&'a str>,
    pub(super) user: Option<&'a str>,
    pub(super) anonymous: Option<&'a str>,
    pub(super) source: Option<&'a str>,
    pub(super) properties: Option<&'a str>,
    /// What is wrong already: the place, the code and the words.
    pub(super) fault: Option<(String, &'static str, String)>,
}

/// What the fields are called by the sender, for pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) user: &'static str,
    pub(super) properties: &'static str,
}

/// What is wrong with an event.
struct Fault {
    pointer: String,
    code: &'static str,
    detail: String,
    suggestion: String,
}

/// Judges the events of a call, one after the other, and gathers the good ones.
pub(super) struct Judge<'a> {
    directory: &'a Directory,
    key: &'a Key,
    now: Timestamp,
    earliest: Timestamp,
    latest: Timestamp,
    /// Knows organization and environment already.
    hasher: SipHasher13,
    sections: Vec<Section>,
    /// The type of the event before, and its place in the last section: events of one type come in runs.
    last: Option<(Arc<EventKind>, usize)>,
    count: u32,
    errors: Vec<EventError>,
    errors_total: u64,
}

impl<'a> Judge<'a> {
    pub(super) fn new(directory: &'a Directory, key: &'a Key, ingest: &Ingest, now: Timestamp) -> Self {
        let mut hasher = ingest.hasher;
        hasher.write(key.organization.uuid().as_bytes());
        hasher.write(key.environment.as_str().as_bytes());
        hasher.write_u8(0);
        Self {
            directory,
            key,
            now,
            earliest: now.before(ingest.settings.age_max),
            latest: now.after(FUTURE_MAX),
            hasher,
            sections: Vec::new(),
            last: None,
            count: 0,
            errors: Vec::new(),
            errors_total: 0,
        }
    }

    /// Whether there may be another event.
    pub(super) fn has_room(&self) -> bool {
        self.count < CALL_EVENTS_MAX
    }

    /// What was gathered.
    pub(super) fn finish(self) -> Events {
        Events {
            sections: self.sections,
            received_at: self.now,
            errors: self.errors,
            errors_total: self.errors_total,
        }
    }

    /// Takes an event, or notes what is wrong with it.
    pub(super) fn take(&mut self, fields: &Fields<'_>, names: Names) {
        if let Err(faults) = self.judge(fields, names) {
            self.refuse(faults);
        }
        self.count += 1;
    }

    /// Notes that something is no event.
    pub(super) fn take_nonsense(&mut self, code: &'static str, detail: String) {
        let suggestion = "Send a JSON object with `type`, `user_id` or `anonymous_id`, and `properties`.";
        self.refuse(vec![Fault {
            pointer: String::new(),
            code,
            detail,
            suggestion: suggestion.to_owned(),
        }]);
        self.count += 1;
    }

    fn refuse(&mut self, faults: Vec<Fault>) {
        self.errors_total += 1;
        let room = EVENT_ERRORS_MAX - self.errors.len();
        let errors = faults.into_iter().take(room).map(|fault| EventError {
            index: self.count,
            code: fault.code.to_owned(),
            pointer: fault.pointer,
            detail: fault.detail,
            suggestion: fault.suggestion,
        });
        self.errors.extend(errors);
    }

    fn judge(&mut self, fields: &Fields<'_>, names: Names) -> Result<(), Vec<Fault>> {
        let mut faults = Faults(Vec::new());
        if let Some((pointer, code, detail)) = &fields.fault {
            let suggestion = "See the documentation of tracked events for their fields.";
            faults.add(pointer, code, detail.clone(), suggestion);
        }
        faults.size(fields);
        let kind = self.kind(fields.kind, &mut faults);
        let at = self.time(fields.time, &mut faults);
        let id = faults.text("/id", fields.id, ID_CHARS_MAX);
        let source = faults.text("/source", fields.source, UNIT_CHARS_MAX);
        let user = faults.text(names.user, fields.user, UNIT_CHARS_MAX);
        let anonymous = faults.text("/anonymous_id", fields.anonymous, UNIT_CHARS_MAX);
        if fields.user.is_none() && fields.anonymous.is_none() {
            let detail = "It does not say whom it is about.";
            let suggestion = format!("Send `{}` or `anonymous_id`.", &names.user[1..]);
            faults.add("", "unit_missing", detail, &suggestion);
        }
        if let Some(kind) = &kind {
            faults.properties(names.properties, fields.properties, kind);
        }
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        let Some(kind) = kind else { return Ok(()) };
        let marks = Marks {
            id: id.as_deref(),
            source: source.as_deref(),
            user: user.as_deref(),
            anonymous: anonymous.as_deref(),
            properties: fields.properties,
        };
        self.push(kind, at, &marks);
        Ok(())
    }

    fn push(&mut self, kind: Arc<EventKind>, at: Timestamp, marks: &Marks<'_>) {
        if self.sections.last().is_none_or(Section::is_full) {
            let origin = Origin {
                organization: self.key.organization,
                environment: self.key.environment.clone(),
                key: self.key.id,
            };
            self.sections.push(Section::new(origin, self.now, Uuid::now_v7()));
            self.last = None;
        }
        let hash = marks.id.map_or(0, |id| self.hash(id, marks.source));
        let section = self
            .sections
            .last_mut()
            .expect("one was pushed if there was none");
        let place = match &self.last {
            Some((known, place)) if Arc::ptr_eq(known, &kind) => *place,
            _ => {
                let known = section.find_type(kind.name.as_str());
                let place = known.unwrap_or_else(|| section.add_type(kind.id, kind.name.clone()));
                self.last = Some((kind, place));
                place
            }
        };
        section.push(place, at, hash, marks);
    }

    /// What an id is recognised by; never 0.
    fn hash(&self, id: &str, source: Option<&str>) -> u64 {
        let mut hasher = self.hasher;
        if let Some(source) = source {
            hasher.write(source.as_bytes());
            hasher.write_u8(0);
        }
        hasher.write(id.as_bytes());
        hasher.finish().max(1)
    }

    fn kind(&self, raw: Option<&str>, faults: &mut Faults) -> Option<Arc<EventKind>> {
        let name = match raw {
            None => {
                faults.add("/type", "field_missing", "It has no type.", "Name an event type.");
                return None;
            }
            Some(raw) => plain(raw).or_else(|| {
                faults.add(
                    "/type",
                    "field_invalid",
                    "It is not a text.",
                    "Name an event type.",
                );
                None
            })?,
        };
        if let Some((last, _)) = &self.last
            && last.name.as_str() == name
        {
            return Some(last.clone());
        }
        let Some(kind) = self.directory.kind(self.key.organization, &name) else {
            let shown: String = name.escape_debug().take(100).collect();
            let suggestion = format!(
                "Declare it: `gateline event-types create {shown}`, or `POST /api/v1/event-types`. It is known within a second."
            );
            faults.add(
                "/type",
                "event_type_unknown",
                format!("There is no event type `{shown}`."),
                &suggestion,
            );
            return None;
        };
        if kind.state == EventTypeState::Archived {
            let detail = format!("The event type `{name}` is archived.");
            faults.add(
                "/type",
                "event_type_archived",
                detail,
                "Make it active again, or stop to send it.",
            );
            return None;
        }
        Some(kind.clone())
    }

    fn time(&self, raw: Option<&str>, faults: &mut Faults) -> Timestamp {
        let Some(raw) = raw else { return self.now };
        let Some(at) = plain(raw).and_then(|text| text.parse::<Timestamp>().ok()) else {
            let suggestion = "Write it as `2026-11-20T12:00:00Z`.";
            faults.add(
                "/time",
                "field_invalid",
                "It is not a moment as RFC 3339 has it.",
                suggestion,
            );
            return self.now;
        };
        if at > self.latest {
            let minutes = FUTURE_MAX.as_secs() / 60;
            let detail = format!(
                "It is more than {minutes} minutes ahead of our clock, which says {}.",
                self.now
            );
            faults.add(
                "/time",
                "time_in_future",
                detail,
                "Set the sender's clock, or leave the time out.",
            );
        } else if at < self.earliest {
            let detail = format!("It is older than what is still taken: {}.", self.earliest);
            faults.add(
                "/time",
                "time_too_old",
                detail,
                "Send events sooner, or have the window made longer.",
            );
        }
        at
    }
}

struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>, suggestion: &str) {
        self.0.push(Fault {
            pointer: pointer.to_owned(),
            code,
            detail: detail.into(),
            suggestion: suggestion.to_owned(),
        });
    }

    fn size(&mut self, fields: &Fields<'_>) {
        let all = [
            fields.id,
            fields.kind,
            fields.time,
            fields.user,
            fields.anonymous,
            fields.source,
            fields.properties,
        ];
        let bytes: usize = all.into_iter().flatten().map(str::len).sum();
        if bytes > EVENT_BYTES_MAX {
            let detail = format!("Its fields have {bytes} bytes; {EVENT_BYTES_MAX} are allowed.");
            self.add("", "event_too_large", detail, "Send less in `properties`.");
        }
    }

    /// Wants a text that is not empty, not too long and without control characters.
    fn text<'a>(&mut self, pointer: &str, raw: Option<&'a str>, chars_max: usize) -> Option<Cow<'a, str>> {
        let Some(text) = plain(raw?) else {
            self.add(
                pointer,
                "field_invalid",
                "It is not a text.",
                "Send a JSON string.",
            );
            return None;
        };
        if text.is_empty() {
            self.add(
                pointer,
                "field_empty",
                "It is empty.",
                "Leave it out, or send a text.",
            );
        } else if text.len() > chars_max && text.chars().count() > chars_max {
            let detail = format!("It has more than {chars_max} characters.");
            self.add(
                pointer,
                "field_too_long",
                detail,
                "Send a shorter one, as its hash.",
            );
        } else if matches!(text, Cow::Owned(_)) && text.chars().any(char::is_control) {
            self.add(
                pointer,
                "field_invalid",
                "It contains control characters.",
                "Remove them.",
            );
        }
        Some(text)
    }

    fn properties(&mut self, pointer: &str, raw: Option<&str>, kind: &EventKind) {
        let raw = raw.unwrap_or("{}");
        if !raw.starts_with('{') {
            self.add(
                pointer,
                "field_invalid",
                "It is not an object.",
                "Send a JSON object, or leave it out.",
            );
            return;
        }
        if is_deep(raw) {
            let detail = format!("It is nested deeper than {DEPTH_MAX} levels.");
            self.add(pointer, "properties_too_deep", detail, "Send flatter properties.");
            return;
        }
        let Some(schema) = &kind.schema else { return };
        let Ok(value) = serde_json::from_str::<Value>(raw) else {
            let detail =
                "It is not JSON that can be checked: a number or an escape in it stands for nothing.";
            self.add(
                pointer,
                "field_invalid",
                detail,
                "Send numbers that fit 64 bits, and whole characters.",
            );
            return;
        };
        for mismatch in schema.judge(&value) {
            let pointer = format!("{pointer}{}", mismatch.pointer);
            let suggestion = format!("See the schema of the event type `{}`.", kind.name);
            self.add(&pointer, "schema_mismatch", mismatch.detail, &suggestion);
        }
    }
}

/// The text of a JSON string; `None` if it is something else, or has an escape that stands for nothing.
fn plain(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
}

/// Whether JSON is nested too deep; looked at closely only if it has many brackets.
fn is_deep(raw: &str) -> bool {
    let brackets = raw.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    if brackets <= DEPTH_MAX {
        return false;
    }
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in raw.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => depth += 1,
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}
