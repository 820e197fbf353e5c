//! What answers say of limits: `RateLimit-Policy` and `RateLimit`.
//!
//! All but two numbers of each limit is known when a snapshot is compiled, so it is written then.
//! Source: draft-ietf-httpapi-ratelimit-headers.

use domain::limit::Mode;
use http::HeaderValue;

/// The constant half of what answers say of a limit.
#[derive(Debug)]
pub struct Told {
    /// `"name";q=100;w=60`.
    policy: HeaderValue,
    /// `"name";r=`.
    start: Box<str>,
    name_end: usize,
    /// What is counted together.
    counts: &'static str,
    quota: u64,
    window_seconds: u64,
}

impl Told {
    /// Writes it for a limit of `quota` calls in a window; the name needs no escape within quotes.
    ///
    /// `counts` says what is counted together, in a word that is the same for all such limits.
    pub fn new(counts: &'static str, name: &str, quota: u64, window_seconds: u64) -> Self {
        let policy = format!("\"{name}\";q={quota};w={window_seconds}");
        Self {
            policy: value(&policy),
            start: format!("\"{name}\";r=").into(),
            name_end: name.len() + 1,
            counts,
            quota,
            window_seconds,
        }
    }

    /// Writes it for a bound on calls that are open at a time.
    pub fn concurrent(counts: &'static str, name: &str, most: u32) -> Self {
        Self {
            policy: value(&format!("\"{name}\";q={most};qu=\"concurrent-requests\"")),
            ..Self::new(counts, name, u64::from(most), 0)
        }
    }

    /// The limit's name.
    pub fn name(&self) -> &str {
        &self.start[1..self.name_end]
    }

    /// `RateLimit-Policy` of this limit and another one behind it.
    pub fn and(&self, other: &Self) -> HeaderValue {
        joined([self, other].into_iter())
    }
}

/// A limit that counted a call.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    told: &'a Told,
    remaining: u64,
    /// Absent where no time mends it.
    reset_seconds: Option<u64>,
    /// Set if the call was over the limit and passed.
    over: Option<Mode>,
}

/// What a limit that counted a call found, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// What is counted together: `plan_rate`, `plan_quota`, `plan_concurrency`, or whose calls.
    pub counts: &'static str,
    /// How many calls.
    pub quota: u64,
    /// In what time; 0 for a bound on open calls.
    pub window_seconds: u64,
    /// Calls that may still come now.
    pub remaining: u64,
    /// Absent where no time mends it.
    pub reset_seconds: Option<u64>,
    /// Set if the call was over the limit and passed.
    pub over: Option<Mode>,
}

/// The limits that counted a call; at most [`Limits::MAX`], further ones are enforced but not told.
#[derive(Debug, Default)]
pub struct Limits<'a> {
    entries: [Option<Entry<'a>>; Limits::MAX],
    /// `RateLimit-Policy` of the first two, if somebody has written it before.
    pair: Option<&'a HeaderValue>,
    is_over: bool,
}

impl<'a> Limits<'a> {
    /// How many limits an answer tells.
    pub const MAX: usize = 4;

    /// Adds a limit: calls that may still come now, and seconds until it is whole again.
    pub fn push(&mut self, told: &'a Told, remaining: u64, reset_seconds: Option<u64>) {
        self.push_over(told, remaining, reset_seconds, None);
    }

    /// Adds a limit over which the call may be.
    pub(crate) fn push_over(
        &mut self,
        told: &'a Told,
        remaining: u64,
        reset_seconds: Option<u64>,
        over: Option<Mode>,
    ) {
        self.pair = None;
        self.is_over |= over.is_some();
        if let Some(free) = self.entries.iter_mut().find(|entry| entry.is_none()) {
            *free = Some(Entry {
                told,
                remaining,
                reset_seconds,
                over,
            });
        }
    }

    /// Takes `pair` for `RateLimit-Policy` if exactly these two limits are told.
    pub fn written(&mut self, first: &Told, second: &Told, pair: &'a HeaderValue) {
        let is = |entry: &Option<Entry<'_>>, told| entry.is_some_and(|entry| std::ptr::eq(entry.told, told));
        if is(&self.entries[0], first) && is(&self.entries[1], second) && self.entries[2].is_none() {
            self.pair = Some(pair);
        }
    }

    /// What the limits found, in their order.
    pub fn counted(&self) -> impl Iterator<Item = Counted> {
        self.entries.iter().map_while(|entry| {
            entry.map(|entry| Counted {
                counts: entry.told.counts,
                quota: entry.told.quota,
                window_seconds: entry.told.window_seconds,
                remaining: entry.remaining,
                reset_seconds: entry.reset_seconds,
                over: entry.over,
            })
        })
    }

    /// Whether no limit counted the call.
    pub const fn is_empty(&self) -> bool {
        self.entries[0].is_none()
    }

    /// The values of `RateLimit-Policy` and `RateLimit`; `text` is emptied and used for writing.
    ///
    /// `None` if no limit counted the call.
    pub fn fields(&self, text: &mut String) -> Option<(HeaderValue, HeaderValue)> {
        let first = self.entries[0]?;
        let policy = match (self.pair, &self.entries[1]) {
            (Some(pair), _) => pair.clone(),
            (None, None) => first.told.policy.clone(),
            (None, Some(_)) => joined(self.entries.iter().flatten().map(|entry| entry.told)),
        };
        text.clear();
        for entry in self.entries.iter().flatten() {
            if !text.is_empty() {
                text.push_str(", ");
            }
            // Every answer has some, so they do not go through `format!`.
            text.push_str(&entry.told.start);
            text.push_str(itoa::Buffer::new().format(entry.remaining));
            if let Some(seconds) = entry.reset_seconds {
                text.push_str(";t=");
                text.push_str(itoa::Buffer::new().format(seconds));
            }
        }
        Some((policy, HeaderValue::from_str(text).ok()?))
    }

    /// The value of `Gateline-Over-Limit`: limits over which the call was and that let it pass, and how.
    pub fn over(&self) -> Option<HeaderValue> {
        if !self.is_over {
            return None;
        }
        let mut text = String::new();
        for entry in self.entries.iter().flatten() {
            let mode = match entry.over {
                None | Some(Mode::Enforce) => continue,
                Some(Mode::Warn) => "warn",
                Some(Mode::SlowDown) => "slow_down",
                Some(Mode::Degrade) => "degrade",
            };
            let comma = if text.is_empty() { "" } else { ", " };
            text += &format!("{comma}\"{}\";mode={mode}", entry.told.name());
        }
        HeaderValue::from_str(&text).ok()
    }
}

fn joined<'a>(all: impl Iterator<Item = &'a Told>) -> HeaderValue {
    let mut text = Vec::with_capacity(96);
    for told in all {
        if !text.is_empty() {
            text.extend_from_slice(b", ");
        }
        text.extend_from_slice(told.policy.as_bytes());
    }
    HeaderValue::from_bytes(&text).expect("made of values")
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("names of limits are visible ASCII")
}

#[cfg(test)]
mod tests;
