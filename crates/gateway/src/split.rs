//! The sides of a split route, and what is counted of each.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use domain::id::RouteId;
use domain::recent::CallVariant;
use domain::release::VariantName;
use http::{HeaderName, HeaderValue};
use routing::{Splitting, Unit, Why};

use crate::compile::Compiled;
use crate::core::Ids;

/// The most variants with series of their own.
const SERIES_MAX: usize = 1_000;

/// A split with its sides.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) splitting: Arc<Splitting>,
    /// In the order of the split.
    pub(crate) sides: Box<[Arc<Side>]>,
}

/// One variant of a route.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) route: RouteId,
    pub(crate) name: VariantName,
    /// The split that it is of, and its place there.
    splitting: Arc<Splitting>,
    place: usize,
    /// Its name as a header's value.
    header: HeaderValue,
    /// Outlive snapshots.
    figures: Arc<Figures>,
    /// The place of its upstream.
    pub(crate) upstream: usize,
}

/// What is counted of a variant, by all cores.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    calls: AtomicU64,
    errors: AtomicU64,
    latency_us: AtomicU64,
}

/// Figures by route and variant.
pub(crate) type Known = HashMap<(RouteId, VariantName), Arc<Figures>>;

/// The side that a call got, kept as long as the call is remembered.
#[derive(Debug)]
pub(crate) struct Took {
    pub(crate) side: Arc<Side>,
    pub(crate) why: Why,
}

impl Took {
    /// Tells why it was this side.
    pub(crate) fn told(&self) -> CallVariant {
        self.side.splitting.tell(self.side.place, self.why)
    }
}

/// What the answer to a call says of the side that it got.
#[derive(Debug)]
pub(crate) struct Sided {
    cookie: Option<HeaderValue>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Side {
    /// The variant in this place of a route's split.
    pub(crate) fn new(
        (route, place): (RouteId, usize),
        name: VariantName,
        splitting: Arc<Splitting>,
        upstream: usize,
        figures: Arc<Figures>,
    ) -> Self {
        Self {
            route,
            name,
            splitting,
            place,
            header: HeaderValue::from_str(name.as_str()).expect("names are ASCII"),
            figures,
            upstream,
        }
    }

    /// Counts a call that has ended.
    pub(crate) fn note(&self, status: u16, latency_us: u64) {
        let figures = &*self.figures;
        figures.calls.fetch_add(1, Relaxed);
        figures.latency_us.fetch_add(latency_us, Relaxed);
        if status >= 500 {
            figures.errors.fetch_add(1, Relaxed);
        }
    }
}

impl Split {
    /// The side of a call, and what its answer says of that.
    pub(crate) fn choose(&self, unit: &Unit<'_>, ids: &Ids) -> (Took, Option<Box<Sided>>) {
        let random = || u128::from(ids.random()) << 64 | u128::from(ids.random());
        let chosen = self.splitting.choose(unit, random);
        let side = &self.sides[chosen.variant];
        let name = self.splitting.answer_header.as_ref();
        let is_said = name.is_some() || chosen.cookie.is_some();
        let sided = is_said.then(|| {
            Box::new(Sided {
                cookie: chosen.cookie,
                header: name.map(|name| (name.clone(), side.header.clone())),
            })
        });
        let took = Took {
            side: Arc::clone(side),
            why: chosen.why,
        };
        (took, sided)
    }
}

impl Sided {
    /// Says it in an answer.
    pub(crate) fn say(&self, headers: &mut http::HeaderMap) {
        if let Some(cookie) = &self.cookie {
            headers.append(http::header::SET_COOKIE, cookie.clone());
        }
        if let Some((name, value)) = &self.header {
            headers.insert(name, value.clone());
        }
    }
}

/// Writes figures: series of the first [`SERIES_MAX`] variants.
pub(crate) fn write(text: &mut String, compiled: &Compiled) {
    type Series = (&'static str, &'static str, fn(&Figures) -> &AtomicU64);
    const SERIES: [Series; 3] = [
        ("variant_calls_total", "Calls that got the variant.", |figures| {
            &figures.calls
        }),
        (
            "variant_errors_total",
            "Those of them that were answered with 5xx, by the gateway as well.",
            |figures| &figures.errors,
        ),
        (
            "variant_microseconds_total",
            "Time from the head of their requests to the end of their answers.",
            |figures| &figures.latency_us,
        ),
    ];
    let sides: Vec<_> = compiled.sides().take(SERIES_MAX).collect();
    if sides.is_empty() {
        return;
    }
    for (name, help, figure) in SERIES {
        let _ = writeln!(
            text,
            "# HELP gateline_{name} {help}\n# TYPE gateline_{name} counter"
        );
        for side in &sides {
            let (route, variant) = (side.route, side.name);
            let value = figure(&side.figures).load(Relaxed);
            let _ = writeln!(
                text,
                "gateline_{name}{{route=\"{route}\",variant=\"{variant}\"}} {value}"
            );
        }
    }
}
