//! Versions as Semantic Versioning 2.0 orders them (section 11), read where they stand.

use std::cmp::Ordering;

/// A version; what is behind a `+` does not count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Semver<'a> {
    numbers: [u64; 3],
    before: &'a str,
    /// Whether it leaves out some of its numbers.
    pub(crate) is_short: bool,
}

/// A version to compare with.
#[derive(Debug)]
pub(crate) struct Release {
    numbers: [u64; 3],
    before: Box<str>,
}

impl Release {
    /// Reads what [`Semver`] reads, with all of its numbers.
    pub(crate) fn read(text: &str) -> Option<Self> {
        Semver::read(text)
            .filter(|version| !version.is_short)
            .map(Self::of)
    }

    /// Reads what may leave out its last numbers.
    pub(crate) fn read_short(text: &str) -> Option<Self> {
        Semver::read(text).map(Self::of)
    }

    fn of(version: Semver<'_>) -> Self {
        Self {
            numbers: version.numbers,
            before: version.before.into(),
        }
    }

    /// Whether so many of its first numbers are those of another version.
    #[cfg(feature = "logic")]
    pub(crate) fn has_same(&self, numbers: usize, other: &Self) -> bool {
        self.numbers[..numbers] == other.numbers[..numbers]
    }

    pub(crate) fn as_version(&self) -> Semver<'_> {
        Semver {
            numbers: self.numbers,
            before: &self.before,
            is_short: false,
        }
    }
}

impl<'a> Semver<'a> {
    /// Reads `1.2.3`, `1.2.3-rc.1`, `1.2.3+build`, and `1.2-rc.1`, which is short; a `v` in front does no harm.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (text, build) = text
            .split_once('+')
            .map_or((text, None), |(text, build)| (text, Some(build)));
        let (core, before) = text
            .split_once('-')
            .map_or((text, None), |(core, before)| (core, Some(before)));
        if build.is_some_and(|build| !are_identifiers(build))
            || before.is_some_and(|before| !are_release(before))
        {
            return None;
        }
        let mut numbers = [0; 3];
        let mut found = 0;
        for part in core.split('.') {
            *numbers.get_mut(found)? = whole(part)?;
            found += 1;
        }
        Some(Self {
            numbers,
            before: before.unwrap_or_default(),
            is_short: found < numbers.len(),
        })
    }

    /// Which one comes first.
    pub(crate) fn compare(&self, other: &Semver<'_>) -> Ordering {
        let by_numbers = self.numbers.cmp(&other.numbers);
        by_numbers.then_with(|| match (self.before, other.before) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (one, other) => releases(one, other),
        })
    }
}

fn releases(one: &str, other: &str) -> Ordering {
    let (mut ours, mut theirs) = (one.split('.'), other.split('.'));
    loop {
        let order = match (ours.next(), theirs.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => match (whole(one), whole(other)) {
                (Some(one), Some(other)) => one.cmp(&other),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// A number without a sign or a zero in front.
fn whole(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

fn are_identifiers(text: &str) -> bool {
    let is_one = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.split('.').all(is_one)
}

fn are_release(text: &str) -> bool {
    let has_zero = |part: &str| {
        part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    are_identifiers(text) && !text.split('.').any(has_zero)
}
