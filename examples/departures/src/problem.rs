//! The service's own errors (RFC 9457), so that callers can tell them from the gateway's.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Why the service refuses a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// There is no such station, departure or ticket.
    NotFound(&'static str),
    /// The body or a parameter is wrong; the text says how.
    Invalid(String),
    /// All seats of the departure are sold.
    SoldOut,
    /// Somebody else has the seat.
    SeatTaken,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, detail) = match self {
            Self::NotFound(what) => (
                StatusCode::NOT_FOUND,
                "Not found",
                format!("there is no such {what}"),
            ),
            Self::Invalid(how) => (StatusCode::BAD_REQUEST, "The request is not valid", how),
            Self::SoldOut => (
                StatusCode::CONFLICT,
                "Sold out",
                "all seats of this departure are sold".to_owned(),
            ),
            Self::SeatTaken => (
                StatusCode::CONFLICT,
                "Seat taken",
                "choose another seat".to_owned(),
            ),
        };
        let body = serde_json::json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail,
        });
        let mut response = (status, Json(body)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
