//! What differs between two answers to one request.
//!
//! Differences are told by place and kind, never by value: what answers say is nobody's business here.

use bytes::Bytes;
use domain::release::Compare;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Serialize;
use serde_json::Value;

/// The most differences of one pair of answers that are told.
const TOLD_MAX: usize = 20;
/// The longest place that is told, in bytes.
const PLACE_BYTES_MAX: usize = 200;
/// Fields that differ between any two answers, or that the body decides.
const NOISE: [&str; 12] = [
    "age",
    "connection",
    "content-length",
    "date",
    "etag",
    "expires",
    "last-modified",
    "server",
    "set-cookie",
    "traceparent",
    "via",
    "x-request-id",
];

/// [`Compare`], compiled.
#[derive(Debug)]
pub(crate) struct Rules {
    ignored_fields: Box<[HeaderName]>,
    ignored_places: Box<[Box<[Box<str>]>]>,
    slower_percent: u64,
    slower_min_us: u64,
}

/// One of two answers.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body; none if it is too large to be compared.
    pub(crate) body: Option<Bytes>,
    /// From the request to the answer's head.
    pub(crate) latency_us: u64,
}

/// What differs.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// The caller's status and the mirror's, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<(u16, u16)>,
    /// Header fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<Place>,
    /// Parts of the body, by JSON Pointer; the empty one is all of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) body: Vec<Place>,
    /// The caller's latency and the mirror's in microseconds, if the mirror's is much longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency_us: Option<(u64, u64)>,
}

/// Where something differs, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    pub(crate) place: String,
    pub(crate) kind: Kind,
}

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The mirror does not have it.
    Missing,
    /// Only the mirror has it.
    Added,
    /// It is of another type.
    Type,
    /// It has another value.
    Value,
}

impl Difference {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Rules {
    /// Names that are none were refused before; here they ignore nothing.
    pub(crate) fn new(compare: &Compare) -> Self {
        let pointers = compare.ignore_json_pointers.iter();
        let places = pointers.map(|pointer| {
            let steps = pointer.split('/').skip(1);
            steps
                .map(|step| step.replace("~1", "/").replace("~0", "~").into())
                .collect()
        });
        Self {
            ignored_fields: (compare.ignore_headers.iter())
                .filter_map(|name| name.parse().ok())
                .collect(),
            ignored_places: places.collect(),
            slower_percent: u64::from(compare.slower_percent),
            slower_min_us: u64::from(compare.slower_min_ms) * 1_000,
        }
    }

    /// Compares what a caller got with what the mirror answered.
    pub(crate) fn compare(&self, real: &Heard, mirror: &Heard) -> Difference {
        let mut difference = Difference::default();
        let statuses = (real.status.as_u16(), mirror.status.as_u16());
        difference.status = (statuses.0 != statuses.1).then_some(statuses);
        difference.headers = self.fields(&real.headers, &mirror.headers);
        if let (Some(one), Some(other)) = (&real.body, &mirror.body)
            && one != other
        {
            let is_plain = |heard: &Heard| !heard.headers.contains_key(CONTENT_ENCODING);
            let parsed = |body: &Bytes| serde_json::from_slice::<Value>(body).ok();
            let both = (is_plain(real) && is_plain(mirror)).then(|| parsed(one).zip(parsed(other)));
            match both.flatten() {
                Some((one, other)) => {
                    let mut walk = Walk {
                        ignored: &self.ignored_places,
                        steps: Vec::new(),
                        found: Vec::new(),
                    };
                    walk.compare(&one, &other);
                    difference.body = walk.found;
                }
                None => difference.body.push(Place {
                    place: String::new(),
                    kind: Kind::Value,
                }),
            }
        }
        let latencies = (real.latency_us, mirror.latency_us);
        let over = latencies.1.saturating_sub(latencies.0);
        let is_slower = self.slower_percent > 0
            && over >= self.slower_min_us
            && over.saturating_mul(100) > latencies.0.saturating_mul(self.slower_percent);
        difference.latency_us = is_slower.then_some(latencies);
        difference
    }

    fn fields(&self, real: &HeaderMap, mirror: &HeaderMap) -> Vec<Place> {
        let mut found = Vec::new();
        let counts =
            |name: &HeaderName| !NOISE.contains(&name.as_str()) && !self.ignored_fields.contains(name);
        let mut tell = |name: &HeaderName, kind| {
            if found.len() < TOLD_MAX {
                let place = name.as_str().chars().take(PLACE_BYTES_MAX).collect();
                found.push(Place { place, kind });
            }
        };
        for name in real.keys().filter(|name| counts(name)) {
            if !mirror.contains_key(name) {
                tell(name, Kind::Missing);
            } else if !real.get_all(name).iter().eq(mirror.get_all(name)) {
                tell(name, Kind::Value);
            }
        }
        for name in mirror
            .keys()
            .filter(|name| counts(name) && !real.contains_key(*name))
        {
            tell(name, Kind::Added);
        }
        found
    }
}

/// Walks through two values side by side; serde_json has bounded how deep they are.
struct Walk<'a> {
    ignored: &'a [Box<[Box<str>]>],
    steps: Vec<String>,
    found: Vec<Place>,
}

impl Walk<'_> {
    fn compare(&mut self, one: &Value, other: &Value) {
        if self.found.len() >= TOLD_MAX || self.is_ignored() {
            return;
        }
        match (one, other) {
            (Value::Object(one), Value::Object(other)) => {
                for (name, value) in one {
                    self.at(name.clone(), |walk| match other.get(name) {
                        Some(other) => walk.compare(value, other),
                        None => walk.tell(Kind::Missing),
                    });
                }
                for name in other.keys().filter(|name| !one.contains_key(*name)) {
                    self.at(name.clone(), |walk| walk.tell(Kind::Added));
                }
            }
            (Value::Array(one), Value::Array(other)) => {
                for index in 0..one.len().max(other.len()) {
                    self.at(index.to_string(), |walk| {
                        match (one.get(index), other.get(index)) {
                            (Some(one), Some(other)) => walk.compare(one, other),
                            (Some(_), None) => walk.tell(Kind::Missing),
                            _ => walk.tell(Kind::Added),
                        }
                    });
                }
            }
            (Value::Number(one), Value::Number(other)) if one != other && one.as_f64() != other.as_f64() => {
                self.tell(Kind::Value);
            }
            (Value::Number(_), Value::Number(_)) => {}
            (one, other) if std::mem::discriminant(one) != std::mem::discriminant(other) => {
                self.tell(Kind::Type);
            }
            (one, other) if one != other => self.tell(Kind::Value),
            _ => {}
        }
    }

    fn at(&mut self, step: String, go: impl FnOnce(&mut Self)) {
        self.steps.push(step);
        go(self);
        self.steps.pop();
    }

    /// Whether the place, or one above it, may differ.
    fn is_ignored(&self) -> bool {
        self.ignored.iter().any(|pattern| {
            pattern.len() == self.steps.len()
                && pattern
                    .iter()
                    .zip(&self.steps)
                    .all(|(wanted, step)| **wanted == *"*" || **wanted == *step)
        })
    }

    fn tell(&mut self, kind: Kind) {
        if self.found.len() >= TOLD_MAX || self.is_ignored() {
            return;
        }
        let steps = self.steps.iter();
        let place: String = steps
            .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
            .collect();
        let place = place.chars().take(PLACE_BYTES_MAX).collect();
        self.found.push(Place { place, kind });
    }
}

#[cfg(test)]
mod tests;
