//! The operations, in the order of the contract.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::board::{Board, Delay, Shown};
use crate::problem::Problem;
use crate::tickets::{Purchase, Refund, SeatChoice, Ticket};
use crate::timetable::{self, STATIONS, Station, Stop};

/// The service with a fresh board; see [`CONTRACT`](crate::CONTRACT) for what it answers.
pub fn router() -> Router {
    Router::new()
        .route("/stations", get(list_stations))
        .route("/stations/{station}", get(read_station))
        .route("/stations/{station}/departures", get(list_departures))
        .route("/departures/{departure_id}", get(read_departure))
        .route("/departures/{departure_id}/stops", get(list_stops))
        .route(
            "/departures/{departure_id}/delay",
            put(report_delay).delete(clear_delay),
        )
        .route("/fares", get(read_fare))
        .route("/tickets", get(list_tickets).post(buy_ticket))
        .route("/tickets/{ticket_id}", get(read_ticket).delete(return_ticket))
        .route("/tickets/{ticket_id}/seat", put(choose_seat))
        .with_state(Board::new())
}

/// JSON, query and path whose rejections are answered as problems.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(Problem))]
struct Body<T>(T);

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
struct Query<T>(T);

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
struct Path<T>(T);

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}

#[derive(Serialize)]
struct List<T> {
    data: Vec<T>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    #[serde(default)]
    q: String,
}

async fn list_stations(Query(search): Query<Search>) -> Json<List<&'static Station>> {
    let wanted = search.q.to_lowercase();
    let data = STATIONS
        .iter()
        .filter(|station| station.name.to_lowercase().contains(&wanted))
        .collect();
    Json(List { data })
}

async fn read_station(Path(code): Path<String>) -> Result<Json<&'static Station>, Problem> {
    timetable::station(&code)
        .map(Json)
        .ok_or(Problem::NotFound("station"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    #[serde(default)]
    after: String,
    #[serde(default = "limit_default")]
    limit: usize,
}

const fn limit_default() -> usize {
    20
}

fn limited(limit: usize) -> Result<usize, Problem> {
    if (1..=100).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::Invalid("`limit` must be from 1 to 100".to_owned()))
    }
}

async fn list_departures(
    State(board): State<Board>,
    Path(code): Path<String>,
    Query(window): Query<Window>,
) -> Result<Json<List<Shown>>, Problem> {
    let station = timetable::station(&code).ok_or(Problem::NotFound("station"))?;
    let data = board.leaving(station.code, &window.after, limited(window.limit)?);
    Ok(Json(List { data }))
}

async fn read_departure(State(board): State<Board>, Path(id): Path<String>) -> Result<Json<Shown>, Problem> {
    Ok(Json(board.show(board.departure(&id)?)))
}

async fn list_stops(State(board): State<Board>, Path(id): Path<String>) -> Result<Json<List<Stop>>, Problem> {
    Ok(Json(List {
        data: board.departure(&id)?.stops.clone(),
    }))
}

async fn report_delay(
    State(board): State<Board>,
    Path(id): Path<String>,
    Body(delay): Body<Delay>,
) -> Result<Json<Shown>, Problem> {
    let departure = board.departure(&id)?;
    if delay.minutes > 600 || delay.reason.chars().count() > 200 {
        let limits = "`minutes` must be from 0 to 600, `reason` at most 200 characters";
        return Err(Problem::Invalid(limits.to_owned()));
    }
    board.changing().delays.insert(id, delay);
    Ok(Json(board.show(departure)))
}

async fn clear_delay(State(board): State<Board>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    board.departure(&id)?;
    board.changing().delays.remove(&id);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Journey {
    from: String,
    to: String,
}

async fn read_fare(Query(journey): Query<Journey>) -> Result<Json<Value>, Problem> {
    let cents = timetable::fare_cents(&journey.from, &journey.to).ok_or(Problem::NotFound("connection"))?;
    Ok(Json(json!({
        "from": journey.from, "to": journey.to, "price_cents": cents, "currency": "EUR",
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    #[serde(default = "limit_default")]
    limit: usize,
}

async fn list_tickets(
    State(board): State<Board>,
    Query(Limit { limit }): Query<Limit>,
) -> Result<Json<List<Ticket>>, Problem> {
    let data = board.changing().tickets.newest(limited(limit)?);
    Ok(Json(List { data }))
}

async fn buy_ticket(
    State(board): State<Board>,
    Body(purchase): Body<Purchase>,
) -> Result<impl IntoResponse, Problem> {
    let departure = board.departure(&purchase.departure_id)?;
    let ticket = board.changing().tickets.buy(departure, &purchase)?;
    let location = [(header::LOCATION, format!("/tickets/{}", ticket.id))];
    Ok((StatusCode::CREATED, location, Json(ticket)))
}

async fn read_ticket(State(board): State<Board>, Path(id): Path<u64>) -> Result<Json<Ticket>, Problem> {
    board.changing().tickets.read(id).map(Json)
}

async fn return_ticket(State(board): State<Board>, Path(id): Path<u64>) -> Result<Json<Refund>, Problem> {
    board.changing().tickets.give_back(id).map(Json)
}

async fn choose_seat(
    State(board): State<Board>,
    Path(id): Path<u64>,
    Body(choice): Body<SeatChoice>,
) -> Result<Json<Ticket>, Problem> {
    board.changing().tickets.choose_seat(id, &choice).map(Json)
}
