//! Pages: which ones an experiment is on, and what their addresses force.

use serde_json::Value as Json;
use url::Url;

use super::evaluator::Evaluator;
use super::json::{Fields, is_truthy};
use super::pattern;

/// Stands for anything in an address, where `*` may not.
const ANYTHING: &str = "_____";

/// The variation that a page's address chooses: `?my-experiment=1`.
pub fn variation(page: &str, experiment: &str, variations: usize) -> Option<usize> {
    let query = page.split('?').nth(1)?;
    let query = query.split('#').next()?;
    let chosen = query.split('&').find_map(|pair| {
        let mut parts = pair.split('=');
        (parts.next() == Some(experiment)).then(|| parts.next().unwrap_or_default())
    })?;
    leading_number(chosen).filter(|place| *place < variations)
}

/// The number that a text begins with.
fn leading_number(text: &str) -> Option<usize> {
    let text = text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

/// Whether a page is one of those that targets include, and none of those that they exclude.
pub fn is_targeted(page: &str, targets: &[Json]) -> bool {
    if targets.is_empty() {
        return false;
    }
    let Ok(page) = Url::options().base_url(base("https://_").as_ref()).parse(page) else {
        return false;
    };
    let (mut includes, mut is_included) = (false, false);
    for target in targets.iter().filter_map(Fields::of) {
        let is_there = is_one(&page, target);
        if target.0.get("include") == Some(&Json::Bool(false)) {
            if is_there {
                return false;
            }
        } else {
            includes = true;
            is_included |= is_there;
        }
    }
    is_included || !includes
}

fn base(text: &str) -> Option<Url> {
    Url::parse(text).ok()
}

fn is_one(page: &Url, target: Fields<'_>) -> bool {
    let Some(pattern) = target.0.get("pattern").and_then(Json::as_str) else {
        return false;
    };
    match target.text("type") {
        Some("regex") => pattern::compile(pattern, false).is_some_and(|pattern| {
            let whole = page.as_str();
            let path = &whole[page.origin().ascii_serialization().len().min(whole.len())..];
            pattern.is_match(whole) || pattern.is_match(path)
        }),
        Some("simple") => is_like(page, pattern).unwrap_or(false),
        _ => false,
    }
}

/// Whether an address is like another that has `*` for anything; what that says of the query must be there.
fn is_like(page: &Url, pattern: &str) -> Option<bool> {
    let head = &pattern[..pattern.find([':', '/', '?']).unwrap_or(pattern.len())];
    let scheme = if head.contains('.') { "https://" } else { "" };
    let written = format!("{scheme}{pattern}").replace('*', ANYTHING);
    let base = base("https://_____");
    let wanted = Url::options().base_url(base.as_ref()).parse(&written).ok()?;
    let query_fits = wanted.query_pairs().all(|(name, value)| {
        let found = page.query_pairs().find(|(other, _)| *other == name);
        matches(
            found.map_or_else(Default::default, |(_, value)| value).as_ref(),
            &value,
        )
    });
    let fragment_fits = match wanted.fragment() {
        Some(fragment) if !fragment.is_empty() => matches(page.fragment().unwrap_or_default(), fragment),
        _ => true,
    };
    Some(
        matches(&host(page), &host(&wanted))
            && path_matches(page.path(), wanted.path())
            && query_fits
            && fragment_fits,
    )
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Slashes at both ends make no difference.
fn path_matches(path: &str, wanted: &str) -> bool {
    let wanted = wanted.strip_prefix('/').unwrap_or(wanted);
    let wanted = wanted.strip_suffix('/').unwrap_or(wanted);
    let starts = [Some(path), path.strip_prefix('/')];
    let starts = starts.into_iter().flatten();
    let mut all = starts.flat_map(|path| [Some(path), path.strip_suffix('/')].into_iter().flatten());
    all.any(|path| matches(path, wanted))
}

/// Whether a text is like a pattern; capitals make no difference.
fn matches(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    let Some((first, others)) = pattern.split_once(ANYTHING) else {
        return text == pattern;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = others.rsplit_once(ANYTHING).unwrap_or(("", others));
    for part in middle.split(ANYTHING) {
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Another page that an experiment sends somebody to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The page, as the variation says it.
    pub url: String,
    /// The page with what the first one's query said, if the experiment wants that kept.
    pub url_with_query: String,
}

impl Evaluator<'_> {
    /// Where the first experiment that sends them to another page sends them.
    pub fn redirect(&mut self) -> Option<Redirect> {
        let payload = self.payload;
        payload
            .experiments
            .iter()
            .filter_map(Json::as_object)
            .find_map(|experiment| {
                experiment.get("urlPatterns")?;
                let result = self.experiment(experiment);
                let url = result.value.get("urlRedirect")?.as_str()?;
                let keeps_query = experiment.get("persistQueryString").is_some_and(is_truthy);
                result.in_experiment.then(|| Redirect {
                    url: url.to_owned(),
                    url_with_query: match &self.user.url {
                        Some(page) if keeps_query => with_query(url, page),
                        _ => url.to_owned(),
                    },
                })
            })
    }
}

/// An address with those parameters of another that it does not have itself.
fn with_query(url: &str, page: &str) -> String {
    let (Ok(mut there), Ok(page)) = (Url::parse(url), Url::parse(page)) else {
        return url.to_owned();
    };
    let own: Vec<_> = there.query_pairs().map(|(name, _)| name.into_owned()).collect();
    let new = page
        .query_pairs()
        .filter(|(name, _)| !own.iter().any(|own| own == name));
    let new: Vec<_> = new.collect();
    if !new.is_empty() {
        there.query_pairs_mut().extend_pairs(new);
    }
    there.into()
}
