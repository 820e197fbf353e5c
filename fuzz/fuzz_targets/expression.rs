//! Expressions: whatever is compiled can be computed for a request.

#![no_main]

use expression::{Expression, Facts};
use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut headers = HeaderMap::new();
    headers.insert("x-a", HeaderValue::from_static("b"));
    headers.insert("cookie", HeaderValue::from_static("side=b; other=1"));
    headers.insert("content-length", HeaderValue::from_static("17"));
    let facts = Facts {
        method: &Method::POST,
        host: "shop.test",
        path: "/shop/pets/17",
        query: "page=2&tag=a%20b",
        headers: &headers,
    };
    if let Ok(expression) = Expression::condition(text) {
        let _ = expression.holds(&facts);
    }
    if let Ok(expression) = Expression::number(text) {
        let _ = expression.value(&facts);
    }
});
