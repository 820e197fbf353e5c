use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// One call: operation, method, path, body, status, what the answer must contain.
struct Case(
    &'static str,
    &'static str,
    &'static str,
    Option<Value>,
    u16,
    Value,
);

#[expect(clippy::too_many_lines, reason = "one table, a row per case")]
fn cases() -> Vec<Case> {
    let train = "/departures/harbour-0815-light";
    let purchase = json!({ "departure_id": "harbour-0815-light", "to": "light", "passenger": "Ada" });
    let ticket = json!({ "id": 1, "from": "harbour", "to": "light", "passenger": "Ada", "price_cents": 720 });
    let missing = json!({ "status": 404, "title": "Not found" });
    let invalid = json!({ "status": 400 });
    vec![
        Case(
            "list_stations",
            "GET",
            "/stations?q=HARB",
            None,
            200,
            json!({ "data": [{ "code": "harbour" }] }),
        ),
        Case(
            "read_station",
            "GET",
            "/stations/harbour",
            None,
            200,
            json!({ "platforms": 6 }),
        ),
        Case(
            "read_station",
            "GET",
            "/stations/atlantis",
            None,
            404,
            missing.clone(),
        ),
        Case(
            "list_departures",
            "GET",
            "/stations/harbour/departures?after=08:10&limit=1",
            None,
            200,
            json!({ "data": [{ "id": "harbour-0815-light", "seats_free": 120 }] }),
        ),
        Case(
            "list_departures",
            "GET",
            "/stations/harbour/departures?limit=0",
            None,
            400,
            invalid.clone(),
        ),
        Case(
            "list_departures",
            "GET",
            "/stations/atlantis/departures",
            None,
            404,
            missing.clone(),
        ),
        Case(
            "read_departure",
            "GET",
            train,
            None,
            200,
            json!({ "line": "coast", "delay_minutes": 0 }),
        ),
        Case(
            "list_stops",
            "GET",
            "/departures/dunes-0842-light/stops",
            None,
            200,
            json!({ "data": [{ "station": "dunes", "time": "08:42" }, { "station": "light", "time": "08:51" }] }),
        ),
        Case(
            "report_delay",
            "PUT",
            "/departures/harbour-0815-light/delay",
            Some(json!({ "minutes": 10, "reason": "A swan on the track" })),
            200,
            json!({ "delay_minutes": 10, "delay_reason": "A swan on the track" }),
        ),
        Case(
            "report_delay",
            "PUT",
            "/departures/harbour-0815-light/delay",
            Some(json!({ "minutes": 601 })),
            400,
            invalid.clone(),
        ),
        Case(
            "clear_delay",
            "DELETE",
            "/departures/harbour-0815-light/delay",
            None,
            204,
            Value::Null,
        ),
        Case(
            "read_fare",
            "GET",
            "/fares?from=harbour&to=light",
            None,
            200,
            json!({ "price_cents": 720 }),
        ),
        Case(
            "read_fare",
            "GET",
            "/fares?from=north&to=light",
            None,
            404,
            missing.clone(),
        ),
        Case(
            "read_fare",
            "GET",
            "/fares?from=north",
            None,
            400,
            invalid.clone(),
        ),
        Case(
            "buy_ticket",
            "POST",
            "/tickets",
            Some(purchase.clone()),
            201,
            ticket.clone(),
        ),
        Case(
            "buy_ticket",
            "POST",
            "/tickets",
            Some(purchase),
            201,
            json!({ "id": 2, "seat": 2 }),
        ),
        Case(
            "buy_ticket",
            "POST",
            "/tickets",
            Some(json!({ "to": "light" })),
            400,
            invalid,
        ),
        Case(
            "list_tickets",
            "GET",
            "/tickets",
            None,
            200,
            json!({ "data": [{ "id": 2 }, { "id": 1 }] }),
        ),
        Case("read_ticket", "GET", "/tickets/1", None, 200, ticket),
        Case(
            "choose_seat",
            "PUT",
            "/tickets/1/seat",
            Some(json!({ "seat": 17 })),
            200,
            json!({ "seat": 17 }),
        ),
        Case(
            "choose_seat",
            "PUT",
            "/tickets/1/seat",
            Some(json!({ "seat": 2 })),
            409,
            json!({ "status": 409 }),
        ),
        Case(
            "return_ticket",
            "DELETE",
            "/tickets/1",
            None,
            200,
            json!({ "ticket_id": 1, "refund_cents": 720 }),
        ),
        Case("read_ticket", "GET", "/tickets/1", None, 404, missing),
    ]
}

async fn call(router: &Router, case: &Case) -> (StatusCode, String, Value) {
    let Case(_, method, path, body, ..) = case;
    let request = Request::builder()
        .method(*method)
        .uri(*path)
        .header(header::CONTENT_TYPE, "application/json");
    let body = body
        .as_ref()
        .map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind
        .map(|kind| kind.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (
        status,
        kind,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

/// Whether `actual` has all that `expected` has, at every depth.
fn contains(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected
            .iter()
            .all(|(name, expected)| actual.get(name).is_some_and(|actual| contains(actual, expected))),
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len() && actual.iter().zip(expected).all(|(a, e)| contains(a, e))
        }
        _ => actual == expected,
    }
}

#[tokio::test]
async fn every_documented_operation_answers_as_documented() {
    let router = crate::router();
    let mut called = BTreeSet::new();
    for case in cases() {
        let (status, kind, body) = call(&router, &case).await;
        let Case(operation, method, path, _, expected_status, expected) = case;
        assert_eq!(status.as_u16(), expected_status, "{method} {path}: {body}");
        assert!(
            contains(&body, &expected),
            "{method} {path}: {body} lacks part of {expected}"
        );
        let expected_kind = match expected_status {
            204 => "",
            200..300 => "application/json",
            _ => "application/problem+json",
        };
        assert_eq!(kind, expected_kind, "{method} {path}");
        called.insert(operation);
    }
    let documented: BTreeSet<&str> = crate::CONTRACT
        .lines()
        .filter_map(|line| line.trim().strip_prefix("operationId: "))
        .collect();
    assert_eq!(called, documented);
}

#[tokio::test]
async fn a_train_is_sold_out_when_every_seat_is_taken() {
    let router = crate::router();
    let body = json!({ "departure_id": "bay-0833-light", "to": "light", "passenger": "Ada" });
    let purchase = Case("buy_ticket", "POST", "/tickets", Some(body), 201, Value::Null);
    for _ in 0..crate::timetable::SEATS {
        assert_eq!(call(&router, &purchase).await.0, StatusCode::CREATED);
    }
    assert_eq!(call(&router, &purchase).await.0, StatusCode::CONFLICT);
}

#[test]
fn departures_have_ids_of_their_own() {
    let departures = crate::timetable::departures();
    let ids: BTreeSet<&str> = departures.iter().map(|departure| departure.id.as_str()).collect();
    assert_eq!(ids.len(), departures.len());
}
