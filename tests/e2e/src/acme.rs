//! Certificates that are ordered from a real ACME server, by HTTP and by TLS, and renewed.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::harness::pebble::Pebble;
use crate::harness::program::free_port;
use crate::harness::tls::shown;

/// Longer than an order takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

struct Place {
    home: Home,
    gateline: Gateline,
    http: Http,
    /// Of HTTP and of TLS.
    ports: (u16, u16),
}

impl Place {
    async fn new() -> Self {
        let (plain, tls) = (free_port(), free_port());
        let mut home = Home::new().with(&["--no-demo", "--gateway", &format!("127.0.0.1:{plain}")]);
        home.set("GATELINE_GATEWAY_LISTEN_TLS", &format!("127.0.0.1:{tls}"));
        Self {
            gateline: home.up().await,
            home,
            http: Http::new(),
            ports: (plain, tls),
        }
    }

    async fn call(&self, method: Method, path: &str, body: &str) -> Value {
        let authorization = format!("Bearer {}", self.gateline.token());
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let url = format!("{}{path}", self.gateline.control());
        let answer = self.http.send(method, &url, &headers, body).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {}", answer.json());
        answer.json()
    }

    /// Orders a certificate for a host; its path.
    async fn order(&self, pebble: &Pebble, host: &str, challenge: &str) -> String {
        let spec = json!({
            "name": challenge.replace('_', "-"),
            "environment": "sandbox",
            "hosts": [host],
            "acme": {
                "directory_url": pebble.directory,
                "contacts": ["ops@example.com"],
                "challenge": challenge,
                "terms_agreed": true,
                "authorities": pebble.authorities,
            },
        });
        let made = self
            .call(Method::POST, "/api/v1/certificates", &spec.to_string())
            .await;
        assert_eq!(made["state"], "pending");
        format!("/api/v1/certificates/{}", made["id"].as_str().unwrap())
    }

    /// Waits until a certificate has come and is shown; its fingerprint.
    async fn issued(&self, path: &str, host: &str, but: Option<&str>) -> String {
        eventually("a certificate", PATIENCE, async || {
            let found = self.call(Method::GET, path, "").await;
            assert!(
                found["state"] != "failed",
                "{}
{}",
                found["order"],
                self.gateline.running.said()
            );
            let fingerprint = found["facts"]["fingerprint_sha256"].as_str()?.to_owned();
            let issuer = found["facts"]["issuer"].as_str()?;
            assert!(issuer.contains("Pebble"), "{issuer}");
            assert!(found["order"]["next_at"].as_str()? < found["facts"]["not_after"].as_str()?);
            let is_shown = shown(self.ports.1, host)? == fingerprint;
            (is_shown && but != Some(fingerprint.as_str())).then_some(fingerprint)
        })
        .await
    }
}

#[tokio::test]
async fn certificates_come_by_http_and_by_tls_and_are_renewed() {
    let place = Place::new().await;
    let pebble = Pebble::start(place.home.path(), place.ports, 24).await;
    let http = place.order(&pebble, "http.example.com", "http_01").await;
    let tls = place.order(&pebble, "tls.example.com", "tls_alpn_01").await;
    let first = place.issued(&http, "http.example.com", None).await;
    place.issued(&tls, "tls.example.com", None).await;
    place.issued(&http, "http.example.com", Some(&first)).await;
    place.gateline.stop();
}

#[tokio::test]
async fn an_order_that_fails_says_why_and_is_tried_again() {
    let place = Place::new().await;
    // Nobody listens where the server looks.
    let pebble = Pebble::start(place.home.path(), (free_port(), free_port()), 3600).await;
    let path = place.order(&pebble, "lost.example.com", "http_01").await;
    let failed = eventually("the failure", PATIENCE, async || {
        let found = place.call(Method::GET, &path, "").await;
        (found["state"] == "failed").then_some(found)
    })
    .await;
    let error = failed["order"]["error"].as_str().unwrap();
    assert!(error.starts_with("lost.example.com: "), "{error}");
    assert!(error.contains("connection refused"), "{error}");
    assert_eq!(failed["order"]["failures"], 1);
    assert!(failed["order"]["next_at"].as_str() > failed["updated_at"].as_str());
    place.gateline.stop();
}
