//! The last good answers of an upstream, for when it gives none: RFC 5861 (`stale-if-error`) and what RFC 9111 section
//! 4.2.4 allows.
//!
//! It is no cache: as long as the service answers, every call goes there. What is kept is kept per core, in a bounded
//! number of bytes and entries; what was used or renewed last stays longest. An answer is kept for whoever got it (the
//! application and what else the call proves), unless it says that it is `public`.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use domain::traffic::LastGood as Rules;
use hashlink::LinkedHashMap;
use http::header::{AGE, AUTHORIZATION, CONTENT_LENGTH, COOKIE, PRAGMA, RANGE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::body::AnswerBody;
use crate::mirror::Tap;

use self::control::Control;

mod control;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Answers to one request that are kept, by what `Vary` names.
const VARIANTS_MAX: usize = 8;
/// What an entry takes besides what was written.
const ENTRY_BYTES: usize = 512;
/// An answer that is younger is not kept anew: what is asked for often is not copied each time.
const RENEW_MS: u64 = 1_000;

/// The answers of one upstream on one core.
#[derive(Debug, Clone)]
pub(crate) struct LastGood(Rc<RefCell<Store>>);

#[derive(Debug, Default)]
struct Store {
    rules: Rules,
    /// The least recently used first.
    entries: LinkedHashMap<Box<[u8]>, Vec<Kept>>,
    bytes: usize,
}

/// An answer that is kept.
#[derive(Debug)]
struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// What the request said in the fields that `Vary` names.
    varies: Vec<(HeaderName, Option<HeaderValue>)>,
    stored_ms: u64,
    /// How old it was when it came, in seconds.
    age: u64,
    /// For how long it is fresh and may be used after that, in seconds.
    fresh: u64,
    stale: u64,
    bytes: usize,
}

/// What a call asks for, as far as answers are found by it.
#[derive(Debug)]
pub(crate) struct Wanted {
    method: Method,
    /// Host, path and query.
    place: Vec<u8>,
    /// What the caller proves.
    proof: Vec<u8>,
    headers: HeaderMap,
}

impl Wanted {
    /// None if answers to it are neither kept nor used.
    pub(crate) fn new(
        (method, headers): (&Method, &HeaderMap),
        place: [&[u8]; 3],
        application: Option<&[u8]>,
    ) -> Option<Self> {
        let is_plain = matches!(*method, Method::GET | Method::HEAD) && !headers.contains_key(RANGE);
        let control = Control::read(headers);
        // `no-cache` wants no answer that the service does not stand by now.
        if !is_plain || control.no_store || control.no_cache || headers.contains_key(PRAGMA) {
            return None;
        }
        let mut proof = application.unwrap_or_default().to_vec();
        for name in [AUTHORIZATION, COOKIE] {
            for value in headers.get_all(name) {
                proof.push(0);
                proof.extend_from_slice(value.as_bytes());
            }
            proof.push(1);
        }
        Some(Self {
            method: method.clone(),
            place: place.join(&0),
            proof,
            headers: headers.clone(),
        })
    }

    fn key(&self, is_public: bool) -> Box<[u8]> {
        let proof: &[u8] = if is_public { &[] } else { &self.proof };
        [&[u8::from(is_public)], self.place.as_slice(), &[0], proof]
            .concat()
            .into()
    }
}

impl LastGood {
    /// Answers by these rules; those of `before` go on.
    pub(crate) fn new(rules: Rules, before: Option<&Self>) -> Self {
        let store = before.map(|before| Rc::clone(&before.0)).unwrap_or_default();
        {
            let mut store = store.borrow_mut();
            store.rules = rules;
            store.shrink();
        }
        Self(store)
    }

    /// Whether an answer with this status is to be replaced.
    pub(crate) fn replaces(&self, status: StatusCode) -> bool {
        self.0.borrow().rules.on_5xx && matches!(status.as_u16(), 500 | 502..=504)
    }

    /// Keeps an answer while it is passed on, if it may be kept.
    pub(crate) fn keep(
        &self,
        wanted: &Wanted,
        response: Response<AnswerBody>,
        now_ms: u64,
    ) -> Response<AnswerBody> {
        let (head, body) = response.into_parts();
        let kept = self.0.borrow().may_keep(wanted, &head, now_ms);
        let Some((key, kept)) = kept else {
            return Response::from_parts(head, body);
        };
        let body_bytes_max = self.0.borrow().rules.body_bytes_max as usize;
        let store = Rc::clone(&self.0);
        let tap = Tap::new(body_bytes_max, move |body| {
            if let Some(body) = body {
                store.borrow_mut().insert(&key, Kept { body, ..kept });
            }
        });
        Response::from_parts(head, body.tapped(tap))
    }

    /// The last good answer to a call, if there is one that may be used still; `why` tells what went wrong.
    pub(crate) fn answer(&self, wanted: &Wanted, now_ms: u64, why: &str) -> Option<Response<AnswerBody>> {
        let mut store = self.0.borrow_mut();
        let max_stale = u64::from(store.rules.max_stale_seconds);
        let found = [false, true].into_iter().find_map(|is_public| {
            let key = wanted.key(is_public);
            let fits = |kept: &Kept| kept.fits(&wanted.headers) && kept.is_usable(now_ms, max_stale);
            let place = store.entries.get(&key)?.iter().position(fits)?;
            Some((key, place))
        });
        let (key, place) = found?;
        let kept = &store.entries.to_back(&key)?[place];
        Some(kept.response(&wanted.method, now_ms, why))
    }
}

