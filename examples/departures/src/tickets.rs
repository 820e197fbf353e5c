//! Tickets: bought, seated, returned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::timetable::{self, Departure, SEATS};

/// The most tickets remembered; the oldest are forgotten first.
const TICKETS_MAX: usize = 10_000;

/// What a passenger asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Purchase {
    /// The departure's id.
    pub(crate) departure_id: String,
    /// Where the passenger gets off: a station's code.
    pub(crate) to: String,
    /// Who travels.
    pub(crate) passenger: String,
}

/// A seat asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeatChoice {
    /// From 1 to [`SEATS`].
    pub(crate) seat: u16,
}

/// A sold ticket.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ticket {
    /// Its number, from 1.
    pub(crate) id: u64,
    /// The departure's id.
    pub(crate) departure_id: String,
    /// From where: a station's code.
    pub(crate) from: &'static str,
    /// To where: a station's code.
    pub(crate) to: &'static str,
    /// Who travels.
    pub(crate) passenger: String,
    /// The seat.
    pub(crate) seat: u16,
    /// What it cost, in cents.
    pub(crate) price_cents: u32,
}

/// What a returned ticket gives back.
#[derive(Debug, Serialize)]
pub(crate) struct Refund {
    /// The ticket's number.
    pub(crate) ticket_id: u64,
    /// The money given back, in cents.
    pub(crate) refund_cents: u32,
}

/// All tickets sold and not returned.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    sold: BTreeMap<u64, Ticket>,
    last: u64,
}

impl Tickets {
    /// Sells a ticket on the first free seat.
    pub(crate) fn buy(&mut self, departure: &Departure, purchase: &Purchase) -> Result<Ticket, Problem> {
        let passenger = purchase.passenger.trim();
        if passenger.is_empty() || passenger.chars().count() > 80 {
            return Err(Problem::Invalid(
                "`passenger` must have 1 to 80 characters".to_owned(),
            ));
        }
        let later = departure.stops.iter().skip(1);
        let to = later
            .map(|stop| stop.station)
            .find(|station| *station == purchase.to);
        let to = to.ok_or_else(|| Problem::Invalid(format!("the train does not go to `{}`", purchase.to)))?;
        let price_cents = timetable::fare_cents(departure.station, to).ok_or(Problem::NotFound("fare"))?;
        let seat = (1..=SEATS)
            .find(|seat| !self.taken(&departure.id, *seat))
            .ok_or(Problem::SoldOut)?;
        if self.sold.len() == TICKETS_MAX {
            self.sold.pop_first();
        }
        self.last += 1;
        let ticket = Ticket {
            id: self.last,
            departure_id: departure.id.clone(),
            from: departure.station,
            to,
            passenger: passenger.to_owned(),
            seat,
            price_cents,
        };
        self.sold.insert(ticket.id, ticket.clone());
        Ok(ticket)
    }

    /// The newest tickets first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Ticket> {
        self.sold.values().rev().take(limit).cloned().collect()
    }

    /// One ticket.
    pub(crate) fn read(&self, id: u64) -> Result<Ticket, Problem> {
        self.sold.get(&id).cloned().ok_or(Problem::NotFound("ticket"))
    }

    /// Moves the passenger to another seat.
    pub(crate) fn choose_seat(&mut self, id: u64, choice: &SeatChoice) -> Result<Ticket, Problem> {
        if !(1..=SEATS).contains(&choice.seat) {
            return Err(Problem::Invalid(format!("`seat` must be from 1 to {SEATS}")));
        }
        let ticket = self.read(id)?;
        if ticket.seat != choice.seat && self.taken(&ticket.departure_id, choice.seat) {
            return Err(Problem::SeatTaken);
        }
        let ticket = Ticket {
            seat: choice.seat,
            ..ticket
        };
        self.sold.insert(id, ticket.clone());
        Ok(ticket)
    }

    /// Takes a ticket back for its full price.
    pub(crate) fn give_back(&mut self, id: u64) -> Result<Refund, Problem> {
        let ticket = self.sold.remove(&id).ok_or(Problem::NotFound("ticket"))?;
        Ok(Refund {
            ticket_id: id,
            refund_cents: ticket.price_cents,
        })
    }

    /// How many seats of a departure are free.
    pub(crate) fn seats_free(&self, departure_id: &str) -> u16 {
        let sold = self
            .sold
            .values()
            .filter(|ticket| ticket.departure_id == departure_id)
            .count();
        SEATS.saturating_sub(u16::try_from(sold).unwrap_or(SEATS))
    }

    fn taken(&self, departure_id: &str, seat: u16) -> bool {
        self.sold
            .values()
            .any(|ticket| ticket.departure_id == departure_id && ticket.seat == seat)
    }
}
