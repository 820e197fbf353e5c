use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use domain::alert::WebhookFormat;
use domain::id::NoticeId;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{line, request};

fn body(kind: &str) -> Value {
    json!({
        "type": kind,
        "data": {
            "alert": { "title": "Errors", "severity": "critical", "summary": "There are many." },
            "url": "http://control.test/console/alerts/alt_1",
        },
    })
}

/// The one of the specification's text: id, seconds and body joined by full stops.
#[tokio::test]
async fn webhooks_are_signed_as_the_standard_has_it() {
    let id = NoticeId::new(Uuid::from_u128(7));
    let now = Timestamp::from_micros(1_614_265_330_999_999);
    let key = [7_u8; 32];
    for format in [WebhookFormat::Standard, WebhookFormat::Text] {
        let request = request(
            "https://hooks.example.com/a",
            format,
            (id, &key),
            &body("alert.firing"),
            now,
        );
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("webhook-id"), id.to_string());
        assert_eq!(header("webhook-timestamp"), "1614265330");
        let signature = header("webhook-signature");
        let bytes = request.into_body().collect().await.unwrap().to_bytes();
        let signed = [format!("{id}.1614265330.").as_bytes(), &bytes].concat();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
        let given = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        aws_lc_rs::hmac::verify(&key, &signed, &given).unwrap();
        let sent: Value = serde_json::from_slice(&bytes).unwrap();
        match format {
            WebhookFormat::Standard => assert_eq!(sent, body("alert.firing")),
            WebhookFormat::Text => {
                let text =
                    "Firing (critical): Errors - There are many.\nhttp://control.test/console/alerts/alt_1";
                assert_eq!(sent, json!({ "text": text }));
            }
        }
    }
}

#[test]
fn a_line_says_what_has_become_of_it() {
    assert_eq!(
        line(&body("alert.resolved")),
        "Resolved: Errors - There are many."
    );
    assert_eq!(
        line(&body("alert.repeated")),
        "Still firing (critical): Errors - There are many."
    );
    let period = json!({ "from": "2026-11-16T00:00:00Z", "to": "2026-11-23T00:00:00Z" });
    let report =
        json!({ "type": "report.made", "data": { "title": "The week", "report": { "period": period } } });
    assert_eq!(line(&report), "The week, 2026-11-16 to 2026-11-23");
    let test = json!({ "type": "alert.test", "data": { "description": "Nothing is wrong." } });
    assert_eq!(line(&test), "Nothing is wrong.");
}
