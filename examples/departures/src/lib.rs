//! The sample service: a small railway's departure board, with tickets that can be bought and returned.
//!
//! It stands for "somebody's service": it knows nothing of Gateline. Everything is in memory; the timetable is
//! the same every day, tickets are forgotten with the process. [`CONTRACT`] describes what [`router`] answers.

mod board;
mod problem;
mod routes;
mod tickets;
mod timetable;

pub use routes::router;

/// The service's OpenAPI 3.1 document, as a provider would write it.
pub const CONTRACT: &str = include_str!("../openapi.yaml");

#[cfg(test)]
mod tests;
