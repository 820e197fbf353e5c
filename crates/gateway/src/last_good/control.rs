//! `Cache-Control`, as far as it says whether an answer may be kept and used: RFC 9111 section 5.2, RFC 5861.

use std::time::{Duration, SystemTime};

use http::header::{CACHE_CONTROL, DATE, EXPIRES};
use http::{HeaderMap, HeaderName};

/// What a head says; of what it says twice the stricter holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Control {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) public: bool,
    /// `must-revalidate`, or `proxy-revalidate`.
    pub(super) must_revalidate: bool,
    max_age: Option<u64>,
    pub(super) s_maxage: Option<u64>,
    pub(super) stale_if_error: Option<u64>,
}

impl Control {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            // What cannot be read could forbid anything.
            let Ok(text) = value.to_str() else {
                control.no_store = true;
                continue;
            };
            for directive in directives(text) {
                control.take(directive);
            }
        }
        control
    }

    fn take(&mut self, directive: &str) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        // A number that cannot be read is as good as none: what it bounds ends at once.
        let seconds = value.trim().trim_matches('"').parse::<u64>().unwrap_or(0);
        let least = |known: Option<u64>| Some(known.map_or(seconds, |known| known.min(seconds)));
        match &*name.trim().to_ascii_lowercase() {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" | "proxy-revalidate" => self.must_revalidate = true,
            "max-age" => self.max_age = least(self.max_age),
            "s-maxage" => self.s_maxage = least(self.s_maxage),
            "stale-if-error" => self.stale_if_error = least(self.stale_if_error),
            _ => {}
        }
    }

    /// For how many seconds an answer with this head is fresh; without a word on it, for none.
    pub(super) fn fresh(&self, headers: &HeaderMap) -> u64 {
        let date = |name: HeaderName| -> Option<SystemTime> {
            httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
        };
        let expires = || {
            let (expires, now) = (date(EXPIRES)?, date(DATE)?);
            Some(expires.duration_since(now).unwrap_or(Duration::ZERO).as_secs())
        };
        self.s_maxage.or(self.max_age).or_else(expires).unwrap_or(0)
    }
}

/// The directives of a value; a comma in a quoted text separates nothing.
fn directives(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |character| {
        is_quoted ^= character == '"';
        character == ',' && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::CACHE_CONTROL;

    use super::Control;

    #[test]
    fn directives_are_read_and_the_stricter_holds() {
        let read = |lines: &[&str]| {
            let values = lines.iter().map(|line| (CACHE_CONTROL, line.parse().unwrap()));
            Control::read(&values.collect::<HeaderMap>())
        };
        let control = read(&["Public, max-age=60", "MAX-AGE=\"30\", stale-if-error=600"]);
        assert!(control.public && !control.private && !control.no_store);
        assert_eq!((control.max_age, control.stale_if_error), (Some(30), Some(600)));
        assert_eq!(
            read(&["private=\"a, no-store\""]),
            Control {
                private: true,
                ..Control::default()
            }
        );
        assert!(read(&["no-store"]).no_store && read(&["no-cache=\"x\""]).no_cache);
        assert!(read(&["proxy-revalidate"]).must_revalidate && read(&["must-revalidate"]).must_revalidate);
        assert_eq!(read(&["max-age=never"]).max_age, Some(0));
        assert_eq!(read(&["s-maxage=5, max-age=9"]).fresh(&HeaderMap::new()), 5);
        let mut headers = HeaderMap::new();
        headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        headers.insert("expires", "Sun, 06 Nov 1994 08:50:37 GMT".parse().unwrap());
        assert_eq!(read(&[]).fresh(&headers), 60);
        headers.insert("expires", "0".parse().unwrap());
        assert_eq!(read(&[]).fresh(&headers), 0);
    }
}