impl Store {
    /// Whether an answer may be kept, and under which key.
    fn may_keep(
        &self,
        wanted: &Wanted,
        head: &http::response::Parts,
        now_ms: u64,
    ) -> Option<(Box<[u8]>, Kept)> {
        // Those that are final and cacheable by themselves: RFC 9110 section 15.1, without partial content.
        let is_good = matches!(
            head.status.as_u16(),
            200 | 203 | 204 | 300 | 301 | 308 | 404 | 410
        );
        let headers = &head.headers;
        if wanted.method != Method::GET || !is_good || headers.contains_key(SET_COOKIE) {
            return None;
        }
        let control = Control::read(headers);
        if control.no_store || control.private || control.no_cache {
            return None;
        }
        let varies = varies(headers, &wanted.headers)?;
        let key = wanted.key(control.public);
        let is_known = self.entries.get(&key).is_some_and(|known| {
            let is_young = |kept: &Kept| now_ms < kept.stored_ms + RENEW_MS;
            known
                .iter()
                .any(|kept| kept.fits(&wanted.headers) && is_young(kept))
        });
        if is_known {
            return None;
        }
        let fresh = control.fresh(headers);
        // RFC 9111 section 4.2.4: these forbid what is stale.
        let may_be_stale = !control.must_revalidate && control.s_maxage.is_none();
        let stale = if may_be_stale {
            control.stale_if_error.unwrap_or(u64::MAX)
        } else {
            0
        };
        let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok());
        Some((
            key,
            Kept {
                status: head.status,
                headers: headers.clone(),
                body: Bytes::new(),
                varies,
                stored_ms: now_ms,
                age: age.unwrap_or(0),
                fresh,
                stale,
                bytes: 0,
            },
        ))
    }

    fn insert(&mut self, key: &[u8], mut kept: Kept) {
        let fields: usize = kept
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        kept.bytes = kept.body.len() + fields + key.len() + ENTRY_BYTES;
        let known = self.entries.entry(key.into()).or_insert_with(Vec::new);
        let is_same = |other: &Kept| {
            other.varies.len() == kept.varies.len()
                && other.varies.iter().all(|one| kept.varies.contains(one))
        };
        if let Some(place) = known.iter().position(is_same) {
            self.bytes -= known.remove(place).bytes;
        } else if known.len() == VARIANTS_MAX {
            self.bytes -= known.remove(0).bytes;
        }
        self.bytes += kept.bytes;
        known.push(kept);
        self.entries.to_back(key);
        self.shrink();
    }

    /// Forgets what was not used for longest until it is within its bounds.
    fn shrink(&mut self) {
        let (bytes_max, entries_max) = (self.rules.bytes_max as usize, self.rules.entries_max as usize);
        while self.bytes > bytes_max || self.entries.len() > entries_max {
            let Some((_, kept)) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= kept.iter().map(|kept| kept.bytes).sum::<usize>();
        }
    }
}

impl Kept {
    /// Whether a request says the same in all that the answer depends on.
    fn fits(&self, headers: &HeaderMap) -> bool {
        self.varies
            .iter()
            .all(|(name, value)| joined(headers, name) == *value)
    }

    fn age(&self, now_ms: u64) -> u64 {
        self.age
            .saturating_add(now_ms.saturating_sub(self.stored_ms) / 1_000)
    }

    fn is_usable(&self, now_ms: u64, max_stale: u64) -> bool {
        let staleness = self.age(now_ms).saturating_sub(self.fresh);
        staleness == 0 || staleness <= self.stale.min(max_stale)
    }

    fn response(&self, method: &Method, now_ms: u64, why: &str) -> Response<AnswerBody> {
        let is_head = *method == Method::HEAD;
        let body = if is_head { Bytes::new() } else { self.body.clone() };
        let mut response = Response::new(AnswerBody::own(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.clone_from(&self.headers);
        let age = self.age(now_ms);
        headers.insert(AGE, HeaderValue::from(age));
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        // RFC 9211; a negative ttl is how long it is stale.
        let ttl = i128::from(self.fresh) - i128::from(age);
        let said = format!("gateline; hit; ttl={ttl}; detail={why}");
        if let Ok(said) = HeaderValue::from_str(&said) {
            headers.append(CACHE_STATUS, said);
        }
        response
    }
}

/// What a request says in the fields that an answer depends on; none if nobody can know what it depends on.
fn varies(answer: &HeaderMap, request: &HeaderMap) -> Option<Vec<(HeaderName, Option<HeaderValue>)>> {
    let mut varies = Vec::new();
    for value in answer.get_all(VARY) {
        for name in value
            .to_str()
            .ok()?
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            if name == "*" {
                return None;
            }
            varies.push((name.clone(), joined(request, &name)));
        }
    }
    Some(varies)
}

/// All values of a field as one; none if it is not there.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let Some(second) = values.next() else {
        return Some(first.clone());
    };
    let all = [first, second]
        .into_iter()
        .chain(values)
        .map(HeaderValue::as_bytes);
    HeaderValue::from_bytes(&all.collect::<Vec<_>>().join(&b", "[..])).ok()
}
