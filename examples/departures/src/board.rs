//! What the router's handlers share: the timetable, delays and tickets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::tickets::Tickets;
use crate::timetable::{self, Departure};

/// A delay that staff reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delay {
    /// How late, in minutes: 0 to 600.
    pub(crate) minutes: u16,
    /// Why, for the passengers.
    #[serde(default)]
    pub(crate) reason: String,
}

/// A departure as the board shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    #[serde(flatten)]
    departure: Departure,
    delay_minutes: u16,
    #[serde(skip_serializing_if = "String::is_empty")]
    delay_reason: String,
    seats_free: u16,
}

/// The service's whole state.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    departures: Arc<[Departure]>,
    changing: Arc<Mutex<Changing>>,
}

/// What calls change.
#[derive(Debug, Default)]
pub(crate) struct Changing {
    /// Delays by departure.
    pub(crate) delays: HashMap<String, Delay>,
    /// Sold tickets.
    pub(crate) tickets: Tickets,
}

impl Board {
    /// A board with the day's timetable, no delays and no tickets.
    pub(crate) fn new() -> Self {
        Self {
            departures: timetable::departures().into(),
            changing: Arc::default(),
        }
    }

    /// The departure of this id.
    pub(crate) fn departure(&self, id: &str) -> Result<&Departure, Problem> {
        self.departures
            .iter()
            .find(|departure| departure.id == id)
            .ok_or(Problem::NotFound("departure"))
    }

    /// The departures of a station from a time on, at most `limit`.
    pub(crate) fn leaving(&self, station: &str, after: &str, limit: usize) -> Vec<Shown> {
        let changing = self.changing();
        let wanted =
            |departure: &&Departure| departure.station == station && departure.time.as_str() >= after;
        self.departures
            .iter()
            .filter(wanted)
            .take(limit)
            .map(|departure| shown(departure, &changing))
            .collect()
    }

    /// One departure as the board shows it now.
    pub(crate) fn show(&self, departure: &Departure) -> Shown {
        shown(departure, &self.changing())
    }

    /// What calls change; held for a lookup or an insertion, never across an await.
    pub(crate) fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn shown(departure: &Departure, changing: &Changing) -> Shown {
    let delay = changing.delays.get(&departure.id);
    Shown {
        departure: departure.clone(),
        delay_minutes: delay.map_or(0, |delay| delay.minutes),
        delay_reason: delay.map(|delay| delay.reason.clone()).unwrap_or_default(),
        seats_free: changing.tickets.seats_free(&departure.id),
    }
}
