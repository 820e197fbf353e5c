//! Figures of single routes: of as many as the setting says, those that are called first; all others together.
//!
//! A route keeps its place as long as the node runs, so that what is counted of it never falls.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use domain::id::RouteId;

use super::{Cell, CoreFigures, escape, head};
use crate::compile::Compiled;

/// The place of a call that no route took.
pub(crate) const NO_ROUTE: u32 = u32::MAX;
/// A route that was not called since its snapshot came.
const UNKNOWN: u32 = u32::MAX - 1;

/// What a core counts of one route.
#[derive(Debug, Default)]
pub(crate) struct RouteFigures {
    /// Answers by the first digit of their status; 0 for calls that got none.
    pub(crate) answers: [Cell; 6],
    pub(crate) latency_us: Cell,
}

/// A route's place among those that have figures of their own.
#[derive(Debug)]
pub(crate) struct Series(AtomicU32);

impl Default for Series {
    fn default() -> Self {
        Self(AtomicU32::new(UNKNOWN))
    }
}

impl Series {
    /// The place; asks for one at the first call.
    pub(crate) fn place(&self, route: RouteId, places: &Places) -> u32 {
        let known = self.0.load(Relaxed);
        if known != UNKNOWN {
            return known;
        }
        let place = places.give(route);
        self.0.store(place, Relaxed);
        place
    }
}

/// Which routes have figures of their own.
#[derive(Debug)]
pub(crate) struct Places {
    most: u32,
    /// Asked once per route and snapshot.
    given: Mutex<HashMap<RouteId, u32>>,
}

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: u32::try_from(most).unwrap_or(0),
            given: Mutex::default(),
        }
    }

    /// How many figures a core needs: those of the others come last.
    pub(crate) const fn count(&self) -> usize {
        self.most as usize + 1
    }

    fn give(&self, route: RouteId) -> u32 {
        let mut given = self.given.lock().expect("nothing panics while holding it");
        let next = u32::try_from(given.len()).unwrap_or(u32::MAX);
        if next >= self.most {
            return given.get(&route).copied().unwrap_or(self.most);
        }
        *given.entry(route).or_insert(next)
    }

    /// Writes the figures; routes that are not served any more stand with the others.
    pub(crate) fn write(&self, text: &mut String, cores: &[Arc<CoreFigures>], serving: Option<&Compiled>) {
        let given = self
            .given
            .lock()
            .expect("nothing panics while holding it")
            .clone();
        let mut rows: Vec<Row> = Vec::with_capacity(given.len() + 1);
        let mut other = Row::of(cores, self.most as usize);
        let mut given: Vec<_> = given.into_iter().collect();
        given.sort_unstable_by_key(|(_, place)| *place);
        for (route, place) in given {
            let mut row = Row::of(cores, place as usize);
            match serving.and_then(|serving| serving.route(route)) {
                Some(known) => {
                    row.labels = format!(
                        "route=\"{route}\",api=\"{}\"",
                        escape(known.place.api_name.as_str())
                    );
                    rows.push(row);
                }
                None => other.add(&row),
            }
        }
        "route=\"other\",api=\"\"".clone_into(&mut other.labels);
        rows.push(other);
        head(
            text,
            "route_requests_total",
            "counter",
            "Requests by route and the class of their answer; the routes without figures of their own are `other`.",
        );
        for row in &rows {
            for (class, value) in super::CLASSES
                .iter()
                .zip(row.answers)
                .filter(|(_, value)| *value > 0)
            {
                let _ = writeln!(
                    text,
                    "gateline_route_requests_total{{{},class=\"{class}\"}} {value}",
                    row.labels
                );
            }
        }
        head(
            text,
            "route_request_microseconds_total",
            "counter",
            "Time from the head of requests to the end of their answers, by route.",
        );
        for row in rows.iter().filter(|row| row.latency_us > 0) {
            let _ = writeln!(
                text,
                "gateline_route_request_microseconds_total{{{}}} {}",
                row.labels, row.latency_us
            );
        }
    }
}

/// The sums of one route over all cores.
#[derive(Default)]
struct Row {
    labels: String,
    answers: [u64; 6],
    latency_us: u64,
}

impl Row {
    fn of(cores: &[Arc<CoreFigures>], place: usize) -> Self {
        let mut row = Self::default();
        for figures in cores.iter().filter_map(|core| core.routes.get(place)) {
            for (sum, cell) in row.answers.iter_mut().zip(&figures.answers) {
                *sum += cell.get();
            }
            row.latency_us += figures.latency_us.get();
        }
        row
    }

    fn add(&mut self, other: &Self) {
        for (sum, value) in self.answers.iter_mut().zip(other.answers) {
            *sum += value;
        }
        self.latency_us += other.latency_us;
    }
}
